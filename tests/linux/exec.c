/* Programs are replaced: execve(2), what stays and what goes, set-user-ID files, scripts. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(what, result) { errno = 0; long r_ = (long)(result); printf("%s: %ld %d\n", what, r_, r_ < 0 ? errno : 0); }
static char *self;
static int in_child(const char *path, char *const arguments[], void (*before)(void)) {
  int status;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    if (before) before();
    execve(path, arguments, (char *[]){"A=b", 0});
    printf("failed: %d\n", errno);
    fflush(stdout);
    _exit(99);
  }
  waitpid(child, &status, 0);
  return status;
}
static void report(void) {
  struct sigaction one, two;
  sigaction(SIGUSR1, 0, &one);
  sigaction(SIGUSR2, 0, &two);
  sigset_t mask;
  sigprocmask(SIG_BLOCK, 0, &mask);
  uid_t r, e, s;
  getresuid(&r, &e, &s);
  printf("ids %d %d %d secure %ld\n", r, e, s, (long)getauxval(AT_SECURE));
  printf("handler %d ignored %d blocked %d\n", one.sa_handler == SIG_DFL, two.sa_handler == SIG_IGN, sigismember(&mask, SIGHUP));
  printf("cloexec %d kept %d\n", fcntl(50, F_GETFD) < 0, fcntl(51, F_GETFD) >= 0);
  printf("environment %s\n", getenv("A") ? getenv("A") : "none");
  printf("dumpable %d page %ld clock %ld\n", prctl(PR_GET_DUMPABLE), (long)getauxval(AT_PAGESZ), (long)getauxval(AT_CLKTCK));
  char name[16];
  prctl(PR_GET_NAME, name);
  printf("name %s\n", name);
}
static void sets(void) {
  signal(SIGUSR1, (void (*)(int))report);
  signal(SIGUSR2, SIG_IGN);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGHUP);
  sigprocmask(SIG_BLOCK, &mask, 0);
  dup2(0, 50);
  dup2(0, 51);
  fcntl(50, F_SETFD, FD_CLOEXEC);
}
static void nobody(void) { setresgid(1000, 1000, 1000); setresuid(1000, 1000, 1000); }
static void nothing_new(void) { nobody(); prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }
static void file(const char *path, const char *text, int length, int mode) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);
  write(fd, text, length);
  close(fd);
  chmod(path, mode);
}
static void copy(const char *path, int mode) {
  char buffer[65536];
  int from = open(self, O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700), count;
  while ((count = read(from, buffer, sizeof buffer)) > 0) write(to, buffer, count);
  close(from);
  close(to);
  chmod(path, mode);
}
int main(int count, char **arguments) {
  self = arguments[0];
  if (count > 1 && strcmp(arguments[1], "report") == 0) {
    report();
    return 5;
  }
  if (count > 1 && strncmp(arguments[1], "script", 6) == 0) {
    for (int i = 1; i < count; i++) printf("argument %s\n", arguments[i]);
    return 6;
  }
  char *const reports[] = {"x", "report", 0};
  copy("/tmp/copy-of-exec", 0755);
  printf("status %x\n", in_child("/tmp/copy-of-exec", reports, sets));
  printf("missing %x\n", in_child("/tmp/missing", reports, 0));
  printf("directory %x\n", in_child("/tmp", reports, 0));
  file("/tmp/text", "plain text\n", 11, 0755);
  printf("text %x\n", in_child("/tmp/text", reports, 0));
  file("/tmp/empty", "", 0, 0755);
  printf("empty %x\n", in_child("/tmp/empty", reports, 0));
  file("/tmp/mode", "#!/bin/sh\n", 10, 0644);
  printf("mode %x\n", in_child("/tmp/mode", reports, 0));
  file("/tmp/script", "#!/tmp/copy-of-exec script  two words \n", 39, 0755);
  printf("script %x\n", in_child("/tmp/script", (char *[]){"zero", "one", 0}, 0));
  file("/tmp/loop", "#!/tmp/loop\n", 12, 0755);
  printf("loop %x\n", in_child("/tmp/loop", reports, 0));
  file("/tmp/nowhere", "#!/tmp/missing\n", 15, 0755);
  printf("nowhere %x\n", in_child("/tmp/nowhere", reports, 0));
  copy("/tmp/setuid", 04755);
  printf("setuid %x\n", in_child("/tmp/setuid", reports, nobody));
  printf("no new privileges %x\n", in_child("/tmp/setuid", reports, nothing_new));
  copy("/tmp/unreadable", 0711);
  printf("unreadable %x\n", in_child("/tmp/unreadable", reports, nobody));
  copy("/tmp/private", 0700);
  printf("private %x\n", in_child("/tmp/private", reports, nobody));
  SHOW("fault", execve((char *)8, reports, 0));
  SHOW("argument fault", execve("/tmp/copy-of-exec", (char **)8, 0));
  char *large = malloc(200000);
  memset(large, 'x', 199999);
  large[199999] = 0;
  SHOW("large", execve("/tmp/copy-of-exec", (char *[]){"x", large, 0}, 0));
  SHOW("execveat flags", syscall(SYS_execveat, AT_FDCWD, "/tmp/copy-of-exec", reports, 0, 0x8000));
  SHOW("execveat empty", syscall(SYS_execveat, AT_FDCWD, "", reports, 0, 0));
  return 0;
}
