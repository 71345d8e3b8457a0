/*
 * Every port there is. What ends this machine is an attack of its own; the serial port is spared, because it has to
 * tell.
 *
 * Manual: IBM PC/AT Technical Reference, "I/O Address Map".
 */
#include "attack.h"

struct range {
  u32 first, last;
};

static const struct range serial[] = {{0x3f8, 0x3ff}, {1, 0}};

static const struct range not_written[] = {
    {0x3f8, 0x3ff}, /* the serial port */
    {0x64, 0x64},   /* keyboard controller: address line 20, reset */
    {0x92, 0x92},   /* the same */
    {0xb2, 0xb3},   /* system management */
    {0xf4, 0xf7},   /* debug exit */
    {0x510, 0x51b}, /* QEMU's configuration device, which reads and writes memory by itself */
    {0x600, 0x63f}, /* power management */
    {0xcf9, 0xcf9}, /* reset control */
    {1, 0},
};

static int is_in(const struct range *range, u32 port) {
  for (; range->first <= range->last; range++)
    if (port >= range->first && port <= range->last) return 1;
  return 0;
}

static void in_all_sizes(u32 port) {
  u32 value;
  __asm__ volatile("inb %%dx, %%al" : "=a"(value) : "d"(port));
  if ((port & 1) == 0) __asm__ volatile("inw %%dx, %%ax" : "=a"(value) : "d"(port));
  if ((port & 3) == 0) __asm__ volatile("inl %%dx, %%eax" : "=a"(value) : "d"(port));
}

void attack_ports_in(void) {
  for (u32 port = 0; port < 0x10000; port++)
    if (!is_in(serial, port)) in_all_sizes(port);
}

void attack_ports_out(void) {
  for (u32 port = 0; port < 0x10000; port++)
    if (!is_in(not_written, port)) out8((u16)port, (u8)random());
}

#define USER_PORTS 0x400u

static u8 trap_stack[4096] __attribute__((aligned(16)));
static u8 user_stack[4096] __attribute__((aligned(16)));

static void on_done(struct frame *frame) {
  (void)frame;
  leave_ring3(0);
}

static void in_ring3(void) {
  for (u32 port = 0; port < USER_PORTS; port++) {
    if (is_in(not_written, port)) continue;
    wild_edx = port;
    attempt(site_in);
    wild_edx = port;
    wild_eax = random();
    attempt(site_out);
  }
  __asm__ volatile("int $0x80");
}

/* A program may reach none of them: its IOPL is 0, and the task state has no bitmap. */
void attack_ports_user(void) {
  set_handler(0x80, on_done);
  set_gate_type(0x80, 0xee);
  load_task_register((u32)trap_stack + sizeof trap_stack);
  (void)enter_ring3((u32)in_ring3, (u32)user_stack + sizeof user_stack - 16);
}

static void wait_for_the_end(void) {
  for (;;) __asm__ volatile("cli\n\thlt");
}

/* Pulse output bit 0, which is the processor's reset. */
void attack_reset_keyboard(void) {
  while ((in8(0x64) & 2) != 0) {
  }
  out8(0x64, 0xfe);
  wait_for_the_end();
}

void attack_reset_port_92(void) {
  u8 now = in8(0x92);
  out8(0x92, now & 0xfe);
  out8(0x92, now | 1);
  wait_for_the_end();
}

void attack_reset_port_cf9(void) {
  out8(0xcf9, 0x02);
  out8(0xcf9, 0x06);
  wait_for_the_end();
}
