/*
 * Looks for a hypervisor below it: prints what the processor tells of the machine, in rings 0 and 3, by instructions
 * that a monitor cannot step in on, by bits that it may not let be changed, and by time. On a bare machine the text is
 * what a hypervisor that shows nothing must come to; lines that begin with "pill time-" are ticks of the time-stamp
 * counter.
 *
 * Sources: Rutkowska, "Red Pill... or how to detect VMM using (almost) one CPU instruction", 2004; Robin and Irvine,
 * "Analysis of the Intel Pentium's Ability to Support a Secure Virtual Machine Monitor", 2000; Garfinkel and others,
 * "Compatibility Is Not Transparency: VMM Detection Myths and Realities", 2007.
 */
#include "../lib/probe.h"

#define IN_RING0 1u
#define IN_RING3 2u

struct probe {
  u32 code;
  const char *name;
  u32 rings;
};
/* Ends with one without code. */
extern const struct probe probes[];

#define NO_EXCEPTION 32u

static u8 trap_stack[4096] __attribute__((aligned(16)));
static volatile u32 exception;

static void on_exception(struct frame *frame) {
  exception = frame->vector;
  frame->eip = (u32)abandon_probe;
}

static void on_done(struct frame *frame) { leave_ring3(frame->eax); }

static void put_pill(const char *name) {
  put_text("pill ");
  put_text(name);
  put_char(' ');
}

static void put_result(u32 value) {
  if (exception == NO_EXCEPTION) put_hex(value, 8);
  else if (exception == 6) put_text("#UD");
  else if (exception == 13) put_text("#GP");
  else if (exception == 14) put_text("#PF");
  else {
    put_text("exception ");
    put_decimal(exception);
  }
  put_char('\n');
}

static void put_characters(u32 value) {
  for (u32 i = 0; i < 4; i++, value >>= 8) {
    char c = (char)(value & 0x7f);
    put_char(c < ' ' || c == 0x7f ? '.' : c);
  }
}

struct leaf {
  u32 eax, ebx, ecx, edx;
};

static struct leaf cpuid(u32 number) {
  struct leaf leaf;
  __asm__ volatile("cpuid"
                   : "=a"(leaf.eax), "=b"(leaf.ebx), "=c"(leaf.ecx), "=d"(leaf.edx)
                   : "a"(number), "c"(0));
  return leaf;
}

/* What lies behind 40000000h is a hypervisor's to say, where the bit says that there is one. */
static void identify(void) {
  struct leaf vendor = cpuid(0);
  put_pill("cpuid-vendor");
  put_characters(vendor.ebx);
  put_characters(vendor.edx);
  put_characters(vendor.ecx);
  put_char('\n');
  u32 bit = cpuid(1).ecx >> 31;
  put_pill("cpuid-hypervisor-bit");
  put_decimal(bit);
  put_char('\n');
  put_pill("cpuid-hypervisor-name");
  if (bit == 0) put_text("none");
  else {
    struct leaf name = cpuid(0x40000000u);
    put_characters(name.ebx);
    put_characters(name.ecx);
    put_characters(name.edx);
  }
  put_char('\n');
}

static void swallow(const struct probe *probe, u32 ring) {
  exception = NO_EXCEPTION;
  u32 value;
  if (ring == 0) value = run_probe(probe->code);
  else {
    probe_to_run = probe->code;
    value = enter_ring3((u32)run_probe_user, (u32)probe_stack_top);
  }
  put_text("pill ");
  put_text(probe->name);
  put_text(ring == 0 ? "-0 " : "-3 ");
  put_result(value);
}

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  (void)magic;
  (void)info;
  /* Caching is on behind some boot loaders and off behind others. */
  __asm__ volatile("movl %%cr0, %%eax\n\tandl $0x9fffffff, %%eax\n\tmovl %%eax, %%cr0" : : : "eax", "cc");
  serial_start();
  interrupts_start();
  for (u32 vector = 0; vector < 20; vector++)
    if (vector != 2 && vector != 8) set_handler(vector, on_exception);
  set_handler(0x80, on_done);
  set_gate_type(0x80, 0xee);
  load_task_register((u32)trap_stack + sizeof trap_stack);
  pic_start(0);
  identify();
  for (const struct probe *probe = probes; probe->code != 0; probe++) {
    if ((probe->rings & IN_RING0) != 0) swallow(probe, 0);
    if ((probe->rings & IN_RING3) != 0) swallow(probe, 3);
  }
  put_text("red-pill: done\n");
  serial_end();
  return EXIT_GOOD;
}
