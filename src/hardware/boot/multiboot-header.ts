/**
 * The Multiboot 1 header: how a kernel says what it wants from its loader.
 *
 * Left out on purpose: the video mode fields. Bit 2, which asks for a video mode, is accepted and not served, as the
 * machine has no display; the kernel sees that from the information structure's flags.
 *
 * Manual: Multiboot Specification 0.6.96, "OS image format".
 */
import { hex, type ImageFile } from "./image-file.js";

/** Where an image that is not loaded by its ELF headers is to be loaded: physical addresses. */
export interface AddressFields {
  /** Of the header itself. */
  readonly header: number;
  readonly load: number;
  /** Of the end of what is loaded; 0 for the end of the file. */
  readonly loadEnd: number;
  /** Of the end of the zeros behind it; 0 for none. */
  readonly bssEnd: number;
  readonly entry: number;
}

export interface MultibootHeader {
  /** In the file. */
  readonly offset: number;
  readonly flags: number;
  readonly addresses?: AddressFields;
}

const MAGIC = 0x1badb002;
const HEADER_SIZE = 12;
const ADDRESS_FIELDS_SIZE = 20;
/** The header lies completely within this many bytes of the file, on a multiple of 4. */
const SEARCHED_BYTES = 8192;

const FLAG_ADDRESS_FIELDS = 0x1_0000;
/** Bits 0 to 15 must be understood by the loader: module alignment, memory sizes, video mode. */
const REQUIRED_FLAGS = 0xffff;
const KNOWN_REQUIRED_FLAGS = 0x0007;

/**
 * The header of the file, or undefined if there is none.
 *
 * @throws VirtlabError for a header with a wrong checksum, cut off, or with requirements that are not known.
 */
export function findMultibootHeader(file: ImageFile): MultibootHeader | undefined {
  const end = Math.min(file.length, SEARCHED_BYTES);
  let broken: number | undefined;
  for (let offset = 0; offset + 4 <= end; offset += 4) {
    if (file.u32(offset) !== MAGIC) continue;
    if (offset + HEADER_SIZE <= end && checksumIsRight(file, offset)) return readHeader(file, offset, end);
    broken ??= offset;
  }
  if (broken === undefined) return undefined;
  if (broken + HEADER_SIZE > end) file.fail(broken, `multiboot header is cut off at ${hex(end)}`);
  const expected = -(MAGIC + file.u32(broken + 4)) >>> 0;
  return file.fail(broken + 8, `multiboot checksum is ${hex(file.u32(broken + 8))}, expected ${hex(expected)}`);
}

function checksumIsRight(file: ImageFile, offset: number): boolean {
  return (MAGIC + file.u32(offset + 4) + file.u32(offset + 8)) % 2 ** 32 === 0;
}

function readHeader(file: ImageFile, offset: number, end: number): MultibootHeader {
  const flags = file.u32(offset + 4);
  const unknown = flags & REQUIRED_FLAGS & ~KNOWN_REQUIRED_FLAGS;
  if (unknown !== 0)
    file.fail(offset + 4, `multiboot header requires features that are not known: flags ${hex(unknown)}`);
  if ((flags & FLAG_ADDRESS_FIELDS) === 0) return { offset, flags };
  if (offset + HEADER_SIZE + ADDRESS_FIELDS_SIZE > end) {
    file.fail(offset, `address fields of the multiboot header are cut off at ${hex(end)}`);
  }
  const field = (index: number): number => file.u32(offset + HEADER_SIZE + 4 * index);
  const addresses = { header: field(0), load: field(1), loadEnd: field(2), bssEnd: field(3), entry: field(4) };
  return { offset, flags, addresses };
}
