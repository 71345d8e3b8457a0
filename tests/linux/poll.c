// poll, select and what is waited for: pipes, FIFOs, eventfd, timerfd.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void tell(const char *what, long result) {
  int error = result < 0 ? errno : 0;
  printf("%s: %ld %d\n", what, result < 0 ? -1 : result, error);
}
#define T(call) tell(#call, call)

static int events(const char *what, int fd, int wanted, int timeout) {
  struct pollfd p = {fd, wanted, 0};
  int n = poll(&p, 1, timeout);
  printf("%s: %d %x\n", what, n, p.revents);
  return n;
}

static void pipes(void) {
  int p[2];
  char buffer[70000];
  T(pipe2(p, O_NONBLOCK));
  T(pipe2(p, 1));
  events("empty pipe", p[0], POLLIN, 0);
  events("its writer", p[1], POLLOUT, 0);
  T(read(p[0], buffer, 1));
  T(write(p[0], buffer, 1));
  T(read(p[1], buffer, 1));
  T(write(p[1], "abc", 3));
  events("full pipe", p[0], POLLIN | POLLOUT, -1);
  int n = 0;
  T(ioctl(p[0], FIONREAD, &n));
  printf("%d\n", n);
  T(read(p[0], buffer, 2));
  T(read(p[0], buffer, 2));
  T(fcntl(p[0], F_GETPIPE_SZ));
  T(fcntl(p[0], F_SETPIPE_SZ, 5000));
  T(fcntl(p[0], F_SETPIPE_SZ, 0));
  T(fcntl(p[0], F_SETPIPE_SZ, 65536));
  T(fcntl(0, F_GETFD));
  memset(buffer, 'x', sizeof buffer);
  T(write(p[1], buffer, 70000));
  T(write(p[1], buffer, 1));
  events("no room", p[1], POLLOUT, 0);
  T(fcntl(p[0], F_SETPIPE_SZ, 4096));
  T(read(p[0], buffer, 4095));
  events("nearly no room", p[1], POLLOUT, 0);
  T(read(p[0], buffer, 1));
  events("room", p[1], POLLOUT, 0);
  T(write(p[1], buffer, 4096));
  T(write(p[1], buffer, 4097));
  T(lseek(p[0], 0, SEEK_SET));
  T(pread(p[0], buffer, 1, 0));
  T(ftruncate(p[0], 0));
  T(fsync(p[0]));
  close(p[1]);
  events("no writer", p[0], POLLIN, 0);
  while (read(p[0], buffer, sizeof buffer) > 0);
  events("no writer, empty", p[0], POLLIN, 0);
  T(read(p[0], buffer, 1));
  close(p[0]);
  pipe(p);
  close(p[0]);
  events("no reader", p[1], POLLOUT, 0);
  signal(SIGPIPE, SIG_IGN);
  T(write(p[1], "x", 1));
  close(p[1]);
  events("closed", p[1], POLLIN, 0);
  events("negative", -1, POLLIN, 0);
  T(poll(0, 0, 1));
  T(poll((void *)8, 1, 0));
  T(poll(0, 1 << 30, 0));
}

static void blocking(void) {
  int p[2], q[2];
  char c;
  pipe(p);
  pipe(q);
  if (fork() == 0) {
    close(p[1]);
    read(p[0], &c, 1);
    write(q[1], "y", 1);
    _exit(0);
  }
  T(write(p[1], "x", 1));
  events("the child answers", q[0], POLLIN, -1);
  T(read(q[0], &c, 1));
  wait(0);
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  events("nobody answers", q[0], POLLIN, 30);
  clock_gettime(CLOCK_MONOTONIC, &b);
  long ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
  printf("waited long enough: %d\n", ms >= 29);
}

static void selects(void) {
  int p[2];
  pipe(p);
  fd_set r, w, e;
  struct timeval none = {0, 0};
  struct timeval some = {0, 10000};
  FD_ZERO(&r);
  FD_ZERO(&w);
  FD_ZERO(&e);
  FD_SET(p[0], &r), FD_SET(p[1], &w), FD_SET(p[0], &e);
  T(select(p[1] + 1, &r, &w, &e, &none));
  printf("%d %d %d\n", !!FD_ISSET(p[0], &r), !!FD_ISSET(p[1], &w), !!FD_ISSET(p[0], &e));
  FD_SET(p[0], &r);
  T(select(p[1] + 1, &r, 0, 0, &some));
  printf("%d, left %ld\n", !!FD_ISSET(p[0], &r), (long)some.tv_usec);
  write(p[1], "x", 1);
  FD_SET(p[0], &r), FD_SET(p[1], &w);
  T(select(p[1] + 1, &r, &w, 0, 0));
  close(p[1]);
  FD_SET(p[0], &r);
  T(select(p[0] + 1, &r, 0, 0, 0));
  FD_SET(p[1], &r);
  T(select(p[1] + 1, &r, 0, 0, &none));
  T(select(-1, &r, 0, 0, &none));
  struct timeval bad = {-1, 0};
  T(select(0, 0, 0, 0, &bad));
  struct timespec wrong = {0, 1000000000};
  T(pselect(0, 0, 0, 0, &wrong, 0));
  struct timespec little = {0, 1000};
  T(pselect(0, 0, 0, 0, &little, 0));
  T(ppoll(0, 0, &little, 0));
  T(ppoll(0, 0, &wrong, 0));
}

static void fifos(void) {
  char c[8];
  unlink("fifo");
  T(mkfifo("fifo", 0644));
  T(open("fifo", O_WRONLY | O_NONBLOCK));
  int r = open("fifo", O_RDONLY | O_NONBLOCK);
  T(r < 0 ? -1 : 0);
  events("never a writer", r, POLLIN, 0);
  T(read(r, c, 1));
  int w = open("fifo", O_WRONLY | O_NONBLOCK);
  T(w < 0 ? -1 : 0);
  T(read(r, c, 1));
  T(write(w, "ab", 2));
  events("a writer", r, POLLIN, 0);
  close(w);
  T(read(r, c, 8));
  T(read(r, c, 8));
  events("the writer is gone", r, POLLIN, 0);
  close(r);
  int b = open("fifo", O_RDWR);
  T(write(b, "xyz", 3));
  T(read(b, c, 8));
  T(write(b, "lost", 4));
  close(b);
  if (fork() == 0) {
    w = open("fifo", O_WRONLY);
    write(w, "hello", 5);
    _exit(0);
  }
  r = open("fifo", O_RDONLY);
  T(read(r, c, 8));
  wait(0);
  T(read(r, c, 8));
  close(r);
  if (fork() == 0) {
    r = open("fifo", O_RDONLY);
    _exit(read(r, c, 8));
  }
  w = open("fifo", O_WRONLY);
  T(write(w, "four", 4));
  int status;
  wait(&status);
  printf("child read %d\n", WEXITSTATUS(status));
  T(write(w, "x", 1));
  close(w);
  struct stat s;
  stat("fifo", &s);
  printf("%o %ld\n", s.st_mode, (long)s.st_size);
  T(truncate("fifo", 0));
  unlink("fifo");
}

static void counters(void) {
  uint64_t v = 0;
  int e = eventfd(3, EFD_NONBLOCK);
  events("eventfd", e, POLLIN | POLLOUT, 0);
  T(read(e, &v, 4));
  T(read(e, &v, 8));
  printf("%llu\n", (unsigned long long)v);
  T(read(e, &v, 8));
  events("empty eventfd", e, POLLIN | POLLOUT, 0);
  v = ~0ull;
  T(write(e, &v, 8));
  v = ~0ull - 1;
  T(write(e, &v, 8));
  events("full eventfd", e, POLLIN | POLLOUT, 0);
  v = 1;
  T(write(e, &v, 8));
  T(write(e, &v, 4));
  T(lseek(e, 0, SEEK_SET));
  close(e);
  e = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
  T(read(e, &v, 16));
  printf("%llu\n", (unsigned long long)v);
  T(read(e, &v, 8));
  T(read(e, &v, 8));
  T(eventfd(0, 4));
}

static void timers(void) {
  uint64_t v = 0;
  struct itimerspec s = {{0, 0}, {0, 0}}, old;
  int t = timerfd_create(CLOCK_MONOTONIC, 0);
  events("timer", t, POLLIN, 0);
  T(timerfd_create(77, 0));
  T(timerfd_create(CLOCK_MONOTONIC, 1));
  s.it_value.tv_nsec = 1000000000;
  T(timerfd_settime(t, 0, &s, 0));
  T(timerfd_settime(1, 0, &s, 0));
  s.it_value.tv_nsec = 5000000;
  T(timerfd_settime(1, 0, &s, 0));
  T(timerfd_settime(t, 0, &s, &old));
  T(read(t, &v, 4));
  T(read(t, &v, 8));
  printf("%llu\n", (unsigned long long)v);
  events("after that", t, POLLIN, 0);
  T(timerfd_gettime(t, &old));
  printf("%ld %ld\n", (long)old.it_value.tv_sec, (long)old.it_value.tv_nsec);
  s.it_interval.tv_nsec = 2000000;
  T(timerfd_settime(t, 0, &s, 0));
  events("waits for it", t, POLLIN, -1);
  usleep(20000);
  T(read(t, &v, 8));
  printf("several: %d\n", v > 3);
  s.it_value.tv_sec = 1;
  s.it_value.tv_nsec = 0;
  T(timerfd_settime(t, TFD_TIMER_ABSTIME, &s, 0));
  T(timerfd_gettime(t, &old));
  printf("%ld\n", (long)old.it_interval.tv_nsec / 1000 * 1000 >= 1999000);
  s.it_value.tv_sec = 0;
  T(timerfd_settime(t, 0, &s, 0));
  events("disarmed", t, POLLIN, 0);
  fcntl(t, F_SETFL, O_NONBLOCK);
  T(read(t, &v, 8));
  T(write(t, &v, 8));
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  pipes();
  blocking();
  selects();
  fifos();
  counters();
  timers();
  return 0;
}
