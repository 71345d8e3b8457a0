// User namespaces: maps, capabilities, owners of files. Spec: user_namespaces(7).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FACT(what, call)                                     \
  do {                                                       \
    errno = 0;                                               \
    long result = (call);                                    \
    printf("%s: %ld %d\n", what, result, result < 0 ? errno : 0); \
  } while (0)

static int put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0) return -errno;
  errno = 0;
  int result = write(fd, text, strlen(text)) < 0 ? -errno : 0;
  close(fd);
  return result;
}
static void show(const char *path) {
  char text[4096];
  int fd = open(path, O_RDONLY);
  int length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  close(fd);
  printf("%s:", path);
  for (char *word = length <= 0 ? 0 : (text[length] = 0, strtok(text, " \n")); word; word = strtok(0, " \n")) printf(" %s", word);
  printf("\n");
}
static void ids(const char *who) {
  printf("%s: %d %d %d %d\n", who, getuid(), geteuid(), getgid(), getegid());
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  mkdir("/tmp/userns", 0777);
  chmod("/tmp/userns", 0777);
  show("/proc/self/uid_map");
  int there[2], back[2];
  char byte;
  pipe(there);
  pipe(back);
  int pid = fork();
  if (pid == 0) {
    ids("before");
    FACT("unshare", unshare(CLONE_NEWUSER));
    ids("unmapped");
    FACT("file while unmapped", open("/tmp/userns/unmapped", O_CREAT | O_WRONLY, 0644));
    write(there[1], "x", 1);
    read(back[0], &byte, 1);
    ids("mapped");
    show("/proc/self/uid_map");
    show("/proc/self/gid_map");
    FACT("file", open("/tmp/userns/inside", O_CREAT | O_WRONLY, 0644));
    struct stat about;
    stat("/tmp/userns/inside", &about);
    printf("owner inside %d %d\n", about.st_uid, about.st_gid);
    stat("/tmp/userns/outer", &about);
    printf("owner of another %d %d\n", about.st_uid, about.st_gid);
    FACT("chown to mapped", chown("/tmp/userns/inside", 5, 5));
    FACT("chown to unmapped", chown("/tmp/userns/inside", 50000, 0));
    FACT("chown of another's", chown("/tmp/userns/outer", 0, 0));
    FACT("setuid mapped", setresuid(3, 3, 3));
    FACT("setuid unmapped", setresuid(50000, 50000, 50000));
    ids("as 3");
    _exit(0);
  }
  read(there[0], &byte, 1);
  close(open("/tmp/userns/outer", O_CREAT | O_WRONLY, 0644));
  chown("/tmp/userns/outer", 7, 7);
  char path[64];
  sprintf(path, "/proc/%d/uid_map", pid);
  printf("empty line %d\n", put(path, ""));
  printf("no numbers %d\n", put(path, "a b c\n"));
  printf("two numbers %d\n", put(path, "0 1\n"));
  printf("count 0 %d\n", put(path, "0 100000 0\n"));
  printf("overlap inside %d\n", put(path, "0 100000 10\n5 200000 10\n"));
  printf("overlap outside %d\n", put(path, "0 100000 10\n20 100005 10\n"));
  printf("wraps %d\n", put(path, "4294967290 0 10\n"));
  printf("map %d\n", put(path, "0 100000 1000\n1000 200000 10\n"));
  printf("map again %d\n", put(path, "0 100000 1000\n"));
  show("/proc/self/uid_map");
  sprintf(path, "/proc/%d/gid_map", pid);
  printf("gid map %d\n", put(path, "0 100000 1000"));
  sprintf(path, "/proc/%d/setgroups", pid);
  printf("setgroups deny late %d\n", put(path, "deny"));
  printf("setgroups allow %d\n", put(path, "allow\n"));
  printf("setgroups nonsense %d\n", put(path, "what"));
  write(back[1], "x", 1);
  wait(0);
  struct stat about;
  stat("/tmp/userns/unmapped", &about);
  printf("unmapped outside %d %d\n", about.st_uid, about.st_gid);
  stat("/tmp/userns/inside", &about);
  printf("inside outside %d %d\n", about.st_uid, about.st_gid);

  // Without privilege.
  if (fork() == 0) {
    setgroups(0, 0);
    setresgid(1000, 1000, 1000);
    setresuid(1000, 1000, 1000);
    prctl(PR_SET_DUMPABLE, 1);
    FACT("unshare as a user", unshare(CLONE_NEWUSER | CLONE_NEWUTS));
    FACT("sethostname inside", sethostname("inner", 5));
    printf("other's id %d\n", put("/proc/self/uid_map", "0 0 1\n"));
    printf("two ids %d\n", put("/proc/self/uid_map", "0 1000 2\n"));
    printf("own id %d\n", put("/proc/self/uid_map", "0 1000 1\n"));
    printf("gid before deny %d\n", put("/proc/self/gid_map", "0 1000 1\n"));
    printf("deny %d\n", put("/proc/self/setgroups", "deny\n"));
    show("/proc/self/setgroups");
    printf("gid after deny %d\n", put("/proc/self/gid_map", "0 1000 1\n"));
    printf("allow after deny %d\n", put("/proc/self/setgroups", "allow\n"));
    ids("root inside");
    gid_t group = 0;
    FACT("setgroups", setgroups(1, &group));
    FACT("setuid of another", setresuid(1, 1, 1));
    FACT("chroot", chroot("/tmp"));
    FACT("unshare in a chroot", unshare(CLONE_NEWUSER));
    _exit(0);
  }
  wait(0);

  // Levels.
  if (fork() == 0) {
    int level = 0;
    while (level < 40 && unshare(CLONE_NEWUSER) == 0) {
      put("/proc/self/setgroups", "deny");
      put("/proc/self/uid_map", "0 0 1");
      put("/proc/self/gid_map", "0 0 1");
      level++;
    }
    printf("levels %d errno %d\n", level, errno);
    _exit(0);
  }
  wait(0);
  FACT("CLONE_FS and NEWUSER", syscall(SYS_clone, CLONE_FS | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  return 0;
}
