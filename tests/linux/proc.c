/* proc(5): what files of /proc say of processes whose facts are known. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, int result) { printf("%s: %d %d\n", what, result, result < 0 ? errno : 0); }
#define CHECK(what, call) (errno = 0, say(what, call))

static int get(const char *path, char *into, int size) {
  int fd = open(path, O_RDONLY), count = 0, got;
  if (fd < 0) return -1;
  while ((got = read(fd, into + count, size - 1 - count)) > 0) count += got;
  into[count] = 0;
  int error = errno;
  close(fd);
  errno = error;
  return got < 0 ? -1 : count;
}

static void show(const char *path) {
  char text[4096];
  int count = get(path, text, sizeof text);
  printf("%s %d: %s%s", path, count < 0 ? -errno : 0, count < 0 ? "" : text,
         count > 0 && text[count - 1] == '\n' ? "" : "\n");
}

/* The line of a file that begins with a word. */
static void line(const char *path, const char *word) {
  static char text[1 << 16];
  if (get(path, text, sizeof text) < 0) {
    printf("%s %s: error %d\n", path, word, errno);
    return;
  }
  for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n"))
    if (strncmp(at, word, strlen(word)) == 0) {
      printf("%s\n", at);
      return;
    }
  printf("%s: no %s\n", path, word);
}

/* The fields of stat behind the name. */
static void fields(int pid, char *name, char **field) {
  static char text[4096], path[64];
  sprintf(path, "/proc/%d/stat", pid);
  get(path, text, sizeof text);
  char *open = strchr(text, '('), *close = strrchr(text, ')');
  *close = 0;
  strcpy(name, open + 1);
  int count = 3;
  for (char *at = strtok(close + 2, " \n"); at; at = strtok(NULL, " \n")) field[count++] = at;
  field[count] = NULL;
}

static void mode(const char *path) {
  struct stat facts;
  if (lstat(path, &facts) < 0) printf("%s: error %d\n", path, errno);
  else printf("%s: %o uid %d gid %d size %ld\n", path, facts.st_mode, facts.st_uid, facts.st_gid, (long)facts.st_size);
}

static void link_of(const char *path) {
  char text[256];
  int count = readlink(path, text, sizeof text);
  printf("%s -> %.*s %d\n", path, count < 0 ? 0 : count, text, count < 0 ? errno : 0);
}

static void itself(void) {
  char name[64], *field[64], text[4096], path[64];
  prctl(PR_SET_NAME, "a (name) x");
  fields(getpid(), name, field);
  printf("name %s state %s threads %s nice %s\n", name, field[3], field[20], field[19]);
  printf("parent %d group %d session %d\n", atoi(field[4]) == getppid(), atoi(field[5]) == getpgrp(),
         atoi(field[6]) == getsid(0));
  printf("exit signal %s policy %s\n", field[38], field[41]);
  show("/proc/self/comm");
  int fd = open("/proc/self/comm", O_WRONLY);
  CHECK("write comm", write(fd, "other\n", 6));
  close(fd);
  show("/proc/self/comm");
  int count = get("/proc/self/cmdline", text, sizeof text);
  printf("cmdline ends with zero %d\n", text[count - 1] == 0);
  line("/proc/self/status", "State");
  line("/proc/self/status", "Uid");
  line("/proc/self/status", "Groups");
  line("/proc/self/status", "Threads");
  line("/proc/self/status", "CapEff");
  line("/proc/self/status", "NoNewPrivs");
  signal(SIGUSR1, SIG_IGN);
  signal(SIGUSR2, exit);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  raise(SIGTERM);
  line("/proc/self/status", "SigPnd");
  line("/proc/self/status", "SigBlk");
  line("/proc/self/status", "SigIgn");
  line("/proc/self/status", "SigCgt");
  signal(SIGTERM, SIG_IGN);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  sprintf(path, "/proc/%d", getpid());
  readlink("/proc/self", text, sizeof text);
  printf("self %d\n", atoi(text) == getpid());
  struct stat own;
  stat(path, &own);
  printf("directory %o\n", own.st_mode);
  mode("/proc/self/stat");
  mode("/proc/self/environ");
  mode("/proc/self/fd");
  mode("/proc/self/exe");
  mode("/proc/self/maps");
  mode("/proc/self/task");
  mode("/proc/uptime");
  mode("/proc/sys/kernel/hostname");
}

static void files(void) {
  char text[256], path[64];
  CHECK("directory", chdir("/"));
  link_of("/proc/self/cwd");
  link_of("/proc/self/root");
  int fd = open("/tmp/open", O_CREAT | O_RDWR, 0600);
  dup2(fd, 50);
  close(fd);
  link_of("/proc/self/fd/50");
  mode("/proc/self/fd/50");
  write(50, "content", 7);
  show("/proc/self/fdinfo/51");
  line("/proc/self/fdinfo/50", "pos");
  line("/proc/self/fdinfo/50", "flags");
  fd = open("/proc/self/fd/50", O_RDONLY);
  CHECK("read through the link", read(fd, text, 10));
  close(fd);
  unlink("/tmp/open");
  link_of("/proc/self/fd/50");
  fd = open("/proc/self/fd/50", O_RDONLY);
  CHECK("read without a name", read(fd, text, 10));
  close(fd);
  close(50);
  link_of("/proc/self/fd/50");
  int ends[2];
  pipe(ends);
  dup2(ends[1], 60);
  sprintf(path, "/proc/self/fd/%d", 60);
  readlink(path, text, 5);
  printf("pipe %.5s\n", text);
  fd = open(path, O_WRONLY);
  CHECK("write to a pipe by its link", write(fd, "x", 1));
  CHECK("read it", read(ends[0], text, 10));
  CHECK("open a file of a directory", open("/proc/self/fd/60/x", O_RDONLY));
  CHECK("create", open("/proc/new", O_CREAT | O_RDWR, 0600));
  CHECK("mkdir", mkdir("/proc/new", 0700));
  CHECK("unlink", unlink("/proc/self/stat"));
  CHECK("rename", rename("/proc/self/stat", "/proc/self/stat2"));
  CHECK("write stat", open("/proc/self/stat", O_WRONLY) < 0 ? -1 : 0);
  CHECK("absent", open("/proc/999999/stat", O_RDONLY));
  CHECK("absent name", open("/proc/01/stat", O_RDONLY));
  show("/proc/sys/kernel/ostype");
  show("/proc/sys/kernel/cap_last_cap");
  show("/proc/sys/kernel/ngroups_max");
  show("/proc/self/oom_score_adj");
  fd = open("/proc/self/oom_score_adj", O_RDWR);
  CHECK("too much", write(fd, "1001", 4));
  CHECK("no number", write(fd, "x", 1));
  CHECK("500", write(fd, "500\n", 4));
  close(fd);
  show("/proc/self/oom_score_adj");
  struct rlimit limit = {100, 200};
  setrlimit(RLIMIT_NOFILE, &limit);
  line("/proc/self/limits", "Limit");
  line("/proc/self/limits", "Max open files");
  line("/proc/self/limits", "Max nice");
}

static void memory(void) {
  char *at = mmap((void *)0x10000000, 0x4000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  mprotect(at + 0x1000, 0x1000, PROT_READ);
  mmap((void *)0x10010000, 0x2000, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  line("/proc/self/maps", "10000000");
  line("/proc/self/maps", "10001000");
  line("/proc/self/maps", "10002000");
  int fd = open("/tmp/a b", O_CREAT | O_RDWR, 0600);
  ftruncate(fd, 0x3000);
  mmap((void *)0x10020000, 0x2000, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0x1000);
  char text[65536], *name;
  get("/proc/self/maps", text, sizeof text);
  name = strstr(text, "10020000");
  printf("%.34s...%s at column %d\n", name, strtok(strchr(name, '/'), "\n"), (int)(strchr(name, '/') - name));
  unlink("/tmp/a b");
  get("/proc/self/maps", text, sizeof text);
  name = strstr(text, "10020000");
  printf("%s\n", strtok(strchr(name, '/'), "\n"));
  long before, after;
  get("/proc/self/statm", text, sizeof text);
  sscanf(text, "%ld", &before);
  mmap((void *)0x11000000, 0x100000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  get("/proc/self/statm", text, sizeof text);
  sscanf(text, "%ld", &after);
  printf("pages more %ld\n", after - before);
}

static void *sleeper(void *nothing) {
  prctl(PR_SET_NAME, "sleeper");
  pause();
  return NULL;
}

static void others(void) {
  char path[64], name[64], *field[64], text[256];
  fflush(stdout);
  int ends[2];
  pipe(ends);
  int pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    nice(5);
    write(ends[1], "x", 1);
    pause();
    _exit(0);
  }
  read(ends[0], text, 1);
  do fields(pid, name, field);
  while (field[3][0] == 'R');
  printf("child state %s nice %s priority %s own group %d parent %d\n", field[3], field[19], field[18],
         atoi(field[5]) == pid, atoi(field[4]) == getpid());
  kill(pid, SIGKILL);
  do fields(pid, name, field);
  while (field[3][0] != 'Z');
  printf("zombie size %s threads %s\n", field[23], field[20]);
  sprintf(path, "/proc/%d/cmdline", pid);
  printf("cmdline of a zombie %d\n", get(path, text, sizeof text));
  sprintf(path, "/proc/%d/exe", pid);
  CHECK("exe of a zombie", readlink(path, text, sizeof text));
  sprintf(path, "/proc/%d/cwd", pid);
  CHECK("cwd of a zombie", readlink(path, text, sizeof text));
  sprintf(path, "/proc/%d/status", pid);
  line(path, "State");
  int fd = open(path, O_RDONLY);
  waitpid(pid, NULL, 0);
  CHECK("read of what is gone", read(fd, text, 10));
  CHECK("open of what is gone", open(path, O_RDONLY));
  pthread_t thread;
  pthread_create(&thread, NULL, sleeper, NULL);
  int count = 0, sleeping = 0;
  while (!sleeping) {
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    count = 0;
    while ((entry = readdir(tasks)))
      if (entry->d_name[0] != '.') {
        count++;
        sprintf(path, "/proc/self/task/%s/comm", entry->d_name);
        get(path, text, sizeof text);
        if (strcmp(text, "sleeper\n") == 0) sleeping = 1;
      }
    closedir(tasks);
  }
  printf("threads %d\n", count);
  line("/proc/self/status", "Threads");
}

int main(void) {
  setlinebuf(stdout);
  itself();
  files();
  memory();
  others();
  return 0;
}
