/**
 * The parts of an address space, as pure functions over the list of them: found, inserted, cut out, and joined where they fit.
 * Spec: mmap(2), munmap(2), mprotect(2).
 */
import type { AddressSpace, Area } from "../state.js";

export const PROT = { READ: 1, WRITE: 2, EXEC: 4, GROWSDOWN: 0x0100_0000 } as const;

/** The area an address is in. */
export function areaAt(areas: readonly Area[], address: number): Area | undefined {
  let low = 0;
  let high = areas.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (areas[middle]!.end <= address) low = middle + 1;
    else high = middle;
  }
  const area = areas[low];
  return area !== undefined && area.start <= address ? area : undefined;
}

/** The area with another start, and what of its file that is. */
const from = (area: Area, start: number): Area =>
  area.file === undefined
    ? { ...area, start }
    : { ...area, start, file: { ...area.file, offset: area.file.offset + start - area.start } };

/** The parts of areas inside of a range, and everything else. */
export function split(
  areas: readonly Area[],
  start: number,
  end: number,
): { readonly inside: readonly Area[]; readonly outside: readonly Area[] } {
  const inside: Area[] = [];
  const outside: Area[] = [];
  for (const area of areas) {
    if (area.end <= start || area.start >= end) {
      outside.push(area);
      continue;
    }
    if (area.start < start) outside.push({ ...area, end: start });
    inside.push({ ...from(area, Math.max(area.start, start)), end: Math.min(area.end, end) });
    if (area.end > end) outside.push(from(area, end));
  }
  return { inside, outside };
}

/** Whether the second goes on as the first. */
function continues(a: Area, b: Area): boolean {
  if (a.end !== b.start || a.protection !== b.protection || a.shared !== b.shared) return false;
  if (a.growsDown !== b.growsDown || a.label !== b.label || a.locked !== b.locked) return false;
  if (a.file === undefined || b.file === undefined) return a.file === b.file;
  const same = a.file.inode.ino === b.file.inode.ino && a.file.inode.fileSystem === b.file.inode.fileSystem;
  return same && a.file.writable === b.file.writable && a.file.offset + a.end - a.start === b.file.offset;
}

/** Areas by rising address, with those that continue each other as one. */
export function joined(areas: readonly Area[]): readonly Area[] {
  const result: Area[] = [];
  for (const area of [...areas].sort((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last !== undefined && continues(last, area)) result[result.length - 1] = { ...last, end: area.end };
    else result.push(area);
  }
  return Object.freeze(result);
}

/** Whether nothing lies in a range. */
export const isFree = (areas: readonly Area[], start: number, end: number): boolean =>
  areas.every((area) => area.end <= start || area.start >= end);

/** The highest free range of so many bytes below `top`; undefined where there is none. */
export function freeRange(areas: readonly Area[], bytes: number, top: number, bottom: number): number | undefined {
  let end = top;
  for (let index = areas.length - 1; index >= 0; index--) {
    const area = areas[index]!;
    if (area.start >= end) continue;
    if (area.end <= end - bytes) break;
    end = area.start;
  }
  return end - bytes >= bottom ? end - bytes : undefined;
}

/** Bytes that areas cover. */
export const sizeOf = ({ areas }: AddressSpace): number => areas.reduce((sum, { start, end }) => sum + end - start, 0);
