/* Words that threads wait at: futex(2), get_robust_list(2). */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(what, result) { errno = 0; long r_ = (long)(result); printf("%s: %ld %d\n", what, r_, r_ < 0 ? errno : 0); }
static int word, other;
static long futex(int *at, int op, int value, struct timespec *time, int *second, int third) {
  return syscall(SYS_futex, at, op, value, time, second, third);
}
static void *waits(void *argument) {
  long result = futex(&word, FUTEX_WAIT, 0, 0, 0, 0);
  return (void *)result;
}
static pthread_mutex_t mutex;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turns;
static void *plays(void *argument) {
  for (int i = 0; i < 100; i++) {
    pthread_mutex_lock(&mutex);
    while (turns % 2 != (long)argument) pthread_cond_wait(&condition, &mutex);
    turns++;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
  }
  return 0;
}
static void *dies(void *argument) {
  pthread_mutex_lock(argument);
  return 0;
}
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  struct timespec soon = {0, 10000000};
  SHOW("other value", futex(&word, FUTEX_WAIT, 1, 0, 0, 0));
  SHOW("timeout", futex(&word, FUTEX_WAIT, 0, &soon, 0, 0));
  SHOW("unaligned", futex((int *)((char *)&word + 1), FUTEX_WAIT, 0, 0, 0, 0));
  SHOW("fault", futex((int *)16, FUTEX_WAIT, 0, 0, 0, 0));
  SHOW("bad time", futex(&word, FUTEX_WAIT, 0, &(struct timespec){0, -1}, 0, 0));
  SHOW("bitset 0", futex(&word, FUTEX_WAIT_BITSET, 0, 0, 0, 0));
  SHOW("bitset past", futex(&word, FUTEX_WAIT_BITSET, 0, &soon, 0, 1));
  SHOW("wake nobody", futex(&word, FUTEX_WAKE, 1, 0, 0, 0));
  SHOW("unknown", futex(&word, 99, 1, 0, 0, 0));
  SHOW("cmp_requeue", futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 5));
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, waits, 0);
  usleep(50000);
  SHOW("wake 1", futex(&word, FUTEX_WAKE, 1, 0, 0, 0));
  SHOW("requeue", futex(&word, FUTEX_REQUEUE, 1, (void *)1, &other, 0));
  SHOW("wake other", futex(&other, FUTEX_WAKE, 9, 0, 0, 0));
  SHOW("wake op", futex(&other, FUTEX_WAKE_OP, 1, (void *)9, &word, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 0)));
  for (int i = 0; i < 4; i++) {
    void *result;
    pthread_join(threads[i], &result);
    printf("thread: %ld\n", (long)result);
  }
  printf("word: %d\n", word);
  pthread_mutex_init(&mutex, 0);
  pthread_create(&threads[0], 0, plays, (void *)0);
  pthread_create(&threads[1], 0, plays, (void *)1);
  pthread_join(threads[0], 0);
  pthread_join(threads[1], 0);
  printf("turns: %d\n", turns);
  sem_t *semaphore = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  sem_init(semaphore, 1, 0);
  if (fork() == 0) {
    usleep(20000);
    sem_post(semaphore);
    _exit(0);
  }
  SHOW("shared semaphore", sem_wait(semaphore));
  wait(0);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_t robust;
  pthread_mutex_init(&robust, &attributes);
  pthread_create(&threads[0], 0, dies, &robust);
  pthread_join(threads[0], 0);
  printf("owner died: %d\n", pthread_mutex_lock(&robust));
  word = 0;
  SHOW("lock pi", futex(&word, FUTEX_LOCK_PI, 0, 0, 0, 0));
  printf("owned: %d\n", (word & FUTEX_TID_MASK) == getpid());
  SHOW("lock pi again", futex(&word, FUTEX_LOCK_PI, 0, 0, 0, 0));
  SHOW("unlock pi", futex(&word, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  SHOW("unlock pi again", futex(&word, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  void *head;
  size_t size;
  SHOW("robust list", syscall(SYS_get_robust_list, 0, &head, &size));
  SHOW("robust list size", syscall(SYS_set_robust_list, head, 5));
  SHOW("robust list nobody", syscall(SYS_get_robust_list, 29999, &head, &size));
  return 0;
}
