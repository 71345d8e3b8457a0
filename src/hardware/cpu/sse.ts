/**
 * SSE instructions that are executed in TypeScript: their operands as bit patterns, and their floating-point exceptions.
 *
 * All parts of a packed operation are done before anything is written. An exception that is not masked keeps the
 * destination as it is; MXCSR has its flag all the same.
 * Spec: SDM Vol. 1, "SIMD Floating-Point Exceptions (#XM)", "Handling SIMD Floating-Point Exceptions in Software",
 * "SIMD Floating-Point Exception Conditions".
 */
import type { DecodedInstruction, SystemInstruction } from "../isa/instruction.js";
import { raisePending, requireMmx, requireSse } from "./floating-faults.js";
import { loadBits, storeBits } from "./floating-memory.js";
import { isAlignedTo16 } from "./operands.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { BEFORE_COMPUTATION, type Environment, sseEnvironment } from "./softfloat/index.js";
import { CR4 } from "./state.js";

const widths: Readonly<Record<string, number>> = { b: 8, w: 16, d: 32, q: 64, dq: 128 };

/** An exponent of ones: what the x87 register of an MMX result has above it. */
const MMX_EXPONENT = 0xffffn << 64n;

/** Bits of operand `index`. */
const widthOf = ({ row, size }: DecodedInstruction, index: number): number => widths[row.operands[index]!.type] ?? size;

/** #GP(0) unless 16 bytes of memory are aligned, where the instruction wants that; before the segment's checks. */
function requireAligned(port: ProcessorPort, instruction: DecodedInstruction): void {
  if (!instruction.row.unaligned && !isAlignedTo16(port, instruction))
    throw new Fault(VECTOR.GP, 0, "operand-not-aligned");
}

function generalRegister(port: ProcessorPort, number: number, bits: number): bigint {
  const low = BigInt(port.getRegister(number));
  return bits === 64 ? (BigInt(port.getRegisterHigh(number)) << 32n) | low : low;
}

/** The bits of operand `index`, unsigned. */
export function operandBits(port: ProcessorPort, instruction: DecodedInstruction, index: number): bigint {
  const operand = instruction.operands[index]!;
  const width = widthOf(instruction, index);
  switch (operand.kind) {
    case "xmm":
      return BigInt.asUintN(width, port.floating.getXmm(operand.number));
    case "mmx":
      return BigInt.asUintN(width, port.floating.getRegister(operand.number));
    case "register":
      return generalRegister(port, operand.number, width);
    case "memory":
      if (width === 128) requireAligned(port, instruction);
      return loadBits(port, instruction, width);
    case "immediate":
      return BigInt(operand.value & 0xff);
    default:
      throw new TypeError(`operand of kind ${operand.kind} has no bits`);
  }
}

/** Sets as many low bits of operand `index` as it has; an XMM register keeps the others. */
export function setOperandBits(
  port: ProcessorPort,
  instruction: DecodedInstruction,
  index: number,
  value: bigint,
): void {
  const operand = instruction.operands[index]!;
  const width = widthOf(instruction, index);
  const bits = BigInt.asUintN(width, value);
  switch (operand.kind) {
    case "xmm": {
      const old = width === 128 ? 0n : port.floating.getXmm(operand.number);
      port.floating.setXmm(operand.number, ((old >> BigInt(width)) << BigInt(width)) | bits);
      break;
    }
    case "mmx":
      port.floating.setRegister(operand.number, MMX_EXPONENT | bits);
      break;
    case "register":
      port.setRegister(operand.number, Number(bits & 0xffffffffn), Number(bits >> 32n));
      break;
    default:
      storeBits(port, instruction, width, bits);
  }
}

/** Bits of x87's status word that say which register is the top of its stack. */
const TOP = 7 << 11;

/** Behind an instruction on MMX registers: the x87 registers are all valid, their stack begins at R0. */
export function noteMmx({ floating }: ProcessorPort): void {
  floating.tags = 0;
  floating.status &= ~TOP;
}

/** An instruction of SSE, with the checks that all of them begin with. */
export const sse =
  (action: SystemInstruction): SystemInstruction =>
  (port, instruction) => {
    requireSse(port);
    action(port, instruction);
  };

/**
 * The same for one that reads or writes an MMX register, too, unless it has an operand in memory instead. That it does is
 * noted also where it raises #XM.
 */
export const sseWithMmx = (action: SystemInstruction): SystemInstruction =>
  sse((port, instruction) => {
    const touchesMmx = instruction.operands.some(({ kind }) => kind === "mmx");
    if (touchesMmx) raisePending(port);
    try {
      action(port, instruction);
      if (touchesMmx) noteMmx(port);
    } catch (thrown) {
      if (touchesMmx && thrown instanceof Fault && thrown.rule === "simd-exception") noteMmx(port);
      throw thrown;
    }
  });

/** An instruction of MMX. */
export const mmx =
  (action: SystemInstruction): SystemInstruction =>
  (port, instruction) => {
    requireMmx(port);
    action(port, instruction);
  };

/**
 * Works out the parts of an operation, each in an environment of its own, and reports what they met. Throws #XM, or #UD
 * where the operating system does not know of it, if something of that is not masked. Where that was found before
 * anything was computed, only what is found then is reported.
 */
export function computed(
  port: ProcessorPort,
  count: number,
  compute: (part: number, env: Environment) => bigint,
): readonly bigint[] {
  const { mxcsr } = port.floating;
  const results: bigint[] = [];
  let flags = 0;
  for (let part = 0; part < count; part++) {
    const env = sseEnvironment(mxcsr);
    results.push(compute(part, env));
    flags |= env.flags;
  }
  report(port, flags);
  return results;
}

/** Reports what an operation met. */
export function report(port: ProcessorPort, flags: number): void {
  if (flags === 0) return;
  const { mxcsr } = port.floating;
  const unmasked = flags & ~(mxcsr >>> 7);
  const told = (unmasked & BEFORE_COMPUTATION) !== 0 ? flags & BEFORE_COMPUTATION : flags;
  port.floating.mxcsr = mxcsr | told;
  if (unmasked === 0) return;
  if ((port.system.cr4 & CR4.OSXMMEXCPT) === 0) throw new Fault(VECTOR.UD, undefined, "no-osxmmexcpt");
  throw new Fault(VECTOR.XM, undefined, "simd-exception");
}

/** The parts of a vector, the lowest first. */
export const partsOf = (vector: bigint, bits: 16 | 32 | 64, count: number): readonly bigint[] =>
  Array.from({ length: count }, (_, part) => BigInt.asUintN(bits, vector >> BigInt(part * bits)));

/** The vector of parts. */
export const joined = (parts: readonly bigint[], bits: 16 | 32 | 64): bigint =>
  parts.reduceRight((vector, part) => (vector << BigInt(bits)) | part, 0n);
