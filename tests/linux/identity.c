/* Who a process is that nobody has given anything: getpid(2), getuid(2), getpgrp(2), getsid(2). */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/syscall.h>

int main(void) {
  printf("ids %d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
  printf("thread %d\n", (int)syscall(SYS_gettid) == getpid());
  printf("getpgid of nobody: %d", getpgid(30000));
  printf(" %d\n", errno);
  printf("getsid of nobody: %d", getsid(30000));
  printf(" %d\n", errno);
  return 0;
}
