/*
 * hardware.h on a bare PC: descriptor tables, paging, two 8259A, the 8254, a 16550 and an IDE drive, all polled but the
 * timer.
 *
 * Nothing here reads what the processor would not trap on in ring 1 (SGDT, PUSHF, CS and their like): a monitor that
 * runs this kernel in another ring must not be seen.
 * Manuals: Intel SDM volume 3, "Segment Descriptors", "32-Bit Task-State Segment (TSS)", "32-Bit Paging"; ATA/ATAPI-4,
 * "PIO data-in command protocol".
 */
#include "kernel.h"

#define TASK_SELECTOR 0x28u
#define TIMER_LINE 0u
#define TICK_DIVISOR 1193u /* about 1 kHz */

/* The accessed bits are set already, so that the processor has nothing to write here. */
static u32 gdt[12] __attribute__((aligned(8))) = {
    0,          0,          0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300,
    0x0000ffff, 0x00cffb00, 0x0000ffff, 0x00cff300, 0,          0,
};
static u32 task_state[26];
static u32 idt[2 * (CALL_VECTOR + 1)] __attribute__((aligned(8)));
static u32 directory[1024] __attribute__((aligned(4096)));
static u32 table[1024] __attribute__((aligned(4096)));

struct table_pointer {
  u16 limit;
  u32 base;
} __attribute__((packed));

static void start_segments(void) {
  struct table_pointer pointer = {sizeof gdt - 1, (u32)gdt};
  u32 base = (u32)task_state;
  task_state[2] = KERNEL_DATA;
  task_state[25] = sizeof task_state << 16; /* no I/O permission bitmap inside the limit */
  gdt[TASK_SELECTOR / 4] = base << 16 | (sizeof task_state - 1);
  gdt[TASK_SELECTOR / 4 + 1] = (base & 0xff000000) | 0x8900 | (base >> 16 & 0xff);
  /* IRET loads CS here: a far jump would do so in another ring, too, unnoticed. SS is loaded when a trap comes from
     ring 3, from the TSS; until then the loader's, which is as flat, will do. */
  __asm__ volatile(
      "lgdt %0\n\t"
      "movl %1, %%ds\n\t"
      "movl %1, %%es\n\t"
      "movl %1, %%fs\n\t"
      "movl %1, %%gs\n\t"
      "pushl $2\n\t"
      "pushl %2\n\t"
      "pushl $1f\n\t"
      "iret\n"
      "1:\n\t"
      "ltr %w3"
      :
      : "m"(pointer), "r"(KERNEL_DATA), "i"(KERNEL_CODE), "r"(TASK_SELECTOR)
      : "memory", "cc");
}

static void start_gates(void) {
  struct table_pointer pointer = {sizeof idt - 1, (u32)idt};
  for (const struct trap_entry *entry = trap_entries; entry->code != 0; entry++) {
    idt[2 * entry->vector] = KERNEL_CODE << 16 | (entry->code & 0xffff);
    idt[2 * entry->vector + 1] = (entry->code & 0xffff0000) | (entry->vector == CALL_VECTOR ? 0xee00 : 0x8e00);
  }
  __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void start_paging(void) {
  for (u32 page = 0; page < 1024; page++) table[page] = page << 12 | PAGE_PRESENT | PAGE_WRITE;
  directory[0] = (u32)table | PAGE_PRESENT | PAGE_WRITE;
  __asm__ volatile(
      "movl %0, %%cr3\n\t"
      "movl %%cr0, %%eax\n\t"
      "orl $0x80010000, %%eax\n\t" /* PG and WP */
      "movl %%eax, %%cr0"
      :
      : "r"(directory)
      : "eax", "memory");
}

#define COM1 0x3f8

static void start_serial(void) {
  out8(COM1 + 1, 0x00); /* no interrupts */
  out8(COM1 + 3, 0x80); /* divisor latch */
  out8(COM1 + 0, 0x01); /* 115200 baud */
  out8(COM1 + 1, 0x00);
  out8(COM1 + 3, 0x03); /* 8 bits, no parity, 1 stop bit */
  out8(COM1 + 4, 0x0b); /* DTR, RTS, OUT2 */
}

void console_write(const char *text, u32 length) {
  for (u32 i = 0; i < length; i++) {
    while ((in8(COM1 + 5) & 0x20) == 0) {
    }
    out8(COM1, (u8)text[i]);
  }
}

void hardware_start(void *handed_over) {
  (void)handed_over; /* the multiboot information structure has nothing we need */
  start_segments();
  start_gates();
  start_paging();
  start_serial();
  pic_start(1u << TIMER_LINE);
  pit_start(TICK_DIVISOR);
}

void power_off(u32 value) {
  /* The timer stands still and no interrupt is pending, so that the end does not depend on when it comes. */
  out8(0x43, 0x30);
  pic_start(0);
  while ((in8(COM1 + 5) & 0x40) == 0) {
  }
  debug_exit(value);
}

void set_kernel_stack(u32 top) { task_state[1] = top; }

u32 fault_address(void) {
  u32 address;
  __asm__ volatile("movl %%cr2, %0" : "=r"(address));
  return address;
}

/* The handler of the tick returns with IF off, so there is one interrupt for one HLT. */
void wait_for_tick(void) { __asm__ volatile("sti\n\thlt" : : : "memory", "cc"); }

int acknowledge_tick(void) {
  pic_end(TIMER_LINE);
  return 1;
}

u32 kernel_directory(void) { return (u32)directory; }

void set_directory(u32 frame) { __asm__ volatile("movl %0, %%cr3" : : "r"(frame) : "memory"); }

void prepare_entry(u32 frame, u32 index, u32 target, u32 flags) { ((u32 *)frame)[index] = target | flags; }

void pin_table(u32 frame, u32 level) {
  (void)frame;
  (void)level;
}

void unpin_table(u32 frame) { (void)frame; }

void set_entry(u32 frame, u32 index, u32 target, u32 flags) {
  ((volatile u32 *)frame)[index] = flags == 0 ? 0 : target | flags;
}

void flush_entries(void) {}

void forget_page(u32 linear) { __asm__ volatile("invlpg (%0)" : : "r"(linear) : "memory"); }

#define IDE 0x1f0
#define IDE_CONTROL 0x3f6
#define BUSY 0x80
#define WANTS_DATA 0x08
#define FAILED 0x21 /* ERR and DF */

/* Whether the drive has or wants data. */
static int ide_wants_data(void) {
  u8 status;
  do status = in8(IDE + 7);
  while ((status & BUSY) != 0);
  return (status & FAILED) == 0 && (status & WANTS_DATA) != 0;
}

static void read_words(void *to) {
  u32 count = 256;
  __asm__ volatile("rep insw" : "+D"(to), "+c"(count) : "d"(IDE) : "memory");
}

static void write_words(const void *from) {
  u32 count = 256;
  __asm__ volatile("rep outsw" : "+S"(from), "+c"(count) : "d"(IDE) : "memory");
}

u32 disk_size(void) {
  static u32 identity[128];
  out8(IDE_CONTROL, 0x02); /* no interrupts */
  out8(IDE + 6, 0xe0);     /* master, logical block addresses */
  u8 status = in8(IDE + 7);
  if (status == 0 || status == 0xff || status == 0x7f) return 0; /* nobody drives the bus */
  out8(IDE + 7, 0xec);
  if (!ide_wants_data()) return 0;
  read_words(identity);
  return identity[30]; /* words 60 and 61 */
}

int disk_transfer(int is_write, u32 sector, u32 count, void *page) {
  out8(IDE + 6, (u8)(0xe0 | (sector >> 24 & 0x0f)));
  out8(IDE + 2, (u8)count);
  out8(IDE + 3, (u8)sector);
  out8(IDE + 4, (u8)(sector >> 8));
  out8(IDE + 5, (u8)(sector >> 16));
  out8(IDE + 7, is_write ? 0x30 : 0x20);
  for (u32 i = 0; i < count; i++) {
    if (!ide_wants_data()) return 0;
    if (is_write) write_words((u8 *)page + 512 * i);
    else read_words((u8 *)page + 512 * i);
  }
  u8 status;
  do status = in8(IDE + 7);
  while ((status & BUSY) != 0);
  return (status & FAILED) == 0;
}
