/* Children are made and awaited: fork(2), vfork(2), clone(2), clone3(2), wait4(2), waitid(2), pidfd_open(2). */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(what, result) { errno = 0; long r_ = (long)(result); printf("%s: %ld %d\n", what, r_, r_ < 0 ? errno : 0); }

static int shared;
static int body(void *argument) {
  shared = 7;
  return *(int *)argument;
}
static char stack[65536] __attribute__((aligned(16)));

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  int status = 0;
  siginfo_t info;
  SHOW("no children", wait(&status));
  SHOW("waitid none", waitid(P_ALL, 0, &info, WEXITED));
  SHOW("waitid options", waitid(P_ALL, 0, &info, 0));
  SHOW("waitid type", waitid(9, 0, &info, WEXITED));
  SHOW("wait4 options", syscall(SYS_wait4, -1, &status, 0x100, 0));
  pid_t child = fork();
  if (child == 0) _exit(300);
  SHOW("waitid NOWAIT", waitid(P_PID, child, &info, WEXITED | WNOWAIT));
  printf("info: %d %d %d %d\n", info.si_signo, info.si_code, info.si_status, info.si_pid == child);
  struct rusage usage;
  child = wait4(child, &status, 0, &usage) - child;
  printf("wait4: %d status %x\n", child, status);
  SHOW("gone", waitpid(-1, &status, 0));
  if ((child = fork()) == 0) for (;;) pause();
  SHOW("WNOHANG", waitpid(child, &status, WNOHANG));
  memset(&info, 0x55, sizeof info);
  SHOW("waitid WNOHANG", waitid(P_PID, child, &info, WEXITED | WNOHANG));
  printf("nothing: %d %d\n", info.si_signo, info.si_pid);
  SHOW("other group", waitpid(-29999, &status, 0));
  int fd = syscall(SYS_pidfd_open, child, 0);
  printf("pidfd: %d\n", fd >= 0);
  SHOW("pidfd flags", syscall(SYS_pidfd_open, child, 1));
  SHOW("pidfd nobody", syscall(SYS_pidfd_open, 29999, 0));
  SHOW("pidfd send", syscall(SYS_pidfd_send_signal, fd, SIGTERM, 0, 0));
  SHOW("waitid PIDFD", waitid(P_PIDFD, fd, &info, WEXITED));
  printf("info: %d %d\n", info.si_code, info.si_status);
  SHOW("pidfd send late", syscall(SYS_pidfd_send_signal, fd, SIGTERM, 0, 0));

  int five = 5;
  child = clone(body, stack + sizeof stack, CLONE_VM | SIGCHLD, &five);
  waitpid(child, &status, 0);
  printf("clone VM: %d status %x\n", shared, status);
  shared = 0;
  child = clone(body, stack + sizeof stack, SIGCHLD, &five);
  waitpid(child, &status, 0);
  printf("clone: %d status %x\n", shared, status);
  child = clone(body, stack + sizeof stack, 0, &five);
  SHOW("wait for SIGCHLD alone", waitpid(child, &status, 0));
  printf("__WCLONE: %d\n", waitpid(child, &status, __WCLONE) == child);
  SHOW("SIGHAND alone", syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0));
  SHOW("THREAD alone", syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0));
  SHOW("FS and NEWNS", syscall(SYS_clone, CLONE_FS | CLONE_NEWNS, 0, 0, 0, 0));

  struct clone_args args;
  memset(&args, 0, sizeof args);
  SHOW("clone3 small", syscall(SYS_clone3, &args, 8));
  SHOW("clone3 large", syscall(SYS_clone3, &args, 8192));
  args.flags = 0xff;
  SHOW("clone3 signal in flags", syscall(SYS_clone3, &args, sizeof args));
  args.flags = 0;
  args.stack = 4096;
  SHOW("clone3 stack", syscall(SYS_clone3, &args, sizeof args));
  args.stack = 0;
  int pidfd = -1;
  args.flags = CLONE_PIDFD;
  args.pidfd = (unsigned long)&pidfd;
  args.exit_signal = SIGCHLD;
  child = syscall(SYS_clone3, &args, sizeof args);
  if (child == 0) _exit(4);
  printf("clone3: %d pidfd %d\n", child > 0, pidfd > 0);
  waitpid(child, &status, 0);
  printf("status %x\n", status);

  if ((child = vfork()) == 0) {
    shared = 9;
    _exit(2);
  }
  printf("vfork: %d\n", shared);
  waitpid(child, &status, 0);

  prctl(PR_SET_CHILD_SUBREAPER, 1);
  if ((child = fork()) == 0) {
    if (fork() == 0) {
      usleep(20000);
      _exit(getppid() == 1 ? 1 : 6);
    }
    _exit(0);
  }
  waitpid(child, &status, 0);
  child = wait(&status);
  printf("orphan: %d status %x\n", child > 0, status);
  int ends[2];
  pipe(ends);
  if ((child = fork()) == 0) {
    pid_t own = getpid();
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGUSR1);
      write(ends[1], "x", 1);
      for (;;) pause();
    }
    char byte;
    read(ends[0], &byte, 1);
    _exit(0);
  }
  waitpid(child, &status, 0);
  child = wait(&status);
  printf("pdeathsig: %d status %x\n", child > 0, status);
  setpgid(0, 0);
  SHOW("setpgid -1", setpgid(0, -1));
  SHOW("setpgid nobody", setpgid(29999, 0));
  SHOW("setpgid other group", setpgid(0, 29999));
  SHOW("setsid of a leader", setsid());
  SHOW("getpriority", getpriority(PRIO_PROCESS, 0));
  SHOW("setpriority", setpriority(PRIO_PROCESS, 0, 5));
  SHOW("getpriority", getpriority(PRIO_PROCESS, 0));
  SHOW("getpriority bad", getpriority(9, 0));
  SHOW("getpriority nobody", getpriority(PRIO_PROCESS, 29999));
  cpu_set_t set;
  CPU_ZERO(&set);
  SHOW("setaffinity none", sched_setaffinity(0, sizeof set, &set));
  CPU_SET(0, &set);
  SHOW("setaffinity", sched_setaffinity(0, sizeof set, &set));
  SHOW("getaffinity small", syscall(SYS_sched_getaffinity, 0, 3, &set));
  SHOW("getscheduler", sched_getscheduler(0));
  SHOW("priority max", sched_get_priority_max(SCHED_FIFO));
  SHOW("priority max bad", sched_get_priority_max(77));
  SHOW("getrusage bad", getrusage(7, &usage));
  return 0;
}
