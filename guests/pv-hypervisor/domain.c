/* The guest's memory at its start, as kernel/xen-interface.h says, and its registers. */
#include "hypervisor.h"

volatile struct shared_info shared_info __attribute__((aligned(4096)));
volatile struct block_page block_page __attribute__((aligned(4096)));

static void *page_of(u32 address) { return (u8 *)at_machine(domain_frame(address >> 12) << 12) + (address & 0xfff); }

/* A page's frame is not the next one's neighbour, so byte by byte. Behind `from`'s end come zeros. */
static void copy_in(u32 address, const u8 *from, u32 length, u32 in_all) {
  for (u32 i = 0; i < in_all; i++) *(u8 *)page_of(address + i) = i < length ? from[i] : 0;
}

static u32 word(const u8 *elf, u32 offset) { return *(const u32 *)(elf + offset); }

/* Gives where the image ends. */
static u32 load(const u8 *elf) {
  u32 end = 0;
  const u8 *header = elf + word(elf, 28);
  for (u32 i = 0; i < *(const u16 *)(elf + 44); i++, header += 32) {
    if (word(header, 0) != 1) continue;
    u32 address = word(header, 12);
    copy_in(address, elf + word(header, 4), word(header, 16), word(header, 20));
    if (address + word(header, 20) > end) end = address + word(header, 20);
  }
  return (end + 0xfff) & ~0xfffu;
}

struct frame domain_create(const u8 *elf, int with_disk) {
  u32 list = load(elf);
  u32 start = list + 4 * DOMAIN_PAGES;
  u32 directory = start + 4096, table = directory + 4096, stack = table + 4096;
  for (u32 page = list; page <= stack; page += 4096) memset(page_of(page), 0, 4096);
  for (u32 page = 0; page < DOMAIN_PAGES; page++) {
    u32 is_table = page == directory >> 12 || page == table >> 12;
    *(u32 *)page_of(list + 4 * page) = domain_frame(page);
    ((u32 *)page_of(table))[page] = domain_frame(page) << 12 | PAGE_PRESENT | (is_table ? 0 : PAGE_WRITE);
  }
  *(u32 *)page_of(directory) = domain_frame(table >> 12) << 12 | PAGE_PRESENT | PAGE_WRITE | PAGE_USER;
  struct start_info *info = page_of(start);
  memcpy(info->magic, XEN_MAGIC, sizeof XEN_MAGIC);
  info->nr_pages = DOMAIN_PAGES;
  info->shared_info = frame_of((const void *)&shared_info) << 12;
  info->pt_base = directory;
  info->nr_pt_frames = 2;
  info->mfn_list = list;
  if (with_disk) {
    info->store_mfn = frame_of((const void *)&block_page);
    info->store_evtchn = BLOCK_PORT;
  }
  for (u32 i = 0; i < 32; i++) shared_info.vcpu_info[i].evtchn_upcall_mask = 1;

  if (!pin(domain_frame(table >> 12), 1) || !pin(domain_frame(directory >> 12), 2)) give_up("the first tables");
  change_directory(domain_frame(directory >> 12));
  struct frame frame = {0};
  frame.ds = frame.es = frame.ss = FLAT_RING1_DS;
  frame.cs = FLAT_RING1_CS;
  frame.eip = word(elf, 24);
  frame.esp = stack + 4096;
  frame.esi = start;
  frame.eflags = 0x202;
  return frame;
}
