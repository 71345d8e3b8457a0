// UTS namespaces: host and domain names. Spec: uts_namespaces(7), sethostname(2).
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define FACT(what, call)                                     \
  do {                                                       \
    errno = 0;                                               \
    long result = (call);                                    \
    printf("%s: %ld %d\n", what, result, result < 0 ? errno : 0); \
  } while (0)

static void names(const char *who) {
  struct utsname names;
  uname(&names);
  printf("%s: %s %s\n", who, names.nodename, names.domainname);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  FACT("sethostname", sethostname("outer", 5));
  FACT("setdomainname", setdomainname("example", 7));
  names("before");
  int pid = syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    names("child at first");
    FACT("child sethostname", sethostname("inner", 5));
    names("child");
    FACT("too long", sethostname("x", 65));
    FACT("bad address", sethostname((char *)1, 5));
    FACT("empty", sethostname("", 0));
    names("child");
    _exit(0);
  }
  waitpid(pid, 0, 0);
  names("parent");
  FACT("unshare", unshare(CLONE_NEWUTS));
  FACT("sethostname", sethostname("own", 3));
  names("unshared");
  if (fork() == 0) {
    setresuid(1000, 1000, 1000);
    FACT("without capability", sethostname("no", 2));
    FACT("unshare without capability", unshare(CLONE_NEWUTS));
    FACT("unshare of a user namespace", unshare(CLONE_NEWUSER | CLONE_NEWUTS));
    FACT("sethostname in it", sethostname("yes", 3));
    names("in a user namespace");
    _exit(0);
  }
  wait(0);
  names("at last");
  return 0;
}
