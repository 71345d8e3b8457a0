/*
 * IDE drives with interrupts: the processor sleeps until the drive has done what it was told. Interrupts are on in that
 * one HLT and nowhere else.
 *
 * The status register is read only behind the interrupt, because reading it takes the request back; where there is no
 * interrupt to wait for, it is the alternate status that is looked at.
 * Manual: ATA/ATAPI-4, "PIO data-in command protocol", "PIO data-out command protocol", "IDENTIFY DEVICE".
 */
#include "disk.h"

#define IDE 0x1f0
#define IDE_CONTROL 0x3f6 /* written: device control; read: alternate status */
#define NO_INTERRUPTS 0x02
#define BUSY 0x80
#define WANTS_DATA 0x08
#define FAILED 0x21 /* ERR and DF */

#define READ_SECTORS 0x20
#define WRITE_SECTORS 0x30
#define FLUSH_CACHE 0xe7
#define IDENTIFY_DEVICE 0xec

static void wait_for_interrupt(void) { __asm__ volatile("sti\n\thlt" : : : "memory", "cc"); }

static u8 when_not_busy(void) {
  u8 status;
  do status = in8(IDE_CONTROL);
  while ((status & BUSY) != 0);
  return status;
}

static int has_data(u8 status) { return (status & (BUSY | FAILED | WANTS_DATA)) == WANTS_DATA; }

static void select(u32 drive, u32 sector) {
  out8(IDE + 6, (u8)(0xe0 | drive << 4 | (sector >> 24 & 0x0f)));
  when_not_busy();
}

static void command(u32 drive, u32 sector, u8 code) {
  select(drive, sector);
  out8(IDE + 2, 1);
  out8(IDE + 3, (u8)sector);
  out8(IDE + 4, (u8)(sector >> 8));
  out8(IDE + 5, (u8)(sector >> 16));
  out8(IDE + 7, code);
}

static void read_words(void *to) {
  u32 count = SECTOR / 2;
  __asm__ volatile("rep insw" : "+D"(to), "+c"(count) : "d"(IDE) : "memory");
}

static void write_words(const void *from) {
  u32 count = SECTOR / 2;
  __asm__ volatile("rep outsw" : "+S"(from), "+c"(count) : "d"(IDE) : "memory");
}

u32 disk_size(u32 drive) {
  static u32 identity[SECTOR / 4];
  out8(IDE_CONTROL, NO_INTERRUPTS);
  out8(IDE + 6, (u8)(0xe0 | drive << 4));
  u8 status = in8(IDE + 7);
  if (status == 0 || status == 0xff || status == 0x7f) return 0; /* nobody drives the bus */
  out8(IDE + 7, IDENTIFY_DEVICE);
  if (!has_data(when_not_busy())) return 0;
  read_words(identity);
  in8(IDE + 7);
  out8(IDE_CONTROL, 0);
  return identity[30]; /* words 60 and 61 */
}

int disk_read(u32 drive, u32 sector, void *to) {
  command(drive, sector, READ_SECTORS);
  wait_for_interrupt();
  if (!has_data(in8(IDE + 7))) return 0;
  read_words(to);
  return 1;
}

int disk_write(u32 drive, u32 sector, const void *from) {
  command(drive, sector, WRITE_SECTORS);
  if (!has_data(when_not_busy())) {
    in8(IDE + 7);
    return 0;
  }
  write_words(from);
  wait_for_interrupt();
  return (in8(IDE + 7) & (BUSY | FAILED)) == 0;
}

int disk_flush(u32 drive) {
  command(drive, 0, FLUSH_CACHE);
  wait_for_interrupt();
  return (in8(IDE + 7) & (BUSY | FAILED)) == 0;
}
