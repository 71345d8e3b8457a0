// Files: opened, read, written, resized; what an inode says of itself and who may change it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <utime.h>
#include <unistd.h>

static void tell(const char *what, long result) {
  int error = result < 0 ? errno : 0;
  printf("%s: %ld %d\n", what, result < 0 ? -1 : result, error);
}
#define T(call) tell(#call, call)

static void show(const char *name) {
  struct stat s;
  if (lstat(name, &s) < 0) {
    printf("%s: %d\n", name, errno);
    return;
  }
  printf("%s: %o %ld %u:%u %ld blocks %ld\n", name, s.st_mode, (long)s.st_nlink, s.st_uid, s.st_gid, (long)s.st_size,
         (long)s.st_blocks);
}

static void times(const char *name) {
  struct stat s;
  lstat(name, &s);
  printf("%s: %ld.%09ld %ld.%09ld\n", name, (long)s.st_atim.tv_sec, s.st_atim.tv_nsec, (long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
}

static void reads(void) {
  char b[64];
  int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0666);
  T(fcntl(fd, F_GETFL) & ~O_LARGEFILE & ~0100000);
  T(write(fd, "hello world", 11));
  T(lseek(fd, -5, SEEK_END));
  T(read(fd, b, 64));
  T(read(fd, b, 64));
  T(lseek(fd, -1, SEEK_SET));
  T(lseek(fd, 0, 77));
  T(pread(fd, b, 5, 3));
  T(pread(fd, b, 5, -1));
  T(pwrite(fd, "XY", 2, 100));
  T(lseek(fd, 0, SEEK_CUR));
  show("f");
  T(read(fd, (void *)8, 1));
  lseek(fd, 0, SEEK_SET);
  T(read(fd, (void *)8, 1));
  T(write(fd, (void *)8, 1));
  T(write(fd, (void *)8, 0));
  struct iovec v[3] = {{b, 2}, {b + 2, 0}, {b + 2, 4}};
  T(readv(fd, v, 3));
  T(writev(fd, v, 3));
  T(readv(fd, v, -1));
  T(readv(fd, v, 2000));
  T(preadv(fd, v, 3, 5));
  T(pwritev(fd, v, 1, 200));
  v[1].iov_len = -1;
  T(readv(fd, v, 3));
  close(fd);
  T(read(fd, b, 1));
  T(read(-1, b, 1));
  fd = open("f", O_WRONLY | O_APPEND);
  T(read(fd, b, 1));
  T(write(fd, "end", 3));
  T(lseek(fd, 0, SEEK_CUR));
  T(pwrite(fd, "end", 3, 0));
  show("f");
  T(fcntl(fd, F_SETFL, 0));
  T(pwrite(fd, "new", 3, 0));
  show("f");
  close(fd);
  fd = open(".", O_RDONLY);
  T(read(fd, b, 1));
  T(write(fd, b, 1));
  T(lseek(fd, 0, SEEK_SET));
  close(fd);
  fd = open("f", O_PATH);
  T(read(fd, b, 1));
  T(fchmod(fd, 0));
  T(fcntl(fd, F_GETFL) & O_PATH ? 0 : -1);
  T(fcntl(fd, F_SETFL, 0));
  struct stat s;
  T(fstat(fd, &s));
  T(ftruncate(fd, 0));
  T(fsync(fd));
  close(fd);
  T(openat(99, "f", O_RDONLY));
  fd = open("f", O_RDONLY);
  T(openat(fd, "f", O_RDONLY));
  T(openat(fd, "/dev/null", O_RDONLY) >= 0 ? 0 : -1);
  close(fd);
  T(dup2(0, 10000000));
  T(dup2(99, 98));
  T(dup2(1, 1));
  T(dup3(1, 1, 0));
  T(dup3(1, 50, O_CLOEXEC));
  T(fcntl(50, F_GETFD));
  T(fcntl(50, F_DUPFD, 60));
  T(fcntl(60, F_GETFD));
  T(fcntl(50, F_DUPFD, -1));
  T(fcntl(50, F_DUPFD, 100000));
  T(syscall(SYS_close_range, 50, 60, 0));
  T(fcntl(60, F_GETFD));
  T(syscall(SYS_close_range, 60, 50, 0));
  T(fcntl(1, 9999));
  unlink("f");
}

static void sizes(void) {
  int fd = open("s", O_RDWR | O_CREAT | O_TRUNC, 0666);
  T(ftruncate(fd, 10000));
  show("s");
  T(pwrite(fd, "x", 1, 5000));
  show("s");
  T(lseek(fd, 0, SEEK_DATA));
  T(lseek(fd, 0, SEEK_HOLE));
  T(lseek(fd, 4096, SEEK_HOLE));
  T(lseek(fd, 8192, SEEK_DATA));
  T(lseek(fd, 10000, SEEK_HOLE));
  T(ftruncate(fd, 5001));
  T(ftruncate(fd, 9000));
  char c = 'z';
  T(pread(fd, &c, 1, 5000));
  printf("%d\n", c);
  T(pread(fd, &c, 1, 5001));
  printf("%d\n", c);
  T(ftruncate(fd, -1));
  T(truncate("s", -1));
  T(truncate("none", 0));
  T(truncate(".", 0));
  T(truncate("/dev/null", 0));
  T(truncate("s", 3));
  show("s");
  T(fallocate(fd, 0, 0, 20000));
  printf("%ld\n", (long)lseek(fd, 0, SEEK_END));
  T(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 40000));
  printf("%ld\n", (long)lseek(fd, 0, SEEK_END));
  pwrite(fd, "abc", 3, 8190);
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8191, 1));
  char b[3];
  T(pread(fd, b, 3, 8190));
  printf("%d %d %d\n", b[0], b[1], b[2]);
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1));
  T(fallocate(fd, 0, 0, 0));
  T(fallocate(fd, 0, -1, 1));
  T(posix_fadvise(fd, 0, 0, 99));
  T(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
  T(fsync(fd));
  T(fdatasync(99));
  T(syncfs(fd));
  T(readahead(fd, 0, 100));
  close(fd);
  fd = open("s", O_RDONLY);
  T(ftruncate(fd, 0));
  T(fallocate(fd, 0, 0, 1));
  close(fd);
  struct rlimit limit = {1000, RLIM_INFINITY}, old;
  getrlimit(RLIMIT_FSIZE, &old);
  setrlimit(RLIMIT_FSIZE, &limit);
  signal(SIGXFSZ, SIG_IGN);
  fd = open("l", O_RDWR | O_CREAT | O_TRUNC, 0666);
  static char big[1500];
  T(write(fd, big, 1500));
  T(write(fd, big, 1));
  T(ftruncate(fd, 1001));
  T(ftruncate(fd, 1000));
  close(fd);
  setrlimit(RLIMIT_FSIZE, &old);
  struct statfs f;
  T(statfs(".", &f));
  printf("%lx %ld %ld\n", (long)f.f_type, (long)f.f_bsize, (long)f.f_namelen);
  T(statfs("none", &f));
  T(fstatfs(99, &f));
  unlink("s");
  unlink("l");
}

static void modes(void) {
  umask(027);
  close(open("m", O_CREAT | O_RDWR, 0666));
  show("m");
  T(mkdir("md", 0777));
  show("md");
  T(umask(0));
  T(chmod("m", 06777));
  show("m");
  T(chown("m", 1000, -1));
  show("m");
  T(chmod("m", 02745));
  T(chown("m", -1, 1000));
  show("m");
  T(chmod("m", 02755));
  T(chown("m", -1, -1));
  show("m");
  T(chmod("none", 0));
  T(symlink("m", "ml"));
  T(lchown("ml", 5, 6));
  show("ml");
  show("m");
  T(chmod("ml", 0644));
  T(fchownat(AT_FDCWD, "ml", 7, 8, AT_SYMLINK_NOFOLLOW));
  show("ml");
  T(fchownat(AT_FDCWD, "", 7, 8, 0));
  T(fchownat(AT_FDCWD, "m", 7, 8, 1));
  T(chmod("md", 02777));
  chown("md", 0, 50);
  close(open("md/f", O_CREAT | O_RDWR, 0666));
  show("md/f");
  T(mkdir("md/d", 0755));
  show("md/d");
  int fd = open("m", O_RDWR);
  T(fchmod(fd, 04711));
  T(fchown(fd, 1000, 1000));
  show("m");
  fchmod(fd, 06711);
  T(write(fd, "x", 1));
  show("m");
  T(setegid(1000));
  T(seteuid(1000));
  T(write(fd, "x", 1));
  show("m");
  T(chmod("m", 0600));
  T(chown("m", 1000, 1000));
  T(chown("m", 1000, 50));
  T(chown("m", 0, -1));
  T(chmod("md", 0));
  T(chown("md", 0, 0));
  T(access("m", R_OK | W_OK));
  T(faccessat(AT_FDCWD, "m", R_OK, AT_EACCESS));
  T(access("md", X_OK));
  T(access("m", 8));
  T(access("none", F_OK));
  T(open("md/f", O_RDWR));
  T(utimes("md/f", 0));
  struct timeval tv[2] = {{1, 0}, {2, 0}};
  T(utimes("md/f", tv));
  T(truncate("/etc/passwd", 0));
  T(open("m", O_RDONLY | O_NOATIME) >= 0 ? 0 : -1);
  T(open("/etc/passwd", O_RDONLY | O_NOATIME));
  seteuid(0);
  setegid(0);
  close(fd);
  chmod("m", 0);
  T(access("m", R_OK | W_OK));
  T(access("m", X_OK));
  unlink("md/f");
  rmdir("md/d");
  rmdir("md");
  unlink("ml");
}

static void moments(void) {
  struct timespec t[2] = {{1000000000, 123456789}, {-5, 999999999}};
  T(utimensat(AT_FDCWD, "m", t, 0));
  times("m");
  t[0].tv_nsec = UTIME_OMIT;
  t[1].tv_sec = 7;
  T(utimensat(AT_FDCWD, "m", t, 0));
  times("m");
  t[1].tv_nsec = UTIME_OMIT;
  T(utimensat(AT_FDCWD, "none", t, 0));
  t[1].tv_nsec = 1000000000;
  T(utimensat(AT_FDCWD, "m", t, 0));
  T(utimensat(AT_FDCWD, "m", 0, 64));
  int fd = open("m", O_RDWR);
  t[0] = t[1] = (struct timespec){5000000000 >> (sizeof(long) == 4), 1};
  T(futimens(fd, t));
  times("m");
  struct timeval v[2] = {{11, 999999}, {12, 0}};
  T(utimes("m", v));
  times("m");
  T(futimesat(AT_FDCWD, "m", v));
  v[0].tv_usec = 1000000;
  T(utimes("m", v));
  struct utimbuf u = {33, 44};
  T(utime("m", &u));
  times("m");
  struct stat s;
  stat("m", &s);
  printf("changed since: %d\n", s.st_ctim.tv_sec > 100);
  char c;
  ftruncate(fd, 0);
  write(fd, "q", 1);
  utime("m", &u);
  pread(fd, &c, 1, 0);
  stat("m", &s);
  printf("read: accessed %d modified %d\n", s.st_atim.tv_sec > 100, s.st_mtim.tv_sec > 100);
  utime("m", &u);
  close(open("m", O_WRONLY | O_TRUNC));
  stat("m", &s);
  printf("cut: accessed %d modified %d\n", s.st_atim.tv_sec > 100, s.st_mtim.tv_sec > 100);
  close(fd);
  unlink("m");
}

struct how {
  uint64_t flags, mode, resolve;
};
static int open2(int dir, const char *name, uint64_t flags, uint64_t mode, uint64_t resolve, int size) {
  struct how how[2] = {{flags, mode, resolve}};
  int fd = syscall(437, dir, name, how, size);
  if (fd >= 0) close(fd);
  return fd < 0 ? -1 : 0;
}

static void resolves(void) {
  mkdir("r", 0755);
  mkdir("r/d", 0755);
  close(open("r/d/f", O_CREAT | O_WRONLY, 0644));
  symlink("d/f", "r/in");
  symlink("../outside", "r/out");
  symlink("/d/f", "r/abs");
  close(open("outside", O_CREAT | O_WRONLY, 0644));
  int r = open("r", O_RDONLY | O_DIRECTORY);
  T(open2(r, "in", 0, 0, 0, 24));
  T(open2(r, "in", 0, 0, 4, 24));
  T(open2(r, "d/f", 0, 0, 4, 24));
  T(open2(r, "in", 0, 0, 8, 24));
  T(open2(r, "out", 0, 0, 8, 24));
  T(open2(r, "d/../d/f", 0, 0, 8, 24));
  T(open2(r, "../outside", 0, 0, 8, 24));
  T(open2(r, "/d/f", 0, 0, 8, 24));
  T(open2(r, "abs", 0, 0, 8, 24));
  T(open2(r, "abs", 0, 0, 16, 24));
  T(open2(r, "/d/f", 0, 0, 16, 24));
  T(open2(r, "../../d/f", 0, 0, 16, 24));
  T(open2(r, "out", 0, 0, 16, 24));
  T(open2(AT_FDCWD, "/dev/null", 0, 0, 1, 24));
  T(open2(AT_FDCWD, "r/d/f", 0, 0, 1, 24));
  T(open2(r, "in", 0, 0, 24, 24));
  T(open2(r, "in", 0, 0, 64, 24));
  T(open2(r, "in", 0, 0644, 0, 24));
  T(open2(r, "new", O_CREAT | O_WRONLY, 010000, 0, 24));
  T(open2(r, "new", O_CREAT | O_WRONLY, 0600, 0, 24));
  T(open2(r, "in", 1ull << 40, 0, 0, 24));
  T(open2(r, "in", 0, 0, 0, 23));
  T(open2(r, "in", 0, 0, 0, 48));
  T(open2(r, "new", O_CREAT | O_WRONLY, 0600, 32, 24));
  close(r);
  unlink("r/in"), unlink("r/out"), unlink("r/abs"), unlink("r/d/f"), unlink("r/new"), unlink("outside");
  rmdir("r/d");
  rmdir("r");
}

static void lists(void) {
  mkdir("l", 0755);
  char name[32];
  for (int i = 0; i < 100; i++) {
    sprintf(name, "l/file-%d", i);
    close(open(name, O_CREAT | O_WRONLY, 0644));
  }
  int fd = open("l", O_RDONLY | O_DIRECTORY);
  char b[600];
  int total = 0, dots = 0, n;
  unsigned sum = 0;
  while ((n = syscall(SYS_getdents64, fd, b, sizeof b)) > 0)
    for (int at = 0; at < n; at += *(uint16_t *)(b + at + 16)) {
      total++;
      if (b[at + 19] == '.') dots++;
      else sum += atoi(b + at + 24) + b[at + 18];
    }
  printf("%d names, %d dots, %u, %d\n", total, dots, sum, n);
  T(lseek(fd, 0, SEEK_SET));
  T(syscall(SYS_getdents64, fd, b, 10));
  total = 0;
  while ((n = syscall(SYS_getdents, fd, b, sizeof b)) > 0)
    for (int at = 0; at < n; at += *(uint16_t *)(b + at + 2 * sizeof(long))) {
      total++;
      int length = *(uint16_t *)(b + at + 2 * sizeof(long));
      unlinkat(fd, b + at + 2 * sizeof(long) + 2, 0);
      if (b[at + length - 1] != 8 && b[at + length - 1] != 4) printf("type %d\n", b[at + length - 1]);
    }
  printf("%d names while they go\n", total);
  T(rmdir("l"));
  T(syscall(SYS_getdents64, fd, b, sizeof b));
  close(fd);
  T(syscall(SYS_getdents64, 0, b, sizeof b));
}

static void memory(void) {
  int fd = syscall(SYS_memfd_create, "m", 2);
  T(fd < 0 ? -1 : 0);
  T(write(fd, "abc", 3));
  T(fcntl(fd, 1034));
  T(fcntl(fd, 1033, 2));
  T(ftruncate(fd, 1));
  T(ftruncate(fd, 5));
  T(fcntl(fd, 1033, 4));
  T(pwrite(fd, "x", 1, 10));
  T(fcntl(fd, 1033, 8 | 1));
  T(pwrite(fd, "x", 1, 0));
  T(fcntl(fd, 1033, 8));
  T(fcntl(fd, 1034));
  struct stat s;
  fstat(fd, &s);
  printf("%o %ld %ld\n", s.st_mode, (long)s.st_nlink, (long)s.st_size);
  char *p = mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  printf("%c\n", p[0]);
  fd = syscall(SYS_memfd_create, "m", 0);
  T(fcntl(fd, 1034));
  T(fcntl(fd, 1033, 2));
  T(syscall(SYS_memfd_create, "m", 64 << 10));
  T(fcntl(1, 1034));
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  umask(022);
  reads();
  sizes();
  modes();
  moments();
  resolves();
  lists();
  memory();
  return 0;
}
