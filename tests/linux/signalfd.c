// Signals that are read from a file.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *what, long result) {
  int error = result < 0 ? errno : 0;
  printf("%s: %ld %d\n", what, result < 0 ? -1 : result, error);
}
#define T(call) tell(#call, call)

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  sigaddset(&mask, SIGCHLD);
  sigprocmask(SIG_BLOCK, &mask, 0);
  struct signalfd_siginfo s[4];
  int fd = signalfd(-1, &mask, SFD_NONBLOCK);
  T(read(fd, s, sizeof s));
  T(read(fd, s, 100));
  kill(getpid(), SIGUSR1);
  kill(getpid(), SIGUSR1);
  struct pollfd p = {fd, POLLIN, 0};
  T(poll(&p, 1, 0));
  T(read(fd, s, sizeof s));
  printf("%d %d %d\n", s[0].ssi_signo, s[0].ssi_code, s[0].ssi_pid == getpid());
  T(read(fd, s, sizeof s));
  int pid = fork();
  if (pid == 0) _exit(3);
  T(poll(&p, 1, -1));
  T(read(fd, s, sizeof s));
  printf("%d %d %d %d\n", s[0].ssi_signo, s[0].ssi_code, s[0].ssi_status, s[0].ssi_pid == pid);
  wait(0);
  int blocking = signalfd(-1, &mask, 0);
  int parent = getpid();
  pid = fork();
  if (pid == 0) {
    usleep(2000);
    kill(parent, SIGUSR1);
    _exit(0);
  }
  T(read(blocking, s, sizeof *s));
  printf("%d %d\n", s[0].ssi_signo, s[0].ssi_pid == pid);
  wait(0);
  read(blocking, s, sizeof *s);
  sigdelset(&mask, SIGUSR1);
  T(signalfd(fd, &mask, 0) == fd ? 0 : -1);
  kill(getpid(), SIGUSR1);
  T(read(fd, s, sizeof s));
  T(signalfd(0, &mask, 0));
  T(signalfd(-1, &mask, 1));
  int ep = epoll_create1(0);
  struct epoll_event e = {EPOLLIN, {.u64 = 1}};
  T(epoll_ctl(ep, EPOLL_CTL_ADD, blocking, &e));
  T(epoll_wait(ep, &e, 1, -1));
  return 0;
}
