/*
 * Instructions with integer and memory operands, checked by checksum: what they compute, which flags they set, and what
 * they do at page boundaries, in both directions, and to code that is about to run.
 *
 * Paging is on, and the pages of the window are scattered, so a wrong translation of a crossing access shows.
 * Left out on purpose: undefined flags and results, 16-bit addresses, instructions newer than the Pentium.
 */
#include "checksum.h"

u32 checksum;

const u32 values[VALUES] = {0,      1,       2,          0x0f,       0x7e,       0x7f,       0x80,
                            0xff,   0x100,   0x7fff,     0x8000,     0xffff,     0x10000,    0x7fffffff,
                            0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0x12345678, 0xdeadbeef};

void finish(const char *name) {
  put_line_hex(name, checksum);
  checksum = 0;
}

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  static const u32 frames[4] = {0x20a000, 0x204000, 0x20c000, 0x201000};
  (void)magic;
  (void)info;
  serial_start();
  interrupts_start();
  paging_start();
  for (u32 page = 0; page < 4; page++) map_page(WINDOW + page * 4096, frames[page], PAGE_PRESENT | PAGE_WRITE);
  map_page(WINDOW_ALIAS, frames[0], PAGE_PRESENT | PAGE_WRITE);
  memset((void *)WINDOW, 0, 4 * 4096);

  test_arithmetic();
  test_shifts();
  test_multiply();
  test_bits();
  test_decimal();
  test_conditions();
  test_strings();
  test_stack();
  test_crossing();
  test_self_modification();
  put_text("memory: done\n");
  return EXIT_GOOD;
}
