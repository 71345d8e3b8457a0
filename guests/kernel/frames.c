/* The frames of the pool, on a stack: the one given back last is taken first. */
#include "kernel.h"

#define FRAMES ((POOL_END - POOL_START) / 4096)

static u32 freed[FRAMES];
static u32 freed_count, never_taken = POOL_START;

u32 take_frame(void) {
  u32 frame;
  if (freed_count > 0) {
    frame = freed[--freed_count];
  } else {
    if (never_taken == POOL_END) {
      put_text("kernel: no frame is left\n");
      power_off(EXIT_BAD);
    }
    frame = never_taken;
    never_taken += 4096;
  }
  memset((void *)frame, 0, 4096);
  return frame;
}

void give_frame(u32 frame) { freed[freed_count++] = frame; }

u32 frames_left(void) { return freed_count + (POOL_END - never_taken) / 4096; }
