/**
 * Disks that start by themselves: a boot sector of the package, an ELF image behind it, and for the guest `installer` a
 * kernel behind that. Reads the package's files, so it works in Node alone.
 */
import { SECTOR_SIZE } from "../hardware/disk.js";
import { VirtlabError } from "../state/error.js";
import { isBytes } from "../state/plain-data.js";
import { guest } from "./packaged-guest.js";

/** Where the boot sector looks for the number of sectors behind it. */
const COUNT_OFFSET = 508;
/** Where it has the command line, which ends with a zero. */
const COMMAND_LINE = { offset: 380, length: 128 } as const;
/** It loads them to 0x10000 and has room up to 0x80000. */
const MOST_SECTORS = 0x7_0000 / SECTOR_SIZE;
/** What the installer knows the sector in front of a kernel by: "VILK". */
const MARK = 0x4b4c_4956;
/** Two cylinders of 16 heads and 63 sectors: what needs geometry finds whole cylinders. */
const SMALLEST = 2 * 16 * 63;

export interface BootDiskOptions {
  /** A kernel for the guest `installer` to find and to put onto a second disk. */
  readonly kernel?: Uint8Array;
  /** The image's command line, 127 bytes of UTF-8 at the most. Default: an empty one. */
  readonly append?: string;
  /** Sectors of 512 bytes the disk is to have. Default: two cylinders of 16 heads and 63 sectors, or as many as it takes. */
  readonly sectors?: number;
}

const sectorsOf = (bytes: Uint8Array): number => Math.ceil(bytes.length / SECTOR_SIZE);

function checkImage(image: unknown, what: string): void {
  if (!isBytes(image) || image.length < 4 || String.fromCharCode(...image.subarray(1, 4)) !== "ELF")
    throw new VirtlabError(`boot disk: the ${what} is no ELF image, which is all that its boot sector can load`);
  if (sectorsOf(image) > MOST_SECTORS)
    throw new VirtlabError(
      `boot disk: the ${what} has ${image.length} bytes, the boot sector loads ${MOST_SECTORS * SECTOR_SIZE} at the most`,
    );
}

/**
 * The raw image of a disk whose boot sector loads an ELF image of 32 bits and enters it as a multiboot loader does, with no
 * information but the command line (EAX 0x2BADB002, flags 4), which sector 0 has at 380. Sector 0 has the number of the
 * image's sectors in the word at 508; they follow.
 * With `kernel` there comes a sector with a mark and the kernel's size in bytes, as two little-endian doublewords, and the
 * kernel: what the guest `installer` installs.
 *
 * @throws VirtlabError for an image that is no ELF file or too long for the boot sector, for a command line that is too long, and for
 * a disk that is too small.
 * @example
 * const disk = bootDisk(guest("installer"), { kernel: guest("kernel") });
 * const end = Machine.boot({ disks: [disk, new Uint8Array(2048 * 512)] }).run();
 * end.serial.split("\n").at(-2) // => 'installer: done'
 * Machine.boot({ disks: [end.disks[1].read(0, 2048 * 512)] }).run({ until: { serial: "started" } }).serial // => 'kernel: started'
 */
export function bootDisk(image: Uint8Array, { kernel, append = "", sectors }: BootDiskOptions = {}): Uint8Array {
  checkImage(image, "image");
  if (kernel !== undefined) checkImage(kernel, "kernel");
  const line = new TextEncoder().encode(append);
  if (line.length >= COMMAND_LINE.length)
    throw new VirtlabError(
      `boot disk: the command line has ${line.length} bytes, the boot sector has room for ${COMMAND_LINE.length - 1}`,
    );
  const behind = 1 + sectorsOf(image);
  const needed = behind + (kernel === undefined ? 0 : 1 + sectorsOf(kernel));
  const size = sectors ?? Math.max(SMALLEST, needed);
  if (!Number.isSafeInteger(size) || size < needed)
    throw new VirtlabError(`boot disk: ${String(size)} sectors are too few: it takes ${needed}`);
  const disk = new Uint8Array(size * SECTOR_SIZE);
  const view = new DataView(disk.buffer);
  disk.set(guest("boot-sector"));
  disk.set(line, COMMAND_LINE.offset);
  view.setUint16(COUNT_OFFSET, sectorsOf(image), true);
  disk.set(image, SECTOR_SIZE);
  if (kernel === undefined) return disk;
  view.setUint32(behind * SECTOR_SIZE, MARK, true);
  view.setUint32(behind * SECTOR_SIZE + 4, kernel.length, true);
  disk.set(kernel, (behind + 1) * SECTOR_SIZE);
  return disk;
}
