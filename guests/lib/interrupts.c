/*
 * The interrupt descriptor table and the choice of a handler.
 *
 * An exception nobody asked for is printed and ends the guest with EXIT_BAD: no guest goes on in an unknown state.
 * Manual: Intel SDM volume 3, "IDT Descriptors".
 */
#include "guest.h"

#define VECTORS 129

extern char trap_stubs[];

static struct {
  u16 offset_low, selector;
  u8 zero, type;
  u16 offset_high;
} idt[VECTORS];
static handler handlers[VECTORS];

void set_gate_type(u32 vector, u8 type) { idt[vector].type = type; }

void set_handler(u32 vector, handler handler) { handlers[vector] = handler; }

void handle_trap(struct frame *frame) {
  if (handlers[frame->vector] != 0) {
    handlers[frame->vector](frame);
    return;
  }
  put_line_hex("unexpected exception, vector", frame->vector);
  put_line_hex("error code", frame->error);
  put_line_hex("eip", frame->eip);
  debug_exit(EXIT_BAD);
}

void interrupts_start(void) {
  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) pointer = {sizeof idt - 1, (u32)idt};
  for (u32 vector = 0; vector < VECTORS; vector++) {
    u32 stub = (u32)trap_stubs + vector * 16;
    idt[vector].offset_low = (u16)stub;
    idt[vector].offset_high = (u16)(stub >> 16);
    idt[vector].selector = KERNEL_CODE;
    idt[vector].type = 0x8e;
  }
  __asm__ volatile("lidt %0" : : "m"(pointer));
}
