// cgroup v2: groups, who may be where, pids.max, the freezer, cgroup.kill. cgroup2 is mounted at /sys/fs/cgroup. Spec: cgroups(7).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup/"
#define FACT(what, call)                                     \
  do {                                                       \
    errno = 0;                                               \
    long result = (call);                                    \
    printf("%s: %ld %d\n", what, result, result < 0 ? errno : 0); \
  } while (0)

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
  static char text[4096];
  char path[256];
  snprintf(path, sizeof path, ROOT "%s", name);
  int fd = open(path, O_RDONLY);
  int length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[length < 0 ? 0 : length] = 0;
  for (char *at = text; *at; at++)
    if (*at == '\n') *at = at[1] ? '|' : 0;
  return text;
}
static void show(const char *name) { printf("%s: %s\n", name, get(name)); }
static int waiting(void) {
  int pid = fork();
  if (pid == 0) {
    for (;;) pause();
  }
  return pid;
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  FACT("mkdir", mkdir(ROOT "a", 0755));
  FACT("mkdir again", mkdir(ROOT "a", 0755));
  printf("no pids yet %d\n", access(ROOT "a/pids.max", F_OK));
  printf("unknown controller %d\n", put("cgroup.subtree_control", "+nothing"));
  printf("no sign %d\n", put("cgroup.subtree_control", "pids"));
  printf("pids %d\n", put("cgroup.subtree_control", "+pids"));
  printf("pids there %d\n", access(ROOT "a/pids.max", F_OK));
  show("a/cgroup.type");
  show("a/pids.max");
  show("a/pids.current");
  show("a/cgroup.controllers");
  show("a/cgroup.subtree_control");
  show("a/cgroup.events");
  show("a/cgroup.max.depth");
  show("a/cgroup.stat");
  printf("nonsense %d\n", put("a/pids.max", "many"));
  printf("negative %d\n", put("a/pids.max", "-1"));
  printf("five %d\n", put("a/pids.max", "5"));
  show("a/pids.max");
  printf("write what is read only %d\n", put("a/pids.current", "5"));
  printf("pid of none %d\n", put("a/cgroup.procs", "99999"));
  printf("no pid %d\n", put("a/cgroup.procs", "x"));

  int leader = fork();
  if (leader == 0) {
    printf("join %d\n", put("a/cgroup.procs", "0"));
    int fd = open("/proc/self/cgroup", O_RDONLY);
    char text[64] = {0};
    if (read(fd, text, 63) > 0) printf("self %s", text);
    int made = 0, pids[8];
    for (int index = 0; index < 5; index++) {
      errno = 0;
      pids[index] = waiting();
      if (pids[index] < 0) {
        printf("fork %d errno %d\n", index + 2, errno);
        break;
      }
      made++;
    }
    printf("made %d\n", made);
    show("a/pids.current");
    show("a/pids.events");
    show("a/cgroup.events");
    kill(pids[0], SIGKILL);
    waitpid(pids[0], 0, 0);
    show("a/pids.current");
    printf("kill %d\n", put("a/cgroup.kill", "1"));
    _exit(0);
  }
  int status;
  waitpid(leader, &status, 0);
  printf("leader %d\n", status);
  usleep(20000);
  show("a/pids.current");
  show("a/cgroup.events");

  FACT("rmdir of an empty one", rmdir(ROOT "a"));
  mkdir(ROOT "a", 0755);
  FACT("mkdir below", mkdir(ROOT "a/b", 0755));
  FACT("rmdir with a child", rmdir(ROOT "a"));
  FACT("make a file", open(ROOT "a/file", O_CREAT | O_WRONLY, 0644));
  FACT("unlink a file", unlink(ROOT "a/cgroup.procs"));
  printf("child without the parent %d\n", put("a/b/cgroup.subtree_control", "+pids"));
  printf("parent %d\n", put("a/cgroup.subtree_control", "+pids"));
  show("a/cgroup.subtree_control");
  show("a/b/cgroup.controllers");
  printf("child %d\n", put("a/b/cgroup.subtree_control", "+pids"));
  printf("disable what a child has %d\n", put("a/cgroup.subtree_control", "-pids"));
  printf("child disables %d\n", put("a/b/cgroup.subtree_control", "-pids"));

  // No processes where there are domain controllers for children.
  printf("memory %d\n", put("cgroup.subtree_control", "+memory"));
  printf("memory for children %d\n", put("a/cgroup.subtree_control", "+memory"));
  int pid = waiting();
  char number[16];
  sprintf(number, "%d", pid);
  printf("inner group %d\n", put("a/cgroup.procs", number));
  printf("leaf %d\n", put("a/b/cgroup.procs", number));
  printf("controllers where a process is %d\n", put("a/b/cgroup.subtree_control", "+memory"));
  FACT("rmdir of a populated one", rmdir(ROOT "a/b"));
  show("a/cgroup.events");
  show("a/b/cgroup.type");
  printf("procs of b are the child's %d\n", atoi(get("a/b/cgroup.procs")) == pid);

  // The freezer.
  printf("freeze %d\n", put("a/cgroup.freeze", "1"));
  usleep(20000);
  show("a/b/cgroup.events");
  show("a/cgroup.freeze");
  show("a/b/cgroup.freeze");
  printf("freeze 2 %d\n", put("a/cgroup.freeze", "2"));
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  printf("killed while frozen %d\n", status);
  printf("thaw %d\n", put("a/cgroup.freeze", "0"));

  // Depth and number.
  printf("depth %d\n", put("a/cgroup.max.depth", "1"));
  FACT("one deep", mkdir(ROOT "a/c", 0755));
  FACT("two deep", mkdir(ROOT "a/c/d", 0755));
  printf("descendants %d\n", put("a/cgroup.max.descendants", "2"));
  FACT("a third", mkdir(ROOT "a/e", 0755));
  show("a/cgroup.stat");
  rmdir(ROOT "a/c");
  rmdir(ROOT "a/b");
  FACT("rmdir", rmdir(ROOT "a"));
  put("cgroup.subtree_control", "-pids -memory");
  return 0;
}
