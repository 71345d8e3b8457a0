/*
 * The frame of the four benchmark guests: the amount of work comes from the command line ("rounds=N"), the result is one
 * line with a checksum. No paging, no interrupts: what is measured is the instructions of the workload.
 */
#ifndef BENCH_H
#define BENCH_H
#include "guest.h"

/* Does `rounds` rounds and returns their checksum; in assembly, so that every compiler gives the same instructions. */
u32 workload(u32 rounds);

static inline u32 bench(const char *name, u32 default_rounds, const struct multiboot_info *info) {
  u32 rounds = number_option(command_line(info), "rounds", default_rounds);
  serial_start();
  u32 checksum = workload(rounds);
  put_text(name);
  put_text(" rounds=");
  put_decimal(rounds);
  put_text(" checksum=");
  put_hex(checksum, 8);
  put_char('\n');
  return EXIT_GOOD;
}
#endif
