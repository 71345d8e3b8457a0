/**
 * The memory map that loaders hand to a kernel: that of QEMU's firmware, so that a kernel that prints it prints the same.
 * The last 128 KiB of memory are kept for firmware tables where the machine has any.
 */

export const MEBIBYTE = 0x10_0000;
/** End of what a PC has below the video memory, less 1 KiB for the extended BIOS data area. */
export const LOW_MEMORY_END = 0x9_fc00;
const VIDEO_MEMORY = 0xa_0000;
const BIOS = 0xf_0000;
const FIRMWARE_TABLES_SIZE = 0x2_0000;
const FLASH = { start: 0xfffc_0000, size: 0x4_0000 } as const;
export const AVAILABLE = 1;
const RESERVED = 2;

/** A range of the memory map. Types are those of the BIOS call INT 15h, AX E820h. */
export interface MapEntry {
  readonly base: number;
  readonly length: number;
  readonly type: number;
}

/** The memory map of a PC with `size` bytes of memory, and with firmware tables unless said otherwise. */
export function memoryMap(size: number, hasTables = true): MapEntry[] {
  const topOfFree = hasTables ? size - FIRMWARE_TABLES_SIZE : size;
  const ranges = [
    [0, Math.min(size, LOW_MEMORY_END), AVAILABLE],
    [LOW_MEMORY_END, Math.min(size, VIDEO_MEMORY), RESERVED],
    [BIOS, MEBIBYTE, RESERVED],
    [MEBIBYTE, topOfFree, AVAILABLE],
    [Math.max(topOfFree, MEBIBYTE), size, RESERVED],
    [FLASH.start, FLASH.start + FLASH.size, RESERVED],
  ] as const;
  return ranges.map(([base, end, type]) => ({ base, length: end - base, type })).filter(({ length }) => length > 0);
}
