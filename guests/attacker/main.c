/*
 * What a hostile guest does to get out of its machine, or to be in the way of others. The command line names one
 * attack: each does what a program in ring 0 can try, counts the exceptions it gets, and goes on. On a bare machine most
 * of it is allowed, and hits nobody but the attacker.
 *
 * Counted is only what the manuals say of every processor; what they leave open is tried and not counted.
 */
#include "attack.h"

struct attack {
  const char *name;
  void (*run)(void);
};

static const struct attack attacks[] = {
    {"memory", attack_memory},
    {"page-tables", attack_page_tables},
    {"ports-in", attack_ports_in},
    {"ports-out", attack_ports_out},
    {"ports-user", attack_ports_user},
    {"mmio", attack_mmio},
    {"dma", attack_dma},
    {"storm", attack_storm},
    {"nmi", attack_nmi},
    {"hypercalls", attack_hypercalls},
    {"virtualization", attack_virtualization},
    {"virtualization-on", attack_virtualization_on},
    {"msr", attack_msr},
    {"memory-types", attack_memory_types},
    {"control-registers", attack_control_registers},
    {"cr4", attack_cr4},
    {"control-register-pairs", attack_control_register_pairs},
    {"segments", attack_segments},
    {"segment-limits", attack_segment_limits},
    {"triple-fault", attack_triple_fault},
    {"reset-keyboard", attack_reset_keyboard},
    {"reset-port-92", attack_reset_port_92},
    {"reset-port-cf9", attack_reset_port_cf9},
    {"hog", attack_hog},
    {0, 0},
};

volatile u32 faults, ticks, nmis;
u32 memory_end = 64u << 20, most_ticks, divisor;
static u32 seed;

u32 random(void) {
  /* The lower bits of such a generator repeat soon. */
  seed = seed * 1664525u + 1013904223u;
  u32 upper = seed >> 16;
  seed = seed * 1664525u + 1013904223u;
  return upper << 16 | seed >> 16;
}

int is_own(u32 address) { return address >= 0x100000u && address < (u32)image_end; }

static void on_fault(struct frame *frame) { frame->eip = (u32)abandon_site; }

static void on_nmi(struct frame *frame) {
  (void)frame;
  nmis++;
}

static void on_line(struct frame *frame) {
  if (++ticks >= most_ticks) pic_start(0);
  else pic_end(frame->vector - IRQ_BASE);
}

static int is_word(const char *text, const char *word) {
  while (*word != 0 && *text == *word) {
    text++;
    word++;
  }
  return *word == 0 && (*text == 0 || *text == ' ');
}

static u32 no_such_attack(void) {
  put_text("attacker: the command line names no attack; there are");
  for (const struct attack *attack = attacks; attack->name != 0; attack++) {
    put_char(' ');
    put_text(attack->name);
  }
  put_char('\n');
  serial_end();
  return EXIT_BAD;
}

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  const char *line = magic == MULTIBOOT_LOADED ? command_line(info) : "";
  const struct attack *attack = attacks;
  while (attack->name != 0 && !is_word(line, attack->name)) attack++;
  seed = number_option(line, "seed", 1);
  divisor = number_option(line, "divisor", 2);
  /* Firmware keeps something of the last MiB for itself. */
  if (magic == MULTIBOOT_LOADED && (info->flags & 1) != 0) memory_end = (info->mem_upper + 2047) >> 10 << 20;
  serial_start();
  if (attack->name == 0) return no_such_attack();
  interrupts_start();
  for (u32 vector = 0; vector < 32; vector++) set_handler(vector, on_fault);
  set_handler(2, on_nmi);
  for (u32 line_number = 0; line_number < 16; line_number++) set_handler(IRQ_BASE + line_number, on_line);
  pic_start(0);
  put_text("attack ");
  put_text(attack->name);
  put_text(": begins\n");
  serial_end();
  attack->run();
  put_text("attack ");
  put_text(attack->name);
  put_text(": faults ");
  put_decimal(faults);
  put_char('\n');
  serial_end();
  return EXIT_GOOD;
}
