// Names: made, moved, linked, removed, and what is said when that cannot be.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void tell(const char *what, long result) {
  int error = result < 0 ? errno : 0;
  printf("%s: %ld %d\n", what, result < 0 ? -1 : result, error);
}
#define T(call) tell(#call, call)

static int made(const char *name) {
  int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);
  if (fd < 0) return -1;
  write(fd, name, strlen(name));
  close(fd);
  return 0;
}

static void content(const char *name) {
  char text[64] = "";
  int fd = open(name, O_RDONLY);
  long length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  close(fd);
  printf("%s has %ld \"%s\"\n", name, length, text);
}

static void links(const char *name) {
  struct stat s;
  int result = lstat(name, &s);
  if (result < 0) printf("%s: none, %d\n", name, errno);
  else printf("%s: mode %o links %ld size %ld\n", name, s.st_mode, (long)s.st_nlink, S_ISDIR(s.st_mode) ? -1L : (long)s.st_size);
}

int rename2(const char *a, const char *b, unsigned flags) {
  return syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, flags);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  system("rm -rf names");
  umask(022);
  T(mkdir("names", 0777));
  T(mkdir("names", 0777));
  T(chdir("names"));
  T(mkdir("d", 0757));
  T(mkdir("d/e/", 0700));
  T(mkdir("nothing/e", 0700));
  T(mkdir("/", 0700));
  T(mkdir(".", 0700));
  T(mkdir("", 0700));
  T(made("f"));
  T(made("f/x"));
  T(made("x/"));
  T(open("f/", O_RDONLY));
  T(open("d", O_RDWR));
  T(open("d", O_RDONLY | O_CREAT, 0600));
  T(open("f", O_RDONLY | O_DIRECTORY));
  T(open("f", O_CREAT | O_EXCL | O_RDWR, 0600));
  T(mkdir("f", 0700));
  links("d");
  links("f");
  // link
  T(link("f", "g"));
  T(link("f", "g"));
  T(link("d", "h"));
  T(link("f", "x/"));
  T(link("none", "h"));
  T(link("f", "/proc/h"));
  links("f");
  // symlink
  T(symlink("f", "s"));
  T(symlink("s", "s"));
  T(symlink("", "t"));
  T(symlink("loop", "loop"));
  T(symlink("nowhere", "dangling"));
  T(symlink("d", "sd"));
  T(open("loop", O_RDONLY));
  T(open("s", O_RDONLY | O_NOFOLLOW));
  T(open("dangling", O_RDONLY));
  T(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0600));
  links("sd/");
  links("sd");
  links("s/");
  T(link("s", "ls"));
  links("ls");
  T(linkat(AT_FDCWD, "s", AT_FDCWD, "lf", AT_SYMLINK_FOLLOW));
  links("lf");
  char text[16] = "";
  T(readlink("s", text, sizeof text));
  T(readlink("s", text, 0));
  T(readlink("f", text, sizeof text));
  T(readlink("sd/", text, sizeof text));
  T(made("dangling"));
  content("nowhere");
  // rename
  T(rename("f", "r"));
  T(rename("none", "r"));
  T(rename("r", "g"));
  links("r");
  links("g");
  T(rename("r", "d"));
  T(rename("d", "r"));
  T(rename("d", "d/e/z"));
  T(rename("d/e", "d"));
  T(rename("d", "d"));
  T(rename("d", "."));
  T(rename("d/.", "q"));
  T(rename("d/..", "q"));
  T(rename("r/", "q"));
  T(rename("r", "q/"));
  T(rename("d", "q/"));
  links("q");
  T(rename("q", "d"));
  T(mkdir("full", 0755));
  T(made("full/x"));
  T(rename("d", "full"));
  T(rename("full", "d"));
  T(mkdir("full2", 0755));
  T(mkdir("full2/s", 0755));
  T(rename("d", "full2"));
  T(rename("full2/s", "full2"));
  T(rename("/", "d"));
  T(rename("d", "/"));
  T(rename("s", "newlink"));
  links("newlink");
  T(rename("r", "/proc/x"));
  T(rename("/proc", "x"));
  T(rename("d", "/proc"));
  // renameat2
  T(made("a"));
  T(made("b"));
  T(rename2("a", "b", 1));
  T(rename2("a", "c", 1));
  T(rename2("c", "b", 2));
  content("b");
  content("c");
  T(rename2("c", "d", 2));
  links("c");
  links("d");
  T(rename2("c", "d", 3));
  T(rename2("c", "d", 64));
  T(rename2("c", "none", 2));
  T(rename2("none", "d", 2));
  T(rename2("c", "c/x", 2));
  T(rename2("c/x", "c", 2));
  T(rename2("c", "d", 1));
  T(rename2("c", ".", 1));
  // unlink, rmdir
  T(unlink("c"));
  T(rmdir("d"));
  T(unlink("c/"));
  T(unlink("d/"));
  T(unlink("none/"));
  T(unlink("."));
  T(unlink("/"));
  T(rmdir("."));
  T(rmdir("c/.."));
  T(rmdir("/"));
  T(rmdir("/proc"));
  T(unlink("/proc"));
  T(rmdir("c"));
  T(rmdir("sd"));
  T(rmdir("newlink"));
  T(unlink("newlink"));
  T(unlinkat(AT_FDCWD, "full2", AT_REMOVEDIR | 1));
  T(rmdir("full2"));
  T(rmdir("full2/s/"));
  T(rmdir("full2"));
  // an open file without names
  int fd = open("b", O_RDWR);
  T(unlink("b"));
  struct stat s;
  T(fstat(fd, &s));
  printf("links %ld\n", (long)s.st_nlink);
  char path[64];
  sprintf(path, "/proc/self/fd/%d", fd);
  T(linkat(AT_FDCWD, path, AT_FDCWD, "b", AT_SYMLINK_FOLLOW));
  close(fd);
  // a removed working directory
  T(mkdir("gone", 0755));
  T(chdir("gone"));
  T(rmdir("../gone"));
  T(made("x"));
  T(mkdir("x", 0755));
  T((long)getcwd(text, sizeof text) ? 0 : -1);
  T(chdir(".."));
  // long names
  char name[300];
  memset(name, 'n', 255);
  name[255] = 0;
  T(made(name));
  T(unlink(name));
  name[255] = 'n';
  name[256] = 0;
  T(made(name));
  T(rename("r", name));
  static char deep[5000];
  for (int i = 0; i < 2200; i++) strcat(deep, "./");
  T(open(deep, O_RDONLY));
  // mknod
  T(mknod("fifo", S_IFIFO | 0666, 0));
  T(mknod("file", 0666, 0));
  T(mknod("file", 0666, 0));
  T(mknod("dir", S_IFDIR | 0666, 0));
  T(mknod("link", S_IFLNK | 0666, 0));
  T(mknod("null", S_IFCHR | 0666, 0x103));
  T(mknod("block", S_IFBLK | 0666, 0x12345));
  T(mknod("socket", S_IFSOCK | 0666, 0));
  links("fifo");
  links("file");
  links("null");
  stat("block", &s);
  printf("device %lx\n", (long)s.st_rdev);
  T(write(open("null", O_WRONLY), "x", 1));
  T(open("socket", O_RDONLY));
  T(open("block", O_RDONLY));
  // O_TMPFILE
  fd = open(".", O_TMPFILE | O_RDWR, 0644);
  T(fd < 0 ? -1 : 0);
  T(write(fd, "nameless", 8));
  fstat(fd, &s);
  printf("links %ld\n", (long)s.st_nlink);
  sprintf(path, "/proc/self/fd/%d", fd);
  T(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  content("named");
  T(open(".", O_TMPFILE | O_RDONLY, 0644));
  T(open("named", O_TMPFILE | O_RDWR, 0644));
  T(open(".", O_TMPFILE | O_RDWR | O_CREAT, 0644));
  // sticky folders, and others' files
  T(mkdir("sticky", 0));
  T(chmod("sticky", 01777));
  T(mkdir("closed", 0755));
  T(made("sticky/root"));
  T(made("closed/f"));
  T(chmod(".", 0777));
  T(seteuid(1000));
  T(unlink("sticky/root"));
  T(rename("sticky/root", "sticky/mine"));
  T(made("sticky/mine"));
  T(rename("sticky/mine", "sticky/root"));
  T(unlink("sticky/mine"));
  T(made("closed/g"));
  T(unlink("closed/f"));
  T(rename("closed/f", "sticky/f"));
  T(link("closed/f", "closed/g"));
  T(mkdir("closed/d", 0755));
  T(mknod("dev", S_IFCHR | 0666, 0x103));
  T(seteuid(0));
  T(chdir("/"));
  return 0;
}
