/** Seeded random numbers for tests: the same seed gives the same case on every machine. */

/** Values at which arithmetic changes its ways, for every operand size. */
const edges = [
  0, 1, 2, 7, 8, 0x0f, 0x10, 0x1f, 0x20, 0x7e, 0x7f, 0x80, 0x81, 0xff, 0x100, 0x7fff, 0x8000, 0x8001, 0xffff, 0x10000,
  0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0x55555555, 0xaaaaaaaa,
];

/** A generator with 32 bits of state (a Weyl sequence, mixed), which is enough to make test cases. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** An unsigned 32-bit number. */
  word(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return this.word() % limit;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** An unsigned 32-bit number that is often an edge case. */
  interesting(): number {
    switch (this.below(4)) {
      case 0:
        return this.pick(edges);
      case 1:
        return (this.pick(edges) ^ (1 << this.below(32))) >>> 0;
      default:
        return this.word();
    }
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => (this.once(3) ? this.pick(edges) & 0xff : this.word() & 0xff));
  }
}
