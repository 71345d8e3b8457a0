/** Parts of linear and physical addresses, which are numbers: in the upper half of 64-bit code's they are negative. */
import { PAGE_SIZE } from "../../state/pages.js";

const WORD = 2 ** 32;

/** Number of the page frame of a physical address. */
export const frameOf = (physical: number): number =>
  physical < WORD ? physical >>> 12 : Math.floor(physical / PAGE_SIZE);

/** Number of a linear page; negative in the upper half of canonical addresses. */
export const pageOf = (linear: number): number => Math.floor(linear / PAGE_SIZE);

/** Upper word of a linear address: 0 but in long mode. */
export const highOf = (linear: number): number => (linear === linear >>> 0 ? 0 : (linear - (linear >>> 0)) / WORD);

/** Whether an access reaches over the end of a page. */
export const crosses = (linear: number, size: number): boolean => (linear & 0xfff) + size > PAGE_SIZE;

/** Where the page behind the one of an address begins. */
export const nextPage = (linear: number): number => linear - (linear & 0xfff) + PAGE_SIZE;
