/* What the parts of this kernel have from each other. */
#ifndef KERNEL_H
#define KERNEL_H

#include "hardware.h"

/* entry.asm */
struct trap_entry {
  u32 vector, code;
};
extern const struct trap_entry trap_entries[];
extern char leave_trap[];
void switch_stack(u32 *leaving, u32 entering);

/* text.c has put_text and its like of guest.h; a line goes out when it is complete. */

/* frames.c */
/* A frame of zeros. */
u32 take_frame(void);
void give_frame(u32 frame);
u32 frames_left(void);

/* space.c */
struct space {
  u32 directory, table;
  /* For each page of ring 3 the frame that is its own, or 0. */
  u32 *own;
};
void space_create(struct space *space);
/* No space may be in use but the kernel's. */
void space_destroy(struct space *space);
/* Maps a frame that goes when the space does. */
void space_give(struct space *space, u32 linear, u32 frame);
/* Maps a frame of somebody else. */
void space_show(struct space *space, u32 linear, u32 frame, u32 flags);
void space_unmap(struct space *space, u32 linear);
int space_has(const struct space *space, u32 linear);

/* process.c */
struct process {
  enum { UNUSED, READY, ASLEEP, ENDED } state;
  const char *name;
  u32 wakes_at, stack_pointer, faults;
  struct space space;
};
extern struct process *current;
extern u32 ticks;
void process_create(u32 number, const char *name);
/* Runs all processes until none is left. */
void run_processes(void);
void yield(void);
void sleep_ticks(u32 count);
void end_process(void) __attribute__((noreturn));

/* calls.c */
void system_call(struct frame *frame);
void page_fault(struct frame *frame);

/* disk.c */
void try_disk(void);
void check_disk(void);

#endif
