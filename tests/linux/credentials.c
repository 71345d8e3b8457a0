/* User and group ids and capabilities: setuid(2) and its kin, capset(2), prctl(2). */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(what, result) { errno = 0; long r_ = (long)(result); printf("%s: %ld %d\n", what, r_, r_ < 0 ? errno : 0); }

static void ids(const char *what) {
  uid_t r, e, s;
  gid_t rg, eg, sg;
  getresuid(&r, &e, &s);
  getresgid(&rg, &eg, &sg);
  printf("%s: %d %d %d fs %d / %d %d %d fs %d\n", what, r, e, s, setfsuid(-1), rg, eg, sg, setfsgid(-1));
}
static void caps(const char *what) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  memset(data, 0, sizeof data);
  syscall(SYS_capget, &header, data);
  printf("%s: p %x e %x i %x\n", what, data[0].permitted, data[0].effective, data[0].inheritable);
}
static long set(unsigned p, unsigned e, unsigned i) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  memset(data, 0, sizeof data);
  data[0].permitted = p;
  data[0].effective = e;
  data[0].inheritable = i;
  return syscall(SYS_capset, &header, data);
}
static void in_child(void (*work)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    work();
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, 0, 0);
}
static void drops(void) {
  ids("start");
  caps("start");
  SHOW("setuid", setuid(1000));
  ids("setuid 1000");
  caps("setuid 1000");
  SHOW("setuid 0", setuid(0));
  SHOW("setuid 1000 again", setuid(1000));
  SHOW("setgid 5", setgid(5));
  SHOW("setgroups", setgroups(0, 0));
  SHOW("setresuid -1 2 -1", setresuid(-1, 2, -1));
}
static void effective(void) {
  SHOW("seteuid", seteuid(1000));
  ids("seteuid 1000");
  caps("seteuid 1000");
  SHOW("setegid as 1000", setegid(5));
  SHOW("seteuid 0", seteuid(0));
  caps("seteuid 0");
  SHOW("setreuid", setreuid(1000, 2000));
  ids("setreuid 1000 2000");
  SHOW("setreuid swap", setreuid(2000, 1000));
  ids("swapped");
  SHOW("setreuid 3000", setreuid(-1, 3000));
  SHOW("setreuid saved", setreuid(-1, 2000));
  ids("saved");
}
static void all_ids(void) {
  SHOW("setresuid", setresuid(10, 20, 30));
  ids("10 20 30");
  SHOW("setresuid mix", setresuid(30, 10, 20));
  ids("mixed");
  SHOW("setresuid other", setresuid(40, -1, -1));
  SHOW("setfsuid 30", setfsuid(30));
  SHOW("setfsuid 40", setfsuid(40));
  ids("fs");
}
static void groups(void) {
  gid_t list[4] = {7, 3, 5, 9}, got[8];
  SHOW("setgroups 4", setgroups(4, list));
  int count = getgroups(8, got);
  printf("groups %d: %d %d %d %d\n", count, got[0], got[1], got[2], got[3]);
  SHOW("getgroups 0", getgroups(0, got));
  SHOW("getgroups 2", getgroups(2, got));
  SHOW("getgroups -1", getgroups(-1, got));
  SHOW("setgroups many", syscall(SYS_setgroups, 65537, list));
  SHOW("setresgid", setresgid(1, 2, 3));
  ids("gids");
}
static void keeps(void) {
  SHOW("KEEPCAPS 2", prctl(PR_SET_KEEPCAPS, 2));
  SHOW("KEEPCAPS", prctl(PR_SET_KEEPCAPS, 1));
  SHOW("setresuid", setresuid(1000, 1000, 1000));
  caps("kept");
  SHOW("capset", set(0x21, 0x20, 0));
  caps("capset");
  SHOW("capset more", set(0x61, 0x20, 0));
  SHOW("capset effective", set(0x21, 0x40, 0));
  SHOW("capset inheritable", set(0x21, 0x20, 0x20));
  SHOW("capset inheritable more", set(0x21, 0x20, 0x40));
  caps("inheritable");
  SHOW("ambient raise", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5, 0, 0));
  SHOW("ambient raise other", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 6, 0, 0));
  SHOW("ambient is set", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 5, 0, 0));
  SHOW("ambient bad", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 64, 0, 0));
  SHOW("bounding drop", prctl(PR_CAPBSET_DROP, 3));
  SHOW("setuid", setuid(5));
}
static void bits(void) {
  SHOW("securebits", prctl(PR_GET_SECUREBITS));
  SHOW("set securebits", prctl(PR_SET_SECUREBITS, 0x0f));
  SHOW("unlock", prctl(PR_SET_SECUREBITS, 0x00));
  SHOW("bad bits", prctl(PR_SET_SECUREBITS, 0x10f));
  SHOW("setuid", setuid(1000));
  caps("no fixup");
  SHOW("bounding read", prctl(PR_CAPBSET_READ, 12));
  SHOW("bounding drop", prctl(PR_CAPBSET_DROP, 12));
  SHOW("bounding read", prctl(PR_CAPBSET_READ, 12));
  SHOW("bounding read 64", prctl(PR_CAPBSET_READ, 64));
  SHOW("KEEPCAPS", prctl(PR_SET_KEEPCAPS, 1));
}
static void controls(void) {
  char name[16];
  SHOW("SET_NAME", prctl(PR_SET_NAME, "a name that is far too long"));
  prctl(PR_GET_NAME, name);
  printf("name: %s\n", name);
  SHOW("dumpable", prctl(PR_GET_DUMPABLE));
  SHOW("set dumpable 3", prctl(PR_SET_DUMPABLE, 3));
  SHOW("set dumpable 0", prctl(PR_SET_DUMPABLE, 0));
  SHOW("dumpable", prctl(PR_GET_DUMPABLE));
  SHOW("pdeathsig", prctl(PR_SET_PDEATHSIG, 65));
  SHOW("nnp 0", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
  SHOW("nnp", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  SHOW("nnp more", prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
  SHOW("get nnp", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  SHOW("unknown", prctl(9999));
  int sub = 5;
  SHOW("subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1));
  SHOW("get subreaper", prctl(PR_GET_CHILD_SUBREAPER, &sub));
  printf("subreaper: %d\n", sub);
  SHOW("timer slack", prctl(PR_GET_TIMERSLACK));
  struct __user_cap_header_struct header = {1, 0};
  struct __user_cap_data_struct data[2];
  SHOW("capget version", syscall(SYS_capget, &header, data));
  printf("version: %x\n", header.version);
  header.pid = 29999;
  SHOW("capget nobody", syscall(SYS_capget, &header, data));
  header.pid = 1;
  SHOW("capset other", syscall(SYS_capset, &header, data));
}
int main(void) {
  in_child(drops);
  in_child(effective);
  in_child(all_ids);
  in_child(groups);
  in_child(keeps);
  in_child(bits);
  in_child(controls);
  return 0;
}
