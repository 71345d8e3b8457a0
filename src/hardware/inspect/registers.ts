/** Registers as a list, with what they were in another machine. */

import type { Machine, Registers } from "../machine.js";
import { deepFreeze } from "../machine-content.js";

export interface RegisterValue {
  readonly name: keyof Registers;
  /** 16 for segment registers, else 32. */
  readonly bits: 16 | 32;
  /** Unsigned. */
  readonly value: number;
  /** As a two's complement number of its width. */
  readonly signed: number;
  /** The value in the other machine, if there is one. */
  readonly before?: number;
  /** Whether it differs from the other machine's. */
  readonly changed: boolean;
}

/** In the order they are shown in. */
const names = (
  "eax ebx ecx edx esi edi ebp esp eip eflags cs ss ds es fs gs cr0 cr2 cr3 cr4".split(
    " ",
  ) as readonly (keyof Registers)[]
).map((name) => ({ name, bits: name.length === 2 ? 16 : 32 }) as const);

/**
 * The machine's registers; with `since`, what they were in that machine and whether they differ.
 *
 * @example
 * const machine = Machine.boot({ image: Uint8Array.of(0x48) }); // dec eax
 * const [eax] = registersOf(machine.step(), { since: machine });
 * [eax?.value, eax?.signed, eax?.before, eax?.changed] // => [ 4294967295, -1, 0, true ]
 */
export function registersOf(machine: Machine, { since }: { readonly since?: Machine } = {}): readonly RegisterValue[] {
  const { registers } = machine;
  const before = since?.registers;
  return deepFreeze(
    names.map(({ name, bits }): RegisterValue => {
      const value = registers[name];
      return {
        name,
        bits,
        value,
        signed: bits === 16 ? (value << 16) >> 16 : value | 0,
        ...(before === undefined ? {} : { before: before[name] }),
        changed: before !== undefined && before[name] !== value,
      };
    }),
  );
}
