/*
 * What a guest of this folder can use: ports, serial output, the multiboot information structure, interrupts, paging,
 * ring 3 and the debug exit.
 *
 * Left out on purpose: heap, floating point, the video card.
 */
#ifndef GUEST_H
#define GUEST_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef signed int s32;

#define KERNEL_CODE 0x08u
#define KERNEL_DATA 0x10u
#define USER_CODE 0x1bu
#define USER_DATA 0x23u
#define TASK_STATE 0x28u
#define ABSENT_DATA 0x30u
#define ABSENT_CODE 0x38u

/* Values for debug_exit: a monitor ends with (value << 1) | 1, so these give status 33 and 35. */
#define EXIT_GOOD 0x10u
#define EXIT_BAD 0x11u

static inline void out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline u8 in8(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

/* --- print.c: the 16550 at 0x3F8, polled --- */
void serial_start(void);
void put_char(char c);
void put_text(const char *text);
void put_hex(u32 value, int digits);
void put_decimal(u32 value);
/* "name: value" lines, which is what most of the output is. */
void put_line_hex(const char *name, u32 value);

/* Waits until the last byte has gone, which some machines would lose at a debug exit. */
static inline void serial_end(void) {
  while ((in8(0x3fd) & 0x40) == 0) {
  }
}

/* --- exit.asm --- */
/* Writes `value` to port 0xF4 and, where nothing listens there, halts for ever. */
void debug_exit(u32 value) __attribute__((noreturn));

/* --- multiboot.c --- */
struct multiboot_info {
  u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
};
struct multiboot_module {
  u32 start, end, text, reserved;
};
struct multiboot_range {
  u32 size, base_low, base_high, length_low, length_high, type;
};
#define MULTIBOOT_LOADED 0x2BADB002u
/* The command line without the image's own name, which some loaders put in front. Never null. */
const char *command_line(const struct multiboot_info *info);
/* The same for any text that may start with a file name. */
const char *without_file_name(const char *text);
/* The decimal number after "name=" in `text`, or `otherwise`. */
u32 number_option(const char *text, const char *name, u32 otherwise);

/* --- memory.c --- */
void *memcpy(void *to, const void *from, u32 length);
void *memset(void *to, int value, u32 length);

/* --- interrupts.c and traps.asm --- */
/* What a handler sees; changing it changes what IRET returns to. `esp` and `ss` exist only when ring 3 was interrupted. */
struct frame {
  u32 gs, fs, es, ds;
  u32 edi, esi, ebp, esp_at_pusha, ebx, edx, ecx, eax;
  u32 vector, error;
  u32 eip, cs, eflags;
  u32 esp, ss;
};
typedef void (*handler)(struct frame *frame);
void interrupts_start(void);
void set_handler(u32 vector, handler handler);
/* `type` is the access byte: 0x8E interrupt gate, 0xEE the same for ring 3, 0x0E not present. */
void set_gate_type(u32 vector, u8 type);

/* --- pic-pit.c: two 8259A, vectors 0x20 to 0x2F, and 8254 channel 0 --- */
#define IRQ_BASE 0x20u
void pic_start(u16 enabled_lines);
void pic_end(u32 line);
void pit_start(u16 divisor);

/* --- paging.c --- */
#define PAGE_PRESENT 1u
#define PAGE_WRITE 2u
#define PAGE_USER 4u
/* Maps the first 4 MiB to themselves for ring 0, lets ring 3 have the user part of the image, sets CR0.PG and CR0.WP. */
void paging_start(void);
/* Changes one page of the first 4 MiB and drops it from the TLB. */
void map_page(u32 linear, u32 physical, u32 flags);

/* --- gdt.asm, ring3.asm --- */
void load_gdt(void);
void load_task_register(u32 kernel_stack_top);
/* Goes to ring 3; comes back, with the value given, when a handler calls leave_ring3. */
u32 enter_ring3(u32 eip, u32 esp);
void leave_ring3(u32 value) __attribute__((noreturn));

extern char user_start[], user_end[], image_end[];

/* What every guest defines; its result goes to debug_exit. */
u32 guest_main(u32 magic, const struct multiboot_info *info);

#endif
