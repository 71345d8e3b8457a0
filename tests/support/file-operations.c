// Operations on files as lines of standard input say, what came of each, and the tree that is left. Run by `file-operations.ts`.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int slots[4] = {-1, -1, -1, -1};
static char bytes[200000];

static long operate(const char *what, const char *a, const char *b, long x, long y) {
  if (!strcmp(what, "open")) {
    if (slots[x] >= 0) close(slots[x]);
    slots[x] = open(a, O_RDWR | (int)y, 0666);
    return slots[x] < 0 ? -1 : 0;
  }
  if (!strcmp(what, "close")) {
    int result = close(slots[x]);
    slots[x] = -1;
    return result;
  }
  if (!strcmp(what, "write")) {
    for (int i = 0; i < y; i++) bytes[i] = 'a' + (i + x) % 26;
    return write(slots[x], bytes, y);
  }
  if (!strcmp(what, "pwrite")) return pwrite(slots[x], "PWRITTEN", 8, y);
  if (!strcmp(what, "read")) return read(slots[x], bytes, y);
  if (!strcmp(what, "seek")) return lseek(slots[x], y, SEEK_SET);
  if (!strcmp(what, "end")) return lseek(slots[x], -y, SEEK_END);
  if (!strcmp(what, "ftruncate")) return ftruncate(slots[x], y);
  if (!strcmp(what, "truncate")) return truncate(a, y);
  if (!strcmp(what, "mkdir")) return mkdir(a, 0777);
  if (!strcmp(what, "rmdir")) return rmdir(a);
  if (!strcmp(what, "unlink")) return unlink(a);
  if (!strcmp(what, "rename")) return syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, (int)y);
  if (!strcmp(what, "link")) return link(a, b);
  if (!strcmp(what, "symlink")) return symlink(a, b);
  if (!strcmp(what, "chmod")) return chmod(a, 0700 | (int)y);
  return -2;
}

static unsigned sum(const char *path) {
  unsigned hash = 5381;
  int fd = open(path, O_RDONLY);
  long n;
  while ((n = read(fd, bytes, sizeof bytes)) > 0)
    for (long i = 0; i < n; i++) hash = hash * 33 + (unsigned char)bytes[i];
  close(fd);
  return hash;
}

static int byname(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

static void list(const char *path) {
  struct stat s;
  if (lstat(path, &s) < 0) return;
  char target[256] = "";
  if (S_ISLNK(s.st_mode)) readlink(path, target, 255);
  printf("%s %o", path, s.st_mode);
  if (!S_ISDIR(s.st_mode)) printf(" links %ld size %ld %s", (long)s.st_nlink, (long)s.st_size, target);
  if (S_ISREG(s.st_mode)) printf("sum %u", sum(path));
  printf("\n");
  if (!S_ISDIR(s.st_mode)) return;
  char *names[64];
  int count = 0;
  DIR *dir = opendir(path);
  for (struct dirent *e; dir && (e = readdir(dir));)
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && count < 64) names[count++] = strdup(e->d_name);
  closedir(dir);
  qsort(names, count, sizeof *names, byname);
  for (int i = 0; i < count; i++) {
    char inner[1000];
    snprintf(inner, sizeof inner, "%s/%s", path, names[i]);
    list(inner);
  }
}

int main(void) {
  char line[400], what[32], a[128], b[128];
  long x, y;
  umask(022);
  // Names go up three folders at the most: they stay in this one.
  for (int i = 0; i < 5; i++) {
    mkdir("t", 0755);
    chdir("t");
  }
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "%31s %127s %127s %ld %ld", what, a, b, &x, &y) != 5) continue;
    long result = operate(what, a, b, x, y);
    printf("%ld %d\n", result, result < 0 ? errno : 0);
  }
  chdir("../../../..");
  list(".");
  return 0;
}
