/*
 * Echoes lines from the serial port in upper case; the line "quit" ends it.
 *
 * Shows input by interrupt: the 16550 raises IRQ 4, the handler empties it into a ring buffer, and the idle loop sleeps in
 * HLT. STI takes effect after the next instruction, so no byte can slip in between the test and the HLT.
 */
#include "../lib/guest.h"

#define COM1 0x3f8
#define LINE 4
#define BUFFER 256

static volatile u8 buffer[BUFFER];
static volatile u32 received, taken;

static void on_serial(struct frame *frame) {
  (void)frame;
  while (in8(COM1 + 5) & 0x01) buffer[received++ % BUFFER] = in8(COM1);
  pic_end(LINE);
}

static u8 next_byte(void) {
  for (;;) {
    __asm__ volatile("cli");
    if (taken != received) break;
    __asm__ volatile("sti\n\thlt");
  }
  __asm__ volatile("sti");
  return buffer[taken++ % BUFFER];
}

static int is_quit(const char *line, u32 length) {
  return length == 4 && line[0] == 'q' && line[1] == 'u' && line[2] == 'i' && line[3] == 't';
}

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  char line[80];
  u32 length = 0, lines = 0;
  (void)magic;
  (void)info;
  serial_start();
  interrupts_start();
  set_handler(IRQ_BASE + LINE, on_serial);
  pic_start(1u << LINE);
  out8(COM1 + 1, 0x01); /* interrupt when a byte is there */
  put_text("echo: ready\n");
  for (;;) {
    u8 byte = next_byte();
    if (byte == '\r') continue;
    if (byte != '\n') {
      if (length < sizeof line) line[length++] = (char)byte;
      continue;
    }
    if (is_quit(line, length)) break;
    for (u32 i = 0; i < length; i++) put_char(line[i] >= 'a' && line[i] <= 'z' ? (char)(line[i] - 32) : line[i]);
    put_char('\n');
    length = 0;
    lines++;
  }
  put_text("echo: ");
  put_decimal(lines);
  put_text(" lines\n");
  return EXIT_GOOD;
}
