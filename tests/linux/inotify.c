// What inotify tells of files that come, change and go.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void tell(const char *what, long result) {
  int error = result < 0 ? errno : 0;
  printf("%s: %ld %d\n", what, result < 0 ? -1 : result, error);
}
#define T(call) tell(#call, call)

static int in;
static unsigned cookie;
static void events(const char *what) {
  char b[4096] __attribute__((aligned(8)));
  int n = read(in, b, sizeof b);
  printf("%s:", what);
  for (int at = 0; at < n;) {
    struct inotify_event *e = (void *)(b + at);
    printf(" %d/%x", e->wd, e->mask);
    if (e->len > 0) printf("/%s", e->name);
    if (e->cookie != 0) {
      if (e->cookie == cookie) printf("=");
      cookie = e->cookie;
    }
    at += sizeof *e + e->len;
  }
  printf("\n");
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  mkdir("w", 0755);
  in = inotify_init1(IN_NONBLOCK);
  T(inotify_init1(1));
  T(inotify_add_watch(in, "w", IN_ALL_EVENTS));
  T(inotify_add_watch(in, "none", IN_ALL_EVENTS));
  T(inotify_add_watch(in, "w", 0));
  T(inotify_add_watch(1, "w", IN_CREATE));
  T(inotify_add_watch(in, "/dev/null", IN_CREATE | IN_ONLYDIR));
  T(inotify_add_watch(in, "w", IN_ALL_EVENTS | IN_MASK_CREATE));
  struct pollfd p = {in, POLLIN, 0};
  T(poll(&p, 1, 0));
  int fd = open("w/f", O_CREAT | O_RDWR, 0644);
  T(poll(&p, 1, 0));
  events("made");
  write(fd, "abc", 3);
  write(fd, "def", 3);
  events("written");
  char b[8];
  pread(fd, b, 3, 0);
  events("read");
  fchmod(fd, 0600);
  events("mode");
  ftruncate(fd, 2);
  events("cut");
  close(fd);
  events("closed");
  close(open("w/f", O_RDONLY));
  events("opened");
  mkdir("w/d", 0755);
  events("folder");
  T(inotify_add_watch(in, "w/f", IN_ALL_EVENTS));
  rename("w/f", "w/g");
  events("renamed");
  rename("w/g", "w/d/g");
  events("moved away");
  rename("w/d/g", "w/g");
  events("moved back");
  link("w/g", "w/h");
  events("linked");
  unlink("w/g");
  events("unlinked");
  fd = open("w/h", O_RDONLY);
  unlink("w/h");
  events("unlinked while open");
  close(fd);
  events("closed for good");
  symlink("x", "w/s");
  events("a link");
  mkfifo("w/p", 0600);
  events("a fifo");
  rmdir("w/d");
  events("no folder");
  unlink("w/s");
  unlink("w/p");
  events("gone");
  T(inotify_add_watch(in, "w", IN_CREATE | IN_ONESHOT));
  mkdir("w/1", 0755);
  mkdir("w/2", 0755);
  events("once");
  T(inotify_add_watch(in, "w", IN_DELETE));
  rmdir("w/1");
  T(inotify_rm_watch(in, 77));
  T(inotify_rm_watch(in, 3));
  rmdir("w/2");
  events("removed");
  T(inotify_add_watch(in, "w", IN_DELETE_SELF));
  rmdir("w");
  T(read(in, b, 8));
  int n = 0;
  ioctl(in, FIONREAD, &n);
  printf("%d\n", n);
  events("itself");
  T(read(in, b, 8));
  return 0;
}
