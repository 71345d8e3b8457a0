/**
 * Loads a Multiboot 1 kernel: by its ELF headers, or by the address fields of its multiboot header.
 *
 * Manual: Multiboot Specification 0.6.96, "OS image format" and "Machine state".
 */
import { VirtlabError } from "../../state/error.js";
import { isElf, parseElf } from "./elf.js";
import { hex, type ImageFile } from "./image-file.js";
import { type ImageSymbol, type LoadPlan, type LoadSegment, ZERO_REGISTERS } from "./load-plan.js";
import type { AddressFields, MultibootHeader } from "./multiboot-header.js";
import { type BootModule, buildMultibootInfo } from "./multiboot-info.js";

/** What EAX holds when a multiboot loader has loaded the kernel. */
export const MULTIBOOT_LOADER_MAGIC = 0x2badb002;

/** A range of a kernel in memory: bytes of the file, then zeros. */
interface KernelRange {
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
  /** Of the header field that asks for the range. */
  readonly offset: number;
}

interface Kernel {
  readonly ranges: readonly KernelRange[];
  readonly entry: number;
  readonly symbols: readonly ImageSymbol[];
}

export interface MultibootOptions {
  /** Bytes. */
  readonly memorySize: number;
  readonly commandLine: string;
  readonly modules: readonly BootModule[];
}

/**
 * The plan for a kernel with this header.
 *
 * @throws VirtlabError if the file is damaged or contradicts itself, or if kernel or modules do not fit in memory.
 */
export function loadMultiboot(file: ImageFile, header: MultibootHeader, options: MultibootOptions): LoadPlan {
  const { memorySize, modules, commandLine } = options;
  if (header.addresses === undefined && !isElf(file)) {
    file.fail(header.offset + 4, "not an ELF file, and the multiboot header has no address fields (flags bit 16)");
  }
  const kernel =
    header.addresses === undefined ? readElf(file) : readByAddresses(file, header.offset, header.addresses);
  for (const { end, offset } of kernel.ranges) {
    if (end > memorySize) file.fail(offset, `kernel ${doesNotFit(end, memorySize)}`);
  }
  checkText("command line", commandLine);
  modules.forEach(({ text }, index) => {
    checkText(`text of module ${index}`, text ?? "");
  });

  const info = buildMultibootInfo({ memorySize, kernel: kernel.ranges, commandLine, modules });
  for (const { address, bytes } of info.segments) {
    const index = modules.findIndex(({ data }) => data === bytes);
    const what = index < 0 ? `${file.name}: boot information` : `module ${index}`;
    if (address + bytes.length > memorySize) {
      throw new VirtlabError(`${what} ${doesNotFit(address + bytes.length, memorySize)}`);
    }
  }
  const segments: LoadSegment[] = kernel.ranges.map(({ start, bytes }) => ({ address: start, bytes }));
  return {
    kind: "multiboot",
    segments: [...segments, ...info.segments].filter(({ bytes }) => bytes.length > 0),
    entry: kernel.entry,
    registers: { ...ZERO_REGISTERS, eax: MULTIBOOT_LOADER_MAGIC, ebx: info.address },
    symbols: kernel.symbols,
  };
}

function doesNotFit(end: number, memorySize: number): string {
  return `does not fit: it needs memory up to ${hex(end)}, the machine has ${hex(memorySize)}`;
}

function checkText(what: string, text: string): void {
  if (text.includes("\0")) throw new VirtlabError(`${what}: a character of code 0 would end it early`);
}

function readElf(file: ImageFile): Kernel {
  const { segments, entry, symbols } = parseElf(file);
  const ranges = segments.map(({ physicalAddress, memorySize, fileOffset, fileSize }) => ({
    start: physicalAddress,
    end: physicalAddress + memorySize,
    bytes: file.bytes.subarray(fileOffset, fileOffset + fileSize),
    offset: fileOffset,
  }));
  return { ranges, entry, symbols };
}

/** Spec: Multiboot Specification, "The address fields of Multiboot header". */
function readByAddresses(file: ImageFile, headerOffset: number, addresses: AddressFields): Kernel {
  const { header, load, entry } = addresses;
  // In file order behind magic, flags and checksum.
  const field = { header: headerOffset + 12, load: headerOffset + 16, loadEnd: headerOffset + 20 };
  const bssEndField = headerOffset + 24;
  const entryField = headerOffset + 28;
  const start = headerOffset - (header - load);
  if (header < load)
    file.fail(field.header, `multiboot header at ${hex(header)} is below the load address ${hex(load)}`);
  if (start < 0) file.fail(field.load, `load address ${hex(load)} is ${hex(-start)} before the start of the file`);

  const loadEnd = addresses.loadEnd === 0 ? load + file.length - start : addresses.loadEnd;
  if (loadEnd <= header) file.fail(field.loadEnd, `end of load ${hex(loadEnd)} is not behind the multiboot header`);
  file.require(start, loadEnd - load, field.loadEnd, "what is to be loaded");
  const end = addresses.bssEnd === 0 ? loadEnd : addresses.bssEnd;
  if (end < loadEnd) file.fail(bssEndField, `end of bss ${hex(end)} is below the end of load ${hex(loadEnd)}`);
  if (entry < load || entry >= end) file.fail(entryField, `entry point ${hex(entry)} is outside what is loaded`);

  const bytes = file.bytes.subarray(start, start + loadEnd - load);
  const offset = addresses.bssEnd === 0 ? field.loadEnd : bssEndField;
  return { ranges: [{ start: load, end, bytes, offset }], entry, symbols: symbolsBeside(file) };
}

/** The symbols of a file that is loaded by address fields but may be an executable ELF file as well, or a broken one. */
function symbolsBeside(file: ImageFile): readonly ImageSymbol[] {
  if (!isElf(file)) return [];
  try {
    return parseElf(file).symbols;
  } catch (error) {
    if (error instanceof VirtlabError) return [];
    throw error;
  }
}
