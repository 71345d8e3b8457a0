/*
 * The guest's memory: sixteen of our pages, which it sees at 0. Under EPT they are its physical memory; without, a page
 * table of ours puts them at its linear addresses, and the tables it might make itself would have to be followed (which
 * this guest does not).
 *
 * Manual: Intel SDM volume 3, "EPT Translation Mechanism", "32-Bit Paging".
 */
#include "hypervisor.h"

#define EPT_READ_WRITE_EXECUTE 7u
#define WRITE_BACK (6u << 3)
#define FOUR_LEVELS (3u << 3)

static u8 memory[GUEST_PAGES][4096] __attribute__((aligned(4096)));
static u32 directory[1024] __attribute__((aligned(4096)));
static u32 table[1024] __attribute__((aligned(4096)));
/* PML4, page-directory pointers, directory, table; an entry is two words. */
static u32 ept[4][1024] __attribute__((aligned(4096)));
static int uses_ept;

static void map(u32 page) {
  if (uses_ept) ept[3][2 * page] = (u32)memory[page] | WRITE_BACK | EPT_READ_WRITE_EXECUTE;
  else table[page] = (u32)memory[page] | PAGE_PRESENT | PAGE_WRITE;
}

static void put_gate(u32 vector, u32 address) {
  u32 *gate = (u32 *)(memory[GUEST_TABLES >> 12] + 2048) + 2 * vector;
  gate[0] = KERNEL_CODE << 16 | (address & 0xffff);
  gate[1] = (address & 0xffff0000) | 0x8e00;
}

void prepare_memory(int with_ept) {
  static const u32 gdt[] = {0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300};
  uses_ept = with_ept;
  memset(memory, 0, sizeof memory);
  if (with_ept) {
    memcpy(memory[GUEST_CODE >> 12], guest16_start, (u32)(guest16_end - guest16_start));
    ((u32 *)memory[0])[GUEST_VECTOR] = GUEST_HANDLER; /* segment 0 */
  } else {
    memcpy(memory[GUEST_CODE >> 12], guest32_start, (u32)(guest32_end - guest32_start));
    memcpy(memory[GUEST_TABLES >> 12], gdt, sizeof gdt);
    put_gate(GUEST_VECTOR, GUEST_HANDLER);
  }
  ((u32 *)memory[ABSENT_PAGE >> 12])[0] = 0x00c0ffee;
  for (u32 level = 0; level < 3; level++) ept[level][0] = (u32)ept[level + 1] | EPT_READ_WRITE_EXECUTE;
  directory[0] = (u32)table | PAGE_PRESENT | PAGE_WRITE;
  for (u32 page = 0; page < GUEST_PAGES; page++)
    if (page != ABSENT_PAGE >> 12) map(page);
}

void map_absent_page(void) { map(ABSENT_PAGE >> 12); }

u32 shadow_directory(void) { return (u32)directory; }

u32 ept_pointer(void) { return (u32)ept | FOUR_LEVELS | 6; }
