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
import { add, and, i32, type OperandSize, shl } from "../isa/code.js";
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
  MMX_FAULT,
  SSE_FAULT,
  TLB_WRITE_TAG,
  WIDE_BUFFER,
} from "./layout.js";
import { extract, replace, type VectorStoreWidth, type VectorWidth, vectorLoad, vectorStore, zeros } from "./simd.js";
import { slow } from "./slow-paths.js";
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

/** The address of bytes that can be read; up to 16 of them. */
function readablePlace(handler: Handler, bytes: number): Expr {
  const { body } = handler.frame;
  const linear = handler.linear("operand", handler.address(), bytes, false);
  alignIfWanted(handler, linear, bytes);
  const place = handler.let(i32(0));
  const { hit, host } = handler.resident(linear, bytes);
  body.if(
    hit(0),
    () => body.set(place, host),
    () => {
      body.set(place, slow("loadWide", linear, i32(bytes)));
      handler.checkSlow();
    },
  );
  return place;
}

function alignIfWanted(handler: Handler, linear: Expr, bytes: number): void {
  if (bytes < 16 || handler.form.row.unaligned) return;
  handler.frame.body.if(and(linear, i32(15)), () => handler.fault(VECTOR.GP, 0));
}

export function readVector(handler: Handler, index: number): Expr {
  const width = handler.widthOf(index);
  if (!handler.isMemory(index)) {
    const address = handler.registerAddress(index);
    if (width >= 32) return handler.let(vectorLoad(width as VectorWidth, address));
    return handler.let(replace("i32x4", zeros, 0, load("i16u", address)));
  }
  if (width >= 64) return handler.let(vectorLoad(width as VectorWidth, readablePlace(handler, width / 8)));
  const { value } = handler.cell("operand", handler.address(), width as OperandSize);
  return handler.let(replace("i32x4", zeros, 0, handler.zeroExtend(value, width as OperandSize)));
}

export function writeVector(handler: Handler, index: number, value: Expr): void {
  const { body, exit, refund } = handler.frame;
  const width = handler.widthOf(index);
  const store = (address: Expr): void => body.emit(vectorStore(width as VectorStoreWidth, address, value));
  if (!handler.isMemory(index)) {
    const address = handler.registerAddress(index);
    store(address);
    noteRegister(handler, index, address);
    return;
  }
  if (width < 64) {
    handler.cell("operand", handler.address(), width as OperandSize, "write").store(extract("i32x4", value, 0));
    return;
  }
  const bytes = width / 8;
  const linear = handler.linear("operand", handler.address(), bytes, true);
  alignIfWanted(handler, linear, bytes);
  const { hit, host } = handler.resident(linear, bytes);
  body.if(
    hit(TLB_WRITE_TAG),
    () => store(host),
    () => {
      store(i32(WIDE_BUFFER));
      body.set(exit, slow("storeWide", linear, i32(bytes)));
      body.brIf(refund, exit);
    },
  );
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
