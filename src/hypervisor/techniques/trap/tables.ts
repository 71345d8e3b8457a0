/**
 * The shadow GDT and LDT: what stands in the guest's own, as the real processor is to have it. The frames of the guest's tables
 * are traced, so that a store to them is seen before a selector is loaded.
 */
import { newTranslation, type PhysicalMemory, translate } from "../../../hardware/cpu/paging.js";
import type { CpuState, SystemState } from "../../../hardware/cpu/state.js";
import { VirtualProcessor } from "../../../hardware/virtual-processor/index.js";
import { guestMemory } from "../../guest-memory.js";
import { type Host, PAGE } from "../../host.js";
import { PLACE } from "../../layout.js";
import { withShadow } from "../../shadow/use.js";
import { type DescriptorWords, deprivileged, hidden, isUserCode, segmentEnd } from "./descriptors.js";
import { RESERVED, type TrapOwn } from "./state.js";
import { writeDescriptor } from "./world.js";

const NO_WRITE = { write: false, user: false, fetch: false, ac: false } as const;
const ABSENT: DescriptorWords = [0, 0];

interface Table {
  readonly base: number;
  readonly bytes: number;
  /** Host-physical address of what stands for it, and how much of that is the guest's. */
  readonly at: number;
  readonly room: number;
}

function tablesOf({ gdtr, ldtr }: SystemState): readonly Table[] {
  const bytes = (limit: number): number => Math.min(limit + 1, 0x1_0000) & ~7;
  return [
    { base: gdtr.base, bytes: bytes(gdtr.limit), at: PLACE.shadowGdt, room: RESERVED },
    { base: ldtr.base, bytes: ldtr.access === 0 ? 0 : bytes(ldtr.limit), at: PLACE.shadowLdt, room: 0x1_0000 },
  ];
}

/** Guest-physical memory by words. */
const physical = (host: Host, number: number): PhysicalMemory => {
  const memory = guestMemory(host.port, host.vm(number).extents);
  return { read32: (at) => (memory.has(at) ? memory.read(at, 4) : -1), write32: () => {} };
};

/** Frames that the guest's tables lie in, as far as they are mapped. */
function framesOf(memory: PhysicalMemory, system: SystemState): number[] {
  const frames: number[] = [];
  for (const { base, bytes } of tablesOf(system)) {
    for (let at = base - (base % PAGE); at < base + bytes; at += PAGE) {
      const out = translate(memory, system, at >>> 0, NO_WRITE, false, newTranslation());
      if (out.physical >= 0) frames.push(Math.floor(out.physical / PAGE));
    }
  }
  return frames;
}

export const ownOf = (host: Host, number: number): TrapOwn => host.vm(number).own as TrapOwn;

const change = (host: Host, number: number, own: Partial<TrapOwn>): void => {
  host.change(number, { own: { ...ownOf(host, number), ...own } });
};

function copy(host: Host, number: number, cpu: CpuState): Pick<TrapOwn, "userCode"> {
  const processor = new VirtualProcessor(cpu, host.board(number));
  const userCode: { at: number; high: number }[] = [];
  for (const { base, bytes, at, room } of tablesOf(cpu.system)) {
    for (let offset = 0; offset < room; offset += 8) {
      let words = ABSENT;
      if (offset < bytes && (offset > 0 || at !== PLACE.shadowGdt)) {
        try {
          processor.readPair((base + offset) >>> 0);
          words = deprivileged(processor.low, processor.high, segmentEnd(host));
        } catch {
          // Nothing is mapped there: loading it faults, and is executed on the virtual processor, which meets the page fault.
        }
      }
      if (isUserCode(words[1])) userCode.push({ at: at + offset + 4, high: words[1] });
      writeDescriptor(host, at, offset, words);
    }
  }
  return { userCode };
}

/** Makes the shadow tables what the guest's are now. `stale`: something was stored to them. */
export function refreshTables(host: Host, number: number, cpu: CpuState, stale: boolean): void {
  const { system } = cpu;
  const own = ownOf(host, number);
  const frames = framesOf(physical(host, number), system);
  const tables = tablesOf(system)
    .map(({ base, bytes }) => `${base} ${bytes}`)
    .concat(frames.join(" "))
    .join(", ");
  if (!stale && tables === own.tables) return;
  if (tables !== own.tables)
    withShadow(host, number, system, (shadow) => {
      for (const frame of own.frames) if (!frames.includes(frame)) shadow.watch(frame, false);
      for (const frame of frames) shadow.watch(frame, true);
    });
  change(host, number, { tables, frames, userShown: true, ...copy(host, number, cpu) });
}

/** Code for ring 3 can be loaded by ring 3 alone. */
export function showUserCode(host: Host, number: number, shown: boolean): void {
  const { userShown, userCode } = ownOf(host, number);
  if (userShown === shown) return;
  for (const { at, high } of userCode) host.port.writePhysical(at, shown ? high : hidden(high));
  change(host, number, { userShown: shown });
}
