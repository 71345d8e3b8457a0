/**
 * Loads a kernel that says where it wants to be entered by an ELF note of Xen's: the PVH boot protocol. Linux kernels
 * have that note in their vmlinux, of 32 and of 64 bits; both are entered in 32-bit protected mode without paging.
 *
 * Manual: Xen, docs/misc/pvh.pandoc "PVH Specification"; public header arch-x86/hvm/start_info.h.
 */
import { VirtlabError } from "../../state/error.js";
import { type ElfImage, type ElfNote, parseElf } from "./elf.js";
import { hex, type ImageFile } from "./image-file.js";
import { checkText, kernelDoesNotFit, LINUX_INITRD_LIMIT, type LinuxOptions, placeInitrd } from "./linux-parts.js";
import { type LoadPlan, type LoadSegment, ZERO_REGISTERS } from "./load-plan.js";
import type { MapEntry } from "./memory-map.js";

/** XEN_ELFNOTE_PHYS32_ENTRY: the physical address of the entry point. */
const PHYS32_ENTRY = { owner: "Xen", type: 18 } as const;

/** XEN_ELFNOTE_PAE_MODE: a text. */
const PAE_MODE = { owner: "Xen", type: 9, yes: "yes" } as const;

const START_INFO_MAGIC = 0x336e_c578;
const START_INFO = { version: 4, moduleCount: 12, modules: 16, commandLine: 24, map: 40, mapCount: 48 } as const;
const MAP_ENTRY_SIZE = 24;

/** Structure, module list and map in one page of low memory, the command line behind it. Linux copies all of it first. */
const LOW_AREA = { start: 0x9000, modules: 0x40, map: 0x80, commandLine: 0x1000, end: 0x9_0000 } as const;

/** Whether a 32-bit kernel says that it pages by PAE, and thus runs on no processor without it. */
export function needsPae(file: ImageFile, image: ElfImage): boolean {
  const note = image.notes.find(({ owner, type }) => owner === PAE_MODE.owner && type === PAE_MODE.type);
  if (note === undefined) return false;
  return String.fromCharCode(...file.bytes.subarray(note.offset, note.offset + PAE_MODE.yes.length)) === PAE_MODE.yes;
}

/** The note that says where to enter, if the file is an executable that has it. */
export function findPvhNote(image: ElfImage): ElfNote | undefined {
  return image.notes.find(({ owner, type }) => owner === PHYS32_ENTRY.owner && type === PHYS32_ENTRY.type);
}

/**
 * The plan for a kernel with this note.
 *
 * @throws VirtlabError if the note is damaged, or if kernel or initrd do not fit in memory.
 */
export function loadPvh(file: ImageFile, image: ElfImage, note: ElfNote, options: LinuxOptions): LoadPlan {
  const { memorySize, commandLine, initrd } = options;
  if (note.size < 4) file.fail(note.offset, `entry note of ${note.size} bytes, where 4 are needed`);
  const entry = file.u32(note.offset);
  const { segments } = image;
  const isLoaded = segments.some((s) => entry >= s.physicalAddress && entry < s.physicalAddress + s.memorySize);
  if (!isLoaded) file.fail(note.offset, `entry point ${hex(entry)} is in no loadable segment`);
  for (const segment of segments) {
    const end = segment.physicalAddress + segment.memorySize;
    if (end > memorySize) file.fail(segment.fileOffset, kernelDoesNotFit(end, memorySize));
    if (segment.physicalAddress < LOW_AREA.end)
      file.fail(segment.fileOffset, `segment at ${hex(segment.physicalAddress)} is where the boot information goes`);
  }
  checkText("command line", commandLine);
  const text = new TextEncoder().encode(`${commandLine}\0`);
  if (LOW_AREA.start + LOW_AREA.commandLine + text.length > LOW_AREA.end)
    throw new VirtlabError(`command line: ${text.length - 1} bytes are too long`);

  const kernelEnd = Math.max(...segments.map((s) => s.physicalAddress + s.memorySize));
  const place = initrd && placeInitrd(initrd.length, options, kernelEnd, LINUX_INITRD_LIMIT);
  return {
    kind: "pvh",
    segments: [
      ...segments.map(({ physicalAddress, fileOffset, fileSize }) => ({
        address: physicalAddress,
        bytes: file.bytes.subarray(fileOffset, fileOffset + fileSize),
      })),
      startInfo(options.memoryMap, initrd && { address: place!, size: initrd.length }),
      { address: LOW_AREA.start + LOW_AREA.commandLine, bytes: text },
      ...(initrd ? [{ address: place!, bytes: initrd }] : []),
    ].filter(({ bytes }) => bytes.length > 0),
    entry,
    registers: { ...ZERO_REGISTERS, ebx: LOW_AREA.start },
    symbols: image.symbols,
  };
}

/** Spec: start_info.h, `hvm_start_info`, `hvm_modlist_entry` and `hvm_memmap_table_entry`. */
function startInfo(
  map: readonly MapEntry[],
  module: { readonly address: number; readonly size: number } | undefined,
): LoadSegment {
  const area = new DataView(new ArrayBuffer(LOW_AREA.map + map.length * MAP_ENTRY_SIZE));
  const set = (offset: number, value: number): void => area.setUint32(offset, value, true);
  set(0, START_INFO_MAGIC);
  set(START_INFO.version, 1);
  set(START_INFO.commandLine, LOW_AREA.start + LOW_AREA.commandLine);
  set(START_INFO.map, LOW_AREA.start + LOW_AREA.map);
  set(START_INFO.mapCount, map.length);
  if (module !== undefined) {
    set(START_INFO.moduleCount, 1);
    set(START_INFO.modules, LOW_AREA.start + LOW_AREA.modules);
    set(LOW_AREA.modules, module.address);
    set(LOW_AREA.modules + 8, module.size);
  }
  map.forEach(({ base, length, type }, index) => {
    const entry = LOW_AREA.map + index * MAP_ENTRY_SIZE;
    area.setBigUint64(entry, BigInt(base), true);
    area.setBigUint64(entry + 8, BigInt(length), true);
    set(entry + 16, type);
  });
  return { address: LOW_AREA.start, bytes: new Uint8Array(area.buffer) };
}

/** An ELF file as PVH takes it. */
export const parsePvhElf = (file: ImageFile): ElfImage => parseElf(file, [32, 64]);
