/*
 * Two-level paging with 4 KiB pages: the first 4 MiB map to themselves.
 *
 * Manual: Intel SDM volume 3, "32-Bit Paging".
 */
#include "guest.h"

static u32 directory[1024] __attribute__((aligned(4096)));
static u32 table[1024] __attribute__((aligned(4096)));

void map_page(u32 linear, u32 physical, u32 flags) {
  table[linear >> 12] = (physical & ~0xfffu) | flags;
  __asm__ volatile("invlpg (%0)" : : "r"(linear) : "memory");
}

void paging_start(void) {
  for (u32 page = 0; page < 1024; page++) {
    u32 address = page << 12;
    u32 flags = PAGE_PRESENT | PAGE_WRITE;
    if (address >= (u32)user_start && address < (u32)user_end) flags |= PAGE_USER;
    table[page] = address | flags;
  }
  /* The directory allows everything; the table decides. */
  directory[0] = (u32)table | PAGE_PRESENT | PAGE_WRITE | PAGE_USER;
  __asm__ volatile(
      "movl %0, %%cr3\n\t"
      "movl %%cr0, %%eax\n\t"
      "orl $0x80010000, %%eax\n\t" /* PG and WP */
      "movl %%eax, %%cr0\n\t"
      "jmp 1f\n"
      "1:"
      :
      : "r"(directory)
      : "eax", "memory");
}
