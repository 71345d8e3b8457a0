/* Limits: getrlimit(2), prlimit(2), and what happens at them. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(what, result) { errno = 0; long r_ = (long)(result); printf("%s: %ld %d\n", what, r_, r_ < 0 ? errno : 0); }
static int in_child(void (*work)(void)) {
  int status;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    work();
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, &status, 0);
  return status;
}
static void limit(int which, long value) { setrlimit(which, &(struct rlimit){value, value}); }
static void files(void) {
  limit(RLIMIT_NOFILE, 5);
  int fd = dup(0);
  while (fd >= 0 && fd < 4) fd = dup(0);
  printf("last: %d\n", fd);
  SHOW("dup", dup(0));
}
static void space(void) {
  limit(RLIMIT_AS, 64 << 20);
  SHOW("mmap", mmap(0, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  printf("small: %d\n", mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}
static int deep(int n) {
  volatile char room[65536];
  memset((void *)room, n, sizeof room);
  return n == 0 ? room[5] : deep(n - 1) + room[7];
}
static void shallow(void) { deep(50); }
static void stack(void) {
  limit(RLIMIT_STACK, 1 << 20);
  deep(50);
}
static volatile int told;
static void tells(int number) { told = 1; }
static void cpu(void) {
  signal(SIGXCPU, tells);
  setrlimit(RLIMIT_CPU, &(struct rlimit){1, 2});
  while (!told) ;
  printf("XCPU\n");
  fflush(stdout);
  for (;;) ;
}
static void processes(void) {
  limit(RLIMIT_NPROC, 1);
  setresuid(4321, 4321, 4321);
  SHOW("fork", fork());
}
static void core(void) { raise(SIGQUIT); }
int main(void) {
  struct rlimit r;
  SHOW("getrlimit bad", getrlimit(16, &r));
  SHOW("soft over hard", setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, 50}));
  SHOW("set", setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, 200}));
  getrlimit(RLIMIT_NOFILE, &r);
  printf("get: %ld %ld\n", (long)r.rlim_cur, (long)r.rlim_max);
  SHOW("too many files", setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, 1 << 30}));
  SHOW("nobody", prlimit(29999, RLIMIT_NOFILE, 0, &r));
  getrlimit(RLIMIT_STACK, &r);
  printf("stack: %ld\n", (long)r.rlim_cur);
  printf("files: %x\n", in_child(files));
  printf("space: %x\n", in_child(space));
  printf("shallow: %x\n", in_child(shallow));
  printf("stack: %x\n", in_child(stack));
  printf("cpu: %x\n", in_child(cpu));
  printf("processes: %x\n", in_child(processes));
  limit(RLIMIT_CORE, 0);
  printf("core: %x\n", in_child(core));
  SHOW("personality", personality(0xffffffff));
  setresuid(1000, 1000, 1000);
  SHOW("raise hard", setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, 300}));
  SHOW("sethostname", sethostname("x", 1));
  return 0;
}
