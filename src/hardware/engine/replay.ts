/**
 * Generated code that goes a known way again (`ways.ts`): through a gate, and back by IRET. It decides nothing: it compares
 * the words of memory that decided the last time, and repeats what followed from them. Whatever is not as it was, or not
 * at hand in the TLB, is TypeScript's.
 */
import { FAULT_CLASS } from "../cpu/exceptions.js";
import type { RepeatedInstruction } from "../cpu/guest-operation.js";
import { FLAG } from "../cpu/state.js";
import type { OperandSize, Replay } from "../isa/code.js";
import { add, and, belowEqual, eq, i32, isZero, less, ne, or, shl, shr, sub, widen, xor } from "../isa/code.js";
import { type Frame, probe } from "./dispatch.js";
import { eflags, setArithmeticFlags } from "./flag-code.js";
import type { Form } from "./forms.js";
import { Handler } from "./handler.js";
import {
  BUDGET_END,
  CPL,
  CPL_GUEST,
  EFLAGS_REST,
  EVENTS_WAIT,
  EXCEPTIONS,
  EXCEPTIONS_LEAVE,
  EXIT_ERROR_CODE,
  EXIT_VECTOR,
  GATE_WAYS,
  INSTRUCTIONS_LEAVE,
  INTERRUPT_WAITS,
  JUMP_CACHE_BASE,
  LEAVES,
  LOG_BYTES,
  LOG_EIP,
  LOG_ERROR_CODE,
  LOG_PLACE,
  LOG_VECTOR,
  MXCSR,
  PLACE,
  PORT_COUNT,
  PORT_LIMIT,
  PORT_READS,
  PORT_SIZE,
  PORTS,
  RECORD,
  REGISTER_SIZE,
  REGISTERS,
  RESERVE,
  RESUME,
  RESUME_LEFT,
  RETURN_WAY_COUNT,
  RETURN_WAYS,
  SLOW_EXIT,
  TIMESTAMP_OFFSET,
  TLB_BASE,
  TLB_DELTA,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_SIDE,
  TLB_SUPERVISOR,
  TLB_WRITE_TAG,
  TSC_AUX,
  WAY,
  WAY_SIZE,
} from "./layout.js";
import { ARITHMETIC_FLAGS } from "./register-file.js";
import { type Expr, type Label, type Local, load } from "./wasm.js";

const ESP = REGISTERS + 4 * REGISTER_SIZE;
const PAGE = 4096;
/** Bytes of code that are kept of an exception. */
const LOGGED = 16;
const word = (address: number): Expr => load("i32", i32(0), address);
/** Flags with which an event or an IRET is nothing to repeat. */
const WATCHED = FLAG.TF | FLAG.VM;

/** Not 0: TypeScript has to look at the instruction. */
const leaves = (name: keyof typeof LEAVES): Expr => and(word(INSTRUCTIONS_LEAVE), i32(LEAVES[name]));
/** The same of an exception. */
const exceptionLeaves = (vector: Expr): Expr => and(shr(word(EXCEPTIONS_LEAVE), vector), i32(1));

/** Writes ways into a dispatch loop; leaves for `otherwise` as long as nothing has happened. */
class WayCode {
  readonly #temporaries: Local[] = [];
  /** What the processor itself accesses, it accesses as the supervisor. */
  readonly #supervisor: Local;

  constructor(
    readonly frame: Frame,
    readonly otherwise: Label,
  ) {
    this.#supervisor = this.#let(add(word(TLB_SIDE), i32(TLB_SUPERVISOR)));
  }

  release(): void {
    for (const local of this.#temporaries) this.frame.body.release(local);
  }

  #let(value: Expr): Local {
    const local = this.frame.body.temporary(value.type);
    this.#temporaries.push(local);
    this.frame.body.set(local, value);
    return local;
  }

  require(condition: Expr): void {
    this.frame.body.brIf(this.otherwise, isZero(condition));
  }

  #set(address: number, value: Expr): void {
    this.frame.body.store("i32", i32(0), value, address);
  }

  /** Where bytes that lie on one page are in the engine's memory, if the TLB knows. */
  #resident(half: Expr, linear: Local, bytes: Expr, tag: number): Local {
    const entry = this.#let(
      add(half, and(shr(linear, i32(12 - Math.log2(TLB_ENTRY_SIZE))), i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE))),
    );
    this.require(eq(load("i32", entry, tag), and(linear, i32(-PAGE))));
    this.require(belowEqual(add(and(linear, i32(PAGE - 1)), bytes), i32(PAGE)));
    return this.#let(add(linear, load("i32", entry, TLB_DELTA)));
  }

  readable(half: Expr, linear: Local, bytes: number): Local {
    return this.#resident(half, linear, i32(bytes), 0);
  }

  /** The descriptor or gate whose address the way has is still the one it has. */
  #requireWords(way: Local, address: number, words: number): void {
    const host = this.readable(this.#supervisor, this.#let(load("i32", way, address)), 8);
    this.require(eq(load("i64", host), load("i64", way, words)));
  }

  /** Nothing watches single instructions, and this is a known way from here. */
  #way(table: number, index: Expr, from: Expr): Local {
    const way = this.#let(add(shl(index, i32(Math.log2(WAY_SIZE))), i32(table)));
    this.require(eq(load("i32", way, WAY.from), from));
    this.require(isZero(and(word(EFLAGS_REST), i32(WATCHED))));
    this.#requireWords(way, WAY.code, WAY.codeWords);
    return way;
  }

  #arrive(way: Local, stackTop: Expr, rest: Expr): void {
    const { body, tlb } = this.frame;
    this.#set(ESP, stackTop);
    this.#set(EFLAGS_REST, rest);
    this.#set(PLACE, load("i32", way, WAY.to));
    this.#set(CPL, load("i32", way, WAY.cpl));
    this.#set(JUMP_CACHE_BASE, load("i32", way, WAY.jumpCache));
    body.set(tlb, load("i32", way, WAY.tlb));
    this.#set(TLB_BASE, tlb);
  }

  /**
   * Pushes the frame and goes to the handler. `errorCode` is -1 where there is none. `before` is done when nothing can
   * come between any more. Spec: see `cpu/interrupt-gates.ts`.
   */
  interrupt(
    vector: Expr,
    {
      software,
      returnEip,
      resumeFlag,
      errorCode,
      before,
    }: {
      readonly software: 0 | 1;
      readonly returnEip: Expr;
      readonly resumeFlag: number;
      readonly errorCode?: Expr;
      readonly before?: () => void;
    },
  ): void {
    const { body } = this.frame;
    const index = add(shl(vector, i32(2)), shr(word(CPL), i32(1)));
    const way = this.#way(GATE_WAYS, index, or(shl(word(PLACE), i32(1)), i32(software)));
    this.#requireWords(way, WAY.gate, WAY.gateWords);
    const codeBytes = this.#let(errorCode === undefined ? i32(0) : shl(ne(errorCode, i32(-1)), i32(2)));
    const esp = this.#let(word(ESP));
    const bytes = this.#let(add(codeBytes, i32(12)));
    const pointer = this.#let(esp);
    const tss = this.#let(load("i32", way, WAY.tss));
    body.if(tss, () => {
      const host = this.readable(this.#supervisor, tss, 8);
      this.require(eq(load("i16u", host, 4), load("i32", way, WAY.stackSelector)));
      this.#requireWords(way, WAY.stack, WAY.stackWords);
      body.set(pointer, load("i32", host));
      body.set(bytes, add(bytes, i32(8)));
    });
    this.require(belowEqual(bytes, pointer));
    const top = this.#let(sub(pointer, bytes));
    const frame = this.#resident(this.#supervisor, top, bytes, TLB_WRITE_TAG);
    before?.();
    if (errorCode !== undefined) body.store("i32", frame, errorCode);
    const at = this.#let(add(frame, codeBytes));
    body.store("i32", at, returnEip);
    body.store("i32", at, load("i32", way, WAY.cs), 4);
    body.store("i32", at, or(eflags(this.frame), i32(resumeFlag)), 8);
    body.if(tss, () => {
      body.store("i32", at, esp, 12);
      body.store("i32", at, load("i32", way, WAY.ss), 16);
    });
    this.#arrive(way, top, and(word(EFLAGS_REST), load("i32", way, WAY.flags)));
    const handler = this.#let(load("i32", way, WAY.handler));
    probe(this.frame, handler, false);
  }

  /** Pops the frame and goes back. Spec: see `cpu/interrupt-return.ts`. */
  interruptReturn(): void {
    const { body, tlb, left } = this.frame;
    const esp = this.#let(word(ESP));
    const host = this.readable(tlb, esp, 12);
    const cs = this.#let(load("i16u", host, 4));
    const index = and(xor(shr(cs, i32(3)), shl(word(PLACE), i32(2))), i32(RETURN_WAY_COUNT - 1));
    const way = this.#way(RETURN_WAYS, index, word(PLACE));
    this.require(eq(load("i32", way, WAY.gate), cs));
    const popped = this.#let(load("i32", host, 8));
    this.require(isZero(and(popped, i32(WATCHED | FLAG.AC))));
    const rest = this.#let(word(EFLAGS_REST));
    this.require(isZero(and(rest, i32(FLAG.NT))));
    this.require(eq(and(rest, i32(FLAG.IOPL)), load("i32", way, WAY.iopl)));
    const may = load("i32", way, WAY.flags);
    body.set(rest, and(xor(rest, and(xor(rest, popped), may)), i32(~ARITHMETIC_FLAGS)));
    this.require(isZero(or(word(EVENTS_WAIT), and(word(INTERRUPT_WAITS), shr(and(rest, i32(FLAG.IF)), i32(9))))));
    const top = this.#let(add(esp, i32(12)));
    body.if(load("i32", way, WAY.stack), () => {
      this.readable(tlb, esp, 20);
      this.require(eq(load("i16u", host, 16), load("i32", way, WAY.stackSelector)));
      this.#requireWords(way, WAY.stack, WAY.stackWords);
      body.set(top, load("i32", host, 12));
    });
    const eip = this.#let(load("i32", host));
    setArithmeticFlags(this.frame, popped);
    body.if(and(rest, i32(FLAG.RF)), () => {
      this.#set(RESUME, i32(FLAG.RF));
      this.#set(RESUME_LEFT, add(left, word(RESERVE)));
      body.set(rest, and(rest, i32(~FLAG.RF)));
    });
    this.#arrive(way, top, rest);
    probe(this.frame, eip, false);
  }

  /** Notes where an exception comes from, with the code there. */
  logException(vector: Expr, errorCode: Expr, eip: Expr, code: Local): void {
    const { body } = this.frame;
    this.#set(LOG_PLACE, word(PLACE));
    this.#set(LOG_VECTOR, vector);
    this.#set(LOG_ERROR_CODE, errorCode);
    this.#set(LOG_EIP, eip);
    for (const offset of [0, 8]) body.store("i64", i32(0), load("i64", code, offset), LOG_BYTES + offset);
  }
}

/**
 * Delivers the exception that the instruction at `ip` raised, what its block was charged given back. Leaves the loop
 * for `otherwise` if there is no known way.
 */
export function replayException(frame: Frame, otherwise: Label): void {
  const { body, ip, left } = frame;
  const code = new WayCode(frame, otherwise);
  const vector = word(EXIT_VECTOR);
  const errorCode = word(EXIT_ERROR_CODE);
  const eip = load("i32", ip, RECORD.eip);
  code.require(and(shr(i32(FAULT_CLASS), vector), i32(1)));
  code.require(isZero(exceptionLeaves(vector)));
  const linear = body.temporary("i32");
  body.set(linear, eip);
  const bytes = code.readable(frame.tlb, linear, LOGGED);
  body.release(linear);
  code.interrupt(vector, {
    software: 0,
    returnEip: eip,
    resumeFlag: FLAG.RF,
    errorCode,
    before: () => {
      code.logException(vector, errorCode, eip, bytes);
      body.store("i32", i32(0), i32(0), SLOW_EXIT);
      body.store("i32", i32(0), add(word(EXCEPTIONS), i32(1)), EXCEPTIONS);
      body.set(left, sub(left, i32(1)));
    },
  });
  code.release();
}

/** The code of an instruction that has `replay`. */
export class Replayer extends Handler implements Replay {
  readonly #otherwise: Label;

  constructor(
    frame: Frame,
    form: Form,
    otherwise: Label,
    readonly done: () => void,
  ) {
    super(frame, form);
    this.#otherwise = otherwise;
  }

  #ways(write: (code: WayCode) => void): void {
    // Ways lead from flat segments to flat ones.
    if (!this.frame.flat) return;
    const code = new WayCode(this.frame, this.#otherwise);
    write(code);
    code.release();
  }

  asSupervisor(): void {
    this.frame.body.brIf(this.#otherwise, and(word(CPL), i32(3)));
  }

  unlessLeaves(name: RepeatedInstruction): void {
    this.frame.body.brIf(this.#otherwise, leaves(name));
  }

  require(condition: Expr): void {
    this.frame.body.brIf(this.#otherwise, isZero(condition));
  }

  mxcsr(): Expr {
    return word(MXCSR);
  }

  /** Steps of the budget that are left, this one included. */
  #stepsLeft(): Expr {
    return add(this.frame.left, load("i16u", this.frame.ip, RECORD.left));
  }

  timestamp(): Expr {
    const now = sub(load("i64", i32(0), BUDGET_END), widen(add(this.#stepsLeft(), word(RESERVE))));
    return add(now, load("i64", i32(0), TIMESTAMP_OFFSET));
  }

  timestampAuxiliary(): Expr {
    return word(TSC_AUX);
  }

  interrupt(vector: Expr, by: "INT" | "INT3"): void {
    this.#ways((code) => {
      code.require(isZero(by === "INT" ? leaves("INT") : exceptionLeaves(vector)));
      code.interrupt(vector, { software: 1, returnEip: this.nextEip(), resumeFlag: 0 });
    });
  }

  interruptReturn(): void {
    this.#ways((code) => {
      code.require(isZero(leaves("IRET")));
      code.interruptReturn();
    });
  }

  portRead(port: Expr, size: OperandSize): Expr {
    const { body } = this.frame;
    body.brIf(this.#otherwise, and(word(CPL), i32(CPL_GUEST)));
    const number = this.let(port);
    const entry = this.let(add(shl(and(number, i32(PORT_COUNT - 1)), i32(Math.log2(PORT_SIZE))), i32(PORTS)));
    body.brIf(this.#otherwise, ne(load("i32", entry), or(number, i32(size << 16))));
    body.brIf(this.#otherwise, isZero(less(word(PORT_LIMIT), this.#stepsLeft())));
    body.store("i32", i32(0), add(word(PORT_READS), i32(1)), PORT_READS);
    return this.let(load("i32", entry, 4));
  }
}
