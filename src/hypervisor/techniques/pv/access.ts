/** The guest's memory as its arguments name it: linear addresses, through its own page tables, below the hypervisor. */
import { Fault } from "../../../hardware/cpu/processor.js";
import type { Host } from "../../host.js";
import { TOP } from "../../layout.js";
import { ERRNO, type ErrnoName } from "./interface.js";

/** A hypercall is refused. */
export class Refused {
  constructor(readonly errno: ErrnoName) {}

  get result(): number {
    return -ERRNO[this.errno];
  }
}

export function refuse(errno: ErrnoName): never {
  throw new Refused(errno);
}

/** Spec: Xen, "copy_from_guest": what cannot be accessed is -EFAULT. */
function reach<T>(linear: number, bytes: number, access: () => T): T {
  if ((linear >>> 0) + bytes > TOP) refuse("EFAULT");
  try {
    return access();
  } catch (thrown) {
    if (thrown instanceof Fault) refuse("EFAULT");
    throw thrown;
  }
}

/** Words there, unsigned. */
export function readWords({ port }: Host, linear: number, count: number): readonly number[] {
  const words = new Int32Array(count);
  reach(linear, 4 * count, () => {
    for (let index = 0; index < count; index++) words[index] = port.readLinear((linear >>> 0) + 4 * index, 4, false);
  });
  return [...new Uint32Array(words.buffer)];
}

export const readWord = (host: Host, linear: number): number => readWords(host, linear, 1)[0]!;

export function readBytes({ port }: Host, linear: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  reach(linear, count, () => {
    for (let index = 0; index < count; index++) bytes[index] = port.readLinear((linear >>> 0) + index, 1, false);
  });
  return bytes;
}

/** Writes words. Pages that are read-only for the guest are so for the hypervisor on its behalf. */
export function writeWords({ port }: Host, linear: number, words: readonly number[]): void {
  reach(linear, 4 * words.length, () => {
    port.checkWrite(linear >>> 0, 4 * words.length, false);
    words.forEach((word, index) => {
      port.writeLinear((linear >>> 0) + 4 * index, 4, word >>> 0, false);
    });
  });
}
