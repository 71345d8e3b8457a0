/* A loop of ten register instructions: one round is 100,000 iterations, a million instructions. */
#include "../lib/bench.h"

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  (void)magic;
  return bench("bench-loop", 500, info);
}
