/* Clocks and timers: clock_gettime(2), setitimer(2), alarm(2), timer_create(2), settimeofday(2). */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#define SHOW(what, result) { errno = 0; long r_ = (long)(result); printf("%s: %ld %d\n", what, r_, r_ < 0 ? errno : 0); }
static volatile int count, code, value;
static void counts(int number, siginfo_t *info, void *context) {
  count++;
  code = info->si_code;
  value = info->si_value.sival_int;
}

int main(void) {
  struct timespec now, later;
  struct sigaction action = {.sa_sigaction = counts, .sa_flags = SA_SIGINFO};
  sigaction(SIGALRM, &action, 0);
  sigaction(SIGVTALRM, &action, 0);
  sigaction(SIGPROF, &action, 0);
  sigaction(SIGRTMIN, &action, 0);
  SHOW("bad clock", clock_gettime(55, &now));
  SHOW("getres", clock_getres(CLOCK_MONOTONIC, &now));
  printf("resolution: %ld %ld\n", (long)now.tv_sec, now.tv_nsec);
  SHOW("settime monotonic", clock_settime(CLOCK_MONOTONIC, &now));
  SHOW("nanosleep bad", nanosleep(&(struct timespec){0, 1000000000}, 0));
  SHOW("nanosleep negative", nanosleep(&(struct timespec){-1, 0}, 0));
  clock_gettime(CLOCK_MONOTONIC, &now);
  usleep(10000);
  clock_gettime(CLOCK_MONOTONIC, &later);
  long spent = (later.tv_sec - now.tv_sec) * 1000000000 + later.tv_nsec - now.tv_nsec;
  printf("slept: %d\n", spent >= 10000000 && spent < 500000000);
  later.tv_nsec = 0;
  SHOW("absolute in the past", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, 0));
  printf("sleep by process time: %d\n", clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &now, 0));

  SHOW("alarm", alarm(10));
  SHOW("alarm again", alarm(0));
  struct itimerval it = {{0, 10000}, {0, 10000}}, old;
  SHOW("setitimer", setitimer(ITIMER_REAL, &it, 0));
  while (count < 3) pause();
  printf("repeats: %d code %x\n", count >= 3, code);
  memset(&it, 0, sizeof it);
  SHOW("off", setitimer(ITIMER_REAL, &it, &old));
  printf("old: %ld %d\n", (long)old.it_interval.tv_usec, old.it_value.tv_usec > 0);
  getitimer(ITIMER_REAL, &it);
  printf("none: %ld %ld\n", (long)it.it_value.tv_sec, (long)it.it_value.tv_usec);
  SHOW("getitimer 3", getitimer(3, &it));
  it.it_value.tv_usec = 1000000;
  SHOW("setitimer bad", setitimer(ITIMER_REAL, &it, 0));
  it = (struct itimerval){{0, 0}, {0, 20000}};
  count = 0;
  setitimer(ITIMER_VIRTUAL, &it, 0);
  while (count == 0) ;
  printf("virtual: %d\n", count);
  count = 0;
  setitimer(ITIMER_PROF, &it, 0);
  while (count == 0) ;
  printf("profiling: %d\n", count);

  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 42};
  SHOW("timer_create clock", syscall(SYS_timer_create, 77, &event, &timer));
  event.sigev_signo = 99;
  SHOW("timer_create signal", syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
  event.sigev_signo = SIGRTMIN;
  SHOW("timer_create", timer_create(CLOCK_MONOTONIC, &event, &timer));
  struct itimerspec spec = {{0, 0}, {0, 10000000}}, before;
  count = 0;
  SHOW("timer_settime", timer_settime(timer, 0, &spec, &before));
  while (count == 0) pause();
  printf("fired: code %d value %d\n", code, value);
  SHOW("timer_gettime", timer_gettime(timer, &spec));
  printf("over: %ld\n", spec.it_value.tv_nsec);
  SHOW("overrun", timer_getoverrun(timer));
  SHOW("timer_delete", timer_delete(timer));
  SHOW("deleted", syscall(SYS_timer_settime, 0, 0, &spec, 0));
  SHOW("times", times(0) != -1);
  setuid(1000);
  SHOW("settime", clock_settime(CLOCK_REALTIME, &now));
  SHOW("settimeofday", settimeofday(&(struct timeval){1, 0}, 0));
  return 0;
}
