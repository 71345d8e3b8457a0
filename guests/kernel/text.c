/* Text, a line at a time: on a hypervisor every write is a way out of the guest. */
#include "kernel.h"

static char line[128];
static u32 length;

void put_char(char c) {
  line[length++] = c;
  if (c != '\n' && length < sizeof line) return;
  console_write(line, length);
  length = 0;
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
