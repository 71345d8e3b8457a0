/*
 * Too many interrupts, and none at all.
 *
 * Manuals: Intel 8254 data sheet, "Mode 2: Rate Generator"; Intel SDM volume 3, "Interrupt Command Register (ICR)".
 */
#include "attack.h"

#define TICKS 2000u
#define NMIS 200u
#define LOCAL_APIC 0xfee00000u

static volatile u32 *at(u32 address) { return (volatile u32 *)address; }

/*
 * The timer as fast as it goes, INT n of all vectors in between. Where no instruction gets its turn between two ticks,
 * nothing but the number of ticks ends this.
 */
void attack_storm(void) {
  most_ticks = TICKS;
  pic_start(1u);
  pit_start((u16)divisor);
  __asm__ volatile("sti");
  for (u32 vector = 32; vector < 256; vector++) {
    wild_eax = vector;
    /* Beyond the table, which ends with 128, they are #GP; in it they are nobody's but the lines'. */
    if (vector < IRQ_BASE + 16 || vector > 128) attempt(site_int);
  }
  while (ticks < TICKS) {
  }
  __asm__ volatile("cli");
  pic_start(0);
  pit_start(0);
}

/* The local APIC tells its own processor to take NMIs. Whether there is an APIC is not counted. */
void attack_nmi(void) {
  *at(LOCAL_APIC + 0xf0) = 0x1ff;
  for (u32 i = 0; i < NMIS; i++) {
    *at(LOCAL_APIC + 0x310) = *at(LOCAL_APIC + 0x20) & 0xff000000u;
    *at(LOCAL_APIC + 0x300) = 0x4400; /* NMI, asserted, to that one */
  }
}

void attack_triple_fault(void) {
  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) pointer = {0, 0};
  __asm__ volatile("lidt %0\n\tint3" : : "m"(pointer));
}

/* Never halts, and lets nobody interrupt. */
void attack_hog(void) {
  for (;;) {
    __asm__ volatile("cli" : : : "memory");
    for (u32 i = 0; i < 10000; i++) __asm__ volatile("" : : : "memory");
  }
}
