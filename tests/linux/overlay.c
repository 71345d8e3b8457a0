/* overlayfs: what is seen, what is copied up, and what the upper layer has then. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static void say(const char *what, int result) { printf("%s: %d %d\n", what, result, result < 0 ? errno : 0); }
#define CHECK(what, call) (errno = 0, say(what, call))

static void put(const char *path, const char *text) {
  int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
  write(fd, text, strlen(text));
  close(fd);
}

static void show(const char *path) {
  char text[256];
  int fd = open(path, O_RDONLY), count = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  printf("%s: %.*s %d\n", path, count < 0 ? 0 : count, text, count < 0 ? errno : 0);
  if (fd >= 0) close(fd);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

static void list(const char *path) {
  char *names[64];
  int count = 0;
  DIR *directory = opendir(path);
  struct dirent *entry;
  if (!directory) {
    printf("%s: error %d\n", path, errno);
    return;
  }
  while ((entry = readdir(directory))) names[count++] = strdup(entry->d_name);
  closedir(directory);
  qsort(names, count, sizeof *names, by_name);
  printf("%s:", path);
  for (int index = 2; index < count; index++) printf(" %s", names[index]);
  printf("\n");
}

static void facts(const char *path) {
  struct stat found;
  char value[16];
  if (lstat(path, &found) < 0) {
    printf("%s: error %d\n", path, errno);
    return;
  }
  printf("%s: %o uid %d links %d", path, found.st_mode, found.st_uid, (int)found.st_nlink);
  if (S_ISREG(found.st_mode)) printf(" size %d", (int)found.st_size);
  if (S_ISCHR(found.st_mode)) printf(" device %d:%d", major(found.st_rdev), minor(found.st_rdev));
  if (lgetxattr(path, "trusted.overlay.opaque", value, sizeof value) == 1) printf(" opaque %c", value[0]);
  printf("\n");
}

static int overlay(const char *options) { return mount("over", "m", "overlay", 0, options); }

static void refusals(void) {
  CHECK("no options", overlay(""));
  CHECK("lower alone", overlay("lowerdir=l1"));
  CHECK("upper without work", overlay("lowerdir=l1,upperdir=u"));
  CHECK("absent lower", overlay("lowerdir=absent,upperdir=u,workdir=w"));
  CHECK("file as lower", overlay("lowerdir=l1/file,upperdir=u,workdir=w"));
  CHECK("work is upper", overlay("lowerdir=l1,upperdir=u,workdir=u"));
  CHECK("work in upper", overlay("lowerdir=l1,upperdir=u,workdir=u/w"));
  CHECK("work elsewhere", overlay("lowerdir=l1,upperdir=u,workdir=/tmp"));
  CHECK("unknown option", overlay("lowerdir=l1,upperdir=u,workdir=w,nonesuch=1"));
}

static void seen(void) {
  list("m");
  show("m/file");
  show("m/both");
  show("m/upper");
  list("m/dir");
  show("m/dir/one");
  list("m/hidden");
  facts("m/file");
  facts("m/dir");
  facts("m/only");
  facts("m/gone");
  struct stat lower, above;
  stat("m/dir", &above);
  stat("m", &lower);
  printf("one device of directories %d\n", above.st_dev == lower.st_dev);
  struct statfs figures;
  statfs("m", &figures);
  printf("magic %lx\n", (long)figures.f_type);
}

static void copies(void) {
  struct stat before, after;
  stat("m/file", &before);
  int reader = open("m/file", O_RDONLY);
  char *mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, reader, 0);
  printf("mapped %.4s\n", mapped);
  list("u");
  CHECK("open for reading copies nothing", access("u/file", F_OK));
  int fd = open("m/file", O_RDWR | O_APPEND);
  CHECK("open for writing copies", access("u/file", F_OK));
  write(fd, " more", 5);
  show("m/file");
  show("l1/file");
  char text[64];
  CHECK("an old descriptor sees it", pread(reader, text, sizeof text, 0));
  printf("an old mapping does not: %.9s\n", mapped);
  close(fd);
  stat("m/file", &after);
  printf("same number %d same device %d\n", before.st_ino == after.st_ino, before.st_dev == after.st_dev);
  CHECK("chmod", chmod("m/mode", 0600));
  facts("u/mode");
  facts("l1/mode");
  show("m/mode");
  CHECK("chown", chown("m/dir/one", 5, 6));
  facts("u/dir");
  facts("u/dir/one");
  list("u/dir");
  CHECK("truncate", truncate("m/trunc", 2));
  show("m/trunc");
  show("l1/trunc");
  CHECK("attribute", setxattr("m/attr", "trusted.mine", "v", 1, 0));
  CHECK("its own attribute", setxattr("m/attr", "trusted.overlay.opaque", "y", 1, 0));
  facts("u/attr");
  CHECK("lower attribute", getxattr("l1/attr", "trusted.mine", text, sizeof text));
  CHECK("link", link("m/link", "m/dir/link2"));
  facts("m/link");
  facts("m/dir/link2");
  facts("u/link");
  CHECK("symbolic", readlink("m/sym", text, sizeof text));
  CHECK("lchown", lchown("m/sym", 7, 7));
  facts("u/sym");
}

static void removals(void) {
  CHECK("unlink lower", unlink("m/both"));
  facts("u/both");
  show("m/both");
  CHECK("unlink upper", unlink("m/upper"));
  facts("u/upper");
  list("m");
  put("m/both", "again");
  facts("u/both");
  show("m/both");
  show("l1/both");
  CHECK("rmdir full", rmdir("m/dir"));
  CHECK("rmdir", rmdir("m/empty"));
  facts("u/empty");
  CHECK("mkdir over it", mkdir("m/empty", 0700));
  facts("u/empty");
  CHECK("unlink in a merged directory", unlink("m/full/a"));
  CHECK("and the other", unlink("m/full/b"));
  list("m/full");
  list("u/full");
  CHECK("rmdir what is empty now", rmdir("m/full"));
  facts("u/full");
  CHECK("mkdir", mkdir("m/full", 0755));
  list("m/full");
  facts("u/full");
  put("m/full/new", "");
  list("m/full");
}

static void renames(void) {
  CHECK("rename lower file", rename("m/ren", "m/dir/ren2"));
  facts("u/ren");
  show("m/dir/ren2");
  CHECK("rename over lower", rename("m/dir/ren2", "m/over"));
  show("m/over");
  facts("u/dir/ren2");
  CHECK("rename lower directory", rename("m/only", "m/moved"));
  CHECK("rename merged directory", rename("m/dir", "m/moved"));
  mkdir("m/pure", 0755);
  put("m/pure/x", "x");
  CHECK("rename upper directory", rename("m/pure", "m/pure2"));
  list("m/pure2");
  facts("u/pure");
  CHECK("over an empty lower one", rename("m/pure2", "m/empty2"));
  list("m/empty2");
  facts("u/empty2");
  CHECK("exchange", renameat2(AT_FDCWD, "m/over", AT_FDCWD, "m/mode", RENAME_EXCHANGE));
  show("m/over");
  show("m/mode");
}

int main(void) {
  setlinebuf(stdout);
  mkdir("/tmp/overlay", 0755);
  mount("base", "/tmp/overlay", "tmpfs", 0, NULL);
  chdir("/tmp/overlay");
  const char *directories[] = {"l1", "l2", "u", "w", "m", "l1/dir", "l2/dir", "l1/hidden", "l2/hidden", "l1/empty", "l1/only",
                               "l1/full", "l2/full", "u/dir", "l1/empty2", "u/w"};
  for (int index = 0; index < sizeof directories / sizeof *directories; index++) mkdir(directories[index], 0755);
  const char *plain[] = {"file", "both", "mode", "trunc", "attr", "link", "ren", "over"};
  char path[64];
  for (int index = 0; index < sizeof plain / sizeof *plain; index++) {
    sprintf(path, "l1/%s", plain[index]);
    put(path, plain[index]);
  }
  refusals();
  rmdir("u/w");
  put("l2/both", "lower both");
  put("l2/deep", "deep");
  put("l2/gone", "gone");
  put("l1/dir/one", "one");
  put("l2/dir/two", "two");
  put("l2/dir/one", "hidden one");
  put("u/dir/three", "three");
  put("u/upper", "upper");
  put("l2/hidden/x", "x");
  put("l1/full/a", "a");
  put("l2/full/b", "b");
  symlink("file", "l1/sym");
  CHECK("whiteout", mknod("l1/gone", S_IFCHR, 0));
  CHECK("opaque", setxattr("l1/hidden", "trusted.overlay.opaque", "y", 1, 0));
  CHECK("mount", overlay("lowerdir=l1:l2,upperdir=u,workdir=w"));
  seen();
  copies();
  removals();
  renames();
  CHECK("umount", umount("m"));
  CHECK("read-only", overlay("lowerdir=u:l1:l2"));
  list("m");
  show("m/both");
  CHECK("write", open("m/both", O_WRONLY));
  CHECK("create", open("m/created", O_WRONLY | O_CREAT, 0600));
  CHECK("umount", umount("m"));
  list("w");
  chdir("/");
  CHECK("all", umount("/tmp/overlay"));
  return 0;
}
