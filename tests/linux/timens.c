// Time namespaces: offsets of the monotonic and the boot-time clock. Spec: time_namespaces(7).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static int put(const char *text) {
  int fd = open("/proc/self/timens_offsets", O_WRONLY);
  if (fd < 0) return -errno;
  int result = write(fd, text, strlen(text)) < 0 ? -errno : 0;
  close(fd);
  return result;
}
static void show(void) {
  char text[256] = {0};
  int fd = open("/proc/self/timens_offsets", O_RDONLY);
  if (read(fd, text, sizeof text - 1) > 0) printf("%s", text);
  close(fd);
}
static long now(int clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec;
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  show();
  printf("in the first one %d\n", put("monotonic 5 0"));
  long before = now(CLOCK_MONOTONIC), boot = now(CLOCK_BOOTTIME);
  printf("unshare %d\n", unshare(CLONE_NEWTIME));
  printf("nonsense %d\n", put("what 1 2"));
  printf("too many nanoseconds %d\n", put("monotonic 1 1000000000"));
  printf("before the start %d\n", put("monotonic -100000000 0"));
  printf("monotonic %d\n", put("monotonic 86400 0"));
  printf("boottime %d\n", put("boottime 172800 500"));
  show();
  printf("own clock %d\n", now(CLOCK_MONOTONIC) - before < 60);
  if (fork() == 0) {
    long later = now(CLOCK_MONOTONIC) - before, started = now(CLOCK_BOOTTIME) - boot;
    printf("child %d %d\n", later >= 86400 && later < 86460, started >= 172800 && started < 172860);
    printf("offsets of one that is entered %d\n", put("monotonic 1 0"));
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    printf("sleep until %d\n", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0));
    _exit(0);
  }
  wait(0);
  return 0;
}
