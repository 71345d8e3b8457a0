/**
 * Executable files in the ELF format for the i386 and for Intel 64.
 *
 * Left out on purpose: everything but little-endian executables that are loaded where they say (no relocation, no
 * dynamic linking), and sections other than the symbol table.
 *
 * Manual: System V ABI, chapters 4 "Object Files" and 5 "Program Loading"; Intel386 and AMD64 Architecture Processor
 * Supplements.
 */
import { hex, type ImageFile } from "./image-file.js";
import type { ImageSymbol } from "./load-plan.js";

/** A loadable segment. */
export interface ElfSegment {
  readonly virtualAddress: number;
  readonly physicalAddress: number;
  readonly fileOffset: number;
  readonly fileSize: number;
  /** Bytes in memory, at least `fileSize`; the rest is zero. */
  readonly memorySize: number;
}

export interface ElfImage {
  /** Physical address of the first instruction. */
  readonly entry: number;
  /** Those with any bytes in memory, in file order; they do not overlap. */
  readonly segments: readonly ElfSegment[];
  readonly symbols: readonly ImageSymbol[];
  readonly notes: readonly ElfNote[];
}

/** What a file says of itself for those who know its owner's types. */
export interface ElfNote {
  readonly owner: string;
  readonly type: number;
  /** Of its content in the file. */
  readonly offset: number;
  readonly size: number;
}

export type ElfBits = 32 | 64;

/** Offsets of the fields that are looked at, and sizes. Words that grew with the class are read by `word`. */
const LAYOUTS = {
  32: {
    machine: 3,
    machineName: "Intel 80386",
    header: { size: 0x34, entry: 0x18, programHeaders: 0x1c, sectionHeaders: 0x20, programHeaderSize: 0x2a },
    program: { size: 0x20, offset: 4, vaddr: 8, paddr: 12, filesz: 16, memsz: 20, flags: 24 },
    section: { size: 0x28, offset: 16, bytes: 20, link: 24 },
    symbol: { size: 0x10, value: 4, bytes: 8, info: 12, section: 14 },
  },
  64: {
    machine: 62,
    machineName: "Intel 64",
    header: { size: 0x40, entry: 0x18, programHeaders: 0x20, sectionHeaders: 0x28, programHeaderSize: 0x36 },
    program: { size: 0x38, offset: 8, vaddr: 16, paddr: 24, filesz: 32, memsz: 40, flags: 4 },
    section: { size: 0x40, offset: 24, bytes: 32, link: 40 },
    symbol: { size: 0x18, value: 8, bytes: 16, info: 4, section: 6 },
  },
} as const;
type Layout = (typeof LAYOUTS)[ElfBits];

/** The same in both classes. */
const HEADER = { class: 0x04, data: 0x05, type: 0x10, machine: 0x12 } as const;
/** Behind the size of a program header, in this order: their count, and size and count of the section headers. */
const BEHIND_SIZE = { programHeaderCount: 2, sectionHeaderSize: 4, sectionHeaderCount: 6 } as const;
const SECTION_TYPE = 4;

const MAGIC = 0x464c457f;
const LITTLE_ENDIAN = 1;
const TYPE_EXECUTABLE = 2;
const SEGMENT_LOAD = 1;
const SEGMENT_NOTE = 4;
const SEGMENT_EXECUTABLE = 1;
const SECTION_SYMBOLS = 2;
const SYMBOL_TYPES = ["none", "object", "function"] as const;

/** Whether the file begins as every ELF file does, whatever its class. */
export function isElf(file: ImageFile): boolean {
  return file.length >= 4 && file.u32(0) === MAGIC;
}

/** The class of an ELF file; undefined for one there is not. */
export function elfBits(file: ImageFile): ElfBits | undefined {
  return ([undefined, 32, 64] as const)[file.bytes[HEADER.class] ?? 0];
}

/**
 * Reads an executable. Linear addresses of a 64-bit one are signed numbers.
 *
 * @param accepted the classes the caller can use.
 * @throws VirtlabError if the file is damaged, truncated or of another class, type or machine.
 */
export function parseElf(file: ImageFile, accepted: readonly ElfBits[] = [32]): ElfImage {
  const bits = checkHeader(file, accepted);
  const layout = LAYOUTS[bits];
  const fields = { file, bits, layout };
  const headers = readProgramHeaders(fields);
  const { segments, entry } = readSegments(fields, headers);
  const notes = headers
    .filter((header) => file.u32(header) === SEGMENT_NOTE)
    .flatMap((header) => readNotes(fields, header));
  return { entry, segments, symbols: readSymbols(fields), notes };
}

/** A file and how its class lays out what is in it. */
interface Fields {
  readonly file: ImageFile;
  readonly bits: ElfBits;
  readonly layout: Layout;
}

/** A word of the class's size, unsigned: a size, a place in the file or a physical address. */
const word = ({ file, bits }: Fields, offset: number): number =>
  bits === 32 ? file.u32(offset) : file.u32(offset) + file.u32(offset + 4) * 2 ** 32;

/** A linear address: of 64 bits the canonical ones are signed. */
const linear = ({ file, bits }: Fields, offset: number): number =>
  bits === 32 ? file.u32(offset) : file.u32(offset) + (file.u32(offset + 4) | 0) * 2 ** 32;

function checkHeader(file: ImageFile, accepted: readonly ElfBits[]): ElfBits {
  file.require(0, LAYOUTS[32].header.size, 0, "ELF header");
  const bits = elfBits(file);
  if (bits === undefined || !accepted.includes(bits)) {
    const found = bits === undefined ? `ELF class ${file.bytes[HEADER.class]}` : `a ${bits}-bit ELF file`;
    file.fail(HEADER.class, `${found}, where a ${accepted.join("- or ")}-bit one is needed`);
  }
  const { machine: needed, machineName, header } = LAYOUTS[bits];
  file.require(0, header.size, 0, "ELF header");
  if (file.bytes[HEADER.data] !== LITTLE_ENDIAN) file.fail(HEADER.data, "not a little-endian ELF file");
  const type = file.u16(HEADER.type);
  if (type !== TYPE_EXECUTABLE) {
    const names = ["no type", "relocatable", "executable", "shared or position-independent", "a core file"];
    file.fail(HEADER.type, `ELF type ${type} (${names[type] ?? "unknown"}), where 2 (executable) is needed`);
  }
  const machine = file.u16(HEADER.machine);
  if (machine !== needed)
    file.fail(HEADER.machine, `ELF machine ${machine}, where ${needed} (${machineName}) is needed`);
  return bits;
}

/** Places of the program headers in the file. */
function readProgramHeaders(fields: Fields): readonly number[] {
  const { file, layout } = fields;
  const start = word(fields, layout.header.programHeaders);
  const sizeField = layout.header.programHeaderSize;
  const countField = sizeField + BEHIND_SIZE.programHeaderCount;
  const count = file.u16(countField);
  if (count === 0) file.fail(countField, "no program headers, so nothing to load");
  const size = file.u16(sizeField);
  if (size !== layout.program.size) file.fail(sizeField, `program headers of ${size} bytes are not known`);
  file.require(start, count * size, countField, "program header table");
  return Array.from({ length: count }, (_, index) => start + index * size);
}

function readSegments(
  fields: Fields,
  headers: readonly number[],
): { readonly segments: ElfSegment[]; readonly entry: number } {
  const { file, layout } = fields;
  const segments: ElfSegment[] = [];
  const linkedEntry = linear(fields, layout.header.entry);
  let entry = linkedEntry;
  headers.forEach((header, index) => {
    const segment = readSegment(fields, header, index);
    if (segment === undefined) return;
    const other = segments.find((s) => overlaps(s, segment));
    if (other !== undefined) {
      file.fail(header, `segment at ${hex(segment.physicalAddress)} overlaps the one at ${hex(other.physicalAddress)}`);
    }
    segments.push(segment);
    // The entry is a virtual address; before paging it is executed where its segment was loaded.
    const within = linkedEntry - segment.virtualAddress;
    const isCode = (file.u32(header + layout.program.flags) & SEGMENT_EXECUTABLE) !== 0;
    if (isCode && within >= 0 && within < segment.memorySize) entry = segment.physicalAddress + within;
  });
  if (segments.length === 0) file.fail(headers[0]!, "no loadable segment");
  if (!segments.some((s) => entry >= s.physicalAddress && entry < s.physicalAddress + s.memorySize)) {
    file.fail(layout.header.entry, `entry point ${hex(linkedEntry)} is in no loadable segment`);
  }
  return { segments, entry };
}

/** The segment of a program header, if it is one to load and has any bytes. */
function readSegment(fields: Fields, header: number, index: number): ElfSegment | undefined {
  const { file, layout } = fields;
  const { program } = layout;
  if (file.u32(header) !== SEGMENT_LOAD) return undefined;
  const segment = {
    virtualAddress: linear(fields, header + program.vaddr),
    physicalAddress: word(fields, header + program.paddr),
    fileOffset: word(fields, header + program.offset),
    fileSize: word(fields, header + program.filesz),
    memorySize: word(fields, header + program.memsz),
  };
  const { fileSize, memorySize, physicalAddress } = segment;
  if (fileSize > memorySize) {
    const sizes = `${hex(fileSize)} bytes in the file but ${hex(memorySize)} in memory`;
    file.fail(header + program.filesz, `segment ${index} has ${sizes}`);
  }
  file.require(segment.fileOffset, fileSize, header + program.offset, `segment ${index}`);
  if (physicalAddress + memorySize > 2 ** 32) {
    file.fail(header + program.paddr, `segment ${index} reaches past the end of the 32-bit address space`);
  }
  return memorySize === 0 ? undefined : segment;
}

function overlaps(a: ElfSegment, b: ElfSegment): boolean {
  return a.physicalAddress < b.physicalAddress + b.memorySize && b.physicalAddress < a.physicalAddress + a.memorySize;
}

/** Spec: System V ABI, "Note Section": three words, then name and content, each padded to whole words. */
function readNotes(fields: Fields, header: number): ElfNote[] {
  const { file, layout } = fields;
  const start = word(fields, header + layout.program.offset);
  const end = start + word(fields, header + layout.program.filesz);
  file.require(start, end - start, header + layout.program.offset, "segment of notes");
  const notes: ElfNote[] = [];
  for (let note = start; note + 12 <= end; ) {
    const nameSize = file.u32(note);
    const size = file.u32(note + 4);
    const offset = note + 12 + padded(nameSize);
    if (offset + size > end) file.fail(note, "a note reaches past the end of its segment");
    const owner = new TextDecoder().decode(file.bytes.subarray(note + 12, note + 12 + Math.max(0, nameSize - 1)));
    notes.push({ owner, type: file.u32(note + 8), offset, size });
    note = offset + padded(size);
  }
  return notes;
}

const padded = (size: number): number => Math.ceil(size / 4) * 4;

/**
 * The symbols of the file, by rising address: those of its symbol table that are defined, named, and stand for code, data
 * or a place.
 */
function readSymbols(fields: Fields): ImageSymbol[] {
  const { file, layout } = fields;
  const { section } = layout;
  const sizeField = layout.header.programHeaderSize + BEHIND_SIZE.sectionHeaderSize;
  const countField = layout.header.programHeaderSize + BEHIND_SIZE.sectionHeaderCount;
  const symbols: ImageSymbol[] = [];
  const start = word(fields, layout.header.sectionHeaders);
  const count = file.u16(countField);
  if (start === 0 || count === 0) return symbols;
  if (file.u16(sizeField) !== section.size) {
    file.fail(sizeField, `section headers of ${file.u16(sizeField)} bytes are not known`);
  }
  file.require(start, count * section.size, countField, "section header table");
  for (let index = 0; index < count; index++) {
    const header = start + index * section.size;
    if (file.u32(header + SECTION_TYPE) !== SECTION_SYMBOLS) continue;
    const link = file.u32(header + section.link);
    if (link >= count) file.fail(header + section.link, `symbol names are in section ${link} of ${count}`);
    readSymbolTable(fields, header, start + link * section.size, symbols);
  }
  return symbols.sort((a, b) => a.address - b.address || (a.name < b.name ? -1 : Number(a.name > b.name)));
}

function readSymbolTable(fields: Fields, section: number, names: number, symbols: ImageSymbol[]): void {
  const { file, layout } = fields;
  const { symbol } = layout;
  const start = word(fields, section + layout.section.offset);
  const size = word(fields, section + layout.section.bytes);
  file.require(start, size, section + layout.section.offset, "symbol table");
  const namesStart = word(fields, names + layout.section.offset);
  const namesSize = word(fields, names + layout.section.bytes);
  file.require(namesStart, namesSize, names + layout.section.offset, "table of symbol names");
  const nameBytes = file.bytes.subarray(namesStart, namesStart + namesSize);
  for (let entry = start; entry + symbol.size <= start + size; entry += symbol.size) {
    const type = SYMBOL_TYPES[file.bytes[entry + symbol.info]! & 0xf];
    if (type === undefined || file.u16(entry + symbol.section) === 0) continue;
    const name = readName(file, nameBytes, entry);
    if (name === "") continue;
    const address = linear(fields, entry + symbol.value);
    symbols.push({ name, address, size: word(fields, entry + symbol.bytes), type });
  }
}

function readName(file: ImageFile, names: Uint8Array, entry: number): string {
  const offset = file.u32(entry);
  const end = names.indexOf(0, offset);
  if (offset >= names.length || end < 0) file.fail(entry, `symbol name ${hex(offset)} is outside the table of names`);
  return new TextDecoder().decode(names.subarray(offset, end));
}
