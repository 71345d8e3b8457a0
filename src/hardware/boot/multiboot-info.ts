/**
 * The Multiboot 1 information structure and what belongs to it: memory map, module list, strings.
 *
 * The addresses are those QEMU's loader chooses and the memory map is that of its firmware, so that a kernel that prints
 * them prints the same: structure and map at 0x9000, the module list, strings and modules on pages behind the kernel, and
 * the last 128 KiB of memory kept for firmware tables. Not so the boot device: QEMU names a disk; as the kernel came from
 * none, the specification wants the field absent.
 *
 * Left out on purpose: symbols, drives, configuration table, APM, video.
 *
 * Manual: Multiboot Specification 0.6.96, "Boot information format".
 */
import { type LoadSegment, pageAlign } from "./load-plan.js";
import { LOW_MEMORY_END, MEBIBYTE, memoryMap } from "./memory-map.js";

/** A module: a file handed to the kernel as it is. */
export interface BootModule {
  readonly data: Uint8Array;
  /** The module's string, by custom its name and arguments. */
  readonly text?: string;
}

export interface MultibootInfo {
  /** Physical address of the information structure. */
  readonly address: number;
  /** Structure, map, module list, strings and modules. */
  readonly segments: readonly LoadSegment[];
}

const FLAG = { memory: 0x001, commandLine: 0x004, modules: 0x008, memoryMap: 0x040, loaderName: 0x200 } as const;
const FIELD = {
  flags: 0,
  memLower: 4,
  memUpper: 8,
  commandLine: 16,
  moduleCount: 20,
  modules: 24,
  memoryMapLength: 44,
  memoryMap: 48,
  loaderName: 64,
} as const;
const MODULE_SIZE = 16;
const MAP_ENTRY_SIZE = 24;
const LOADER_NAME = "virtlab";

/** Map first, then, at a fixed distance, the structure. */
const LOW_AREA = { start: 0x9000, structure: 0x500, size: 0x1000 } as const;
/** @param kernel the segments of the kernel, zeros included, as physical address ranges. */
export function buildMultibootInfo(options: {
  readonly memorySize: number;
  readonly kernel: readonly { readonly start: number; readonly end: number }[];
  readonly commandLine: string;
  readonly modules: readonly BootModule[];
}): MultibootInfo {
  const { memorySize, kernel, modules } = options;
  const kernelEnd = pageAlign(Math.max(...kernel.map(({ end }) => end)));
  const lowEnd = LOW_AREA.start + LOW_AREA.size;
  const lowIsFree = kernel.every(({ start, end }) => end <= LOW_AREA.start || start >= lowEnd);

  // A kernel below 1 MiB has the low area, video memory and BIOS behind it.
  const listStart = kernelEnd >= MEBIBYTE ? kernelEnd : memorySize > MEBIBYTE ? MEBIBYTE : Math.max(kernelEnd, lowEnd);
  const lists = buildLists(listStart, options.commandLine, modules);
  const segments: LoadSegment[] = [{ address: listStart, bytes: lists.bytes }];
  lists.moduleStarts.forEach((address, index) => {
    segments.push({ address, bytes: modules[index]!.data });
  });

  const map = memoryMap(memorySize);
  const areaStart = lowIsFree ? LOW_AREA.start : lists.end;
  const area = new DataView(new ArrayBuffer(LOW_AREA.size));
  map.forEach(({ base, length, type }, index) => {
    const entry = index * MAP_ENTRY_SIZE;
    // The size field does not count itself.
    area.setUint32(entry, MAP_ENTRY_SIZE - 4, true);
    area.setUint32(entry + 4, base, true);
    area.setUint32(entry + 12, length, true);
    area.setUint32(entry + 20, type, true);
  });
  const set = (field: number, value: number): void => area.setUint32(LOW_AREA.structure + field, value, true);
  set(FIELD.flags, FLAG.memory | FLAG.commandLine | FLAG.modules | FLAG.memoryMap | FLAG.loaderName);
  set(FIELD.memLower, Math.min(memorySize, LOW_MEMORY_END) >> 10);
  set(FIELD.memUpper, (map.find(({ base }) => base === MEBIBYTE)?.length ?? 0) >>> 10);
  set(FIELD.commandLine, lists.commandLine);
  set(FIELD.moduleCount, modules.length);
  set(FIELD.modules, listStart);
  set(FIELD.memoryMapLength, map.length * MAP_ENTRY_SIZE);
  set(FIELD.memoryMap, areaStart);
  set(FIELD.loaderName, lists.loaderName);
  segments.push({ address: areaStart, bytes: new Uint8Array(area.buffer) });
  return { address: areaStart + LOW_AREA.structure, segments };
}

/** Module list, module strings, command line and loader name from `start` on, and the places of the modules behind. */
function buildLists(start: number, commandLine: string, modules: readonly BootModule[]) {
  const texts = [...modules.map(({ text }) => text ?? ""), commandLine, LOADER_NAME].map(cString);
  const stringStarts: number[] = [];
  let next = start + MODULE_SIZE * modules.length;
  for (const text of texts) {
    stringStarts.push(next);
    next += text.length;
  }
  const bytes = new Uint8Array(next - start);
  texts.forEach((text, index) => {
    bytes.set(text, stringStarts[index]! - start);
  });

  const view = new DataView(bytes.buffer);
  const moduleStarts: number[] = [];
  let free = pageAlign(next);
  modules.forEach(({ data }, index) => {
    moduleStarts.push(free);
    view.setUint32(index * MODULE_SIZE, free, true);
    view.setUint32(index * MODULE_SIZE + 4, free + data.length, true);
    view.setUint32(index * MODULE_SIZE + 8, stringStarts[index]!, true);
    free = pageAlign(free + data.length);
  });
  const [commandLineStart, loaderName] = stringStarts.slice(modules.length);
  return { bytes, moduleStarts, commandLine: commandLineStart!, loaderName: loaderName!, end: free };
}

function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}
