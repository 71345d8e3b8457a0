/**
 * Executable files in the ELF format for the i386.
 *
 * Left out on purpose: everything but 32-bit little-endian executables that are loaded where they say (no relocation, no
 * dynamic linking), and sections other than the symbol table.
 *
 * Manual: System V ABI, chapters 4 "Object Files" and 5 "Program Loading"; Intel386 Architecture Processor Supplement.
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
}

/** Offsets of the fields of the ELF header that are looked at. */
const HEADER = {
  size: 0x34,
  class: 0x04,
  data: 0x05,
  type: 0x10,
  machine: 0x12,
  entry: 0x18,
  programHeaders: 0x1c,
  sectionHeaders: 0x20,
  programHeaderSize: 0x2a,
  programHeaderCount: 0x2c,
  sectionHeaderSize: 0x2e,
  sectionHeaderCount: 0x30,
} as const;
const PROGRAM_HEADER = {
  size: 0x20,
  type: 0,
  offset: 4,
  vaddr: 8,
  paddr: 12,
  filesz: 16,
  memsz: 20,
  flags: 24,
} as const;
const SECTION_HEADER = { size: 0x28, type: 4, offset: 16, bytes: 20, link: 24, entrySize: 36 } as const;
const SYMBOL = { size: 0x10, name: 0, value: 4, bytes: 8, info: 12, section: 14 } as const;

const MAGIC = 0x464c457f;
const CLASS_32 = 1;
const LITTLE_ENDIAN = 1;
const TYPE_EXECUTABLE = 2;
const MACHINE_386 = 3;
const SEGMENT_LOAD = 1;
const SEGMENT_EXECUTABLE = 1;
const SECTION_SYMBOLS = 2;
const SYMBOL_TYPES = ["none", "object", "function"] as const;

/** Whether the file begins as every ELF file does, whatever its class. */
export function isElf(file: ImageFile): boolean {
  return file.length >= 4 && file.u32(0) === MAGIC;
}

/**
 * Reads an executable.
 *
 * @throws VirtlabError if the file is damaged, truncated or of another class, type or machine.
 */
export function parseElf(file: ImageFile): ElfImage {
  checkHeader(file);
  const { segments, entry } = readSegments(file);
  return { entry, segments, symbols: readSymbols(file) };
}

/**
 * The symbols of the file, by rising address: those of its symbol table that are defined, named, and stand for code, data
 * or a place.
 */
function readSymbols(file: ImageFile): ImageSymbol[] {
  const symbols: ImageSymbol[] = [];
  const start = file.u32(HEADER.sectionHeaders);
  const count = file.u16(HEADER.sectionHeaderCount);
  if (start === 0 || count === 0) return symbols;
  if (file.u16(HEADER.sectionHeaderSize) !== SECTION_HEADER.size) {
    file.fail(HEADER.sectionHeaderSize, `section headers of ${file.u16(HEADER.sectionHeaderSize)} bytes are not known`);
  }
  file.require(start, count * SECTION_HEADER.size, HEADER.sectionHeaderCount, "section header table");
  for (let index = 0; index < count; index++) {
    const section = start + index * SECTION_HEADER.size;
    if (file.u32(section + SECTION_HEADER.type) !== SECTION_SYMBOLS) continue;
    const link = file.u32(section + SECTION_HEADER.link);
    if (link >= count) file.fail(section + SECTION_HEADER.link, `symbol names are in section ${link} of ${count}`);
    readSymbolTable(file, section, start + link * SECTION_HEADER.size, symbols);
  }
  return symbols.sort((a, b) => a.address - b.address || (a.name < b.name ? -1 : Number(a.name > b.name)));
}

function checkHeader(file: ImageFile): void {
  file.require(0, HEADER.size, 0, "ELF header");
  const elfClass = file.bytes[HEADER.class]!;
  if (elfClass !== CLASS_32) {
    const found = elfClass === 2 ? "a 64-bit ELF file" : `ELF class ${elfClass}`;
    file.fail(HEADER.class, `${found}, where a 32-bit one is needed`);
  }
  if (file.bytes[HEADER.data] !== LITTLE_ENDIAN) file.fail(HEADER.data, "not a little-endian ELF file");
  const type = file.u16(HEADER.type);
  if (type !== TYPE_EXECUTABLE) {
    const names = ["no type", "relocatable", "executable", "shared or position-independent", "a core file"];
    file.fail(HEADER.type, `ELF type ${type} (${names[type] ?? "unknown"}), where 2 (executable) is needed`);
  }
  const machine = file.u16(HEADER.machine);
  if (machine !== MACHINE_386) file.fail(HEADER.machine, `ELF machine ${machine}, where 3 (Intel 80386) is needed`);
}

function readSegments(file: ImageFile): { readonly segments: ElfSegment[]; readonly entry: number } {
  const start = file.u32(HEADER.programHeaders);
  const count = file.u16(HEADER.programHeaderCount);
  if (count === 0) file.fail(HEADER.programHeaderCount, "no program headers, so nothing to load");
  const size = file.u16(HEADER.programHeaderSize);
  if (size !== PROGRAM_HEADER.size)
    file.fail(HEADER.programHeaderSize, `program headers of ${size} bytes are not known`);
  file.require(start, count * size, HEADER.programHeaderCount, "program header table");

  const segments: ElfSegment[] = [];
  const linkedEntry = file.u32(HEADER.entry);
  let entry = linkedEntry;
  for (let index = 0; index < count; index++) {
    const header = start + index * size;
    const segment = readSegment(file, header, index);
    if (segment === undefined) continue;
    const other = segments.find((s) => overlaps(s, segment));
    if (other !== undefined) {
      file.fail(header, `segment at ${hex(segment.physicalAddress)} overlaps the one at ${hex(other.physicalAddress)}`);
    }
    segments.push(segment);
    // The entry is a virtual address; before paging it is executed where its segment was loaded.
    const within = linkedEntry - segment.virtualAddress;
    const isCode = (file.u32(header + PROGRAM_HEADER.flags) & SEGMENT_EXECUTABLE) !== 0;
    if (isCode && within >= 0 && within < segment.memorySize) entry = segment.physicalAddress + within;
  }
  if (segments.length === 0) file.fail(start, "no loadable segment");
  if (!segments.some((s) => entry >= s.physicalAddress && entry < s.physicalAddress + s.memorySize)) {
    file.fail(HEADER.entry, `entry point ${hex(linkedEntry)} is in no loadable segment`);
  }
  return { segments, entry };
}

/** The segment of a program header, if it is one to load and has any bytes. */
function readSegment(file: ImageFile, header: number, index: number): ElfSegment | undefined {
  if (file.u32(header + PROGRAM_HEADER.type) !== SEGMENT_LOAD) return undefined;
  const segment = {
    virtualAddress: file.u32(header + PROGRAM_HEADER.vaddr),
    physicalAddress: file.u32(header + PROGRAM_HEADER.paddr),
    fileOffset: file.u32(header + PROGRAM_HEADER.offset),
    fileSize: file.u32(header + PROGRAM_HEADER.filesz),
    memorySize: file.u32(header + PROGRAM_HEADER.memsz),
  };
  const { fileSize, memorySize, physicalAddress } = segment;
  if (fileSize > memorySize) {
    const sizes = `${hex(fileSize)} bytes in the file but ${hex(memorySize)} in memory`;
    file.fail(header + PROGRAM_HEADER.filesz, `segment ${index} has ${sizes}`);
  }
  file.require(segment.fileOffset, fileSize, header + PROGRAM_HEADER.offset, `segment ${index}`);
  if (physicalAddress + memorySize > 2 ** 32) {
    file.fail(header + PROGRAM_HEADER.paddr, `segment ${index} reaches past the end of the 32-bit address space`);
  }
  return memorySize === 0 ? undefined : segment;
}

function overlaps(a: ElfSegment, b: ElfSegment): boolean {
  return a.physicalAddress < b.physicalAddress + b.memorySize && b.physicalAddress < a.physicalAddress + a.memorySize;
}

function readSymbolTable(file: ImageFile, section: number, names: number, symbols: ImageSymbol[]): void {
  const start = file.u32(section + SECTION_HEADER.offset);
  const size = file.u32(section + SECTION_HEADER.bytes);
  file.require(start, size, section + SECTION_HEADER.offset, "symbol table");
  const namesStart = file.u32(names + SECTION_HEADER.offset);
  const namesSize = file.u32(names + SECTION_HEADER.bytes);
  file.require(namesStart, namesSize, names + SECTION_HEADER.offset, "table of symbol names");
  const nameBytes = file.bytes.subarray(namesStart, namesStart + namesSize);
  for (let entry = start; entry + SYMBOL.size <= start + size; entry += SYMBOL.size) {
    const type = SYMBOL_TYPES[file.bytes[entry + SYMBOL.info]! & 15];
    // Types from 3 on name sections and source files.
    if (type === undefined || file.u16(entry + SYMBOL.section) === 0) continue;
    const name = readName(file, nameBytes, entry);
    if (name === "") continue;
    symbols.push({ name, address: file.u32(entry + SYMBOL.value), size: file.u32(entry + SYMBOL.bytes), type });
  }
}

function readName(file: ImageFile, names: Uint8Array, entry: number): string {
  const offset = file.u32(entry + SYMBOL.name);
  const end = names.indexOf(0, offset);
  if (offset >= names.length || end < 0) file.fail(entry, `symbol name ${hex(offset)} is outside the table of names`);
  return new TextDecoder().decode(names.subarray(offset, end));
}
