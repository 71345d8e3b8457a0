/** Memory with nothing in it but page tables, from physical address 0 on; above them there is nothing. */
import type { PhysicalMemory } from "./paging.js";

export class TableMemory implements PhysicalMemory {
  readonly written: [address: number, value: number][] = [];

  constructor(readonly words: Int32Array = new Int32Array(16 * 1024)) {}

  read32(physical: number): number {
    return physical < 4 * this.words.length ? this.words[physical / 4]! : -1;
  }

  write32(physical: number, value: number): void {
    this.written.push([physical, value | 0]);
    if (physical < 4 * this.words.length) this.words[physical / 4] = value;
  }
}
