/**
 * Page tables that map the first 4 GiB to themselves by pages of 2 MiB, for images that are entered in 64-bit mode.
 * Spec: SDM Vol. 3A, "4-Level Paging and 5-Level Paging".
 */
import { PAGE_SIZE } from "../../state/pages.js";
import { PTE } from "../cpu/paging-levels.js";

const GIBIBYTES = 4;
const ENTRIES = 512;
const LARGE_PAGE = 0x20_0000;
const TABLE = PTE.P | PTE.W;

/** Bytes of the tables. */
export const IDENTITY_MAP_SIZE = (2 + GIBIBYTES) * PAGE_SIZE;

/** The tables for a place in memory: PML4, pointer table, one directory a GiB. */
export function identityMap(address: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(IDENTITY_MAP_SIZE));
  const pointers = PAGE_SIZE;
  view.setUint32(0, (address + pointers) | TABLE, true);
  for (let gibibyte = 0; gibibyte < GIBIBYTES; gibibyte++) {
    const directory = (2 + gibibyte) * PAGE_SIZE;
    view.setUint32(pointers + 8 * gibibyte, (address + directory) | TABLE, true);
    for (let index = 0; index < ENTRIES; index++)
      view.setUint32(directory + 8 * index, (gibibyte * ENTRIES + index) * LARGE_PAGE + (TABLE | PTE.PS), true);
  }
  return new Uint8Array(view.buffer);
}
