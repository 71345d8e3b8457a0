// epoll: level, edge, one shot; instances in instances; files that are closed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *what, long result) {
  int error = result < 0 ? errno : 0;
  printf("%s: %ld %d\n", what, result < 0 ? -1 : result, error);
}
#define T(call) tell(#call, call)

static int ep;
static int ctl(int op, int fd, unsigned events, int data) {
  struct epoll_event e = {events, {.u64 = data}};
  return epoll_ctl(ep, op, fd, &e);
}
static void waitfor(const char *what, int timeout) {
  struct epoll_event e[8];
  int n = epoll_wait(ep, e, 8, timeout);
  printf("%s: %d", what, n);
  for (int i = 0; i < n; i++) printf(" %d=%x", (int)e[i].data.u64, e[i].events);
  printf("\n");
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  int p[2], q[2];
  char c[16];
  pipe(p);
  pipe(q);
  T(epoll_create(0));
  T(epoll_create1(1));
  ep = epoll_create1(EPOLL_CLOEXEC);
  T(fcntl(ep, F_GETFD));
  T(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  T(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  T(ctl(EPOLL_CTL_MOD, q[0], EPOLLIN, 1));
  T(ctl(EPOLL_CTL_DEL, q[0], EPOLLIN, 1));
  T(ctl(9, p[0], EPOLLIN, 1));
  T(ctl(EPOLL_CTL_ADD, 99, EPOLLIN, 1));
  T(ctl(EPOLL_CTL_ADD, ep, EPOLLIN, 1));
  T(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], (struct epoll_event *)c));
  T(epoll_ctl(ep, EPOLL_CTL_ADD, q[0], 0));
  int file = open("/bin/busybox", O_RDONLY);
  if (file < 0) file = open("/bin/true", O_RDONLY);
  T(ctl(EPOLL_CTL_ADD, file, EPOLLIN, 1));
  struct epoll_event e;
  T(epoll_wait(ep, &e, 0, 0));
  T(epoll_wait(p[0], &e, 1, 0));
  T(epoll_wait(99, &e, 1, 0));
  T(read(ep, c, 1));
  waitfor("nothing", 0);
  waitfor("nothing yet", 5);
  write(p[1], "abcd", 4);
  waitfor("level", 0);
  waitfor("level again", -1);
  T(epoll_wait(ep, (void *)8, 1, 0));
  waitfor("level after a fault", 0);
  read(p[0], c, 4);
  waitfor("read", 0);
  T(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 2));
  waitfor("edge, nothing", 0);
  write(p[1], "abcd", 4);
  waitfor("edge", 0);
  waitfor("edge told", 0);
  read(p[0], c, 1);
  waitfor("edge after some was read", 0);
  write(p[1], "e", 1);
  waitfor("edge with more", 0);
  T(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 3));
  waitfor("edge after a change", 0);
  T(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 4));
  waitfor("one shot", 0);
  write(p[1], "e", 1);
  waitfor("one shot gone", 0);
  T(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 5));
  waitfor("one shot again", 0);
  T(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN, 6));
  // two files, in turns
  T(ctl(EPOLL_CTL_ADD, q[0], EPOLLIN, 7));
  write(q[1], "x", 1);
  waitfor("two", 0);
  for (int i = 0; i < 3; i++) {
    int n = epoll_wait(ep, &e, 1, 0);
    printf("one of two: %d %d\n", n, (int)e.data.u64);
  }
  T(ctl(EPOLL_CTL_ADD, q[1], EPOLLOUT | EPOLLET, 8));
  waitfor("a writer", 0);
  waitfor("a writer told", 0);
  // the same file by another descriptor
  int d = dup(p[0]);
  T(ctl(EPOLL_CTL_ADD, d, EPOLLIN, 9));
  waitfor("twice", 0);
  close(p[0]);
  waitfor("closed, with another descriptor", 0);
  T(ctl(EPOLL_CTL_DEL, d, 0, 0));
  close(d);
  waitfor("closed", 0);
  close(q[1]);
  read(q[0], c, 1);
  waitfor("hung up", 0);
  close(q[0]);
  waitfor("all closed", 0);
  // an eventfd, and a child that writes
  int ev = eventfd(0, 0);
  T(ctl(EPOLL_CTL_ADD, ev, EPOLLIN | EPOLLET, 10));
  if (fork() == 0) {
    uint64_t one = 1;
    write(ev, &one, 8);
    _exit(0);
  }
  waitfor("the child", -1);
  wait(0);
  waitfor("told", 0);
  // a timer
  int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  T(ctl(EPOLL_CTL_ADD, t, EPOLLIN | EPOLLET, 11));
  struct itimerspec s = {{0, 0}, {0, 3000000}};
  timerfd_settime(t, 0, &s, 0);
  waitfor("not yet", 0);
  waitfor("timer", -1);
  waitfor("timer told", 0);
  timerfd_settime(t, 0, &s, 0);
  waitfor("timer again", 1000);
  T(ctl(EPOLL_CTL_MOD, t, EPOLLIN, 12));
  waitfor("timer, level", 0);
  // instances in instances
  int outer = epoll_create1(0);
  int inner = ep;
  ep = outer;
  T(ctl(EPOLL_CTL_ADD, inner, EPOLLIN, 13));
  waitfor("outer", 0);
  struct pollfd pf = {outer, POLLIN, 0};
  T(poll(&pf, 1, 0));
  ep = inner;
  T(ctl(EPOLL_CTL_ADD, outer, EPOLLIN, 14));
  T(ctl(EPOLL_CTL_DEL, t, 0, 0));
  ep = outer;
  waitfor("outer, nothing", 0);
  pipe(p);
  ep = inner;
  T(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN, 15));
  ep = outer;
  if (fork() == 0) {
    usleep(2000);
    write(p[1], "x", 1);
    _exit(0);
  }
  waitfor("through both", -1);
  wait(0);
  T(ctl(EPOLL_CTL_MOD, inner, EPOLLIN | EPOLLEXCLUSIVE, 13));
  return 0;
}
