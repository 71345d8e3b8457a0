// PID namespaces: numbers inside and outside, the first process, orphans, unshare and setns. Spec: pid_namespaces(7).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FACT(what, call)                                     \
  do {                                                       \
    errno = 0;                                               \
    long result = (call);                                    \
    printf("%s: %ld %d\n", what, result, result < 0 ? errno : 0); \
  } while (0)

static int forked(int flags) {
  fflush(stdout);
  return syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}
static void ended(const char *what, int pid) {
  int status = -1;
  int got = waitpid(pid, &status, 0);
  printf("%s: %s %d\n", what, got == pid ? "waited" : strerror(errno), status);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  int pid = forked(CLONE_NEWPID);
  if (pid == 0) {
    printf("inside: getpid %d getppid %d gettid %d\n", getpid(), getppid(), (int)syscall(SYS_gettid));
    printf("inside: getsid %d getpgrp %d\n", getsid(0), getpgrp());
    FACT("inside: kill(1, SIGKILL)", kill(1, SIGKILL));
    FACT("inside: kill(1, SIGTERM)", kill(1, SIGTERM));
    int child = fork();
    if (child == 0) {
      printf("child: getpid %d getppid %d\n", getpid(), getppid());
      printf("child: setsid %d\n", setsid());
      int orphan = fork();
      if (orphan == 0) {
        usleep(20000);
        printf("orphan: getpid %d getppid %d\n", getpid(), getppid());
        _exit(7);
      }
      printf("child: fork %d\n", orphan);
      _exit(3);
    }
    printf("inside: fork %d\n", child);
    ended("inside child", child);
    ended("inside orphan", 3);
    FACT("inside: kill of one that is gone", kill(2, 0));
    int nested = forked(CLONE_NEWPID);
    if (nested == 0) {
      printf("nested: getpid %d getppid %d\n", getpid(), getppid());
      _exit(5);
    }
    printf("inside: nested %d\n", nested);
    ended("nested", nested);
    _exit(9);
  }
  ended("namespace", pid);

  // The end of the first process ends all.
  int pipes[2];
  pipe(pipes);
  pid = forked(CLONE_NEWPID);
  if (pid == 0) {
    close(pipes[0]);
    for (int index = 0; index < 3; index++)
      if (fork() == 0) {
        pause();
        _exit(0);
      }
    _exit(4);
  }
  close(pipes[1]);
  char byte;
  printf("all ended: read %d\n", (int)read(pipes[0], &byte, 1));
  ended("first", pid);

  // A signal from outside kills it.
  pid = forked(CLONE_NEWPID);
  if (pid == 0)
    for (;;) pause();
  printf("SIGTERM from outside %d\n", kill(pid, SIGTERM));
  usleep(10000);
  printf("still there %d\n", waitpid(pid, 0, WNOHANG));
  printf("SIGKILL from outside %d\n", kill(pid, SIGKILL));
  ended("killed", pid);

  // unshare(2) is for children to come.
  pid = forked(0);
  if (pid == 0) {
    int own = getpid();
    printf("unshare %d, same pid %d\n", unshare(CLONE_NEWPID), getpid() == own);
    FACT("unshare twice", unshare(CLONE_NEWPID));
    int first = forked(0);
    if (first == 0) {
      printf("first of unshared: %d parent %d\n", getpid(), getppid());
      _exit(0);
    }
    ended("first of unshared", first);
    FACT("fork after its end", forked(0));
    _exit(0);
  }
  ended("unshared", pid);

  FACT("thread in another namespace", syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWPID, 0, 0, 0, 0));
  FACT("unshare(1)", unshare(1));
  FACT("setns(-1)", setns(-1, 0));
  int fd = open("/proc/self/exe", O_RDONLY);
  FACT("setns of a file", setns(fd, 0));
  return 0;
}
