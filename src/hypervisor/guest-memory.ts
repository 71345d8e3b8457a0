/** A guest's physical memory as the hypervisor reaches it: pieces of the host's frames. */
import type { AccessSize, ProcessorPort } from "../hardware/cpu/processor.js";
import { dmaOf, type VirtualMemory } from "../hardware/virtual-processor/memory.js";
import { PAGE_SIZE } from "../state/pages.js";
import type { Extent } from "./state.js";

/** The piece an address lies in. */
export function extentAt(extents: readonly Extent[], physical: number): Extent | undefined {
  for (const extent of extents) if (physical >= extent.guest && physical < extent.guest + extent.bytes) return extent;
  return undefined;
}

/** Where a guest's byte is in the host; undefined where the guest has no memory. */
export function hostPhysical(extents: readonly Extent[], physical: number): number | undefined {
  const extent = extentAt(extents, physical);
  return extent === undefined ? undefined : physical - extent.guest + extent.host;
}

type Words = Pick<ProcessorPort, "readPhysical" | "writePhysical">;

/** `size` bytes within a page, unsigned. */
export function readFrame(port: Words, at: number, size: AccessSize): number {
  const shift = (at & 3) * 8;
  const low = port.readPhysical(at - (at & 3)) >>> shift;
  const left = 32 - shift;
  if (8 * size <= left) return size === 4 ? low : low & (2 ** (8 * size) - 1);
  return (low + port.readPhysical(at - (at & 3) + 4) * 2 ** left) % 2 ** (8 * size);
}

/** Writes `size` bytes within a page. */
export function writeFrame(port: Words, at: number, size: AccessSize, value: number): void {
  if (size === 4 && (at & 3) === 0) {
    port.writePhysical(at, value >>> 0);
    return;
  }
  for (let index = 0; index < size; index++) {
    const word = at + index - ((at + index) & 3);
    const shift = ((at + index) & 3) * 8;
    const byte = (value >>> (8 * index)) & 0xff;
    port.writePhysical(word, ((port.readPhysical(word) & ~(0xff << shift)) | (byte << shift)) >>> 0);
  }
}

/** The same memory, and whoever wants to know which frames are stored to. */
export const noting = (memory: VirtualMemory, written: Set<number>): VirtualMemory => ({
  has: (physical) => memory.has(physical),
  read: (physical, size) => memory.read(physical, size),
  write(physical, size, value) {
    written.add(Math.floor(physical / PAGE_SIZE));
    memory.write(physical, size, value);
  },
});

/** The same memory, whose masters of the bus reach the host's below `end` where it has none: of a host without DMA bounds. */
export const hostWideDma = (port: Words, memory: VirtualMemory, end: number): VirtualMemory => ({
  ...memory,
  dma: dmaOf({
    has: (physical) => memory.has(physical) || physical < end,
    read: (physical, size) => (memory.has(physical) ? memory.read(physical, size) : readFrame(port, physical, size)),
    write(physical, size, value) {
      if (memory.has(physical)) memory.write(physical, size, value);
      else writeFrame(port, physical, size, value);
    },
  }),
});

let last: { readonly port: Words; readonly extents: readonly Extent[]; readonly memory: VirtualMemory } | undefined;

/** The memory of a VM: nothing beyond its own pieces is reached, by its processor's instructions or by its devices. */
export function guestMemory(port: Words, extents: readonly Extent[]): VirtualMemory {
  if (last?.port !== port || last.extents !== extents) last = { port, extents, memory: reachable(port, extents) };
  return last.memory;
}

function reachable(port: Words, extents: readonly Extent[]): VirtualMemory {
  let extent: Extent | undefined;
  const at = (physical: number): Extent | undefined => {
    if (extent === undefined || physical < extent.guest || physical >= extent.guest + extent.bytes)
      extent = extentAt(extents, physical);
    return extent;
  };
  return {
    has: (physical) => at(physical) !== undefined,
    read(physical, size) {
      const { guest, host } = at(physical)!;
      return readFrame(port, physical - guest + host, size);
    },
    write(physical, size, value) {
      const { guest, host, readOnly } = at(physical)!;
      if (!readOnly) writeFrame(port, physical - guest + host, size, value);
    },
  };
}
