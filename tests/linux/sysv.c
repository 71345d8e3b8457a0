// System V shared memory, semaphores and message queues. Spec: sysvipc(7).
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FACT(what, call)                                     \
  do {                                                       \
    errno = 0;                                               \
    long result = (call);                                    \
    printf("%s: %ld %d\n", what, result, result < 0 ? errno : 0); \
  } while (0)

union argument {
  int value;
  struct semid_ds *about;
  unsigned short *values;
};

static void shared(void) {
  FACT("shmget of none", shmget(0x1234, 100, 0));
  FACT("shmget of size 0", shmget(0x1234, 0, IPC_CREAT | 0600));
  int id = shmget(0x1234, 5000, IPC_CREAT | 0640);
  printf("shmget %d\n", id);
  FACT("again", shmget(0x1234, 100, 0) - id);
  FACT("exclusively", shmget(0x1234, 100, IPC_CREAT | IPC_EXCL));
  FACT("too large", shmget(0x1234, 6000, 0));
  char *at = shmat(id, 0, 0);
  strcpy(at, "hello");
  if (fork() == 0) {
    char *other = shmat(id, 0, SHM_RDONLY);
    printf("child sees %s %d\n", at, strcmp(at, other));
    strcpy(at, "from the child");
    struct shmid_ds about;
    shmctl(id, IPC_STAT, &about);
    printf("attached %d\n", (int)about.shm_nattch);
    FACT("child shmdt", shmdt(other));
    FACT("child shmdt again", shmdt(other));
    _exit(0);
  }
  wait(0);
  printf("parent sees %s\n", at);
  struct shmid_ds about;
  FACT("IPC_STAT", shmctl(id, IPC_STAT, &about));
  printf("size %d mode %o attached %d creator %d key %x uid %d\n", (int)about.shm_segsz, about.shm_perm.mode, (int)about.shm_nattch,
         about.shm_cpid == getpid(), about.shm_perm.__key, about.shm_perm.uid);
  about.shm_perm.mode = 0600;
  about.shm_perm.uid = 5;
  FACT("IPC_SET", shmctl(id, IPC_SET, &about));
  shmctl(id, IPC_STAT, &about);
  printf("mode %o uid %d\n", about.shm_perm.mode, about.shm_perm.uid);
  FACT("IPC_RMID", shmctl(id, IPC_RMID, 0));
  FACT("IPC_STAT of a doomed one", shmctl(id, IPC_STAT, &about));
  printf("mode %o key %x\n", about.shm_perm.mode, about.shm_perm.__key);
  FACT("shmget of the key", shmget(0x1234, 100, 0));
  printf("still %s\n", at);
  FACT("shmdt", shmdt(at));
  FACT("IPC_STAT of none", shmctl(id, IPC_STAT, &about));
  FACT("shmat of none", (long)shmat(id, 0, 0));
  id = shmget(IPC_PRIVATE, 4096, 0600);
  FACT("shmat at an odd address", (long)shmat(id, (void *)0x10001, 0));
  at = shmat(id, (void *)0x30000123, SHM_RND);
  printf("rounded %p\n", at);
  FACT("shmat there again", (long)shmat(id, (void *)0x30000000, 0));
  printf("with SHM_REMAP %p\n", shmat(id, (void *)0x30000000, SHM_REMAP));
  FACT("command 77", shmctl(id, 77, &about));
  FACT("shmdt of nothing", shmdt((void *)0x50000000));
  shmctl(id, IPC_RMID, 0);
}

static void semaphores(void) {
  FACT("semget of 0", semget(0x77, 0, IPC_CREAT | 0600));
  int id = semget(0x77, 3, IPC_CREAT | 0600);
  printf("semget %d\n", id);
  FACT("semget of more", semget(0x77, 4, 0));
  FACT("semget again", semget(0x77, 0, 0) - id);
  unsigned short values[3] = {1, 2, 3};
  union argument argument = {.values = values};
  FACT("SETALL", semctl(id, 0, SETALL, argument));
  FACT("GETVAL", semctl(id, 1, GETVAL));
  argument.value = 5;
  FACT("SETVAL", semctl(id, 2, SETVAL, argument));
  argument.value = 40000;
  FACT("SETVAL too large", semctl(id, 2, SETVAL, argument));
  FACT("GETVAL of none", semctl(id, 3, GETVAL));
  struct sembuf take[2] = {{0, -1, 0}, {1, -2, 0}};
  FACT("two at once", semop(id, take, 2));
  struct sembuf none = {0, -1, IPC_NOWAIT};
  FACT("no more", semop(id, &none, 1));
  struct sembuf zero = {0, 0, IPC_NOWAIT};
  FACT("is zero", semop(id, &zero, 1));
  zero.sem_num = 2;
  FACT("is not zero", semop(id, &zero, 1));
  struct sembuf far = {9, 1, 0};
  FACT("no such semaphore", semop(id, &far, 1));
  FACT("no operations", semop(id, &far, 0));
  struct timespec time = {0, 1000000};
  none.sem_flg = 0;
  FACT("timeout", semtimedop(id, &none, 1, &time));
  int child = fork();
  if (child == 0) {
    struct sembuf wait = {0, -1, 0};
    int result = semop(id, &wait, 1);
    usleep(10000);
    FACT("child waited", result);
    struct sembuf give = {1, 1, SEM_UNDO};
    FACT("child gives", semop(id, &give, 1));
    _exit(0);
  }
  while (semctl(id, 0, GETNCNT) == 0) usleep(1000);
  FACT("waiting", semctl(id, 0, GETNCNT));
  struct sembuf give = {0, 1, 0};
  FACT("give", semop(id, &give, 1));
  wait(0);
  FACT("undone", semctl(id, 1, GETVAL));
  FACT("last pid is the child's", semctl(id, 0, GETPID) == child);
  struct semid_ds about;
  argument.about = &about;
  FACT("IPC_STAT", semctl(id, 0, IPC_STAT, argument));
  printf("count %d mode %o\n", (int)about.sem_nsems, about.sem_perm.mode);
  child = fork();
  if (child == 0) {
    struct sembuf wait = {0, -1, 0};
    int result = semop(id, &wait, 1);
    int failed = errno;
    usleep(10000);
    printf("removed while it waits: %d %d\n", result, failed);
    _exit(0);
  }
  while (semctl(id, 0, GETNCNT) == 0) usleep(1000);
  FACT("IPC_RMID", semctl(id, 0, IPC_RMID));
  wait(0);
  FACT("gone", semctl(id, 0, GETVAL));
}

struct message {
  long type;
  char text[64];
};

static void messages(void) {
  int id = msgget(0x55, IPC_CREAT | 0600);
  printf("msgget %d\n", id);
  struct message message = {3, "three"};
  FACT("send", msgsnd(id, &message, 6, 0));
  message.type = 1;
  strcpy(message.text, "one");
  FACT("send", msgsnd(id, &message, 4, 0));
  message.type = 2;
  strcpy(message.text, "two");
  FACT("send", msgsnd(id, &message, 4, 0));
  message.type = 0;
  FACT("type 0", msgsnd(id, &message, 4, 0));
  message.type = 1;
  FACT("too long", msgsnd(id, &message, 9000, 0));
  FACT("receive 2", msgrcv(id, &message, 64, 2, 0));
  printf("%ld %s\n", message.type, message.text);
  FACT("receive at most 2", msgrcv(id, &message, 64, -2, 0));
  printf("%ld %s\n", message.type, message.text);
  FACT("too short", msgrcv(id, &message, 3, 0, 0));
  FACT("cut", msgrcv(id, &message, 3, 0, MSG_NOERROR));
  printf("%ld %.3s\n", message.type, message.text);
  FACT("none", msgrcv(id, &message, 64, 0, IPC_NOWAIT));
  if (fork() == 0) {
    struct message got;
    int result = msgrcv(id, &got, 64, 7, 0);
    usleep(10000);
    FACT("child received", result);
    printf("%ld %s\n", got.type, got.text);
    result = msgrcv(id, &got, 64, 8, 0);
    int failed = errno;
    usleep(10000);
    printf("removed while it waits: %d %d\n", result, failed);
    _exit(0);
  }
  usleep(20000);
  message.type = 7;
  strcpy(message.text, "seven");
  FACT("send", msgsnd(id, &message, 6, 0));
  usleep(40000);
  struct msqid_ds about;
  FACT("IPC_STAT", msgctl(id, IPC_STAT, &about));
  printf("messages %d bytes %d most %d\n", (int)about.msg_qnum, (int)about.__msg_cbytes, (int)about.msg_qbytes);
  FACT("IPC_RMID", msgctl(id, IPC_RMID, 0));
  wait(0);
  FACT("gone", msgsnd(id, &message, 4, 0));
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  unshare(CLONE_NEWIPC);
  shared();
  semaphores();
  messages();
  int id = shmget(0x99, 4096, IPC_CREAT | 0600);
  if (fork() == 0) {
    FACT("unshare", unshare(CLONE_NEWIPC));
    FACT("key in another namespace", shmget(0x99, 4096, 0));
    FACT("id in another namespace", (long)shmat(id, 0, 0));
    FACT("own", shmget(0x99, 4096, IPC_CREAT | 0600));
    _exit(0);
  }
  wait(0);
  if (fork() == 0) {
    setresgid(1000, 1000, 1000);
    setresuid(1000, 1000, 1000);
    FACT("without rights", (long)shmat(id, 0, 0));
    FACT("remove without rights", shmctl(id, IPC_RMID, 0));
    FACT("get without rights", shmget(0x99, 4096, 0600));
    FACT("get with none asked", shmget(0x99, 4096, 0) == id);
    _exit(0);
  }
  wait(0);
  return 0;
}
