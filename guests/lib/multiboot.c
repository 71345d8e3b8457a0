/*
 * Reading the multiboot command line.
 *
 * Manual: Multiboot Specification 0.6.96, "Boot information format".
 */
#include "guest.h"

static int equal(const char *text, const char *word, u32 length) {
  for (u32 i = 0; i < length; i++)
    if (text[i] != word[i]) return 0;
  return 1;
}

static u32 length_of(const char *text) {
  u32 length = 0;
  while (text[length] != 0) length++;
  return length;
}

const char *without_file_name(const char *text) {
  u32 length = 0;
  int is_file = 0;
  while (text[length] != 0 && text[length] != ' ') {
    if (text[length] == '/' || text[length] == '.') is_file = 1;
    length++;
  }
  if (!is_file) return text;
  while (text[length] == ' ') length++;
  return text + length;
}

const char *command_line(const struct multiboot_info *info) {
  if ((info->flags & 4) == 0 || info->cmdline == 0) return "";
  return without_file_name((const char *)info->cmdline);
}

u32 number_option(const char *text, const char *name, u32 otherwise) {
  u32 length = length_of(name);
  for (const char *word = text; *word != 0; word++) {
    if ((word == text || word[-1] == ' ') && equal(word, name, length) && word[length] == '=') {
      const char *digit = word + length + 1;
      u32 value = 0;
      while (*digit >= '0' && *digit <= '9') value = value * 10 + (u32)(*digit++ - '0');
      return value;
    }
  }
  return otherwise;
}
