/**
 * The instructions around a machine's EIP. Those behind it are a guess: x86 code can only be read forwards, so the
 * longest run of instructions that ends exactly at EIP is taken, which in practice is the one the program has.
 */
import { codeBitsOf, instructionPointer } from "../../hardware/inspect/instruction-at.js";
import { linearAt, linearPlus, readForward, readIfMapped } from "../../hardware/inspect/reading.js";
import { type DisassembledInstruction, disassemble } from "../../hardware/isa/disassembler.js";
import type { CodeBits } from "../../hardware/isa/instruction.js";
import type { Machine } from "../../hardware/machine.js";

export interface CodeLine extends DisassembledInstruction {
  /** Before EIP and so a guess, at EIP, or after it. */
  readonly place: "before" | "here" | "after";
}

const PAGE = 4096;
const LONGEST = 15;
/** How far to look back: about the bytes of a dozen instructions. */
const LOOK_BACK = 40;

/** Instructions from `before` ahead of EIP to `after` behind it; an empty list if nothing is mapped at EIP. */
export function codeAround(
  machine: Machine,
  { before = 4, after = 8 }: { before?: number; after?: number } = {},
): readonly CodeLine[] {
  const eip = instructionPointer(machine);
  const linear = linearAt(machine, "cs", eip);
  const bits = codeBitsOf(machine);
  const ahead = disassemble(readForward(machine, linear, (after + 1) * LONGEST), {
    address: eip,
    bits,
    count: after + 1,
  });
  if (ahead.length === 0) return [];
  // Offsets do not go round at 0, but in 64-bit code the upper half lies below it.
  const length = eip < 0 ? LOOK_BACK : Math.min(LOOK_BACK, eip);
  const behind = before === 0 ? [] : instructionsBefore(readBackward(machine, linear, length), eip, bits);
  return [
    ...behind.slice(-before).map((one): CodeLine => ({ ...one, place: "before" })),
    ...ahead.map((one, index): CodeLine => ({ ...one, place: index === 0 ? "here" : "after" })),
  ];
}

function instructionsBefore(bytes: Uint8Array, eip: number, bits: CodeBits): readonly DisassembledInstruction[] {
  for (let length = bytes.length; length > 0; length--) {
    const address = bits === 64 ? eip - length : (eip - length) >>> 0;
    const list = disassemble(bytes.subarray(bytes.length - length), { address, bits });
    if (list.every(({ group }) => group !== undefined)) return list;
  }
  return [];
}

/** Bytes before `linear`; those of its own page where the page before is not mapped. */
function readBackward(machine: Machine, linear: number, length: number): Uint8Array {
  const within = Math.min(length, linear & (PAGE - 1));
  return (
    readIfMapped(machine, linearPlus(machine, linear, -length), length) ??
    readIfMapped(machine, linear - within, within) ??
    new Uint8Array()
  );
}
