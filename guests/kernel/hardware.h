/*
 * Everything this kernel asks of what is below it. The rest of the kernel is the same on a bare PC and on a hypervisor:
 * `bare.h` does these with privileged instructions and ports, `xen.h` with hypercalls, and hardware.c takes one of
 * them.
 *
 * A frame is named by its place in the kernel's own memory; only what is below knows the machine's frames.
 */
#ifndef HARDWARE_H
#define HARDWARE_H

#include "../lib/guest.h"

/* The frames from here up are the kernel's to give away; with all below they are mapped at their own addresses. */
#define POOL_START 0x200000u
#define POOL_END 0x400000u

#define TICK_VECTOR 0x20u
#define CALL_VECTOR 0x80u

/* `handed_over` is what came in a register at entry. Descriptor tables, the entries of entry.asm, paging, the tick. */
void hardware_start(void *handed_over);
/* The end of the machine: 0x10 when all is well. */
void power_off(u32 value) __attribute__((noreturn));
void console_write(const char *text, u32 length);

/* The stack on which traps from ring 3 arrive. */
void set_kernel_stack(u32 top);
u32 fault_address(void);
/* Waits until the timer has ticked. Interrupts are taken here and nowhere else. */
void wait_for_tick(void);
/* Called by the handler of TICK_VECTOR: whether it was a tick. */
int acknowledge_tick(void);

/* --- pages; a table or a directory is a frame of 1024 entries --- */
/* The directory at the start, whose first entry maps the kernel's memory. */
u32 kernel_directory(void);
void set_directory(u32 directory);
/* Writes an entry into a frame that is not a table yet. */
void prepare_entry(u32 table, u32 index, u32 frame, u32 flags);
/* From now on the frame is a table (level 1) or a directory (level 2), until it is released. */
void pin_table(u32 table, u32 level);
void unpin_table(u32 table);
/* Changes an entry of a pinned table; at the latest flush_entries makes it so. No flags: nothing is mapped. */
void set_entry(u32 table, u32 index, u32 frame, u32 flags);
void flush_entries(void);
/* Drops what the processor remembers of a page. */
void forget_page(u32 linear);

/* --- disk: sectors of 512 bytes to and from one page --- */
/* How many sectors there are: 0 without a disk. */
u32 disk_size(void);
/* 0 when it went wrong. */
int disk_transfer(int is_write, u32 sector, u32 count, void *page);

#endif
