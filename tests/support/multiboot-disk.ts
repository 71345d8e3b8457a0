/** A disk that starts an image of `guests/images` by itself, with the boot sector from there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { images } from "./guests.js";

const SECTOR = 512;
/** Where the boot sector looks for the number of sectors behind it. */
const COUNT_OFFSET = 508;
/** In all: whole cylinders of 16 heads and 63 sectors, as Bochs wants it. */
export const CYLINDERS = 2;
const SECTORS = CYLINDERS * 16 * 63;

export const multibootDisk = (image: string): Uint8Array => multibootDiskOf(readFileSync(join(images, image)));

/** The same of an ELF image that is in no file. */
export function multibootDiskOf(kernel: Uint8Array): Uint8Array {
  const disk = new Uint8Array(SECTORS * SECTOR);
  disk.set(readFileSync(join(images, "boot-sector.bin")));
  new DataView(disk.buffer).setUint16(COUNT_OFFSET, Math.ceil(kernel.length / SECTOR), true);
  disk.set(kernel, SECTOR);
  return disk;
}
