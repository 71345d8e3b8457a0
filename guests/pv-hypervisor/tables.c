/*
 * Descriptor tables: the guest's descriptors come first, ours are on Xen's places behind. Its code runs in ring 1 and 3
 * and in segments that end where we begin.
 *
 * Manual: Intel SDM volume 3, "Segment Descriptors", "IDT Descriptors", "32-Bit Task-State Segment (TSS)".
 */
#include "hypervisor.h"

#define BELOW_US 0xbfffu, 0x00cf0000u /* limit 0xFBFFF pages, and the access byte to come */
#define ALL 0xffffu, 0x00cf0000u

static u32 gdt[2 * 8192] __attribute__((aligned(8)));
static u32 idt[2 * 0x83] __attribute__((aligned(8)));
static u32 task_state[26];
static u8 trap_stack[8192] __attribute__((aligned(16)));

struct table_pointer {
  u16 limit;
  u32 base;
} __attribute__((packed));

static void put(u32 selector, u32 low, u32 high, u32 access) {
  gdt[selector / 4 & ~1u] = low;
  gdt[(selector / 4 & ~1u) + 1] = high | access << 8;
}

void tables_start(void) {
  struct table_pointer gdt_pointer = {sizeof gdt - 1, (u32)gdt};
  struct table_pointer idt_pointer = {sizeof idt - 1, (u32)idt};
  u32 task = (u32)task_state;
  put(HYPERVISOR_CODE, ALL, 0x9b);
  put(HYPERVISOR_DATA, ALL, 0x93);
  put(FLAT_RING1_CS, BELOW_US, 0xbb);
  put(FLAT_RING1_DS, BELOW_US, 0xb3);
  put(HYPERVISOR_TASK, task << 16 | (sizeof task_state - 1), (task & 0xff000000) | (task >> 16 & 0xff), 0x89);
  task_state[1] = (u32)trap_stack + sizeof trap_stack;
  task_state[2] = HYPERVISOR_DATA;
  task_state[25] = sizeof task_state << 16;
  for (const struct trap_entry *entry = trap_entries; entry->code != 0; entry++) {
    u32 ring = entry->vector == 0x80 ? 3 : entry->vector == 0x82 ? 1 : 0;
    idt[2 * entry->vector] = HYPERVISOR_CODE << 16 | (entry->code & 0xffff);
    idt[2 * entry->vector + 1] = (entry->code & 0xffff0000) | 0x8e00 | ring << 13;
  }
  __asm__ volatile(
      "lgdt %0\n\t"
      "lidt %1\n\t"
      "movl %2, %%ds\n\t"
      "movl %2, %%es\n\t"
      "movl %2, %%ss\n\t"
      "ljmp %3, $1f\n"
      "1:\n\t"
      "ltr %w4"
      :
      : "m"(gdt_pointer), "m"(idt_pointer), "r"(HYPERVISOR_DATA), "i"(HYPERVISOR_CODE), "r"(HYPERVISOR_TASK)
      : "memory");
}

int take_descriptors(const u32 *descriptors, u32 count) {
  if (count > GUEST_GDT_ENTRIES) return 0;
  for (u32 i = 0; i < count; i++) {
    u32 low = descriptors[2 * i], high = descriptors[2 * i + 1];
    if ((high & 0x8000) == 0) continue;
    u32 limit = (high & 0xf0000) | (low & 0xffff);
    /* Code or data, not of ring 0, from 0 on, in pages, and below us. */
    if ((high & 0x1000) == 0 || (high & 0x6000) == 0 || (high & 0xff0000ff) != 0 || (low >> 16) != 0) return 0;
    if ((high & 0x800000) == 0 ? 0 : limit >= HIGH >> 12) return 0;
  }
  memcpy(gdt, descriptors, 8 * count);
  return 1;
}
