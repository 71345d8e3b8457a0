/*
 * What a frame of the guest's is used for: nothing special, a table, a directory. What is a table is mapped read-only,
 * so the guest cannot write an entry that we have not looked at.
 *
 * Left out on purpose: types that follow from use; a table is what was pinned as one.
 */
#include "hypervisor.h"

static u8 level_of[MACHINE_FRAMES];
/* How many writable mappings a frame has; for a table, how many directories have it. */
static u32 uses[MACHINE_FRAMES];

static int is_ours_to_show(u32 frame) {
  return frame == frame_of((const void *)&shared_info) || frame == frame_of((const void *)&block_page);
}

static int may_be(u32 entry, u32 level) {
  u32 frame = entry >> 12;
  if ((entry & PAGE_PRESENT) == 0) return 1;
  if (level == 2) return (entry & 0x80) == 0 && frame < MACHINE_FRAMES && level_of[frame] == 1;
  if (is_ours_to_show(frame)) return 1;
  if (frame < DOMAIN_FIRST || frame >= DOMAIN_FIRST + DOMAIN_PAGES) return 0;
  return (entry & PAGE_WRITE) == 0 || level_of[frame] == 0;
}

static void count(u32 entry, u32 level, u32 by) {
  if ((entry & PAGE_PRESENT) == 0) return;
  if (level == 2 || (entry & PAGE_WRITE) != 0) uses[entry >> 12] += by;
}

static u32 entries_of(u32 level) { return level == 1 ? 1024 : FIRST_ENTRY; }

int pin(u32 frame, u32 level) {
  u32 *entries = at_machine(frame << 12);
  if (frame >= MACHINE_FRAMES || level_of[frame] != 0 || uses[frame] != 0) return 0;
  for (u32 i = 0; i < entries_of(level); i++)
    if (!may_be(entries[i], level)) return 0;
  for (u32 i = 0; i < entries_of(level); i++) count(entries[i], level, 1);
  for (u32 i = entries_of(level); i < 1024; i++) entries[i] = boot_directory[i];
  level_of[frame] = (u8)level;
  return 1;
}

int unpin(u32 frame) {
  u32 current, level = frame < MACHINE_FRAMES ? level_of[frame] : 0;
  const u32 *entries = at_machine(frame << 12);
  __asm__("movl %%cr3, %0" : "=r"(current));
  if (level == 0 || frame == current >> 12 || (level == 1 && uses[frame] != 0)) return 0;
  for (u32 i = 0; i < entries_of(level); i++) count(entries[i], level, ~0u);
  level_of[frame] = 0;
  return 1;
}

int change_entry(u32 machine_address, u32 value) {
  u32 frame = machine_address >> 12, index = machine_address >> 2 & 1023;
  u32 level = frame < MACHINE_FRAMES ? level_of[frame] : 0;
  u32 *entry = at_machine(machine_address & ~3u);
  if (level == 0 || index >= entries_of(level) || !may_be(value, level)) return 0;
  count(*entry, level, ~0u);
  count(value, level, 1);
  *entry = value;
  return 1;
}

int change_mapping(u32 linear, u32 value) {
  u32 directory;
  __asm__("movl %%cr3, %0" : "=r"(directory));
  u32 entry = ((const u32 *)at_machine(directory))[linear >> 22];
  if (linear >= HIGH || (entry & PAGE_PRESENT) == 0) return 0;
  if (!change_entry((entry & ~0xfffu) | (linear >> 12 & 1023) << 2, value)) return 0;
  __asm__ volatile("invlpg (%0)" : : "r"(linear) : "memory");
  return 1;
}

int change_directory(u32 frame) {
  if (frame >= MACHINE_FRAMES || level_of[frame] != 2) return 0;
  __asm__ volatile("movl %0, %%cr3" : : "r"(frame << 12) : "memory");
  return 1;
}
