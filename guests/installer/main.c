/*
 * Installs a system: copies a kernel to the second disk, sector by sector, with a boot sector in front of it, and reads
 * back each sector it has written. The boot sector comes last, so that a disk that is not complete does not start.
 *
 * The kernel is a multiboot module; or it stands on the first disk, right behind this program: a sector with MARK and
 * the kernel's size in bytes, and then the kernel. Where that is, the first disk's own boot sector knows, since it has
 * the number of sectors of this program.
 *
 * Left out on purpose: partitions, file systems, more than a kernel.
 */
#include "disk.h"

#define FIRST_DISK 0u
#define SECOND_DISK 1u
#define MARK 0x4b4c4956u /* "VILK" */
/* Where a boot sector of ours has the number of sectors behind it. */
#define COUNT_OFFSET 508u
/* It loads them to 0x10000 and has room up to 0x80000. */
#define MOST_SECTORS (0x70000u / SECTOR)

extern const u8 boot_sector[SECTOR];

/* Where the kernel comes from: memory, or the first disk from `first` on. */
struct source {
  const u8 *module;
  u32 first, size;
};

static u8 buffer[SECTOR], read_back[SECTOR];

static void fail(const char *why) {
  put_text("installer: ");
  put_text(why);
  put_char('\n');
  serial_end();
  debug_exit(EXIT_BAD);
}

void unexpected(u32 vector) {
  put_text("installer: exception ");
  put_decimal(vector);
  fail("stops here");
}

static struct source find_kernel(u32 magic, const struct multiboot_info *info, u32 sectors) {
  struct source source = {0, 0, 0};
  if (magic == MULTIBOOT_LOADED && (info->flags & 8) != 0 && info->mods_count > 0) {
    const struct multiboot_module *module = (const struct multiboot_module *)info->mods_addr;
    source.module = (const u8 *)module->start;
    source.size = module->end - module->start;
    put_text("installer: the kernel is a module\n");
    return source;
  }
  if (sectors == 0) fail("there is neither a module nor a first disk");
  if (!disk_read(FIRST_DISK, 0, buffer)) fail("the first disk cannot be read");
  u32 mark = 1u + *(const u16 *)(buffer + COUNT_OFFSET);
  if (mark >= sectors || !disk_read(FIRST_DISK, mark, buffer)) fail("the first disk has no kernel");
  if (((const u32 *)buffer)[0] != MARK) fail("the first disk has no kernel");
  source.first = mark + 1;
  source.size = ((const u32 *)buffer)[1];
  if (source.size > (sectors - source.first) * SECTOR) fail("the kernel on the first disk is not complete");
  put_text("installer: the kernel is on the first disk\n");
  return source;
}

static void read_kernel(const struct source *source, u32 index) {
  u32 at = index * SECTOR;
  if (source->module == 0) {
    if (!disk_read(FIRST_DISK, source->first + index, buffer)) fail("the first disk cannot be read");
    return;
  }
  memset(buffer, 0, SECTOR);
  memcpy(buffer, source->module + at, source->size - at < SECTOR ? source->size - at : SECTOR);
}

/* Writes the buffer. */
static void write_verified(u32 sector) {
  if (!disk_write(SECOND_DISK, sector, buffer)) fail("the second disk cannot be written");
  if (!disk_read(SECOND_DISK, sector, read_back)) fail("the second disk cannot be read");
  for (u32 i = 0; i < SECTOR; i++)
    if (read_back[i] != buffer[i]) fail("the second disk has not kept what was written");
}

u32 install(u32 magic, const struct multiboot_info *info) {
  serial_start();
  pic_start(1u << 14 | 1u << 2); /* the disks' line, and the one the second controller is on */
  put_text("installer: started\n");
  u32 first_size = disk_size(FIRST_DISK);
  u32 second_size = disk_size(SECOND_DISK);
  if (second_size == 0) fail("there is no second disk");
  struct source source = find_kernel(magic, info, first_size);
  u32 count = (source.size + SECTOR - 1) / SECTOR;
  if (count == 0 || count > MOST_SECTORS) fail("the kernel has a size that no boot sector can load");
  if (count + 1 > second_size) fail("the second disk is too small");
  u32 quarter = 1;
  for (u32 i = 0; i < count; i++) {
    read_kernel(&source, i);
    write_verified(1 + i);
    for (; (i + 1) * 4 >= quarter * count; quarter++) {
      put_text("installer: ");
      put_decimal(25 * quarter);
      put_text(" percent of the kernel are written\n");
    }
  }
  memcpy(buffer, boot_sector, SECTOR);
  *(u16 *)(buffer + COUNT_OFFSET) = (u16)count;
  write_verified(0);
  put_text("installer: the boot sector is written\n");
  if (!disk_flush(SECOND_DISK)) fail("the second disk cannot be written");
  put_text("installer: done\n");
  serial_end();
  return EXIT_GOOD;
}
