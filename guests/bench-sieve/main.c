/* The sieve of Eratosthenes over one MiB of bytes: one round is one whole sieve. */
#include "../lib/bench.h"

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  (void)magic;
  return bench("bench-sieve", 20, info);
}
