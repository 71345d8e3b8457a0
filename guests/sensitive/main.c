/*
 * The instructions that tell or depend on where a program really runs, and of which the processor makes no exception:
 * each once in ring 0 and once in ring 3. A monitor that runs this kernel in another ring, or with tables of its own,
 * cannot step in, and what is printed is not what it should be.
 *
 * The list is that of Robin and Irvine, "Analysis of the Intel Pentium's Ability to Support a Secure Virtual Machine
 * Monitor", 2000: SGDT, SIDT, SLDT, SMSW, PUSHF, POPF; LAR, LSL, VERR, VERW, POP, PUSH, CALL, JMP, INT n, RET, STR,
 * MOV. They count seventeen, with VERR and VERW as one.
 */
#include "../lib/probe.h"

struct probe {
  u32 code;
  const char *name;
};
extern const struct probe probes[];

#define REFUSED 0xffffffffu /* what a probe gives that ended in #GP */

static u8 trap_stack[4096] __attribute__((aligned(16)));

/* INT 0x41, a probe: which code segment the processor was in. */
static void on_int(struct frame *frame) { frame->eax = frame->cs & 0xffff; }

static void on_general_protection(struct frame *frame) { frame->eip = (u32)abandon_probe; }

static void on_done(struct frame *frame) { leave_ring3(frame->eax); }

static void put_result(const char *ring, u32 value) {
  put_text(ring);
  if (value == REFUSED) put_text("#GP     ");
  else put_hex(value, 8);
}

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  (void)magic;
  (void)info;
  serial_start();
  interrupts_start();
  set_handler(13, on_general_protection);
  set_handler(0x41, on_int);
  set_gate_type(0x41, 0xee);
  set_handler(0x80, on_done);
  set_gate_type(0x80, 0xee);
  load_task_register((u32)trap_stack + sizeof trap_stack);
  pic_start(0);
  for (const struct probe *probe = probes; probe->code != 0; probe++) {
    u32 in_ring0 = run_probe(probe->code);
    probe_to_run = probe->code;
    u32 in_ring3 = enter_ring3((u32)run_probe_user, (u32)probe_stack_top);
    put_result("ring 0 ", in_ring0);
    put_result("  ring 3 ", in_ring3);
    put_text("  ");
    put_text(probe->name);
    put_char('\n');
  }
  put_text("sensitive: done\n");
  serial_end();
  return EXIT_GOOD;
}
