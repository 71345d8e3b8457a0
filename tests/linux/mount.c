/* mount(2), umount(2), pivot_root(2), chroot(2): what is mounted where, and what is passed on. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, int result) { printf("%s: %d %d\n", what, result, result < 0 ? errno : 0); }
#define CHECK(what, call) (errno = 0, say(what, call))

static void put(const char *path, const char *text) {
  int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
  write(fd, text, strlen(text));
  close(fd);
}

static int is(const char *path) { return access(path, F_OK) == 0; }

/* Lines of a table below a place, without numbers that differ from one system to the next. */
static void mounts(const char *title, const char *below) {
  char line[1024], root[256], point[256], options[256], rest[512];
  FILE *table = fopen("/proc/self/mountinfo", "r");
  printf("%s\n", title);
  while (fgets(line, sizeof line, table)) {
    if (sscanf(line, "%*d %*d %*s %255s %255s %255s %511[^\n]", root, point, options, rest) != 4) continue;
    if (strncmp(point, below, strlen(below)) != 0) continue;
    int shared = strstr(rest, "shared:") != NULL, slave = strstr(rest, "master:") != NULL;
    int unbindable = strstr(rest, "unbindable") != NULL;
    printf("  %s on %s (%s)%s%s%s%s\n", root, point, options, shared ? " shared" : "", slave ? " slave" : "",
           unbindable ? " unbindable" : "", strstr(rest, " - "));
  }
  fclose(table);
}

static void plain(void) {
  CHECK("no type", mount("none", "/tmp/m", NULL, 0, NULL));
  CHECK("unknown type", mount("none", "/tmp/m", "nonesuch", 0, NULL));
  CHECK("no target", mount("none", "/tmp/absent", "tmpfs", 0, NULL));
  CHECK("target a file", mount("none", "/tmp/file", "tmpfs", 0, NULL));
  CHECK("bad pointer", mount((char *)8, "/tmp/m", "tmpfs", 0, NULL));
  CHECK("unknown option", mount("none", "/tmp/m", "tmpfs", 0, "nonesuch=1"));
  CHECK("tmpfs", mount("one", "/tmp/m", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=755"));
  mounts("a tmpfs", "/tmp/m");
  put("/tmp/m/a", "a");
  CHECK("busy", umount("/tmp/m") == 0 ? 0 : -1);
  CHECK("gone", access("/tmp/m/a", F_OK));
  CHECK("umount what is none", umount("/tmp/m"));
  CHECK("umount absent", umount("/tmp/absent"));
  CHECK("umount flags", umount2("/tmp/m", 0x100));
  CHECK("stacked 1", mount("one", "/tmp/m", "tmpfs", 0, NULL));
  put("/tmp/m/first", "");
  CHECK("stacked 2", mount("two", "/tmp/m", "tmpfs", MS_NOATIME | MS_NOEXEC, NULL));
  printf("first seen %d\n", is("/tmp/m/first"));
  mounts("two on one place", "/tmp/m");
  CHECK("umount top", umount("/tmp/m"));
  printf("first seen %d\n", is("/tmp/m/first"));
  int fd = open("/tmp/m/first", O_RDONLY);
  CHECK("umount with an open file", umount("/tmp/m"));
  CHECK("expire", umount2("/tmp/m", MNT_EXPIRE | MNT_FORCE));
  CHECK("detach", umount2("/tmp/m", MNT_DETACH));
  char byte;
  CHECK("read behind it", read(fd, &byte, 1));
  close(fd);
  CHECK("detach again", umount2("/tmp/m", MNT_DETACH));
  chdir("/tmp");
  CHECK("proc twice", mount("proc", "/proc", "proc", 0, NULL));
}

static void limits(void) {
  char block[8192];
  memset(block, 1, sizeof block);
  CHECK("small tmpfs", mount("small", "/tmp/m", "tmpfs", 0, "size=16k,nr_inodes=4"));
  int fd = open("/tmp/m/x", O_CREAT | O_RDWR, 0600);
  CHECK("write 8 KiB", write(fd, block, 8192));
  CHECK("write 8 KiB more", write(fd, block, 8192));
  CHECK("write too much", write(fd, block, 1));
  struct statvfs figures;
  statvfs("/tmp/m", &figures);
  printf("blocks %lu free %lu files %lu free %lu\n", figures.f_blocks, figures.f_bfree, figures.f_files, figures.f_ffree);
  CHECK("truncate", ftruncate(fd, 4096));
  CHECK("write again", pwrite(fd, block, 8192, 4096));
  CHECK("two", open("/tmp/m/y", O_CREAT | O_RDWR, 0600) < 0 ? -1 : 0);
  CHECK("link", link("/tmp/m/y", "/tmp/m/z"));
  CHECK("four", mkdir("/tmp/m/d", 0700));
  CHECK("unlink", unlink("/tmp/m/z"));
  CHECK("four now", mkdir("/tmp/m/d", 0700));
  CHECK("too small", mount("small", "/tmp/m", "tmpfs", MS_REMOUNT, "size=8k"));
  CHECK("larger", mount("small", "/tmp/m", "tmpfs", MS_REMOUNT, "size=32k"));
  CHECK("write after", pwrite(fd, block, 8192, 12288));
  statvfs("/tmp/m", &figures);
  printf("blocks %lu free %lu\n", figures.f_blocks, figures.f_bfree);
  CHECK("away", umount2("/tmp/m", MNT_DETACH));
  close(fd);
}

static void remounts(void) {
  CHECK("mount", mount("one", "/tmp/m", "tmpfs", 0, NULL));
  put("/tmp/m/a", "a");
  int fd = open("/tmp/m/a", O_WRONLY);
  CHECK("read-only while written", mount("one", "/tmp/m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
  CHECK("bind read-only while written", mount("one", "/tmp/m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
  close(fd);
  CHECK("read-only", mount("one", "/tmp/m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
  CHECK("open", open("/tmp/m/a", O_WRONLY));
  CHECK("mkdir", mkdir("/tmp/m/d", 0700));
  CHECK("unlink", unlink("/tmp/m/a"));
  mounts("read-only", "/tmp/m");
  CHECK("writable", mount("one", "/tmp/m", NULL, MS_REMOUNT, NULL));
  CHECK("of no mount", mount("one", "/tmp/file", NULL, MS_REMOUNT, NULL));
  CHECK("bind of it", mount("/tmp/m", "/tmp/n", NULL, MS_BIND, NULL));
  CHECK("bind read-only", mount(NULL, "/tmp/n", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, NULL));
  CHECK("open there", open("/tmp/n/a", O_WRONLY));
  CHECK("open here", open("/tmp/m/a", O_WRONLY) < 0 ? -1 : 0);
  mounts("one of two read-only", "/tmp/");
  CHECK("umount n", umount("/tmp/n"));
  CHECK("umount m", umount2("/tmp/m", MNT_DETACH));
}

static void binds(void) {
  mkdir("/tmp/s", 0755);
  mkdir("/tmp/s/in", 0755);
  put("/tmp/s/in/f", "text");
  CHECK("bind nothing", mount(NULL, "/tmp/m", NULL, MS_BIND, NULL));
  CHECK("bind absent", mount("/tmp/absent", "/tmp/m", NULL, MS_BIND, NULL));
  CHECK("bind directory on file", mount("/tmp/s", "/tmp/file", NULL, MS_BIND, NULL));
  CHECK("bind file on directory", mount("/tmp/file", "/tmp/m", NULL, MS_BIND, NULL));
  CHECK("bind directory", mount("/tmp/s/in", "/tmp/m", NULL, MS_BIND, NULL));
  CHECK("bind file", mount("/tmp/s/in/f", "/tmp/file", NULL, MS_BIND, NULL));
  struct stat a, b;
  stat("/tmp/file", &a);
  stat("/tmp/s/in/f", &b);
  printf("same file %d size %ld\n", a.st_ino == b.st_ino && a.st_dev == b.st_dev, (long)a.st_size);
  mounts("binds", "/tmp/");
  CHECK("rename across", rename("/tmp/m/f", "/tmp/s/in/g"));
  CHECK("link across", link("/tmp/m/f", "/tmp/s/in/g"));
  CHECK("unlink a mount point", unlink("/tmp/file"));
  CHECK("rmdir a mount point", rmdir("/tmp/m"));
  CHECK("rename a mount point", rename("/tmp/m", "/tmp/mm"));
  CHECK("umount file", umount("/tmp/file"));
  CHECK("tmpfs in it", mount("t", "/tmp/m", "tmpfs", 0, NULL));
  mkdir("/tmp/m/sub", 0755);
  CHECK("tmpfs below", mount("u", "/tmp/m/sub", "tmpfs", 0, NULL));
  put("/tmp/m/sub/deep", "");
  CHECK("bind", mount("/tmp/m", "/tmp/n", NULL, MS_BIND, NULL));
  printf("deep %d\n", is("/tmp/n/sub/deep"));
  CHECK("umount", umount("/tmp/n"));
  CHECK("rbind", mount("/tmp/m", "/tmp/n", NULL, MS_BIND | MS_REC, NULL));
  printf("deep %d\n", is("/tmp/n/sub/deep"));
  CHECK("umount with one on it", umount("/tmp/n"));
  CHECK("detach both", umount2("/tmp/n", MNT_DETACH));
  mounts("left", "/tmp/");
  CHECK("move into itself", mount("/tmp/m", "/tmp/m/sub", NULL, MS_MOVE, NULL));
  CHECK("move no mount", mount("/tmp/s", "/tmp/n", NULL, MS_MOVE, NULL));
  CHECK("move", mount("/tmp/m", "/tmp/n", NULL, MS_MOVE, NULL));
  mounts("moved", "/tmp/");
  CHECK("detach", umount2("/tmp/n", MNT_DETACH));
  CHECK("detach bind", umount2("/tmp/m", MNT_DETACH));
}

static void propagation(void) {
  mkdir("/tmp/p", 0755);
  mkdir("/tmp/q", 0755);
  mkdir("/tmp/r", 0755);
  CHECK("base", mount("base", "/tmp/p", "tmpfs", 0, NULL));
  mkdir("/tmp/p/x", 0755);
  mkdir("/tmp/p/y", 0755);
  CHECK("two kinds", mount(NULL, "/tmp/p", NULL, MS_SHARED | MS_PRIVATE, NULL));
  CHECK("of no mount", mount(NULL, "/tmp/p/x", NULL, MS_SHARED, NULL));
  CHECK("shared", mount(NULL, "/tmp/p", NULL, MS_SHARED, NULL));
  CHECK("peer", mount("/tmp/p", "/tmp/q", NULL, MS_BIND, NULL));
  CHECK("other", mount("/tmp/p", "/tmp/r", NULL, MS_BIND, NULL));
  CHECK("slave", mount(NULL, "/tmp/r", NULL, MS_SLAVE, NULL));
  mounts("peers and a slave", "/tmp/");
  CHECK("on a peer", mount("new", "/tmp/q/x", "tmpfs", 0, NULL));
  mounts("passed on", "/tmp/");
  CHECK("on the slave", mount("own", "/tmp/r/y", "tmpfs", 0, NULL));
  mounts("not passed back", "/tmp/");
  CHECK("umount on the other peer", umount("/tmp/p/x"));
  mounts("gone everywhere", "/tmp/");
  CHECK("slave is shared, too", mount(NULL, "/tmp/r", NULL, MS_SHARED, NULL));
  mounts("slave and shared", "/tmp/r");
  CHECK("move from shared", mount("/tmp/r/y", "/tmp/m", NULL, MS_MOVE, NULL));
  CHECK("unbindable", mount(NULL, "/tmp/q", NULL, MS_UNBINDABLE, NULL));
  CHECK("bind unbindable", mount("/tmp/q", "/tmp/m", NULL, MS_BIND, NULL));
  CHECK("last peer is private", mount(NULL, "/tmp/p", NULL, MS_PRIVATE, NULL));
  mounts("slave without a master", "/tmp/");
  umount2("/tmp/r", MNT_DETACH);
  umount2("/tmp/q", MNT_DETACH);
  umount2("/tmp/p", MNT_DETACH);
}

static void roots(void) {
  CHECK("chroot absent", chroot("/tmp/absent"));
  CHECK("chroot file", chroot("/tmp/file"));
  CHECK("pivot without a mount", syscall(SYS_pivot_root, "/tmp/m", "/tmp/m"));
  CHECK("pivot absent", syscall(SYS_pivot_root, "/tmp/absent", "/tmp/m"));
  CHECK("new root", mount("root", "/tmp/m", "tmpfs", 0, NULL));
  mkdir("/tmp/m/old", 0755);
  mkdir("/tmp/m/in", 0755);
  CHECK("pivot from the first root", syscall(SYS_pivot_root, "/tmp/m", "/tmp/m/old"));
  fflush(stdout);
  if (fork() == 0) {
    char where[256];
    CHECK("chroot", chroot("/tmp/m"));
    printf("directory outside: %s\n", getcwd(where, sizeof where) ? where : "none");
    CHECK("inside", access("/in", F_OK));
    chdir("/");
    chdir("../..");
    printf("top %s\n", getcwd(where, sizeof where));
    CHECK("second root", mount("second", "/in", "tmpfs", 0, NULL));
    mkdir("/in/old", 0755);
    mkdir("/in/new", 0755);
    CHECK("same mount", syscall(SYS_pivot_root, "/old", "/old"));
    CHECK("put old elsewhere", syscall(SYS_pivot_root, "/in", "/old"));
    CHECK("pivot", syscall(SYS_pivot_root, "/in", "/in/old"));
    printf("new %d old root %d\n", is("/new"), is("/old/in"));
    chdir("/");
    CHECK("detach old", umount2("/old", MNT_DETACH));
    printf("old root %d\n", is("/old/in"));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  fflush(stdout);
  if (fork() == 0) {
    setuid(1000);
    CHECK("mount as another", mount("x", "/tmp/m", "tmpfs", 0, NULL));
    CHECK("absent as another", mount("x", "/tmp/absent", "tmpfs", 0, NULL));
    CHECK("umount as another", umount("/tmp/m"));
    CHECK("chroot as another", chroot("/tmp/n"));
    CHECK("pivot as another", syscall(SYS_pivot_root, "/tmp/m", "/tmp/m/old"));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  umount2("/tmp/m", MNT_DETACH);
}

int main(void) {
  setlinebuf(stdout);
  mkdir("/tmp/m", 0755);
  mkdir("/tmp/n", 0755);
  put("/tmp/file", "file");
  plain();
  limits();
  remounts();
  binds();
  propagation();
  roots();
  mounts("in the end", "/tmp/");
  return 0;
}
