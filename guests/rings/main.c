/*
 * The tour kernel: segments, interrupts, paging, a task in ring 3, and what happens when the task oversteps.
 *
 * The task (user.c) prints through INT 0x80, computes, is interrupted by the timer, tries privileged instructions (#GP),
 * touches a page of the kernel (#PF) and pages that are not there yet (#PF, mapped on demand, the instruction restarted).
 * How many ticks arrive depends on the machine's speed, so only the fact that enough of them arrived is printed.
 */
#include "rings.h"
#include "../lib/guest.h"

#define TIMER_LINE 0u
#define FRAME_POOL 0x200000u

extern void user_start_task(void);
extern char user_stack_top[];
extern volatile u32 ticks_in_ring3;

static u8 kernel_stack[8192] __attribute__((aligned(16)));
static volatile u32 ticks;
static u32 demand_mapped;

static void on_timer(struct frame *frame) {
  ticks++;
  if ((frame->cs & 3) == 3) ticks_in_ring3++;
  pic_end(TIMER_LINE);
}

/* Interrupts are on while waiting, so the timer can end each HLT. */
static void sleep(u32 count) {
  u32 until = ticks + count;
  while (ticks < until) __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

static void on_system_call(struct frame *frame) {
  if (frame->eax == CALL_EXIT) leave_ring3(frame->ebx);
  if (frame->eax == CALL_SLEEP) {
    sleep(frame->ebx);
    frame->eax = 0;
    return;
  }
  if (frame->eax == CALL_WRITE) {
    u32 start = frame->ebx, length = frame->ecx;
    if (start >= (u32)user_start && start <= (u32)user_end && length <= (u32)user_end - start) {
      for (u32 i = 0; i < length; i++) put_char(((const char *)start)[i]);
      frame->eax = length;
      return;
    }
    put_text("kernel: refused to print memory that is not the task's\n");
  }
  frame->eax = 0xffffffff;
}

/* The task tries one-byte instructions only, so stepping over one needs no decoder. */
static void on_general_protection(struct frame *frame) {
  put_text("kernel: #GP from CPL ");
  put_decimal(frame->cs & 3);
  put_text(", opcode ");
  put_hex(*(const u8 *)frame->eip, 2);
  put_line_hex(", error code", frame->error);
  if ((frame->cs & 3) != 3) debug_exit(EXIT_BAD);
  frame->eip += 1;
}

static void on_page_fault(struct frame *frame) {
  u32 address;
  __asm__ volatile("movl %%cr2, %0" : "=r"(address));
  put_text("kernel: #PF from CPL ");
  put_decimal(frame->cs & 3);
  put_text(" at ");
  put_hex(address, 8);
  put_text(", error code ");
  put_hex(frame->error, 2);
  if ((frame->cs & 3) != 3) debug_exit(EXIT_BAD);
  if (address >= DEMAND_START && address < DEMAND_END && (frame->error & 1) == 0) {
    u32 page = FRAME_POOL + 4096 * demand_mapped++;
    memset((void *)page, 0, 4096);
    map_page(address & ~0xfffu, page, PAGE_PRESENT | PAGE_WRITE | PAGE_USER);
    put_text(": mapped\n");
    return;
  }
  put_text(": skipped\n");
  frame->eip += 2; /* the task's probes are two bytes long */
}

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  (void)magic;
  (void)info;
  serial_start();
  interrupts_start();
  set_handler(13, on_general_protection);
  set_handler(14, on_page_fault);
  set_handler(0x80, on_system_call);
  set_gate_type(0x80, 0xee);
  set_handler(IRQ_BASE + TIMER_LINE, on_timer);
  paging_start();
  for (u32 page = DEMAND_START; page < DEMAND_END; page += 4096) map_page(page, 0, 0);
  load_task_register((u32)kernel_stack + sizeof kernel_stack);
  pic_start(1u << TIMER_LINE);
  pit_start(298); /* about 4 kHz */
  put_text("kernel: segments, interrupts, paging and timer are set up\n");

  u32 result = enter_ring3((u32)user_start_task, (u32)user_stack_top);

  pic_start(0);
  put_text("kernel: the task ended with ");
  put_decimal(result);
  put_text("\nkernel: pages mapped on demand: ");
  put_decimal(demand_mapped);
  put_text("\nkernel: ticks: ");
  put_text(ticks >= 8 ? "yes" : "no");
  put_text(", ticks that interrupted ring 3: ");
  put_text(ticks_in_ring3 >= 3 ? "yes" : "no");
  put_text("\nkernel: done\n");
  return EXIT_GOOD;
}
