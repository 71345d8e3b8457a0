/** A second, naive toy machine for comparison: a loop over bytes that shares no code with the engine or the table. */

export interface ReferenceState {
  readonly registers: readonly number[];
  readonly pc: number;
  readonly output: string;
  readonly steps: number;
  readonly stop: "limit" | "halted" | "exception";
}

const THREE_REGISTERS: Readonly<Record<number, (a: number, b: number) => number>> = {
  32: (a, b) => a + b,
  33: (a, b) => a - b,
  34: (a, b) => Math.imul(a, b),
  35: (a, b) => a & b,
  36: (a, b) => a | b,
  37: (a, b) => a ^ b,
  38: (a, b) => (b >= 0 ? (b > 31 ? 0 : a << b) : b < -31 ? 0 : a >>> -b),
};

/** Runs at most `limit` steps in `memory`, which is changed. */
export function runReference(
  memory: Uint8Array,
  start: readonly number[],
  from: number,
  limit: number,
): ReferenceState {
  const r = Int32Array.from(start);
  const view = new DataView(memory.buffer, memory.byteOffset, memory.length);
  let pc = from;
  let output = "";
  let steps = 0;
  const end = (stop: ReferenceState["stop"]): ReferenceState => ({ registers: [...r], pc, output, steps, stop });
  while (steps < limit) {
    if (pc + 4 > memory.length) return end("exception");
    const [op, x, y, z] = [memory[pc]!, memory[pc + 1]!, memory[pc + 2]!, memory[pc + 3]!];
    const number = y + 256 * z;
    let next = (pc + 4) >>> 0;
    const operation = THREE_REGISTERS[op];
    if (op !== 0x40 && op !== 0x51 && x > 7) return end("exception");
    if (operation) {
      if (y > 7 || z > 7) return end("exception");
      r[x] = operation(r[y]!, r[z]!);
    } else if (op === 0x10) r[x] = (number << 16) >> 16;
    else if (op === 0x30 || op === 0x31) {
      if (y > 7) return end("exception");
      const address = (r[y]! + ((z << 24) >> 24)) >>> 0;
      if (address + 4 > memory.length) return end("exception");
      if (op === 0x30) r[x] = view.getInt32(address, true);
      else view.setInt32(address, r[x]!, true);
    } else if (op === 0x40) {
      if (x !== 0) return end("exception");
      next = number;
    } else if (op === 0x41) next = r[x] === 0 ? number : next;
    else if (op === 0x42) next = r[x]! < 0 ? number : next;
    else if (number !== 0 || (op === 0x51 && x !== 0)) return end("exception");
    else if (op === 0x43) [next, r[x]] = [r[x]! >>> 0, next];
    else if (op === 0x50) output += String.fromCharCode(r[x]! & 255);
    else if (op !== 0x51) return end("exception");
    pc = next;
    steps++;
    if (op === 0x51) return end("halted");
  }
  return end("limit");
}
