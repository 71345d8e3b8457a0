/*
 * Wild writes: to physical memory as it is and far beyond its end, through page tables that lead anywhere, and through
 * segments to the top of the linear addresses, where a monitor may have put itself.
 *
 * Left out on purpose: stores to the local APIC's page, which may ask for a reset (mmio.c knows its registers).
 * Manual: Intel SDM volume 3, "32-Bit Paging", "Segment Descriptors".
 */
#include "attack.h"

#define PAGE 4096u
#define MIB 0x100000u
#define LOCAL_APIC 0xfee00000u

static void write_wild(u32 address) {
  wild_ebx = address;
  wild_eax = random();
  attempt(site_write);
}

static int is_apic(u32 address) { return address >= LOCAL_APIC && address < LOCAL_APIC + MIB; }

/* A store to each page of memory, to as many behind it, and to each MiB of the rest. */
void attack_memory(void) {
  u32 far = (memory_end < 0x40000000u ? 2 * memory_end : 0x80000000u) & ~(MIB - 1);
  for (u32 page = 0; page < far; page += PAGE)
    if (!is_own(page)) write_wild(page + (random() & 0xffc));
  for (u32 address = far; address != 0; address += MIB)
    if (!is_apic(address)) write_wild(address);
}

static u32 directory[1024] __attribute__((aligned(4096)));
static u32 low[1024] __attribute__((aligned(4096)));
static u32 window[1024] __attribute__((aligned(4096)));

#define WINDOW 0x40000000u
#define BEHIND 0x40400000u
#define STORES 4096u
#define WALKS 256u

static void set_cr3(void) { __asm__ volatile("movl %0, %%cr3" : : "r"(directory) : "memory"); }

/* A frame anywhere in 4 GiB, now and then in the memory that is there. */
static u32 random_frame(void) {
  u32 frame;
  do frame = (random() & 3) == 0 ? random() % memory_end & ~0xfffu : random() & ~0xfffu;
  while (is_own(frame) || is_apic(frame));
  return frame;
}

/* Pages that lead to any physical address, and page tables that lie at any. */
void attack_page_tables(void) {
  for (u32 page = 0; page < 1024; page++) low[page] = page << 12 | PAGE_PRESENT | PAGE_WRITE;
  directory[0] = (u32)low | PAGE_PRESENT | PAGE_WRITE;
  directory[WINDOW >> 22] = (u32)window | PAGE_PRESENT | PAGE_WRITE;
  set_cr3();
  __asm__ volatile("movl %%cr0, %%eax\n\torl $0x80000000, %%eax\n\tmovl %%eax, %%cr0" : : : "eax", "memory");
  for (u32 i = 0; i < STORES; i++) {
    u32 index = i & 1023;
    window[index] = random_frame() | PAGE_PRESENT | PAGE_WRITE | (random() & 0x1c);
    __asm__ volatile("invlpg (%0)" : : "r"(WINDOW + index * PAGE) : "memory");
    write_wild(WINDOW + index * PAGE + (random() & 0xffc));
  }
  for (u32 i = 0; i < WALKS; i++) {
    directory[BEHIND >> 22] = random_frame() | PAGE_PRESENT | PAGE_WRITE;
    set_cr3();
    /* What such a table has is nobody's promise, so neither is an exception. */
    wild_ebx = BEHIND + (random() & 0x3ffffc);
    (void)try_site(site_read_fs);
  }
  /* Not present at all, and read-only with CR0.WP. */
  directory[BEHIND >> 22] = 0;
  window[0] = (u32)window | PAGE_PRESENT;
  set_cr3();
  write_wild(BEHIND);
  __asm__ volatile("movl %%cr0, %%eax\n\torl $0x10000, %%eax\n\tmovl %%eax, %%cr0" : : : "eax", "memory");
  write_wild(WINDOW);
  __asm__ volatile("movl %%cr0, %%eax\n\tandl $0x7ffeffff, %%eax\n\tmovl %%eax, %%cr0" : : : "eax", "memory");
}

#define TOP 0xfc000000u
#define CODE_OR_DATA 0x00cf9300u /* 4 GiB, ring 0, read and write */

static u32 gdt[16] __attribute__((aligned(8))) = {
    0,          0,          0x0000ffff, 0x00cf9a00, 0x0000ffff, 0x00cf9200, /* those of lib/gdt.asm */
    0x0000ffff, 0x00cf9300,                                                 /* 18: all of it */
    0x0000ffff, 0xfccf9300,                                                 /* 20: from TOP on, and around */
    0x00000fff, 0x00c09700,                                                 /* 28: expand-down, above 16 MiB */
    0x00000fff, 0x00409300,                                                 /* 30: 4 KiB */
    0x0000ffff, 0x00cf1300,                                                 /* 38: not present */
};

struct reach {
  u32 selector, first, step, count;
};

/* Both end with an empty one. Around the end of the addresses lies memory: the vectors of real mode. */
static const struct reach allowed[] = {
    {0x18, TOP, MIB, 64}, {0x18, 0xfffff000, 0x40, 64}, {0x20, 0, MIB, 64}, {0x20, 0x04000000, 64, 4}, {0, 0, 0, 0},
};
static const struct reach beyond[] = {
    {0x28, TOP, MIB, 64}, {0x28, 0, MIB, 16}, {0x30, TOP, MIB, 64}, {0x30, 0, 64, 64}, {0, 0, 0, 0},
};

static void reach_all(const struct reach *reach) {
  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) pointer = {sizeof gdt - 1, (u32)gdt};
  __asm__ volatile("lgdt %0" : : "m"(pointer));
  for (; reach->selector != 0; reach++) {
    wild_eax = reach->selector;
    attempt(site_load_fs);
    for (u32 i = 0; i < reach->count; i++) {
      wild_ebx = reach->first + i * reach->step;
      attempt(site_read_fs);
      wild_eax = random();
      if (!is_apic(wild_ebx + (reach->selector == 0x20 ? TOP : 0))) attempt(site_write_fs);
    }
  }
  wild_eax = KERNEL_DATA;
  attempt(site_load_fs);
}

/* Reaches for the last 64 MiB by all ways a segment can lead there, and loads what is no segment. */
void attack_segments(void) {
  reach_all(allowed);
  for (u32 selector = 0x38; selector < 0x10000; selector += 0x3c8) {
    wild_eax = selector;
    attempt(site_load_fs);
  }
  wild_eax = KERNEL_DATA;
  attempt(site_load_fs);
}

/* The same beyond limits. */
void attack_segment_limits(void) { reach_all(beyond); }
