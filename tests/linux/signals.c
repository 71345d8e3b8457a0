/* Signals: handlers, masks, restarting, stops, frames. sigaction(2), sigprocmask(2), sigaltstack(2), kill(2), signal(7). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int seen, code, nested, on_stack;
static volatile long value;
static volatile void *address;
static sigjmp_buf back;

static void simple(int number) { seen = number; }
static void informed(int number, siginfo_t *info, void *context) {
  seen = number;
  code = info->si_code;
  value = info->si_value.sival_int;
  address = info->si_addr;
}
static void jumps(int number, siginfo_t *info, void *context) {
  informed(number, info, context);
  siglongjmp(back, 1);
}
static char stack[65536];
static void where(int number) {
  char here;
  on_stack = &here >= stack && &here < stack + sizeof stack;
}
static void counts(int number) {
  nested++;
  if (nested < 3) raise(number);
}
static void handle(int number, void (*handler)(int, siginfo_t *, void *), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = flags;
  sigaction(number, &action, 0);
}
#define SHOW(what, result) { errno = 0; long r_ = (long)(result); printf("%s: %ld %d\n", what, r_, r_ < 0 ? errno : 0); }

static int ended(pid_t child) { int status = 0; waitpid(child, &status, 0); return status; }
static void faults(const char *what, int number, void (*fault)(void)) {
  seen = code = 0;
  handle(number, jumps, SA_SIGINFO | SA_NODEFER);
  if (sigsetjmp(back, 1) == 0) fault();
  printf("%s: signal %d code %d null %d\n", what, seen, code, address == 0);
  signal(number, SIG_DFL);
}
static void at_null(void) { *(volatile int *)0 = 1; }
static void at_text(void) { *(volatile char *)(void *)(long)&at_null = 1; }
static void divides(void) { volatile int zero = 0; seen = 1 / zero; }
static void undefined(void) { __asm__ volatile("ud2"); }
static void breaks(void) { __asm__ volatile("int3"); }
static void halts(void) { __asm__ volatile("hlt"); }
static void behind(void) {
  int fd = open("/tmp/signals", O_RDWR | O_CREAT, 0600);
  unlink("/tmp/signals");
  write(fd, "x", 1);
  volatile char *page = mmap(0, 8192, PROT_READ, MAP_SHARED, fd, 0);
  seen = page[4096];
}
static void jumps_away(void) { ((void (*)(void))16)(); }

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  sigset_t set, old;
  SHOW("sigaction 0", sigaction(0, &(struct sigaction){0}, 0));
  SHOW("sigaction 65", syscall(SYS_rt_sigaction, 65, 0, 0, 8));
  SHOW("sigaction KILL", sigaction(SIGKILL, &(struct sigaction){.sa_handler = simple}, 0));
  SHOW("sigaction KILL read", sigaction(SIGKILL, 0, &(struct sigaction){0}));
  SHOW("sigaction size", syscall(SYS_rt_sigaction, SIGUSR1, 0, 0, 4));
  SHOW("sigprocmask how", syscall(SYS_rt_sigprocmask, 7, &set, 0, 8));
  SHOW("sigprocmask fault", syscall(SYS_rt_sigprocmask, 0, (void *)8, 0, 8));
  signal(SIGUSR1, simple);
  raise(SIGUSR1);
  printf("handler: %d\n", seen == SIGUSR1);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGKILL);
  sigprocmask(SIG_BLOCK, &set, 0);
  sigprocmask(SIG_BLOCK, 0, &old);
  printf("KILL blocked: %d USR1 blocked: %d\n", sigismember(&old, SIGKILL), sigismember(&old, SIGUSR1));
  seen = 0;
  raise(SIGUSR1);
  raise(SIGUSR1);
  sigpending(&set);
  printf("held back: %d pending: %d\n", seen == 0, sigismember(&set, SIGUSR1));
  sigemptyset(&set);
  SHOW("sigsuspend", sigsuspend(&set));
  printf("taken: %d\n", seen == SIGUSR1);
  sigprocmask(SIG_BLOCK, 0, &old);
  printf("blocked again: %d\n", sigismember(&old, SIGUSR1));
  sigprocmask(SIG_SETMASK, &set, 0);

  handle(SIGRTMIN, informed, SA_SIGINFO);
  SHOW("sigqueue", sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 77}));
  printf("queued: code %d value %ld\n", code, (long)value);
  handle(SIGUSR2, informed, SA_SIGINFO);
  kill(getpid(), SIGUSR2);
  printf("kill: code %d\n", code);
  raise(SIGUSR2);
  printf("raise: code %d\n", code);

  handle(SIGUSR2, (void *)simple, SA_RESETHAND);
  raise(SIGUSR2);
  struct sigaction action;
  sigaction(SIGUSR2, 0, &action);
  printf("RESETHAND: %d\n", action.sa_handler == SIG_DFL);
  handle(SIGUSR2, (void *)counts, SA_NODEFER);
  raise(SIGUSR2);
  printf("NODEFER: %d\n", nested);
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack, .ss_flags = 0}, told;
  SHOW("sigaltstack", sigaltstack(&alternate, 0));
  handle(SIGUSR2, (void *)where, SA_ONSTACK);
  raise(SIGUSR2);
  printf("on alternate stack: %d\n", on_stack);
  sigaltstack(0, &told);
  printf("told: %d %d %d\n", told.ss_sp == stack, told.ss_flags, (int)told.ss_size);
  SHOW("sigaltstack small", sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = 100}, 0));
  SHOW("sigaltstack flags", sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = 65536, .ss_flags = 64}, 0));
  SHOW("sigaltstack off", sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, 0));

  /* Interrupted calls. */
  struct itimerval soon = {{0, 0}, {0, 20000}};
  int ends[2];
  char byte;
  pipe(ends);
  handle(SIGALRM, (void *)simple, 0);
  setitimer(ITIMER_REAL, &soon, 0);
  SHOW("read interrupted", read(ends[0], &byte, 1));
  pid_t child = fork();
  if (child == 0) {
    usleep(60000);
    write(ends[1], "x", 1);
    _exit(0);
  }
  handle(SIGALRM, (void *)simple, SA_RESTART);
  setitimer(ITIMER_REAL, &soon, 0);
  seen = 0;
  SHOW("read restarted", read(ends[0], &byte, 1));
  printf("handled: %d\n", seen == SIGALRM);
  ended(child);
  setitimer(ITIMER_REAL, &soon, 0);
  struct timespec left = {0, 0};
  SHOW("nanosleep", nanosleep(&(struct timespec){1, 0}, &left));
  printf("left: %d\n", left.tv_sec == 0 && left.tv_nsec > 900000000);
  setitimer(ITIMER_REAL, &soon, 0);
  SHOW("pause", pause());
  signal(SIGALRM, SIG_IGN);
  setitimer(ITIMER_REAL, &soon, 0);
  SHOW("nanosleep ignoring", nanosleep(&(struct timespec){0, 50000000}, &left));

  /* Waiting for signals. */
  siginfo_t info;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, 0);
  kill(getpid(), SIGUSR1);
  printf("sigwaitinfo: %d\n", sigwaitinfo(&set, &info) == SIGUSR1 && info.si_code == SI_USER && info.si_pid == getpid());
  SHOW("sigtimedwait", sigtimedwait(&set, &info, &(struct timespec){0, 1000000}));
  SHOW("sigtimedwait bad", sigtimedwait(&set, &info, &(struct timespec){0, -1}));
  sigprocmask(SIG_UNBLOCK, &set, 0);

  /* Exceptions. */
  faults("null", SIGSEGV, at_null);
  faults("text", SIGSEGV, at_text);
  faults("divide", SIGFPE, divides);
  faults("ud2", SIGILL, undefined);
  faults("int3", SIGTRAP, breaks);
  faults("hlt", SIGSEGV, halts);
  faults("behind", SIGBUS, behind);
  faults("jump", SIGSEGV, jumps_away);

  /* Ends and stops. */
  if ((child = fork()) == 0) { *(volatile int *)0 = 1; _exit(0); }
  printf("segv: %x\n", ended(child));
  if ((child = fork()) == 0) { signal(SIGSEGV, SIG_IGN); *(volatile int *)0 = 1; _exit(0); }
  printf("segv ignored: %x\n", ended(child));
  if ((child = fork()) == 0) abort();
  printf("abort: %x\n", ended(child));
  if ((child = fork()) == 0) for (;;) pause();
  kill(child, SIGTERM);
  printf("term: %x\n", ended(child));
  if ((child = fork()) == 0) for (;;) ;
  kill(child, SIGKILL);
  printf("kill: %x\n", ended(child));
  if ((child = fork()) == 0) { raise(SIGSTOP); _exit(9); }
  int status = 0;
  waitpid(child, &status, WUNTRACED);
  printf("stopped: %x\n", status);
  kill(child, SIGCONT);
  waitpid(child, &status, WCONTINUED);
  printf("continued: %x\n", status);
  printf("exited: %x\n", ended(child));
  if ((child = fork()) == 0) { raise(SIGSTOP); _exit(9); }
  waitpid(child, &status, WUNTRACED);
  kill(child, SIGKILL);
  printf("killed while stopped: %x\n", ended(child));

  /* Who may send. */
  SHOW("kill nobody", kill(29999, 0));
  SHOW("kill bad signal", kill(getpid(), 65));
  SHOW("kill self 0", kill(getpid(), 0));
  SHOW("tgkill other group", syscall(SYS_tgkill, 1, getpid(), 0));
  SHOW("tgkill negative", syscall(SYS_tgkill, -1, getpid(), 0));
  SHOW("tkill 0", syscall(SYS_tkill, 0, 0));
  if ((child = fork()) == 0) {
    setresuid(1000, 1000, 1000);
    SHOW("kill init", kill(1, 0));
    SHOW("kill parent", kill(getppid(), SIGTERM));
    SHOW("kill own", kill(getpid(), 0));
    _exit(0);
  }
  ended(child);
  siginfo_t forged;
  memset(&forged, 0, sizeof forged);
  forged.si_code = SI_USER;
  SHOW("forged", syscall(SYS_rt_sigqueueinfo, 1, SIGUSR1, &forged));

  /* The frame: what the handler changes is what the program goes on with. */
  signal(SIGCHLD, SIG_IGN);
  if ((child = fork()) == 0) _exit(3);
  SHOW("wait with SIGCHLD ignored", waitpid(child, &status, 0));
  return 0;
}
