/** Builds small images for the loaders' tests, field by field, so that a test can break one. */

export interface ElfOptions {
  readonly entry?: number;
  readonly segments?: readonly {
    readonly vaddr: number;
    readonly paddr?: number;
    readonly bytes: readonly number[];
    readonly memsz?: number;
    readonly flags?: number;
  }[];
  readonly symbols?: readonly { readonly name: string; readonly value: number; readonly info: number }[];
}

const HEADER = 0x34;
const PROGRAM_HEADER = 0x20;

/** A multiboot header without address fields, as bytes. */
export function multibootHeader(flags = 3, checksum = -(0x1badb002 + flags)): number[] {
  return dwords(0x1badb002, flags, checksum);
}

export function dwords(...values: readonly number[]): number[] {
  return values.flatMap((value) => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff]);
}

/** An ELF executable whose segments' bytes follow the headers, the symbol table and the section headers behind. */
export function elf(options: ElfOptions = {}): Uint8Array {
  const segments = options.segments ?? [{ vaddr: 0x10_0000, bytes: [...multibootHeader(), 0xf4] }];
  const start = HEADER + PROGRAM_HEADER * segments.length;
  let fileOffset = start;
  const headers: number[] = [];
  for (const { vaddr, paddr = vaddr, bytes, memsz = bytes.length, flags = 7 } of segments) {
    headers.push(...dwords(1, fileOffset, vaddr, paddr, bytes.length, memsz, flags, 4));
    fileOffset += bytes.length;
  }
  const { symbols } = options;
  const tables: number[] = [];
  let sectionHeaders = 0;
  if (symbols !== undefined) {
    const names = [0, ...symbols.flatMap(({ name }) => [...name].map((c) => c.charCodeAt(0)).concat(0))];
    let nameOffset = 1;
    const entries = dwords(0, 0, 0, 0);
    for (const { name, value, info } of symbols) {
      entries.push(...dwords(nameOffset, value, 4), info, 0, 1, 0);
      nameOffset += name.length + 1;
    }
    tables.push(...entries, ...names);
    sectionHeaders = fileOffset + tables.length;
    tables.push(...dwords(0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    tables.push(...dwords(0, 2, 0, 0, fileOffset, entries.length, 2, 0, 4, 16));
    tables.push(...dwords(0, 3, 0, 0, fileOffset + entries.length, names.length, 0, 0, 1, 0));
  }
  const entry = options.entry ?? segments[0]!.vaddr + 12;
  const header = [
    ...[0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ...[2, 0, 3, 0],
    ...dwords(1, entry, HEADER, sectionHeaders, 0),
    ...[HEADER, 0, PROGRAM_HEADER, 0, segments.length, 0, 0x28, 0, sectionHeaders === 0 ? 0 : 3, 0, 2, 0],
  ];
  return Uint8Array.from([...header, ...headers, ...segments.flatMap(({ bytes }) => bytes), ...tables]);
}

/** The image with some bytes replaced. */
export function patched(image: Uint8Array, offset: number, ...bytes: readonly number[]): Uint8Array {
  const copy = image.slice();
  copy.set(bytes, offset);
  return copy;
}

/** A flat file of `size` bytes with a multiboot header with address fields at `offset`. */
export function addressFieldImage(
  fields: {
    readonly header?: number;
    readonly load?: number;
    readonly loadEnd?: number;
    readonly bssEnd?: number;
    readonly entry?: number;
  } = {},
  offset = 0,
  size = 0x40,
): Uint8Array {
  const { header = 0x10_0000 + offset, load = 0x10_0000, loadEnd = 0, bssEnd = 0, entry = 0x10_0020 } = fields;
  const image = new Uint8Array(size).fill(0x90);
  image.set([...multibootHeader(0x1_0003), ...dwords(header, load, loadEnd, bssEnd, entry)], offset);
  return image;
}
