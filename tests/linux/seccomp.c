/* Filters of system calls: seccomp(2), prctl(2) PR_SET_SECCOMP. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(what, result) { errno = 0; long r_ = (long)(result); printf("%s: %ld %d\n", what, r_, r_ < 0 ? errno : 0); }
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RET(value) BPF_STMT(BPF_RET | BPF_K, value)
#define ON(number, value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), RET(value)

static long install(struct sock_filter *code, int length) {
  struct sock_fprog program = {length, code};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
#define INSTALL(...) ({ struct sock_filter code_[] = {__VA_ARGS__}; install(code_, sizeof code_ / sizeof *code_); })
static void in_child(const char *what, void (*work)(void)) {
  int status;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    work();
    _exit(0);
  }
  waitpid(child, &status, 0);
  printf("%s: %x\n", what, status);
}
static void traps(int number, siginfo_t *info, void *context) {
  printf("SIGSYS code %d errno %d call %d arch %d\n", info->si_code, info->si_errno, info->si_syscall == SYS_getpid,
         info->si_arch == (sizeof(long) == 8 ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_I386));
}
static void filters(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  SHOW("errno", INSTALL(LOAD(nr), ON(SYS_getuid, SECCOMP_RET_ERRNO | 77), ON(SYS_getpid, SECCOMP_RET_TRAP | 5),
                        ON(SYS_getgid, SECCOMP_RET_TRACE), RET(SECCOMP_RET_ALLOW)));
  SHOW("getuid", syscall(SYS_getuid));
  SHOW("getgid", syscall(SYS_getgid));
  struct sigaction action = {.sa_sigaction = traps, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &action, 0);
  printf("trapped: %d\n", (int)syscall(SYS_getpid) == SYS_getpid);
  SHOW("second", INSTALL(LOAD(nr), ON(SYS_getuid, SECCOMP_RET_ERRNO | 5), RET(SECCOMP_RET_LOG)));
  SHOW("the first of equals", syscall(SYS_getuid));
  SHOW("mode", prctl(PR_GET_SECCOMP));
  SHOW("strict after filter", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0));
  SHOW("arguments", INSTALL(LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close, 0, 4), LOAD(args[0]),
                            BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 100, 0, 1),
                            RET(SECCOMP_RET_ERRNO | 66), RET(SECCOMP_RET_ALLOW)));
  SHOW("close 99", close(99));
  SHOW("close 100", close(100));
  fflush(stdout);
  if (fork() == 0) {
    SHOW("inherited", syscall(SYS_getuid));
    _exit(0);
  }
  wait(0);
}
static void kills(void) {
  INSTALL(LOAD(nr), ON(SYS_getuid, SECCOMP_RET_KILL_PROCESS), RET(SECCOMP_RET_ALLOW));
  syscall(SYS_getuid);
}
static void kills_thread(void) {
  INSTALL(LOAD(nr), ON(SYS_getuid, SECCOMP_RET_KILL_THREAD), RET(SECCOMP_RET_ALLOW));
  syscall(SYS_getuid);
}
static void strict(void) {
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  syscall(SYS_write, 1, "strict\n", 7);
  syscall(SYS_exit, 3);
}
static void strict_killed(void) {
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  syscall(SYS_getpid);
}
static void unprivileged(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  setresuid(1000, 1000, 1000);
  SHOW("without right", INSTALL(RET(SECCOMP_RET_ALLOW)));
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  SHOW("no new privileges", INSTALL(RET(SECCOMP_RET_ALLOW)));
}
int main(void) {
  SHOW("operation", syscall(SYS_seccomp, 99, 0, 0));
  SHOW("strict flags", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, 0));
  SHOW("filter flags", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x1000, 0));
  SHOW("filter fault", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 8));
  unsigned action = SECCOMP_RET_ERRNO;
  SHOW("available", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
  action = 0x12340000;
  SHOW("not available", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
  SHOW("mode", prctl(PR_GET_SECCOMP));
  SHOW("empty", install(0, 0));
  SHOW("long", install(0, 4097));
  SHOW("no return", INSTALL(LOAD(nr)));
  SHOW("jump out", INSTALL(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), RET(0)));
  SHOW("unaligned", INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RET(0)));
  SHOW("behind", INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RET(0)));
  SHOW("byte", INSTALL(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RET(0)));
  SHOW("divide by 0", INSTALL(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET(0)));
  SHOW("shift", INSTALL(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RET(0)));
  SHOW("modulo", INSTALL(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RET(0)));
  SHOW("scratch 16", INSTALL(BPF_STMT(BPF_ST, 16), RET(0)));
  SHOW("scratch unwritten", INSTALL(BPF_STMT(BPF_LD | BPF_MEM, 3), RET(0)));
  in_child("filters", filters);
  in_child("kills", kills);
  in_child("kills thread", kills_thread);
  in_child("strict", strict);
  in_child("strict killed", strict_killed);
  in_child("unprivileged", unprivileged);
  return 0;
}
