/*
 * Devices that write memory by themselves, told to write where this machine has none: the bus master of the IDE
 * controller, with a table of places beyond the end of memory, and with the table itself there. Without a disk, or
 * without PCI, the registers are written all the same.
 *
 * Manuals: PCI Local Bus Specification 2.2, "Configuration Mechanism #1"; Programming Interface for Bus Master IDE
 * Controller 1.0; ATA/ATAPI-4, "READ DMA".
 */
#include "attack.h"

#define IDE 0x1f0
#define BUSY 0x80
#define READ_DMA 0xc8
#define WRITE_DMA 0xca
#define PATIENCE 100000u

static void out32(u16 port, u32 value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
static u32 in32(u16 port) {
  u32 value;
  __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static u32 pci_read(u32 function, u32 offset) {
  out32(0xcf8, 0x80000000u | function << 8 | offset);
  return in32(0xcfc);
}
static void pci_write(u32 function, u32 offset, u32 value) {
  out32(0xcf8, 0x80000000u | function << 8 | offset);
  out32(0xcfc, value);
}

/* The IDE function of bus 0, or where it is on a PIIX3. */
static u32 find_ide(void) {
  for (u32 function = 0; function < 256; function++)
    if (pci_read(function, 8) >> 16 == 0x0101) return function;
  return 1 << 3 | 1;
}

static volatile u32 table[4] __attribute__((aligned(64)));

static void transfer(u16 master, u32 table_at, u8 code) {
  out8(master, 0);           /* stop */
  out8(master + 2, 0x06);    /* forget what was */
  out32(master + 4, table_at);
  out8(IDE + 6, 0xe0);
  out8(IDE + 2, 1);
  out8(IDE + 3, 0);
  out8(IDE + 4, 0);
  out8(IDE + 5, 0);
  out8(IDE + 7, code);
  out8(master, code == READ_DMA ? 0x09 : 0x01); /* start; 8: to memory */
  for (u32 i = 0; i < PATIENCE && (in8(master + 2) & 5) == 1; i++) {
  }
  out8(master, 0);
  for (u32 i = 0; i < PATIENCE && (in8(0x3f6) & BUSY) != 0; i++) {
  }
  in8(IDE + 7);
}

void attack_dma(void) {
  u32 ide = find_ide();
  pci_write(ide, 4, 0x0005); /* I/O space, bus master */
  u16 master = (u16)(pci_read(ide, 0x20) & 0xfff0);
  if (master == 0 || master == 0xfff0) master = 0xc000;
  out8(0x3f6, 0x02); /* no interrupts */
  u32 targets[] = {memory_end, memory_end + 0x100000, 0xc0000000, 0xfec00000, 0xfffff000, 0};
  for (u32 *target = targets; *target != 0; target++) {
    table[0] = *target & ~1u;
    table[1] = 0x80000000u | 512; /* the last one */
    transfer(master, (u32)table, READ_DMA);
    transfer(master, *target & ~3u, READ_DMA);
  }
  /* Two places: the last bytes of memory, and some behind it. */
  table[0] = memory_end - 256;
  table[1] = 256;
  table[2] = memory_end + 0x1000;
  table[3] = 0x80000000u | 256;
  transfer(master, (u32)table, READ_DMA);
  /* Memory that is not there, onto the disk's own first sector: what comes back is not to be another machine's. */
  table[0] = memory_end + 0x200000;
  table[1] = 0x80000000u | 512;
  transfer(master, (u32)table, WRITE_DMA);
}
