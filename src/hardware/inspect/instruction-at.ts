/** The instruction at an address of a machine's code segment, decoded and as text. */
import { codeBitsOf as bitsOfSegment, modeOf } from "../cpu/state.js";
import { decode } from "../isa/decoder.js";
import { disassemble } from "../isa/disassembler.js";
import type { CodeBits, DecodedInstruction, InvalidInstruction } from "../isa/instruction.js";
import type { Machine } from "../machine.js";
import { linearAt, readForward } from "./reading.js";

/** Bytes of the longest instruction. */
export const LONGEST_INSTRUCTION = 15;

export interface InstructionAt {
  /** Offset in the code segment. */
  readonly address: number;
  /** Its own bytes; of what is no instruction, as many as were looked at. */
  readonly bytes: readonly number[];
  /** In Intel syntax, or "(bad)". */
  readonly text: string;
}

export interface DecodedAt extends InstructionAt {
  /** Undefined where the bytes end within the instruction. */
  readonly decoded: DecodedInstruction | InvalidInstruction | undefined;
}

/** Kind of the machine's code segment: 64-bit code, or its default operand size. */
export function codeBitsOf(machine: Machine): CodeBits {
  const { system, eflags } = machine.cpu;
  return modeOf(system, eflags) === "virtual-8086" ? 16 : bitsOfSegment(system);
}

/** Offset in the code segment of the next instruction: EIP, or RIP as a signed number in 64-bit code. */
export const instructionPointer = (machine: Machine): number =>
  codeBitsOf(machine) === 64 ? machine.cpu.eip : machine.registers.eip;

const ENDED = Symbol("end of bytes");

/** The first of the bytes as an instruction at `address`. */
export function decodeBytes(bytes: Uint8Array, address: number, bits: CodeBits): DecodedAt {
  const byteAt = (index: number): number => {
    const byte = bytes[index];
    if (byte === undefined) throw ENDED;
    return byte;
  };
  try {
    const decoded = decode(byteAt, address, bits);
    const own = bytes.subarray(0, decoded.length);
    const text =
      decoded.row === undefined ? "(bad)" : (disassemble(own, { address, bits, count: 1 })[0]?.text ?? "(bad)");
    return { address, bytes: [...own], text, decoded };
  } catch (thrown) {
    if (thrown === ENDED) return { address, bytes: [...bytes], text: "(bad)", decoded: undefined };
    throw thrown;
  }
}

/** The instruction at an offset of CS; no bytes where nothing is mapped. */
export function instructionAt(machine: Machine, address: number): DecodedAt {
  const linear = linearAt(machine, "cs", address);
  return decodeBytes(readForward(machine, linear, LONGEST_INSTRUCTION), address, codeBitsOf(machine));
}
