/* Traps and events on their way to the guest, and time. */
#include "hypervisor.h"

#define INTERRUPT_FLAG 0x200u
#define NANOSECONDS 1000000u /* of a tick */

struct callback event_callback;
struct trap_info guest_traps[256];
u32 kernel_ss, kernel_esp;

static unsigned long long now, timer_due;

static volatile struct vcpu_info *vcpu(void) { return &shared_info.vcpu_info[0]; }

void raise_event(u32 port) {
  shared_info.evtchn_pending[0] |= 1u << port;
  if ((shared_info.evtchn_mask[0] & 1u << port) != 0) return;
  vcpu()->evtchn_pending_sel |= 1;
  vcpu()->evtchn_upcall_pending = 1;
}

void tick(void) {
  pic_end(0);
  now += NANOSECONDS;
  vcpu()->time_version++;
  vcpu()->system_time_low = (u32)now;
  vcpu()->system_time_high = (u32)(now >> 32);
  vcpu()->time_version++;
  if (timer_due == 0 || now < timer_due) return;
  timer_due = 0;
  raise_event(TIMER_PORT);
}

void set_timer(u32 low, u32 high) { timer_due = (unsigned long long)high << 32 | low; }

void block(void) {
  vcpu()->evtchn_upcall_mask = 0;
  while (!vcpu()->evtchn_upcall_pending) __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

static int has_error(u32 vector) { return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17; }

/* The frame that the processor would have made in ring 1. */
static u32 *push_frame(struct frame *frame) {
  int from_ring3 = (frame->cs & 3) == 3;
  u32 *stack = (u32 *)(from_ring3 ? kernel_esp : frame->esp);
  if ((u32)stack > HIGH || (u32)stack < 64) give_up("the guest has no stack");
  if (from_ring3) {
    *--stack = frame->ss & 0xffff;
    *--stack = frame->esp;
    frame->ss = kernel_ss;
  }
  *--stack = (frame->eflags & ~INTERRUPT_FLAG) | (vcpu()->evtchn_upcall_mask ? 0 : INTERRUPT_FLAG);
  *--stack = frame->cs & 0xffff;
  *--stack = frame->eip;
  return stack;
}

static void go(struct frame *frame, u32 *stack, u32 selector, u32 address) {
  frame->esp = (u32)stack;
  frame->cs = selector;
  frame->eip = address;
  frame->eflags &= ~0x14100u; /* TF, NT, RF */
}

void deliver_trap(struct frame *frame) {
  const struct trap_info *trap = &guest_traps[frame->vector];
  if (trap->address == 0) give_up("the guest has no handler for an exception");
  if (frame->vector == 14) {
    u32 address;
    __asm__("movl %%cr2, %0" : "=r"(address));
    vcpu()->arch_cr2 = address;
  }
  u32 *stack = push_frame(frame);
  if (has_error(frame->vector)) *--stack = frame->error;
  if ((trap->flags & TI_EVENTS_OFF) != 0) vcpu()->evtchn_upcall_mask = 1;
  go(frame, stack, trap->selector, trap->address);
}

void offer_event(struct frame *frame) {
  if (!vcpu()->evtchn_upcall_pending || vcpu()->evtchn_upcall_mask) return;
  u32 *stack = push_frame(frame);
  vcpu()->evtchn_upcall_mask = 1;
  go(frame, stack, event_callback.selector, event_callback.address);
}
