/** A disk that starts an image of `guests/images` by itself. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bootDisk } from "../../src/systems/boot-disk.js";
import { images } from "./guests.js";

/** In all: whole cylinders of 16 heads and 63 sectors, as Bochs wants it. */
export const CYLINDERS = 2;

export const multibootDisk = (image: string, append = ""): Uint8Array =>
  multibootDiskOf(readFileSync(join(images, image)), append);

/** The same of an ELF image that is in no file. */
export const multibootDiskOf = (image: Uint8Array, append = ""): Uint8Array =>
  bootDisk(image, { append, sectors: CYLINDERS * 16 * 63 });
