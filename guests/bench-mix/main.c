/* Wide flat code: one round is one pass through the 20,000 generated instructions of generate.mjs. */
#include "../lib/bench.h"

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  (void)magic;
  return bench("bench-mix", 5000, info);
}
