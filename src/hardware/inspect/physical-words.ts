/** A machine's physical memory a dword at a time, as the tables of VT-x and AMD-V read it. */
import { VirtlabError } from "../../state/error.js";
import type { Machine } from "../machine.js";

export interface PhysicalWords {
  readPhysical(physical: number): number;
}

const OPEN_BUS = 0xffff_ffff;

export const physicalWords = ({ memory }: Machine): PhysicalWords => ({
  readPhysical: (physical) => {
    if (physical + 4 > memory.size) return OPEN_BUS;
    const bytes = memory.read(physical, 4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  },
});

/**
 * Checks the address of a region of 4 KiB.
 *
 * @throws VirtlabError unless all of it is memory, on a page.
 */
export function checkRegion({ memory }: Machine, address: number, what: string): void {
  if (Number.isInteger(address) && address >= 0 && address % 4096 === 0 && address + 4096 <= memory.size) return;
  throw new VirtlabError(`${what}: 0x${address.toString(16)} is not the address of a page of memory`);
}
