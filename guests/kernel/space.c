/*
 * Address spaces: each has a directory with the kernel's memory, which ring 3 cannot see, and one table for the 4 MiB
 * that ring 3 has.
 */
#include "kernel.h"
#include "layout.h"

static u32 index_of(u32 linear) { return linear >> 12 & 1023; }

void space_create(struct space *space) {
  u32 *kernel = (u32 *)kernel_directory();
  space->directory = take_frame();
  space->table = take_frame();
  space->own = (u32 *)take_frame();
  /* Copied as it is: it has the frame by the name that what is below us knows. */
  ((u32 *)space->directory)[0] = kernel[0];
  prepare_entry(space->directory, USER_START >> 22, space->table, PAGE_PRESENT | PAGE_WRITE | PAGE_USER);
  pin_table(space->table, 1);
  pin_table(space->directory, 2);
}

void space_destroy(struct space *space) {
  unpin_table(space->directory);
  unpin_table(space->table);
  for (u32 page = 0; page < 1024; page++)
    if (space->own[page] != 0) give_frame(space->own[page]);
  give_frame((u32)space->own);
  give_frame(space->table);
  give_frame(space->directory);
}

void space_show(struct space *space, u32 linear, u32 frame, u32 flags) {
  set_entry(space->table, index_of(linear), frame, flags | PAGE_PRESENT | PAGE_USER);
}

void space_give(struct space *space, u32 linear, u32 frame) {
  space->own[index_of(linear)] = frame;
  space_show(space, linear, frame, PAGE_WRITE);
}

void space_unmap(struct space *space, u32 linear) {
  u32 *own = &space->own[index_of(linear)];
  set_entry(space->table, index_of(linear), 0, 0);
  flush_entries();
  forget_page(linear);
  if (*own != 0) give_frame(*own);
  *own = 0;
}

int space_has(const struct space *space, u32 linear) {
  if (linear < USER_START || linear >= USER_END) return 0;
  return (((volatile u32 *)space->table)[index_of(linear)] & PAGE_PRESENT) != 0;
}
