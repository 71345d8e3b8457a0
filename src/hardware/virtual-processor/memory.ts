/** The physical memory of a virtual machine, as whoever keeps it gives it; and the same as devices see it. */
import { PAGE_SIZE } from "../../state/pages.js";
import type { AccessSize } from "../cpu/processor.js";
import type { GuestMemory } from "../devices/guest-memory.js";

/** RAM and ROM by guest-physical addresses. No access reaches over the end of a page of 4 KiB. */
export interface VirtualMemory {
  /** Whether there is RAM or ROM, of a whole page alike. Where there is none, the board answers. */
  has(physical: number): boolean;
  /** Unsigned. Asked only where there is memory. */
  read(physical: number, size: AccessSize): number;
  /** `value` has no more bits than `size` bytes. ROM swallows it. Asked only where there is memory. */
  write(physical: number, size: AccessSize, value: number): void;
  /** Memory as a master of the bus sees it, where there is a quicker way than by dwords. */
  readonly dma?: GuestMemory;
}

/** The parts of a range that lie in one page each and in memory. */
function eachPart(
  memory: VirtualMemory,
  physical: number,
  length: number,
  visit: (at: number, count: number) => void,
): void {
  for (let at = 0; at < length; ) {
    const count = Math.min(length - at, PAGE_SIZE - ((physical + at) % PAGE_SIZE));
    if (memory.has(physical + at)) visit(at, count);
    at += count;
  }
}

/** Memory as a master of the bus sees it: no translation, no A20 gate. */
export function dmaOf(memory: VirtualMemory): GuestMemory {
  return {
    read: (physical, length) => {
      const bytes = new Uint8Array(length).fill(0xff);
      const view = new DataView(bytes.buffer);
      eachPart(memory, physical, length, (at, count) => {
        let done = 0;
        for (; done + 4 <= count; done += 4) view.setUint32(at + done, memory.read(physical + at + done, 4), true);
        for (; done < count; done++) bytes[at + done] = memory.read(physical + at + done, 1);
      });
      return bytes;
    },
    write: (physical, bytes) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      eachPart(memory, physical, bytes.length, (at, count) => {
        let done = 0;
        for (; done + 4 <= count; done += 4) memory.write(physical + at + done, 4, view.getUint32(at + done, true));
        for (; done < count; done++) memory.write(physical + at + done, 1, bytes[at + done]!);
      });
    },
  };
}
