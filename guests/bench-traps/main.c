/*
 * What a kernel pays for: entering and leaving a handler, changing page tables, reading a port. Paging is on in all of
 * it. "kind=N" chooses one loop (1 to 7, in the order of the table; all of them by default), "rounds=N" its iterations,
 * "warm-up=N" those it does before; the line that follows them is the one from which a bench takes the time.
 */
#include "../lib/guest.h"

#define GATE_KERNEL 0x8eu /* present, 32-bit interrupt gate, ring 0 */
#define GATE_USER 0xeeu   /* the same for ring 3 */
#define MASK 0xa5u

/* workload.asm. Each does `rounds` iterations and returns a checksum. */
u32 int_ring0(u32 rounds);
u32 page_fault(u32 rounds);
u32 divide_error(u32 rounds);
u32 reload_cr3(u32 rounds);
u32 change_page(u32 rounds);
u32 read_port(u32 rounds);
u32 ring3_frame(void);
void at_int_ring0(void);
void at_system_call(void);
void at_leave(void);
void at_page_fault(void);
void at_divide_error(void);
void at_unexpected(void);
extern char system_call_stack_top[], window[], frame_a[], absent[];

/* user.asm */
void user_loop(void);
extern volatile u32 user_rounds;
extern char user_stack_top[];

static struct {
  u16 offset_low, selector;
  u8 zero, type;
  u16 offset_high;
} idt[256];

static void set_gate(u32 vector, void (*entry)(void), u8 type) {
  idt[vector].offset_low = (u16)(u32)entry;
  idt[vector].offset_high = (u16)((u32)entry >> 16);
  idt[vector].selector = KERNEL_CODE;
  idt[vector].type = type;
}

/* Not interrupts.c: its handlers are in C, and what is measured here is the way in and out. */
static void gates_start(void) {
  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) pointer = {sizeof idt - 1, (u32)idt};
  for (u32 vector = 0; vector < 256; vector++) set_gate(vector, at_unexpected, GATE_KERNEL);
  set_gate(0x00, at_divide_error, GATE_KERNEL);
  set_gate(0x0e, at_page_fault, GATE_KERNEL);
  set_gate(0x40, at_int_ring0, GATE_KERNEL);
  set_gate(0x80, at_system_call, GATE_USER);
  set_gate(0x81, at_leave, GATE_USER);
  __asm__ volatile("lidt %0" : : "m"(pointer));
}

static u32 system_call(u32 rounds) {
  user_rounds = rounds;
  enter_ring3((u32)user_loop, (u32)user_stack_top);
  return ring3_frame();
}

/* A mask that an empty bus does not answer with. Interrupts are off, so no line gets through. */
static u32 read_mask(u32 rounds) {
  out8(0x21, MASK);
  u32 checksum = read_port(rounds);
  out8(0x21, 0xff);
  return checksum;
}

static const struct {
  const char *name;
  u32 (*run)(u32 rounds);
} kinds[] = {
    {"int-ring0", int_ring0},       {"int-ring3", system_call},   {"page-fault", page_fault}, {"divide-error", divide_error},
    {"reload-cr3", reload_cr3},     {"change-page", change_page}, {"read-port", read_mask},
};

static void report(const char *name, const char *what, u32 rounds, u32 checksum) {
  put_text(name);
  put_char(' ');
  put_text(what);
  put_char('=');
  put_decimal(rounds);
  put_text(" checksum=");
  put_hex(checksum, 8);
  put_char('\n');
}

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  (void)magic;
  u32 kind = number_option(command_line(info), "kind", 0);
  u32 rounds = number_option(command_line(info), "rounds", 100000);
  u32 warm_up = number_option(command_line(info), "warm-up", 0);
  serial_start();
  pic_start(0);
  gates_start();
  load_task_register((u32)system_call_stack_top);
  paging_start();
  map_page((u32)window, (u32)frame_a, PAGE_PRESENT | PAGE_WRITE);
  map_page((u32)absent, 0, 0);
  for (u32 i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    if (kind != 0 && kind != i + 1) continue;
    if (warm_up != 0) report(kinds[i].name, "warm-up", warm_up, kinds[i].run(warm_up));
    if (rounds != 0) report(kinds[i].name, "rounds", rounds, kinds[i].run(rounds));
  }
  return EXIT_GOOD;
}
