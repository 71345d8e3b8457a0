/**
 * The shadow GDT under binary translation. The guest's kernel does not see its real selectors, so each of its segment registers has a
 * descriptor of its own. For programs, which do see them, the table has the descriptors that are loaded at the moment, at their own places: what
 * they are is in the hidden parts of the virtual segment registers. A program that loads another one meets an empty entry, and the virtual
 * processor loads it by the guest's table. So nothing of this table is ever stale, and no store to the guest's has to be seen.
 */
import { ACCESS, type CpuState, type Segment, type SegmentName } from "../../../hardware/cpu/state.js";
import type { Host } from "../../host.js";
import { PLACE, TOP } from "../../layout.js";
import { type DescriptorWords, deprivileged, descriptorOf, segmentEnd } from "../trap/descriptors.js";
import { OWN, RESERVED } from "../trap/state.js";
import { writeDescriptor } from "../trap/world.js";
import { WORDS_BYTES } from "./layout.js";

const LOCAL = 4;
const ABSENT: DescriptorWords = [0, 0];
const names: readonly SegmentName[] = ["cs", "ss", "es", "ds", "fs", "gs"];
/** Execute-only code of ring 1, which has no end below the hypervisor; data of ring 1. Spec: SDM Vol. 3A, "Code- and Data-Segment Types". */
const TRANSLATED = { base: 0, limit: 0xffff_ffff, access: 0xc0b9 };
const WORDS_ACCESS = 0x40b3;

/** The segments that translated code has for itself. */
export function showOwnSegments(host: Host, words: number): void {
  writeDescriptor(host, PLACE.shadowGdt, OWN.translated, descriptorOf({ selector: 0, ...TRANSLATED }));
  const segment = { selector: 0, base: TOP + words, limit: WORDS_BYTES - 1, access: WORDS_ACCESS };
  writeDescriptor(host, PLACE.shadowGdt, OWN.words, descriptorOf(segment));
}

const wordsOf = (segment: Segment, end: number): DescriptorWords =>
  deprivileged(...descriptorOf({ ...segment, access: segment.access | ACCESS.ACCESSED }), end);

const isPresent = ([, high]: DescriptorWords): boolean => (high & 0x8000) !== 0;

/** Whether the processor can have a kernel's data segments. */
export const canHaveKernel = (host: Host, { system: { segments } }: CpuState): boolean =>
  (segments.ss.access & ACCESS.BIG) !== 0 &&
  names.every(
    (name) =>
      name === "cs" ||
      name === "gs" ||
      segments[name].access === 0 ||
      isPresent(wordsOf(segments[name], segmentEnd(host))),
  );

/** The descriptors that a program has loaded, by their offsets; undefined where they cannot all be in one table. */
function loaded(host: Host, { system: { segments } }: CpuState): ReadonlyMap<number, DescriptorWords> | undefined {
  const table = new Map<number, DescriptorWords>();
  for (const name of names) {
    const segment = segments[name];
    const { selector, access } = segment;
    if (access === 0 && name !== "cs" && name !== "ss") continue;
    const words = wordsOf(segment, segmentEnd(host));
    if (!isPresent(words) || (selector & LOCAL) !== 0 || selector >= RESERVED) return undefined;
    const other = table.get(selector & ~7);
    if (other !== undefined && (other[0] !== words[0] || other[1] !== words[1])) return undefined;
    table.set(selector & ~7, words);
  }
  return table;
}

export const canHaveProgram = (host: Host, cpu: CpuState): boolean => loaded(host, cpu) !== undefined;

/** Makes the table that of a program. `before`: offsets of what is in it; undefined: anything may be. Gives what is in it now. */
export function showLoaded(host: Host, cpu: CpuState, before: readonly number[] | undefined): readonly number[] {
  const table = loaded(host, cpu)!;
  const all = (): number[] => Array.from({ length: RESERVED / 8 }, (_, index) => 8 * index);
  for (const offset of before ?? all()) if (!table.has(offset)) writeDescriptor(host, PLACE.shadowGdt, offset, ABSENT);
  for (const [offset, words] of table) writeDescriptor(host, PLACE.shadowGdt, offset, words);
  return [...table.keys()];
}
