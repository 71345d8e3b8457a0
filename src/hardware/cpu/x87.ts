/**
 * The x87 unit: its register stack, tags, condition codes and exceptions, and what each of its instructions begins with.
 * Spec: SDM Vol. 1, "x87 FPU Execution Environment", "x87 FPU Exception Handling", "x87 FPU Stack".
 */
import type { Operand, SystemInstruction } from "../isa/instruction.js";
import { type FloatingRegisters, STATUS } from "./floating.js";
import { raisePending, requireX87 } from "./floating-faults.js";
import { effectiveAddress } from "./operands.js";
import { type Environment, EXCEPTION, EXTENDED, isStopped, unmasked, x87Environment } from "./softfloat/index.js";
import { segmentNumbered } from "./state.js";

/** An instruction that changes the environment and looks at no pending exception: FNINIT and its like. */
export const control =
  (action: SystemInstruction): SystemInstruction =>
  (port, instruction) => {
    requireX87(port);
    action(port, instruction);
  };

/** The same, where a pending exception is raised first: FLDCW and its like. */
export const waitingControl = (action: SystemInstruction): SystemInstruction =>
  control((port, instruction) => {
    raisePending(port);
    action(port, instruction);
  });

/**
 * An instruction on numbers: it raises a pending exception, and where it and its operand stand is remembered.
 * Spec: SDM Vol. 1, "x87 FPU Instruction and Data (Operand) Pointers", "Last Instruction Opcode".
 */
export const numeric = (action: SystemInstruction): SystemInstruction =>
  waitingControl((port, instruction) => {
    action(port, instruction);
    const { floating, system, eip } = port;
    const { row, modrm, memory } = instruction;
    floating.opcode = ((row.byte & 7) << 8) | modrm;
    floating.instructionPointer = eip;
    floating.instructionSelector = system.segments.cs.selector;
    if (memory === undefined) return;
    floating.dataPointer = effectiveAddress(port, instruction);
    floating.dataSelector = segmentNumbered(system.segments, memory.segment).selector;
  });

/** The i of the operand ST(i); 0 without one. */
export function stackIndex(operands: readonly Operand[]): number {
  for (const operand of operands) if (operand.kind === "x87") return operand.number;
  return 0;
}

// ---- the stack ----------------------------------------------------------------------------------------------------

const topOf = ({ status }: FloatingRegisters): number => (status >>> 11) & 7;
/** Number of the register that ST(i) is. */
const numberOf = (x87: FloatingRegisters, index: number): number => (topOf(x87) + index) & 7;

export const isEmpty = (x87: FloatingRegisters, index: number): boolean =>
  ((x87.tags >>> (2 * numberOf(x87, index))) & 3) === 3;

/** What ST(i) holds, empty or not. */
export const getStack = (x87: FloatingRegisters, index: number): bigint => x87.getRegister(numberOf(x87, index));

/** Loads ST(i), which is no longer empty. */
export function setStack(x87: FloatingRegisters, index: number, bits: bigint): void {
  const number = numberOf(x87, index);
  x87.setRegister(number, bits);
  x87.tags &= ~(3 << (2 * number));
}

export function free(x87: FloatingRegisters, index: number): void {
  x87.tags |= 3 << (2 * numberOf(x87, index));
}

/** Moves TOP: 1 takes a register off the stack, -1 makes room. */
export function moveTop(x87: FloatingRegisters, by: number): void {
  x87.status = (x87.status & ~STATUS.TOP) | (((topOf(x87) + by) & 7) << 11);
}

export function pop(x87: FloatingRegisters, count = 1): void {
  for (let index = 0; index < count; index++) {
    free(x87, 0);
    moveTop(x87, 1);
  }
}

/** Pushes; ST(7) must be empty. */
export function push(x87: FloatingRegisters, bits: bigint): void {
  moveTop(x87, -1);
  setStack(x87, 0, bits);
}

// ---- condition codes and exceptions -------------------------------------------------------------------------------

const CONDITIONS: number = STATUS.C0 | STATUS.C1 | STATUS.C2 | STATUS.C3;

/** Sets C0 to C3 as given, which are bits of the status word. */
export function setConditions(x87: FloatingRegisters, conditions: number): void {
  x87.status = (x87.status & ~CONDITIONS) | conditions;
}

export function setC1(x87: FloatingRegisters, set: boolean): void {
  x87.status = set ? x87.status | STATUS.C1 : x87.status & ~STATUS.C1;
}

/** The status word with its summary bits as masks and flags are. */
export function summarized(status: number, controlWord: number): number {
  const pending = (status & ~controlWord & STATUS.EXCEPTIONS) !== 0;
  const summary = STATUS.SUMMARY | STATUS.BUSY;
  return pending ? status | summary : status & ~summary;
}

/** Reports what an operation met, C1 included. Gives whether nothing of it is unmasked. */
export function report(x87: FloatingRegisters, env: Environment): boolean {
  setC1(x87, env.roundedUp);
  if (env.flags === 0) return true;
  x87.status = summarized(x87.status | env.flags, x87.control);
  return unmasked(env) === 0;
}

/** Reports a stack fault: an overflow, or an underflow. Gives whether it is masked. */
export function stackFault(x87: FloatingRegisters, overflow: boolean): boolean {
  setC1(x87, overflow);
  x87.status = summarized(x87.status | STATUS.STACK_FAULT | EXCEPTION.INVALID, x87.control);
  return (x87.control & EXCEPTION.INVALID) !== 0;
}

/** What a register holds behind a masked stack fault. */
export const INDEFINITE = EXTENDED.indefinite;

/** The environment of an instruction that begins. */
export const begin = ({ control: word }: FloatingRegisters): Environment => x87Environment(word);

/**
 * ST(`to`) becomes what is computed of `sources`, and as many registers are popped; nothing is done where an exception that
 * is not masked keeps it from being done. A source that is empty is a stack underflow.
 */
export function setResult(
  x87: FloatingRegisters,
  to: number,
  sources: readonly number[],
  compute: (env: Environment) => bigint,
  pops = 0,
): void {
  if (sources.some((index) => isEmpty(x87, index))) {
    if (!stackFault(x87, false)) return;
    setStack(x87, to, INDEFINITE);
  } else {
    const env = begin(x87);
    const result = compute(env);
    report(x87, env);
    if (isStopped(env)) return;
    setStack(x87, to, result);
  }
  pop(x87, pops);
}

/** An instruction that makes of ST(0) what becomes ST(0). */
export const ofTop = (compute: (bits: bigint, env: Environment) => bigint): SystemInstruction =>
  numeric(({ floating }) => setResult(floating, 0, [0], (env) => compute(getStack(floating, 0), env)));

/** An instruction that makes of ST(0) and ST(1) what becomes ST(`to`), and pops as many registers. */
export const ofTwo = (
  compute: (top: bigint, next: bigint, env: Environment) => bigint,
  to: number,
  pops: number,
): SystemInstruction =>
  numeric(({ floating }) =>
    setResult(floating, to, [0, 1], (env) => compute(getStack(floating, 0), getStack(floating, 1), env), pops),
  );

/** Where ST(0) is to become the result of `load`: a push, with the faults of one. */
export function pushResult(x87: FloatingRegisters, load: (env: Environment) => bigint): void {
  if (!isEmpty(x87, 7)) {
    if (stackFault(x87, true)) push(x87, INDEFINITE);
    return;
  }
  const env = begin(x87);
  const bits = load(env);
  report(x87, env);
  // A denormal number in memory is an ordinary one in a register, and is there for the handler to see.
  if ((unmasked(env) & EXCEPTION.INVALID) === 0) push(x87, bits);
}
