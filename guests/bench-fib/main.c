/* Recursive Fibonacci: one round computes fib(32) by about 7 million calls. */
#include "../lib/bench.h"

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  (void)magic;
  return bench("bench-fib", 1, info);
}
