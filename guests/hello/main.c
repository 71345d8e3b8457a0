/*
 * The smallest guest: what a multiboot loader hands over, printed on the serial port.
 *
 * Shows the magic number, the command line, the modules and the memory sizes. Firmware takes a little memory for itself
 * (an EBDA below 640 KiB, ACPI tables at the top), so sizes are rounded up to what a user asked for.
 */
#include "../lib/guest.h"

static u32 round_up(u32 value, u32 unit) { return (value + unit - 1) / unit * unit; }

/* A sum that any change of the module's bytes or of their order changes. */
static u32 checksum(u32 start, u32 end) {
  u32 sum = 0;
  for (u32 at = start; at < end; at++) sum = ((sum << 5) | (sum >> 27)) ^ *(const u8 *)at;
  return sum;
}

static void print_modules(const struct multiboot_info *info) {
  u32 count = info->flags & 8 ? info->mods_count : 0;
  put_text("modules: ");
  put_decimal(count);
  put_char('\n');
  for (u32 i = 0; i < count; i++) {
    const struct multiboot_module *module = (const struct multiboot_module *)info->mods_addr + i;
    put_text("  module ");
    put_decimal(i);
    put_text(": ");
    put_decimal(module->end - module->start);
    put_text(" bytes, sum ");
    put_hex(checksum(module->start, module->end), 8);
    put_text(module->start % 4096 == 0 ? ", on a page boundary" : ", not on a page boundary");
    put_text(module->start >= (u32)image_end ? ", behind the image" : ", not behind the image");
    put_text(", text \"");
    if (module->text != 0) put_text(without_file_name((const char *)module->text));
    put_text("\"\n");
  }
}

static void print_memory(const struct multiboot_info *info) {
  if (info->flags & 1) {
    put_text("lower memory: ");
    put_decimal(round_up(info->mem_lower, 64));
    put_text(" KiB\nmemory below 4 GiB: ");
    put_decimal(round_up(info->mem_upper + 1024, 1024) / 1024);
    put_text(" MiB\n");
  }
  if (info->flags & 64) {
    u32 start = 0xffffffff, end = 0;
    for (u32 at = info->mmap_addr; at < info->mmap_addr + info->mmap_length;) {
      const struct multiboot_range *range = (const struct multiboot_range *)at;
      if (range->type == 1 && range->base_high == 0 && range->base_low >= 0x100000) {
        if (range->base_low < start) start = range->base_low;
        if (range->base_low + range->length_low > end) end = range->base_low + range->length_low;
      }
      at += range->size + 4;
    }
    put_text("memory map: usable from ");
    put_decimal(start >> 20);
    put_text(" to ");
    put_decimal(round_up(end, 1 << 20) >> 20);
    put_text(" MiB\n");
  }
}

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  serial_start();
  put_text("hello\n");
  put_text(magic == MULTIBOOT_LOADED ? "loaded by multiboot\n" : "not loaded by multiboot\n");
  put_text("command line: \"");
  put_text(command_line(info));
  put_text("\"\n");
  print_modules(info);
  print_memory(info);
  return EXIT_GOOD;
}
