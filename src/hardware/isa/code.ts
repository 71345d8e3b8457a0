/**
 * What the meaning of an instruction is written in: a typed code emitter, and short names for its operators.
 *
 * A value of 8, 16 or 32 bits is an `i32` held SIGN-EXTENDED to 32 bits, one of 64 bits an `i64`. Operators take either,
 * and a constant or a shift count with both. Addresses and offsets are `i64` in 64-bit code. Two rules give precise faults
 * for free:
 * 1. reads see the values at the start of the instruction; registers and flags are written at its end, after memory;
 * 2. at most one memory write that can fault, and no memory access after a conditional part.
 */
import type { RepeatedInstruction } from "../cpu/guest-operation.js";
import {
  type BinaryOp,
  type Expr,
  i32,
  i64,
  unary,
  binary as wasmBinary,
  select as wasmSelect,
} from "../engine/wasm.js";

export type { Expr };
export { i32, i64, unary };

/** Width of an operand in bits. */
export type OperandSize = 8 | 16 | 32 | 64;

const shifts: ReadonlySet<BinaryOp> = new Set(["shl", "shr_s", "shr_u", "rotl", "rotr"]);
/** An i32 as wide as another operand, if it is a constant. */
const asWideAs = (value: Expr, other: Expr): Expr =>
  value.constant !== undefined && other.type === "i64" ? i64(BigInt(value.constant)) : value;

/** An operator of WebAssembly. */
export function binary(op: BinaryOp, a: Expr, b: Expr): Expr {
  if (a.type === b.type) return wasmBinary(op, a, b);
  if (shifts.has(op) && a.type === "i64" && b.type === "i32")
    return wasmBinary(op, a, b.constant === undefined ? widenUnsigned(b) : asWideAs(b, a));
  return wasmBinary(op, asWideAs(a, b), asWideAs(b, a));
}

/** `condition ? a : b`, both evaluated. */
export const select = (condition: Expr, a: Expr, b: Expr): Expr =>
  wasmSelect(truth(condition), asWideAs(a, b), asWideAs(b, a));

export const add = (a: Expr, b: Expr): Expr => binary("add", a, b);
export const sub = (a: Expr, b: Expr): Expr => binary("sub", a, b);
export const mul = (a: Expr, b: Expr): Expr => binary("mul", a, b);
export const and = (a: Expr, b: Expr): Expr => binary("and", a, b);
export const or = (a: Expr, b: Expr): Expr => binary("or", a, b);
export const xor = (a: Expr, b: Expr): Expr => binary("xor", a, b);
export const shl = (a: Expr, b: Expr): Expr => binary("shl", a, b);
export const shr = (a: Expr, b: Expr): Expr => binary("shr_u", a, b);
export const sar = (a: Expr, b: Expr): Expr => binary("shr_s", a, b);
export const eq = (a: Expr, b: Expr): Expr => binary("eq", a, b);
export const ne = (a: Expr, b: Expr): Expr => binary("ne", a, b);
export const below = (a: Expr, b: Expr): Expr => binary("lt_u", a, b);
export const belowEqual = (a: Expr, b: Expr): Expr => binary("le_u", a, b);
export const less = (a: Expr, b: Expr): Expr => binary("lt_s", a, b);
export const isZero = (a: Expr): Expr => unary(a.type === "i32" ? "i32.eqz" : "i64.eqz", a);
/** Whether a value is not zero, as an i32 that a condition takes. */
export const truth = (a: Expr): Expr => (a.type === "i64" ? ne(a, i32(0)) : a);
export const widen = (a: Expr): Expr => (a.type === "i64" ? a : unary("i64.extend_i32_s", a));
export const widenUnsigned = (a: Expr): Expr => (a.type === "i64" ? a : unary("i64.extend_i32_u", a));
export const narrow = (a: Expr): Expr => (a.type === "i32" ? a : unary("i32.wrap_i64", a));

/** A memory operand: its value, unless it is only to be written, and the way to write it. */
export interface MemoryCell {
  readonly value: Expr;
  store(value: Expr): void;
}

/** "modify" reads with the checks of a write; "write" does not read. */
export type CellAccess = "read" | "write" | "modify";
export type ImpliedSegment = "operand" | "ss" | "es";

/** Conditions of Jcc, SETcc and CMOVcc in encoding order. Spec: SDM Vol. 1, "EFLAGS Condition Codes". */
export const conditionNames = [
  "O",
  "NO",
  "B",
  "AE",
  "E",
  "NE",
  "BE",
  "A",
  "S",
  "NS",
  "P",
  "NP",
  "L",
  "GE",
  "LE",
  "G",
] as const;

/** The arithmetic status flags an instruction sets, by how they follow from operands and result. */
export interface FlagSource {
  /** ZF, SF and PF follow from this value (sign-extended). */
  readonly result?: Expr;
  /** CF, 0 or 1. */
  readonly carry?: Expr;
  /** Bit 4 is AF and bit 31 is OF xor CF. */
  readonly carries?: Expr;
}

export interface Code {
  /** Operand size of this form. */
  readonly size: OperandSize;

  /** Evaluates once and gives the result a name. */
  let(value: Expr): Expr;
  /** A variable that may be assigned inside conditional parts. */
  variable(value: Expr): { readonly value: Expr; set(value: Expr): void };
  if(condition: Expr, then: () => void, otherwise?: () => void): void;

  /** Code is 64-bit code: addresses have 64 bits. */
  readonly long: boolean;

  /** Value of operand `index`, sign-extended from its own width. */
  read(index: number): Expr;
  /** The same for an operand that will be written: a memory operand is checked for writing. */
  modify(index: number): Expr;
  write(index: number, value: Expr): void;
  isMemory(index: number): boolean;
  /** An XMM or MMX register or memory as a vector; what the operand has no bits for is zero. */
  vector(index: number): Expr;
  /** Sets as many of the low bits as the operand has; a register keeps the others. */
  setVector(index: number, value: Expr): void;
  /** A lane of an XMM or MMX register by its number: 8, 16 or 32 bits zero-extended, or an i64. */
  lane(index: number, bits: OperandSize, number: Expr): Expr;
  setLane(index: number, bits: OperandSize, number: Expr, value: Expr): void;
  /** XMM register by number. */
  xmm(number: number): Expr;
  /** Width of operand `index` in bits. */
  widthOf(index: number): number;
  /** Offset of the memory operand in its segment (the effective address). */
  address(): Expr;
  /** Any memory cell, by segment ("operand": DS or what a prefix names) and offset. */
  cell(segment: ImpliedSegment, offset: Expr, size: OperandSize, access?: CellAccess): MemoryCell;

  /** General register by encoding number (AH to BH are 4 to 7 at 8 bits), sign-extended. */
  register(number: number, size: OperandSize): Expr;
  setRegister(number: number, size: OperandSize, value: Expr): void;
  /** Offset `displacement` bytes from the top of the stack, as wide as the stack segment says (SP or ESP). */
  stackTop(displacement?: number): Expr;
  /** Moves the top of the stack to an offset; above 16 bits ESP stays if SP is the stack pointer. */
  setStackTop(offset: Expr): void;
  /** EBP or BP, as wide as the stack pointer. */
  framePointer(): Expr;
  push(value: Expr, size?: OperandSize): void;
  /** An index or count register, as wide as an address (ECX or CX), zero-extended. */
  pointer(number: number): Expr;
  setPointer(number: number, value: Expr): void;
  /** A value below 2^32, or one that is extended by its sign, as wide as an offset. */
  asOffset(value: Expr, signed?: "signed"): Expr;
  /** A sum of addresses, as wide as an address. */
  wrapAddress(sum: Expr): Expr;

  signExtend(value: Expr, size?: OperandSize): Expr;
  zeroExtend(value: Expr, size?: OperandSize): Expr;

  carry(): Expr;
  carries(): Expr;
  /** Truth value of condition 0 to 15. */
  condition(code: number): Expr;
  /** Sets flags; what is not named stays. */
  flags(source: FlagSource): void;
  /** All of EFLAGS. */
  eflags(): Expr;
  /** Sets SF, ZF, AF, PF, CF from the low byte, as SAHF does; OF stays. */
  setLowFlags(value: Expr): void;
  /** What a string instruction adds to ESI and EDI: plus or minus the operand size in bytes. */
  direction(): Expr;
  setDirection(value: 0 | 1): void;

  /** Raises an exception; the instruction has no effect. */
  fault(vector: number, errorCode?: number): void;
  nextEip(): Expr;
  /**
   * #GP(0) if a jump to `target` (the direct target, operand J, unless given) would leave the code segment. `branch` and
   * `jump` check that themselves; what changes registers or memory before them checks before that.
   */
  checkTarget(target?: Expr): void;
  /** Ends the instruction: to the direct target (operand J), if the condition holds. */
  branch(condition?: Expr): void;
  /** Ends the instruction: to a computed address. */
  jump(target: Expr): void;
  /** Ends one iteration of a repeated instruction: goes on with the next iteration if the condition holds. */
  repeatIf(condition: Expr): void;
}

/**
 * What an instruction in TypeScript did the last time, done again by generated code: each part goes on only if all that
 * decided then is as it was, and else leaves the instruction to TypeScript with nothing done.
 */
export interface Replay extends Code {
  /** At CPL 0 alone. */
  asSupervisor(): void;
  /** Not in a guest that this instruction leaves, nor where it is forbidden to some. */
  unlessLeaves(name: RepeatedInstruction): void;
  /** Ends the instruction: through the gate of a vector, as INT n goes, or INT3, which is an exception to a guest. */
  interrupt(vector: Expr, by: "INT" | "INT3"): void;
  /** Ends the instruction: as IRET goes. */
  interruptReturn(): void;
  /** What IN read of a port, sign-extended. */
  portRead(port: Expr, size: OperandSize): Expr;
  /** Goes on only if it holds. */
  require(condition: Expr): void;
  mxcsr(): Expr;
  /** The time-stamp counter, and what RDTSCP tells beside it. */
  timestamp(): Expr;
  timestampAuxiliary(): Expr;
  /** Ends the instruction. */
  done(): void;
}
