/*
 * Instructions that are a hypervisor's, with wild operands: calls to one, VT-x and AMD-V, model-specific registers,
 * control registers.
 *
 * Manuals: Intel SDM volume 3, "Control Registers"; volume 4; AMD64 APM volume 2, "SVM Instruction Set Overview".
 */
#include "attack.h"

static void wild_registers(void) {
  wild_eax = random();
  wild_ebx = random();
  wild_ecx = random();
  wild_edx = random();
  wild_esi = random();
  wild_edi = random();
  for (u32 i = 0; i < 4; i++) wild_operand[i] = random();
}

static void attempt_all(void (*const *sites)(void), u32 times) {
  for (; *sites != 0; sites++)
    for (u32 i = 0; i < times; i++) {
      wild_registers();
      /* Numbers of calls that exist, too. */
      if ((i & 1) == 0) wild_eax &= 0x3f;
      attempt(*sites);
    }
}

void attack_hypercalls(void) { attempt_all(hypercall_sites, 300); }

void attack_virtualization(void) { attempt_all(virtualization_sites, 50); }

/* With the switches that come first. Which processor has them is its own affair. */
void attack_virtualization_on(void) {
  wild_registers();
  (void)try_site(site_enable_vmx);
  (void)try_site(site_enable_svm);
}

/* Reads each, writes something else, and what it was. */
static void try_msr(u32 msr) {
  wild_ecx = msr;
  wild_eax = wild_edx = 0;
  if (try_site(site_read_msr) != 0) return;
  u32 low = wild_eax, high = wild_edx;
  wild_eax = random();
  wild_edx = random();
  (void)try_site(site_write_msr);
  wild_eax = low;
  wild_edx = high;
  (void)try_site(site_write_msr);
}

/* Which ones a processor has is its own affair; that none has these is counted. */
void attack_msr(void) {
  for (u32 msr = 0; msr < 0x2000; msr++) try_msr(msr);
  for (u32 msr = 0xc0000000u; msr < 0xc0002000u; msr++) try_msr(msr);
  for (u32 msr = 0xc0010000u; msr < 0xc0010200u; msr++) try_msr(msr);
  for (u32 msr = 0x40000000u; msr < 0x40000100u; msr++) try_msr(msr);
  for (u32 msr = 0x80000000u; msr < 0x80000100u; msr++) {
    wild_ecx = msr;
    attempt(site_read_msr);
    attempt(site_write_msr);
  }
}

/*
 * Registers that say how memory is cached: MTRRs and PAT. What is written is a mixture of types that there are, and it
 * stays. None of it changes what a program computes.
 */
void attack_memory_types(void) {
  static const u32 fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f, 0};
  for (const u32 *msr = fixed; *msr != 0; msr++) {
    wild_ecx = *msr;
    wild_eax = 0x06040100u;
    wild_edx = 0x00010406u;
    (void)try_site(site_write_msr);
  }
  for (u32 msr = 0x200; msr < 0x210; msr++) {
    wild_ecx = msr;
    wild_eax = (msr & 1) == 0 ? 0x40000004u : 0xff000800u; /* a place and a type, then a length */
    wild_edx = 0;
    (void)try_site(site_write_msr);
  }
  wild_ecx = 0x277; /* PAT */
  wild_eax = 0x01000406u;
  wild_edx = 0x05010604u;
  (void)try_site(site_write_msr);
  wild_ecx = 0x2ff; /* MTRRs are on, and the rest is write-through */
  wild_eax = 0xc04u;
  wild_edx = 0;
  (void)try_site(site_write_msr);
}

#define PE 0x00000001u
#define NW 0x20000000u
#define CD 0x40000000u
#define PG 0x80000000u

/* Bits of CR0 that no processor takes together, or one without the other. */
void attack_control_register_pairs(void) {
  static const u32 refused[] = {PG, PG | CD, NW | PE, PG | NW, 0};
  for (const u32 *value = refused; *value != 0; value++) {
    wild_eax = *value;
    attempt(site_set_cr0);
  }
}

/* Every bit by itself, and wild patterns. CR0.PE stays on and CR0.PG off: this program lives there. */
void attack_control_registers(void) {
  u32 cr0;
  __asm__ volatile("movl %%cr0, %0" : "=r"(cr0));
  for (u32 bit = 1; bit < 29; bit++) {
    wild_eax = cr0 ^ 1u << bit;
    attempt(site_set_cr0);
  }
  for (u32 i = 0; i < 64; i++) {
    wild_eax = random();
    attempt(site_set_cr2);
    wild_eax = random();
    attempt(site_set_cr3);
    wild_eax = (random() | PE) & ~(PG | NW);
    attempt(site_set_cr0);
  }
  attempt_all(control_register_sites, 4);
}

/* The same of CR4; that no processor has these four bits is counted. */
void attack_cr4(void) {
  static const u32 reserved = 1u << 26 | 7u << 29;
  for (u32 bit = 0; bit < 32; bit++) {
    wild_eax = 1u << bit;
    faults += try_site(site_set_cr4) & reserved >> bit;
  }
  for (u32 i = 0; i < 64; i++) {
    wild_eax = random();
    (void)try_site(site_set_cr4);
  }
}
