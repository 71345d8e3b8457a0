// Bytes from file to file: sendfile, splice, tee, vmsplice, copy_file_range.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *what, long result) {
  int error = result < 0 ? errno : 0;
  printf("%s: %ld %d\n", what, result < 0 ? -1 : result, error);
}
#define T(call) tell(#call, call)

static void content(const char *what, int fd) {
  char b[64] = "";
  long n = pread(fd, b, 63, 0);
  printf("%s: %ld \"%s\"\n", what, n, b);
}
static void got(const char *what, int fd) {
  char b[64] = "";
  long n = read(fd, b, 63);
  printf("%s: %ld \"%s\"\n", what, n, n < 0 ? "" : b);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  signal(SIGPIPE, SIG_IGN);
  int a = open("a", O_CREAT | O_TRUNC | O_RDWR, 0644);
  int b = open("b", O_CREAT | O_TRUNC | O_RDWR, 0644);
  int p[2], q[2];
  pipe(p);
  pipe(q);
  write(a, "0123456789", 10);
  off_t at = 2;
  T(sendfile(b, a, &at, 4));
  printf("%ld %ld\n", (long)at, (long)lseek(a, 0, SEEK_CUR));
  content("b", b);
  lseek(a, 7, SEEK_SET);
  T(sendfile(p[1], a, 0, 100));
  printf("%ld\n", (long)lseek(a, 0, SEEK_CUR));
  got("pipe", p[0]);
  T(sendfile(b, a, 0, 100));
  T(sendfile(99, a, 0, 100));
  T(sendfile(p[0], a, 0, 100));
  at = -1;
  T(sendfile(b, a, &at, 1));
  at = 0;
  T(sendfile(b, p[0], &at, 1));
  int append = open("b", O_WRONLY | O_APPEND);
  at = 0;
  T(sendfile(append, a, &at, 1));
  // copy_file_range
  loff_t from = 1, to = 8;
  T(copy_file_range(a, &from, b, &to, 3, 0));
  printf("%ld %ld\n", (long)from, (long)to);
  char text[32] = "";
  T(pread(b, text, 32, 0));
  printf("%d %s\n", text[7], text + 8);
  from = 0, to = 2;
  T(copy_file_range(a, &from, a, &to, 5, 0));
  T(copy_file_range(a, &from, b, &to, 5, 1));
  T(copy_file_range(a, &from, append, &to, 5, 0));
  T(copy_file_range(p[0], 0, b, &to, 5, 0));
  from = 100;
  T(copy_file_range(a, &from, b, &to, 5, 0));
  // splice
  from = 3;
  T(splice(a, &from, p[1], 0, 4, 0));
  printf("%ld\n", (long)from);
  T(tee(p[0], q[1], 2, 0));
  got("tee", q[0]);
  to = 0;
  T(splice(p[0], 0, b, &to, 100, 0));
  content("b", b);
  T(splice(p[0], 0, b, &to, 100, SPLICE_F_NONBLOCK));
  T(splice(p[0], &to, b, &to, 100, 0));
  T(splice(a, 0, b, 0, 100, 0));
  T(splice(a, 0, p[1], 0, 100, 64));
  T(splice(p[0], 0, p[1], 0, 100, 0));
  T(splice(p[0], 0, append, 0, 100, 0));
  write(p[1], "through", 7);
  T(splice(p[0], 0, q[1], 0, 100, 0));
  got("q", q[0]);
  T(tee(p[0], q[1], 10, SPLICE_F_NONBLOCK));
  T(tee(a, q[1], 10, 0));
  T(tee(p[0], p[1], 10, 0));
  struct iovec v[2] = {{"user", 4}, {" memory", 7}};
  T(vmsplice(p[1], v, 2, 0));
  got("p", p[0]);
  T(vmsplice(a, v, 2, 0));
  if (fork() == 0) {
    usleep(2000);
    write(p[1], "late", 4);
    _exit(0);
  }
  T(splice(p[0], 0, b, 0, 100, 0));
  wait(0);
  close(p[1]);
  T(splice(p[0], 0, b, 0, 100, 0));
  T(tee(p[0], q[1], 10, 0));
  close(q[0]);
  lseek(a, 0, SEEK_SET);
  T(splice(a, 0, q[1], 0, 100, 0));
  T(sendfile(q[1], a, 0, 3));
  unlink("a");
  unlink("b");
  return 0;
}
