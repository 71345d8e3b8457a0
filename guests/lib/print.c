/*
 * Text to the first serial port, waiting for the transmitter before each byte.
 *
 * The receiver is left alone, and so is the FIFO: a byte that came in before the guest was ready is still there.
 * Manual: PC16550D data sheet, "Line Control Register" and "Line Status Register".
 */
#include "guest.h"

#define COM1 0x3f8

void serial_start(void) {
  out8(COM1 + 1, 0x00); /* no interrupts */
  out8(COM1 + 3, 0x80); /* divisor latch */
  out8(COM1 + 0, 0x01); /* 115200 baud */
  out8(COM1 + 1, 0x00);
  out8(COM1 + 3, 0x03); /* 8 bits, no parity, 1 stop bit */
  out8(COM1 + 4, 0x0b); /* DTR, RTS, and OUT2, which lets the interrupt out on a PC */
}

void put_char(char c) {
  while ((in8(COM1 + 5) & 0x20) == 0) {
  }
  out8(COM1, (u8)c);
}

void put_text(const char *text) {
  while (*text != 0) put_char(*text++);
}

void put_hex(u32 value, int digits) {
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) put_char("0123456789abcdef"[(value >> shift) & 15]);
}

void put_decimal(u32 value) {
  char digits[10];
  int count = 0;
  do {
    digits[count++] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count > 0) put_char(digits[--count]);
}

void put_line_hex(const char *name, u32 value) {
  put_text(name);
  put_text(": ");
  put_hex(value, 8);
  put_char('\n');
}
