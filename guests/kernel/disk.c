/* Reads a few sectors, changes them, writes them back, and reads them again; at the end once more. */
#include "kernel.h"

#define FIRST 1024u
#define COUNT 4u
#define SIZE (COUNT * 512)

static u8 sectors[4096] __attribute__((aligned(4096)));
static u32 written;

static u32 checksum(void) {
  u32 sum = 0;
  for (u32 i = 0; i < SIZE; i++) sum = (sum << 5 | sum >> 27) + sectors[i] + i;
  return sum;
}

static void say(const char *what, u32 sum) {
  put_text("disk: sectors 1024 to 1027 ");
  put_text(what);
  put_text(", checksum ");
  put_hex(sum, 8);
  put_char('\n');
}

static void must(int went_well) {
  if (went_well) return;
  put_text("disk: the drive reports an error\n");
  power_off(EXIT_BAD);
}

void try_disk(void) {
  u32 size = disk_size();
  if (size < FIRST + COUNT) {
    put_text(size == 0 ? "disk: there is none\n" : "disk: too small\n");
    return;
  }
  must(disk_transfer(0, FIRST, COUNT, sectors));
  say("read", checksum());
  for (u32 i = 0; i < SIZE; i++) sectors[i] = (u8)(sectors[i] * 5 + i + (i >> 8) + 1);
  written = checksum();
  must(disk_transfer(1, FIRST, COUNT, sectors));
  say("changed and written", written);
  check_disk();
}

void check_disk(void) {
  if (written == 0) return;
  memset(sectors, 0, sizeof sectors);
  must(disk_transfer(0, FIRST, COUNT, sectors));
  say(checksum() == written ? "are as they were written" : "ARE NOT WHAT WAS WRITTEN", checksum());
  if (checksum() != written) power_off(EXIT_BAD);
}
