// Locks: of processes, of open files, of whole files.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *what, long result) {
  int error = result < 0 ? errno : 0;
  printf("%s: %ld %d\n", what, result < 0 ? -1 : result, error);
}
#define T(call) tell(#call, call)

static int set(int fd, int command, int type, long start, long length) {
  struct flock l = {type, SEEK_SET, start, length, 0};
  return fcntl(fd, command, &l);
}
static void get(const char *what, int fd, int command, int type, long start, long length) {
  struct flock l = {type, SEEK_SET, start, length, 0};
  int result = fcntl(fd, command, &l);
  if (result < 0) printf("%s: %d\n", what, errno);
  else if (l.l_type == F_UNLCK) printf("%s: free %ld %ld\n", what, (long)l.l_start, (long)l.l_len);
  else printf("%s: type %d from %ld length %ld %s\n", what, l.l_type, (long)l.l_start, (long)l.l_len, l.l_pid == getppid() ? "parent" : l.l_pid == -1 ? "file" : "other");
}
static int child(void (*run)(int), int fd) {
  fflush(stdout);
  int pid = fork();
  if (pid == 0) {
    run(fd);
    _exit(0);
  }
  return pid;
}
static void together(void (*run)(int), int fd) {
  waitpid(child(run, fd), 0, 0);
}

static void look(int fd) {
  get("0 to 5", fd, F_GETLK, F_WRLCK, 0, 5);
  get("all", fd, F_GETLK, F_WRLCK, 0, 0);
  get("read 10", fd, F_GETLK, F_RDLCK, 10, 10);
  get("far", fd, F_GETLK, F_RDLCK, 1000, 10);
}
static void tryit(int fd) {
  T(set(fd, F_SETLK, F_WRLCK, 0, 10));
  T(set(fd, F_SETLK, F_RDLCK, 25, 1));
  T(set(fd, F_SETLK, F_WRLCK, 25, 1));
  T(set(fd, F_SETLK, F_WRLCK, 100, 1));
}
static void waits(int fd) {
  int result = set(fd, F_SETLKW, F_WRLCK, 0, 10);
  printf("the child has it: %d\n", result);
}
static void wholes(int fd) {
  T(flock(fd, LOCK_SH | LOCK_NB));
  int other = open("lock", O_RDWR);
  T(flock(other, LOCK_SH | LOCK_NB));
  T(flock(other, LOCK_EX | LOCK_NB));
}
static void closes(int fd) {
  close(open("lock", O_RDONLY));
  printf("closed\n");
}
static void other(int fd) {
  int mine = open("lock", O_RDWR);
  get("of another file", mine, F_GETLK, F_WRLCK, 0, 0);
  T(set(mine, F_OFD_SETLK, F_WRLCK, 0, 1));
  T(set(fd, F_OFD_SETLK, F_RDLCK, 0, 1));
  get("now", mine, F_OFD_GETLK, F_WRLCK, 0, 0);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  int fd = open("lock", O_CREAT | O_RDWR, 0644);
  T(set(fd, F_SETLK, F_WRLCK, 0, 10));
  T(set(fd, F_SETLK, F_RDLCK, 20, 10));
  get("own", fd, F_GETLK, F_WRLCK, 0, 0);
  together(look, fd);
  together(tryit, fd);
  // split, joined, changed
  T(set(fd, F_SETLK, F_UNLCK, 3, 2));
  together(look, fd);
  T(set(fd, F_SETLK, F_WRLCK, 3, 17));
  together(look, fd);
  T(set(fd, F_SETLK, F_RDLCK, 0, 0));
  together(look, fd);
  T(set(fd, F_SETLK, F_UNLCK, 0, 0));
  together(look, fd);
  // wrong
  T(set(fd, F_SETLK, 7, 0, 0));
  T(set(fd, F_SETLK, F_WRLCK, -1, 0));
  T(set(fd, F_SETLK, F_WRLCK, 5, -5));
  T(set(fd, F_SETLK, F_WRLCK, 5, -6));
  T(set(99, F_SETLK, F_WRLCK, 0, 0));
  T(fcntl(fd, F_SETLK, (void *)8));
  T(set(fd, F_GETLK, F_UNLCK, 0, 0));
  int reader = open("lock", O_RDONLY);
  T(set(reader, F_SETLK, F_WRLCK, 50, 1));
  T(set(reader, F_SETLK, F_RDLCK, 50, 1));
  // any close of the file gives them all back
  T(set(fd, F_SETLK, F_WRLCK, 0, 10));
  close(reader);
  together(look, fd);
  T(set(fd, F_SETLK, F_WRLCK, 0, 10));
  together(closes, fd);
  together(look, fd);
  // a child waits
  int pid = child(waits, fd);
  usleep(20000);
  printf("the parent goes\n");
  T(set(fd, F_SETLK, F_UNLCK, 0, 0));
  waitpid(pid, 0, 0);
  // deadlock
  int p[2];
  pipe(p);
  T(set(fd, F_SETLK, F_WRLCK, 0, 1));
  pid = fork();
  if (pid == 0) {
    set(fd, F_SETLK, F_WRLCK, 1, 1);
    write(p[1], "x", 1);
    _exit(set(fd, F_SETLKW, F_WRLCK, 0, 1) == 0 ? 7 : 8);
  }
  char c;
  read(p[0], &c, 1);
  usleep(20000);
  T(set(fd, F_SETLKW, F_WRLCK, 1, 1));
  T(set(fd, F_SETLK, F_UNLCK, 0, 0));
  int status;
  waitpid(pid, &status, 0);
  printf("the child: %d\n", WEXITSTATUS(status));
  // open files' own
  T(set(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
  get("own", fd, F_OFD_GETLK, F_WRLCK, 0, 0);
  together(other, fd);
  T(set(fd, F_SETLK, F_RDLCK, 0, 1));
  struct flock bad = {F_WRLCK, SEEK_SET, 0, 1, 5};
  T(fcntl(fd, F_OFD_SETLK, &bad));
  T(set(fd, F_OFD_SETLK, F_UNLCK, 0, 0));
  // flock
  T(flock(fd, LOCK_EX));
  together(wholes, fd);
  int second = open("lock", O_RDWR);
  T(flock(second, LOCK_SH | LOCK_NB));
  T(flock(fd, LOCK_SH));
  T(flock(second, LOCK_SH | LOCK_NB));
  T(flock(second, LOCK_EX | LOCK_NB));
  T(flock(fd, LOCK_UN));
  T(flock(second, LOCK_EX | LOCK_NB));
  int copy = dup(second);
  close(second);
  T(flock(fd, LOCK_SH | LOCK_NB));
  close(copy);
  T(flock(fd, LOCK_SH | LOCK_NB));
  T(flock(fd, 0));
  T(flock(99, LOCK_SH));
  unlink("lock");
  return 0;
}
