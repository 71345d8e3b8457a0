// cgroup v2: the files of cpu and cpuset, and what they refuse. cgroup2 is mounted at /sys/fs/cgroup. Spec: cgroups(7).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup/"

static int put(const char *name, const char *text) {
  char path[256];
  snprintf(path, sizeof path, ROOT "%s", name);
  int fd = open(path, O_WRONLY);
  if (fd < 0) return -errno;
  int result = write(fd, text, strlen(text)) < 0 ? -errno : 0;
  close(fd);
  return result;
}
static void show(const char *name) {
  char text[4096] = {0};
  char path[256];
  snprintf(path, sizeof path, ROOT "%s", name);
  int fd = open(path, O_RDONLY);
  int length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  for (char *at = text; *at; at++)
    if (*at == '\n') *at = at[1] ? '|' : 0;
  printf("%s: %s\n", name, text);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  mkdir(ROOT "c", 0755);
  printf("cpu %d\n", put("cgroup.subtree_control", "+cpu +cpuset"));
  show("c/cpu.weight");
  show("c/cpu.weight.nice");
  show("c/cpu.max");
  printf("weight %d\n", put("c/cpu.weight", "300"));
  show("c/cpu.weight");
  printf("weight 0 %d\n", put("c/cpu.weight", "0"));
  printf("weight 10001 %d\n", put("c/cpu.weight", "10001"));
  printf("weight x %d\n", put("c/cpu.weight", "x"));
  printf("nice %d\n", put("c/cpu.weight.nice", "5"));
  show("c/cpu.weight");
  show("c/cpu.weight.nice");
  printf("nice 20 %d\n", put("c/cpu.weight.nice", "20"));
  printf("max %d\n", put("c/cpu.max", "20000 50000"));
  show("c/cpu.max");
  printf("quota alone %d\n", put("c/cpu.max", "30000"));
  show("c/cpu.max");
  printf("max alone %d\n", put("c/cpu.max", "max"));
  show("c/cpu.max");
  printf("short period %d\n", put("c/cpu.max", "1000 500"));
  printf("long period %d\n", put("c/cpu.max", "1000 2000000"));
  printf("short quota %d\n", put("c/cpu.max", "500 100000"));
  printf("nonsense %d\n", put("c/cpu.max", "some"));
  show("c/cpuset.cpus");
  show("c/cpuset.mems");
  printf("cpus %d\n", put("c/cpuset.cpus", "0"));
  show("c/cpuset.cpus");
  printf("cpus nonsense %d\n", put("c/cpuset.cpus", "a-b"));
  show("c/cpuset.mems.effective");

  // A little of the time.
  put("c/cpu.max", "2000 50000");
  if (fork() == 0) {
    put("c/cgroup.procs", "0");
    for (volatile long spin = 0; spin < 3000000; spin++) {
    }
    _exit(0);
  }
  wait(0);
  char text[4096] = {0};
  int fd = open(ROOT "c/cpu.stat", O_RDONLY);
  read(fd, text, sizeof text - 1);
  close(fd);
  long periods = 0, throttled = 0, usec = 0;
  char *at;
  if ((at = strstr(text, "nr_periods "))) sscanf(at, "nr_periods %ld", &periods);
  if ((at = strstr(text, "nr_throttled "))) sscanf(at, "nr_throttled %ld", &throttled);
  if ((at = strstr(text, "throttled_usec "))) sscanf(at, "throttled_usec %ld", &usec);
  printf("periods %d throttled %d for a time %d\n", periods > 0, throttled > 0, usec > 0);
  rmdir(ROOT "c");
  put("cgroup.subtree_control", "-cpu -cpuset");
  return 0;
}
