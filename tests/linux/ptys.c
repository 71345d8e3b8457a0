/* Pseudoterminals: making them, line discipline, sizes, sessions, and their end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void say(const char *what, long result) {
  int error = errno;
  printf("%s: %ld %d\n", what, result, result < 0 ? error : 0);
}

static void show(const char *what, int fd) {
  char text[256];
  ssize_t count = read(fd, text, sizeof text - 1);
  int error = errno;
  printf("%s: %zd %d \"", what, count, count < 0 ? error : 0);
  for (ssize_t at = 0; at < count; at++)
    if (text[at] >= 32 && text[at] < 127) putchar(text[at]);
    else printf("\\%03o", (unsigned char)text[at]);
  printf("\"\n");
}

/* What is written at the master arrives at the other side a little later. */
static void type(int master, const char *text, int length) {
  write(master, text, length);
  usleep(20000);
}

static volatile int changed;
static void onChange(int signal) { changed = signal; }

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  /* One that leads no session. */
  pid_t all = fork();
  if (all != 0) {
    int status;
    waitpid(all, &status, 0);
    return status != 0;
  }
  mkdir("/dev/pts", 0755);
  if (access("/dev/pts/ptmx", F_OK) < 0) mount("devpts", "/dev/pts", "devpts", 0, "mode=620,ptmxmode=666");
  say("wrong option", mount("devpts", "/mnt", "devpts", 0, "mode=9"));
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
  say("ptmx", master < 0 ? -1 : 0);
  int locked = -1, number = -1;
  say("TIOCGPTLCK", ioctl(master, TIOCGPTLCK, &locked));
  say("locked", locked);
  say("TIOCGPTN", ioctl(master, TIOCGPTN, &number));
  char name[64];
  sprintf(name, "/dev/pts/%d", number);
  struct stat stats;
  say("stat", stat(name, &stats));
  printf("mode %o uid %u major %u\n", stats.st_mode, stats.st_uid, (unsigned)(stats.st_rdev >> 8));
  say("open locked", open(name, O_RDWR | O_NOCTTY));
  locked = 0;
  say("TIOCSPTLCK", ioctl(master, TIOCSPTLCK, &locked));
  int slave = open(name, O_RDWR | O_NOCTTY);
  say("open", slave < 0 ? -1 : 0);
  int peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  say("TIOCGPTPEER", peer < 0 ? -1 : 0);
  close(peer);
  struct termios termios;
  say("TCGETS", tcgetattr(slave, &termios));
  printf("flags %o %o %o %o\n", termios.c_iflag, termios.c_oflag, termios.c_cflag, termios.c_lflag);
  say("isatty", isatty(slave));

  show("empty", master);
  write(slave, "a\tb\n", 4);
  usleep(20000);
  show("output", master);
  type(master, "on\177ne two\027x\r", 12);
  show("echo", master);
  int waiting = -1;
  say("FIONREAD", ioctl(slave, FIONREAD, &waiting));
  say("waiting", waiting);
  show("line", slave);
  type(master, "ab\004", 3);
  show("end of file", slave);
  type(master, "\004", 1);
  show("empty line", slave);
  show("echoes", master);
  type(master, "zap\025ok\026\003\n", 9);
  show("line", slave);
  show("echoes", master);

  termios.c_lflag &= ~(ICANON | ECHO | ISIG);
  termios.c_iflag &= ~ICRNL;
  termios.c_cc[VMIN] = 3;
  termios.c_cc[VTIME] = 0;
  say("TCSETS", tcsetattr(slave, TCSANOW, &termios));
  struct pollfd poll_ = {slave, POLLIN, 0};
  type(master, "ab", 2);
  say("poll 2 of 3", poll(&poll_, 1, 0));
  type(master, "\r", 1);
  say("poll 3 of 3", poll(&poll_, 1, 0));
  show("raw", slave);
  termios.c_cc[VMIN] = 0;
  termios.c_cc[VTIME] = 1;
  tcsetattr(slave, TCSAFLUSH, &termios);
  show("after a time", slave);
  termios.c_cc[VTIME] = 0;
  tcsetattr(slave, TCSAFLUSH, &termios);
  show("at once", slave);

  struct winsize size = {24, 80, 1, 2};
  say("TIOCSWINSZ", ioctl(master, TIOCSWINSZ, &size));
  memset(&size, 0, sizeof size);
  say("TIOCGWINSZ", ioctl(slave, TIOCGWINSZ, &size));
  printf("size %d %d %d %d\n", size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
  int group = -1;
  say("TIOCGPGRP of another", ioctl(slave, TIOCGPGRP, &group));
  say("TIOCSCTTY", ioctl(slave, TIOCSCTTY, 0));
  say("FIOQSIZE", ioctl(slave, 0x5460, &group));

  termios.c_lflag |= ICANON | ISIG;
  termios.c_cc[VMIN] = 1;
  tcsetattr(slave, TCSANOW, &termios);
  int ready[2];
  pipe(ready);
  pid_t child = fork();
  if (child == 0) {
    close(master);
    setsid();
    say("no terminal", open("/dev/tty", O_RDWR));
    signal(SIGWINCH, onChange);
    signal(SIGHUP, onChange);
    say("TIOCSCTTY", ioctl(slave, TIOCSCTTY, 0));
    say("TIOCGPGRP", ioctl(slave, TIOCGPGRP, &group));
    say("foreground", group == getpid());
    say("TIOCGSID", ioctl(slave, TIOCGSID, &group));
    say("session", group == getpid());
    int own = open("/dev/tty", O_RDWR);
    say("/dev/tty", own < 0 ? -1 : 0);
    close(own);
    group = 99999;
    say("no such group", ioctl(slave, TIOCSPGRP, &group));
    pid_t reader = fork();
    if (reader == 0) {
      setpgid(0, 0);
      signal(SIGTTIN, SIG_IGN);
      char byte;
      say("background read", read(slave, &byte, 1));
      signal(SIGTTIN, SIG_DFL);
      read(slave, &byte, 1);
      _exit(0);
    }
    int status;
    waitpid(reader, &status, WUNTRACED);
    printf("stopped %d %d\n", WIFSTOPPED(status), WIFSTOPPED(status) ? WSTOPSIG(status) : 0);
    kill(reader, SIGKILL);
    waitpid(reader, &status, 0);
    write(ready[1], "1", 1);
    while (changed != SIGWINCH) pause();
    say("SIGWINCH", 1);
    write(ready[1], "2", 1);
    while (changed != SIGHUP) pause();
    say("SIGHUP", 1);
    char byte;
    say("read behind the end", read(slave, &byte, 1));
    say("write behind the end", write(slave, "x", 1));
    say("TCGETS behind the end", tcgetattr(slave, &termios));
    _exit(7);
  }
  char byte;
  read(ready[0], &byte, 1);
  close(slave);
  size.ws_row = 25;
  ioctl(master, TIOCSWINSZ, &size);
  read(ready[0], &byte, 1);
  close(master);
  int status;
  waitpid(child, &status, 0);
  printf("ended %d %d\n", WIFEXITED(status), WEXITSTATUS(status));
  say("gone", access(name, F_OK));

  master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  ioctl(master, TIOCSPTLCK, &(int){0});
  slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  write(slave, "last", 4);
  usleep(20000);
  close(slave);
  show("what was written", master);
  show("other side closed", master);
  return 0;
}
