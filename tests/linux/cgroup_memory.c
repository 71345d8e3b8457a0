// cgroup v2: memory limits, the end of who takes too much, and the files. cgroup2 is mounted at /sys/fs/cgroup. Spec: cgroups(7).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup/"
#define MIB (1 << 20)

static int put(const char *name, const char *text) {
  char path[256];
  snprintf(path, sizeof path, ROOT "%s", name);
  int fd = open(path, O_WRONLY);
  if (fd < 0) return -errno;
  int result = write(fd, text, strlen(text)) < 0 ? -errno : 0;
  close(fd);
  return result;
}
static char *get(const char *name) {
  static char text[8192];
  char path[256];
  snprintf(path, sizeof path, ROOT "%s", name);
  int fd = open(path, O_RDONLY);
  int length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[length < 0 ? 0 : length] = 0;
  return text;
}
static void show(const char *name) {
  char *text = get(name);
  text[strcspn(text, "\n")] = 0;
  printf("%s: %s\n", name, text);
}
static long count(const char *name, const char *key) {
  char *at = strstr(get(name), key);
  return at ? atol(at + strlen(key)) : -1;
}
static void touch(int mib) {
  char *at = mmap(0, (long)mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (long offset = 0; offset < (long)mib * MIB; offset += 4096) at[offset] = 1;
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  mkdir(ROOT "m", 0755);
  printf("memory %d\n", put("cgroup.subtree_control", "+memory"));
  show("m/memory.max");
  show("m/memory.high");
  show("m/memory.low");
  show("m/memory.min");
  show("m/memory.current");
  show("m/memory.oom.group");
  printf("max %d\n", put("m/memory.max", "4M"));
  show("m/memory.max");
  printf("rounded %d\n", put("m/memory.low", "5000"));
  show("m/memory.low");
  printf("nonsense %d\n", put("m/memory.max", "lots"));
  printf("oom.group 2 %d\n", put("m/memory.oom.group", "2"));
  put("m/memory.swap.max", "0");

  int status;
  int pid = fork();
  if (pid == 0) {
    printf("join %d\n", put("m/cgroup.procs", "0"));
    touch(2);
    long current = atol(get("m/memory.current"));
    printf("two MiB are charged %d\n", current >= 2 * MIB && current < 4 * MIB);
    touch(8);
    printf("never here\n");
    _exit(0);
  }
  waitpid(pid, &status, 0);
  printf("too much %d\n", status);
  printf("oom_kill %ld\n", count("m/memory.events", "oom_kill "));
  printf("max was met %d\n", count("m/memory.events", "max ") > 0);
  printf("peak %d\n", atol(get("m/memory.peak")) > 3 * MIB && atol(get("m/memory.peak")) <= 4 * MIB);

  // The one that is the worst goes, not the one that asks.
  put("m/memory.max", "8M");
  int ready[2];
  pipe(ready);
  int big = fork();
  if (big == 0) {
    put("m/cgroup.procs", "0");
    touch(5);
    write(ready[1], "x", 1);
    for (;;) pause();
  }
  char byte;
  read(ready[0], &byte, 1);
  int small = fork();
  if (small == 0) {
    put("m/cgroup.procs", "0");
    touch(4);
    _exit(3);
  }
  waitpid(small, &status, 0);
  printf("small %d\n", status);
  waitpid(big, &status, 0);
  printf("big %d\n", status);

  // All of a group.
  printf("oom.group %d\n", put("m/memory.oom.group", "1"));
  int quiet = fork();
  if (quiet == 0) {
    put("m/cgroup.procs", "0");
    write(ready[1], "x", 1);
    for (;;) pause();
  }
  read(ready[0], &byte, 1);
  int greedy = fork();
  if (greedy == 0) {
    put("m/cgroup.procs", "0");
    touch(10);
    _exit(0);
  }
  waitpid(greedy, &status, 0);
  printf("greedy %d\n", status);
  waitpid(quiet, &status, 0);
  printf("quiet %d\n", status);
  printf("oom_group_kill %ld\n", count("m/memory.events", "oom_group_kill "));
  usleep(20000);
  rmdir(ROOT "m");
  put("cgroup.subtree_control", "-memory");
  return 0;
}
