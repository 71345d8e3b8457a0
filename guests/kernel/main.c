/*
 * A small kernel with what every kernel has: processes in ring 3 with address spaces of their own, pages on demand,
 * system calls, a tick, a disk. It is what the lessons on virtualization run: the same image on a bare PC and under
 * every technique, and the same source on a hypervisor that it knows of (hardware.h).
 *
 * Nothing in it depends on the processor's model or its speed. Interrupts are taken while it waits for a tick and
 * nowhere else, and only then time passes, so that its text and what it leaves in memory are the same on any machine.
 */
#include "kernel.h"

void handle_trap(struct frame *frame) {
  if (frame->vector == TICK_VECTOR) {
    if (acknowledge_tick()) ticks++;
    frame->eflags &= ~0x200u; /* one interrupt for each wait */
    return;
  }
  if ((frame->cs & 3) == 3) {
    if (frame->vector == CALL_VECTOR) return system_call(frame);
    if (frame->vector == 14) return page_fault(frame);
    put_text("kernel: ");
    put_text(current->name);
    put_text(" caused exception ");
    put_decimal(frame->vector);
    put_text("; it is ended\n");
    end_process();
  }
  put_text("kernel: exception ");
  put_decimal(frame->vector);
  put_text(" in the kernel\n");
  power_off(EXIT_BAD);
}

void kernel_main(void *handed_over) {
  hardware_start(handed_over);
  put_text("kernel: started\n");
  try_disk();
  u32 frames = frames_left();
  process_create(0, "primes");
  process_create(1, "pages");
  process_create(2, "sleeper");
  process_create(3, "outlaw");
  run_processes();
  check_disk();
  put_text("kernel: ");
  put_decimal(ticks);
  put_text(" ticks, ");
  put_decimal(frames - frames_left());
  put_text(" frames are shared\nkernel: done\n");
  power_off(EXIT_GOOD);
}
