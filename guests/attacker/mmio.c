/*
 * Registers that lie in memory: local APIC, I/O APIC, HPET, what PCI devices may have. Each is read and written with
 * wild values, but none that asks a processor for INIT, SMI or start-up: those end this machine first.
 *
 * Manuals: Intel SDM volume 3, "Local APIC Register Address Map"; Intel 82093AA data sheet; IA-PC HPET Specification.
 */
#include "attack.h"

#define IO_APIC 0xfec00000u
#define HPET 0xfed00000u
#define LOCAL_APIC 0xfee00000u
#define COMMAND_LOW 0x300u
#define COMMAND_HIGH 0x310u
#define DELIVERY_MODE 0x700u

static volatile u32 *at(u32 address) { return (volatile u32 *)address; }

static void probe(u32 base, u32 length) {
  for (u32 offset = 0; offset < length; offset += 4) {
    (void)*at(base + offset);
    *at(base + offset) = random();
  }
}

static void probe_io_apic(void) {
  for (u32 index = 0; index < 0x40; index++) {
    *at(IO_APIC) = index;
    (void)*at(IO_APIC + 0x10);
    *at(IO_APIC + 0x10) = random() & ~DELIVERY_MODE;
  }
}

static void probe_local_apic(void) {
  for (u32 offset = 0x20; offset < 0x400; offset += 16) {
    (void)*at(LOCAL_APIC + offset);
    if (offset != COMMAND_LOW && offset != COMMAND_HIGH) *at(LOCAL_APIC + offset) = random() & ~DELIVERY_MODE;
  }
}

/* Where machines have registers of PCI and virtio devices, and the hole between. */
static const u32 holes[] = {0xd0000000, 0xe0000000, 0xf0000000, 0xfd000000, 0xfe800000, 0xfe804000,
                            0xfe808000, 0xfeb00000, 0xfeb00e00, 0xfed40000, 0xfedfff00, 0};

void attack_mmio(void) {
  probe_io_apic();
  probe_local_apic();
  probe(HPET, 0x400);
  for (const u32 *hole = holes; *hole != 0; hole++) probe(*hole, 0x100);
  /* Timer and performance counters may not interrupt what comes now. */
  for (u32 offset = 0x320; offset <= 0x370; offset += 16) *at(LOCAL_APIC + offset) = 0x10000;
}
