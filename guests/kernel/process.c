/*
 * Processes: each with its own address space and its own stack in the kernel, and a turn that lasts until it yields,
 * sleeps or ends. Time passes only when none of them can run.
 */
#include "kernel.h"
#include "layout.h"

#define PROCESSES 4u
#define USER_FLAGS 0x2u /* interrupts stay off in ring 3, too */

extern char program_load[], program_text_size[], program_size[];

struct process *current;
u32 ticks;

static struct process processes[PROCESSES];
static u8 stacks[PROCESSES][4096] __attribute__((aligned(16)));
/* Where run_processes was left. */
static u32 dispatcher;

/* The text is the same frames in all processes, the data are copies. */
static void load_program(struct space *space) {
  for (u32 offset = 0; offset < (u32)program_size; offset += 4096) {
    u32 from = (u32)program_load + offset;
    if (offset < (u32)program_text_size) {
      space_show(space, USER_START + offset, from, 0);
      continue;
    }
    u32 frame = take_frame();
    memcpy((void *)frame, (const void *)from, 4096);
    space_give(space, USER_START + offset, frame);
  }
  for (u32 page = 1; page <= STACK_PAGES; page++) space_give(space, STACK_TOP - 4096 * page, take_frame());
  flush_entries();
}

void process_create(u32 number, const char *name) {
  struct process *process = &processes[number];
  u32 *top = (u32 *)(stacks[number] + sizeof stacks[number]);
  struct frame *frame = (struct frame *)top - 1;
  frame->eip = USER_START;
  frame->cs = USER_CODE;
  frame->eflags = USER_FLAGS;
  frame->esp = STACK_TOP;
  frame->gs = frame->fs = frame->es = frame->ds = frame->ss = USER_DATA;
  frame->eax = number; /* which program it is */
  /* switch_stack takes four registers and an address to return to. */
  top = (u32 *)frame - 5;
  top[4] = (u32)leave_trap;
  process->stack_pointer = (u32)top;
  process->name = name;
  process->state = READY;
  space_create(&process->space);
  load_program(&process->space);
}

static void run(struct process *process) {
  current = process;
  set_directory(process->space.directory);
  set_kernel_stack((u32)stacks[process - processes] + sizeof stacks[0]);
  switch_stack(&dispatcher, process->stack_pointer);
  if (process->state != ENDED) return;
  set_directory(kernel_directory());
  space_destroy(&process->space);
  process->state = UNUSED;
}

static void pass_time(void) {
  wait_for_tick();
  for (struct process *process = processes; process < processes + PROCESSES; process++)
    if (process->state == ASLEEP && process->wakes_at <= ticks) process->state = READY;
}

void run_processes(void) {
  for (;;) {
    u32 ran = 0, asleep = 0;
    for (struct process *process = processes; process < processes + PROCESSES; process++) {
      if (process->state == READY) {
        run(process);
        ran++;
      }
      if (process->state == ASLEEP) asleep++;
    }
    if (ran > 0) continue;
    if (asleep == 0) return;
    pass_time();
  }
}

void yield(void) { switch_stack(&current->stack_pointer, dispatcher); }

void sleep_ticks(u32 count) {
  current->wakes_at = ticks + count;
  current->state = ASLEEP;
  yield();
}

void end_process(void) {
  current->state = ENDED;
  for (;;) yield();
}
