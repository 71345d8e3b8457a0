/** Memory as gdb sees it: linear addresses in the present mode, as supervisor software would reach them. */
import type { Machine } from "../hardware/machine.js";
import { VirtlabError } from "../state/error.js";
import { PAGE_SIZE } from "../state/pages.js";
import type { RegisterWidth } from "./registers.js";

/** gdb's address as the machine has it: below 2^32, or, with 64 bits, signed. */
export const linearOf = (address: bigint, width: RegisterWidth): number =>
  Number(width === 64 ? BigInt.asIntN(64, address) : BigInt.asUintN(32, address));

/** A machine's address as gdb has it. */
export const addressText = (linear: number): string => BigInt.asUintN(64, BigInt(linear)).toString(16);

/** Where a linear address leads; pages of programs too, from which SMAP keeps the supervisor. */
const physicalOf = (machine: Machine, linear: number): number | undefined =>
  machine.walk(linear).physical ?? machine.walk(linear, { user: true }).physical;

/** Does something for each part of a range that lies on one page, as far as pages are there. Gives how many bytes that were. */
function eachPart(
  machine: Machine,
  linear: number,
  length: number,
  action: (physical: number, count: number, at: number) => void,
): number {
  let at = 0;
  try {
    while (at < length) {
      const address = linear + at;
      const count = Math.min(length - at, PAGE_SIZE - (((address % PAGE_SIZE) + PAGE_SIZE) % PAGE_SIZE));
      const physical = physicalOf(machine, address);
      if (physical === undefined) return at;
      action(physical, count, at);
      at += count;
    }
  } catch (error) {
    // What is mapped to where there is no memory cannot be read either.
    if (!(error instanceof VirtlabError)) throw error;
  }
  return at;
}

/** As many of the bytes as there are from the address on. */
export function readLinear(machine: Machine, linear: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const count = eachPart(machine, linear, length, (physical, size, at) => {
    bytes.set(machine.memory.read(physical, size), at);
  });
  return bytes.subarray(0, count);
}

/** The machine with bytes written; undefined unless all of them can be. */
export function writeLinear(machine: Machine, linear: number, bytes: Uint8Array): Machine | undefined {
  let written = machine;
  const count = eachPart(machine, linear, bytes.length, (physical, size, at) => {
    written = written.write(physical, bytes.subarray(at, at + size));
  });
  return count === bytes.length ? written : undefined;
}
