/**
 * How an interpreter reads and writes vectors: XMM and MMX registers, memory of up to 16 bytes, and single lanes; and
 * whether an instruction may use these registers at all.
 *
 * XMM and MMX registers lie side by side in the engine's memory, and a record has their addresses, so a lane is a load or
 * a store at an address.
 * Spec: SDM Vol. 1, "Instruction Operands" (of MMX and of SSE), "Effect of MMX … Instructions on x87 FPU Tag Word",
 * "Memory Alignment".
 */
import { VECTOR } from "../cpu/processor.js";
import { add, and, i32, narrow, type OperandSize, shl } from "../isa/code.js";
import type { Definition, OperandCode } from "../isa/instruction.js";
import type { Handler } from "./handler.js";
import {
  EXIT,
  EXIT_ERROR_CODE,
  EXIT_VECTOR,
  FLOAT_CHANGED,
  FLOAT_FAULT,
  FSW,
  FTW,
  LONG_BASES,
  MMX_FAULT,
  RECORD,
  SEGMENT_SIZE,
  SEGMENTS,
  SSE_FAULT,
  TLB_WRITE_TAG,
} from "./layout.js";
import { checkSlow, linearOf, resident, slowAccess } from "./memory-operands.js";
import { extract, replace, type VectorStoreWidth, type VectorWidth, vectorLoad, vectorStore, zeros } from "./simd.js";
import { type Expr, load } from "./wasm.js";

type Unit = NonNullable<Definition["unit"]>;

const faultWords: Readonly<Record<Unit, number>> = {
  x87: FLOAT_FAULT,
  mmx: MMX_FAULT,
  sse: SSE_FAULT,
  "mmx-sse": SSE_FAULT,
};
/** Error summary and top of stack in the x87 status word. */
const FSW_ES = 0x80;
const FSW_TOP = 0x3800;
/** Where the exponent of an x87 register begins, which an MMX result fills with ones. */
const EXPONENT = 8;

const widths: Readonly<Record<string, number>> = { b: 8, w: 16, d: 32, q: 64, dq: 128 };

/** Bits of an operand. */
export const vectorWidth = ({ type }: OperandCode, size: OperandSize): number => widths[type] ?? size;

/** Raises what an instruction of a unit raises as control registers are. */
export function requireUnit(handler: Handler, unit: Unit): void {
  const { body, exit, refund } = handler.frame;
  const raise = (vector: Expr): void => {
    body.store("i32", i32(0), vector, EXIT_VECTOR);
    body.store("i32", i32(0), i32(-1), EXIT_ERROR_CODE);
    body.set(exit, i32(EXIT.fault));
    body.br(refund);
  };
  const word = load("i32", i32(faultWords[unit]));
  body.if(word, () => raise(word));
  if (usesMmx(unit)) body.if(and(load("i32", i32(FSW)), i32(FSW_ES)), () => raise(i32(VECTOR.MF)));
}

export const usesMmx = (unit: Unit | undefined): boolean => unit === "mmx" || unit === "mmx-sse";

/** Behind an MMX instruction: all x87 registers are valid, the stack begins at R0. */
export function noteMmx({ frame: { body } }: Handler): void {
  body.store("i32", i32(0), i32(1), FLOAT_CHANGED);
  body.store("i32", i32(0), and(load("i32", i32(FSW)), i32(~FSW_TOP)), FSW);
  body.store("i32", i32(0), i32(0), FTW);
}

const isMmx = ({ method }: OperandCode): boolean => "PQN".includes(method);

/** 16 bytes of memory. */
function readMemory(handler: Handler): Expr {
  const { body } = handler.frame;
  requireAlignment(handler);
  const linear = linearOf(handler, "operand", handler.address(), 16, false);
  const value = handler.let(zeros);
  const { hit, host } = resident(handler, linear, 16);
  body.if(
    hit(0),
    () => body.set(value, vectorLoad(128, host)),
    () => {
      slowAccess(handler, linear, 16, "operand").load(value, false);
      checkSlow(handler);
    },
  );
  return value;
}

function writeMemory(handler: Handler, value: Expr): void {
  const { body, exit, refund } = handler.frame;
  requireAlignment(handler);
  const linear = linearOf(handler, "operand", handler.address(), 16, true);
  const { hit, host } = resident(handler, linear, 16);
  body.if(
    hit(TLB_WRITE_TAG),
    () => body.emit(vectorStore(128, host, value)),
    () => {
      body.set(exit, slowAccess(handler, linear, 16, "operand").store(value));
      body.brIf(refund, exit);
    },
  );
}

/** What is added to an offset to make the low bits of its linear address. */
function segmentBase({ frame, form }: Handler): Expr {
  if (form.memory !== "segment") return i32(0);
  const number = load("i8u", frame.ip, RECORD.segment);
  if (frame.long) return load("i32", shl(number, i32(3)), LONG_BASES);
  return load("i32", shl(number, i32(Math.log2(SEGMENT_SIZE))), SEGMENTS);
}

/** #GP unless 16 bytes are aligned: this comes before the segment's checks, which may be #SS. */
function requireAlignment(handler: Handler): void {
  if (handler.form.row.unaligned) return;
  const low = add(narrow(handler.address()), segmentBase(handler));
  handler.frame.body.if(and(low, i32(15)), () => handler.fault(VECTOR.GP, 0));
}

/** A number in the lowest lane, zeros above it. */
const alone = (value: Expr): Expr =>
  value.type === "i64" ? replace("i64x2", zeros, 0, value) : replace("i32x4", zeros, 0, value);

export function readVector(handler: Handler, index: number): Expr {
  const width = handler.widthOf(index);
  if (!handler.isMemory(index)) {
    const address = handler.registerAddress(index);
    return handler.let(width >= 32 ? vectorLoad(width as VectorWidth, address) : alone(load("i16u", address)));
  }
  if (width === 128) return readMemory(handler);
  const size = width as OperandSize;
  return handler.let(alone(handler.zeroExtend(handler.cell("operand", handler.address(), size).value, size)));
}

export function writeVector(handler: Handler, index: number, value: Expr): void {
  const width = handler.widthOf(index);
  if (!handler.isMemory(index)) {
    const address = handler.registerAddress(index);
    handler.frame.body.emit(vectorStore(width as VectorStoreWidth, address, value));
    noteRegister(handler, index, address);
  } else if (width === 128) writeMemory(handler, handler.let(value));
  else {
    const lowest = width === 64 ? extract("i64x2", value, 0) : extract("i32x4", value, 0);
    handler.cell("operand", handler.address(), width as OperandSize, "write").store(handler.let(lowest));
  }
}

/** What else changes when a register is written. */
function noteRegister(handler: Handler, index: number, address: Expr): void {
  const { body, form } = { ...handler.frame, form: handler.form };
  if (isMmx(form.row.operands[index]!)) body.store("i16", address, i32(-1), EXPONENT);
  else body.store("i32", i32(0), i32(1), FLOAT_CHANGED);
}

const laneAddress = (handler: Handler, index: number, bits: OperandSize, number: Expr): Expr =>
  add(handler.registerAddress(index), shl(number, i32(Math.log2(bits / 8))));

const laneLoads = { 8: "i8u", 16: "i16u", 32: "i32", 64: "i64" } as const;
const laneStores = { 8: "i8", 16: "i16", 32: "i32", 64: "i64" } as const;

export function readLane(handler: Handler, index: number, bits: OperandSize, number: Expr): Expr {
  return handler.let(load(laneLoads[bits], laneAddress(handler, index, bits, number)));
}

export function writeLane(handler: Handler, index: number, bits: OperandSize, number: Expr, value: Expr): void {
  handler.frame.body.store(laneStores[bits], laneAddress(handler, index, bits, number), value);
  noteRegister(handler, index, handler.registerAddress(index));
}
