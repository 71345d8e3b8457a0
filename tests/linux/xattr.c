// Extended attributes, and handles of files.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static void tell(const char *what, long result) {
  int error = result < 0 ? errno : 0;
  printf("%s: %ld %d\n", what, result < 0 ? -1 : result, error);
}
#define T(call) tell(#call, call)

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  char b[300];
  close(open("x", O_CREAT | O_RDWR, 0644));
  symlink("x", "xl");
  mkfifo("xf", 0644);
  T(setxattr("x", "trusted.a", "value", 5, 0));
  T(getxattr("x", "trusted.a", 0, 0));
  T(getxattr("x", "trusted.a", b, 300));
  T(getxattr("x", "trusted.a", b, 4));
  T(getxattr("x", "trusted.b", b, 4));
  T(setxattr("x", "trusted.a", "v", 1, XATTR_CREATE));
  T(setxattr("x", "trusted.a", "v", 1, XATTR_REPLACE));
  T(setxattr("x", "trusted.b", "v", 1, XATTR_REPLACE));
  T(setxattr("x", "trusted.b", "v", 1, 4));
  T(setxattr("x", "trusted.empty", "", 0, 0));
  T(getxattr("x", "trusted.empty", b, 300));
  T(listxattr("x", 0, 0));
  T(listxattr("x", b, 300));
  T(listxattr("x", b, 3));
  T(setxattr("x", "other.a", "v", 1, 0));
  T(getxattr("x", "other.a", b, 1));
  T(setxattr("x", "", "v", 1, 0));
  T(setxattr("x", "system.a", "v", 1, 0));
  memset(b, 'n', 299);
  memcpy(b, "trusted.", 8);
  b[255] = 0;
  T(setxattr("x", b, "v", 1, 0));
  T(removexattr("x", b));
  b[255] = 'n';
  b[256] = 0;
  T(setxattr("x", b, "v", 1, 0));
  static char big[70000];
  T(setxattr("x", "trusted.big", big, 65537, 0));
  T(setxattr("x", "security.some", "v", 1, 0));
  T(getxattr("x", "security.some", b, 300));
  T(setxattr("x", "security.capability", "v", 1, 0));
  unsigned caps[6] = {0x02000001, 1 << 10, 0, 0, 0};
  T(setxattr("x", "security.capability", caps, 20, 0));
  T(setxattr("x", "security.capability", caps, 24, 0));
  T(getxattr("x", "security.capability", b, 300));
  int w = open("x", O_WRONLY);
  write(w, "x", 1);
  T(getxattr("x", "security.capability", b, 300));
  T(setxattr("x", "security.capability", caps, 20, 0));
  T(chown("x", 0, 0));
  T(getxattr("x", "security.capability", b, 300));
  T(removexattr("x", "security.capability"));
  T(removexattr("x", "trusted.a"));
  T(removexattr("x", "trusted.a"));
  T(lsetxattr("xl", "trusted.l", "link", 4, 0));
  T(lgetxattr("xl", "trusted.l", b, 300));
  T(getxattr("xl", "trusted.l", b, 300));
  T(llistxattr("xl", b, 300));
  T(lremovexattr("xl", "trusted.l"));
  T(setxattr("xf", "user.a", "v", 1, 0));
  T(getxattr("xf", "user.a", b, 1));
  T(lsetxattr("xl", "user.a", "v", 1, 0));
  T(fsetxattr(w, "trusted.f", "12", 2, 0));
  T(fgetxattr(w, "trusted.f", b, 300));
  T(flistxattr(w, b, 0) > 0 ? 0 : -1);
  T(fremovexattr(w, "trusted.f"));
  T(fgetxattr(99, "trusted.f", b, 300));
  int p = open("x", O_PATH);
  T(fgetxattr(p, "trusted.f", b, 300));
  T(setxattr("none", "trusted.a", "v", 1, 0));
  T(setxattr("x", "trusted.a", (void *)8, 1, 0));
  seteuid(1000);
  T(getxattr("x", "trusted.empty", b, 300));
  T(setxattr("x", "trusted.a", "v", 1, 0));
  T(listxattr("x", b, 300));
  T(setxattr("x", "security.capability", caps, 20, 0));
  seteuid(0);
  // handles
  struct {
    struct file_handle h;
    char room[128];
  } h;
  int mount;
  h.h.handle_bytes = 0;
  T(name_to_handle_at(AT_FDCWD, "x", &h.h, &mount, 0));
  printf("%u\n", h.h.handle_bytes);
  T(name_to_handle_at(AT_FDCWD, "x", &h.h, &mount, 0));
  h.h.handle_bytes = 200;
  T(name_to_handle_at(AT_FDCWD, "x", &h.h, &mount, 0));
  h.h.handle_bytes = 128;
  T(name_to_handle_at(AT_FDCWD, "x", &h.h, &mount, 64));
  T(name_to_handle_at(AT_FDCWD, "x", &h.h, &mount, 0));
  int dir = open(".", O_RDONLY);
  int fd = open_by_handle_at(dir, &h.h, O_RDONLY);
  T(fd < 0 ? -1 : 0);
  T(read(fd, b, 10));
  unlink("x");
  close(fd), close(w), close(p);
  T(open_by_handle_at(dir, &h.h, O_RDONLY));
  h.h.handle_bytes = 0;
  T(open_by_handle_at(dir, &h.h, O_RDONLY));
  unlink("xl");
  unlink("xf");
  return 0;
}
