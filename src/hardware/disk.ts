/**
 * A disk's content as a value: its size and the pages that are not all zeros. Versions share what they did not write, so
 * a fork of a machine costs no copy of its disks.
 *
 * An image is read once, when the disk is made; nothing is ever written back to it.
 */
import { VirtlabError } from "../state/error.js";
import { type PageMap, readPages, writePages } from "../state/page-map.js";
import { PAGE_SIZE, Page } from "../state/pages.js";
import { PersistentMap } from "../state/persistent-map.js";
import { isBytes } from "../state/plain-data.js";

/** Bytes in a sector. Spec: ATA/ATAPI-6, "Sector". */
export const SECTOR_SIZE = 512;
/** 2^28 sectors and more need LBA48, pages beyond 2^30 no map has. */
const LARGEST = 2 ** 42;

/** The bytes of a raw image, or where to read them: only what is asked for is held, and zeros cost nothing. */
export type DiskImage =
  | Uint8Array
  | { readonly size: number; readonly read: (offset: number, length: number) => Uint8Array };

export interface Disk {
  /** Bytes; whole sectors. */
  readonly size: number;
  readonly readOnly: boolean;
  /** 4 KiB each; an absent one is all zeros. */
  readonly pages: PageMap;
}

/**
 * A disk with the content of a raw image.
 *
 * @throws VirtlabError for an image that is empty or not whole sectors; `name` says which.
 */
export function createDisk(image: DiskImage, readOnly = false, name = "disk image"): Disk {
  const bytes = isBytes(image);
  const size = bytes ? image.length : image?.size;
  if (!bytes && !(Number.isSafeInteger(size) && typeof image?.read === "function"))
    throw new VirtlabError(`${name}: expected a Uint8Array, or a size and a function that reads`);
  if (size === 0 || size % SECTOR_SIZE !== 0)
    throw new VirtlabError(`${name}: ${size} bytes are no disk: it has to be whole sectors of ${SECTOR_SIZE} bytes`);
  if (size > LARGEST) throw new VirtlabError(`${name}: ${size} bytes are more than a disk can have (${LARGEST})`);
  const read = bytes ? (at: number, length: number) => image.subarray(at, at + length) : image.read;
  return { size, readOnly, pages: pagesOf(size, read, name) };
}

/** Bytes that are read from a source at a time. */
const PIECE = 256 * PAGE_SIZE;

function pagesOf(size: number, read: (offset: number, length: number) => Uint8Array, name: string): PageMap {
  const numbers: number[] = [];
  const pages: Page[] = [];
  for (let at = 0; at < size; at += PIECE) {
    const length = Math.min(PIECE, size - at);
    const piece = read(at, length);
    if (!isBytes(piece) || piece.length !== length)
      throw new VirtlabError(`${name}: reading ${length} bytes at offset ${at} gave something else`);
    for (let offset = 0; offset < length; offset += PAGE_SIZE) {
      const part = piece.subarray(offset, offset + PAGE_SIZE);
      if (part.every((byte) => byte === 0)) continue;
      const whole = part.length === PAGE_SIZE ? part : new Uint8Array(PAGE_SIZE);
      if (whole !== part) whole.set(part);
      numbers.push((at + offset) / PAGE_SIZE);
      pages.push(Page.copyFrom(whole));
    }
  }
  return PersistentMap.empty<Page>().setAll(numbers, pages);
}

/** A copy of bytes of the disk; all of them have to be there. */
export const readDisk = (disk: Disk, offset: number, length: number): Uint8Array =>
  readPages(disk.pages, offset, length);

/** The disk with bytes written; all of them have to lie on it. */
export const writeDisk = (disk: Disk, offset: number, bytes: Uint8Array): Disk => ({
  ...disk,
  pages: writePages(disk.pages, offset, bytes),
});

/** Whether a description that was loaded is one of a disk, its pages apart. */
export function isDisk({ size, readOnly }: Omit<Disk, "pages">): boolean {
  return (
    Number.isSafeInteger(size) && size > 0 && size <= LARGEST && size % SECTOR_SIZE === 0 && readOnly !== undefined
  );
}
