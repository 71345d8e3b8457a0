/**
 * How an interpreter carries out semantics: reads operands out of the record, checks addresses in the TLB, keeps flags and
 * counts. One `Handler` writes the code of one form into the dispatch loop.
 */

import { VECTOR } from "../cpu/processor.js";
import type { CellAccess, Code, FlagSource, ImpliedSegment, MemoryCell, OperandSize } from "../isa/code.js";
import { add, and, below, eq, i32, isZero, less, ne, or, select, shl, shr, sub, unary, xor } from "../isa/code.js";
import type { OperandCode } from "../isa/instruction.js";
import { condition, eflags } from "./flag-code.js";
import type { Form } from "./forms.js";
import {
  CODE_LIMIT,
  EFLAGS_REST,
  EXIT,
  EXIT_ERROR_CODE,
  EXIT_TARGET,
  EXIT_VECTOR,
  JUMP_CACHE_BASE,
  JUMP_CACHE_ENTRIES,
  JUMP_CACHE_ENTRY_SIZE,
  LAST_BRANCH,
  RECORD,
  RECORD_FLAG,
  REGISTER_SIZE,
  REGISTERS,
  REPEATS,
  SLOW_EXIT,
  STACK_MASK,
  TLB_DELTA,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_WRITE_TAG,
} from "./layout.js";
import { linearAddress, loadToModify, slow, storeWithCare } from "./slow-paths.js";
import { type Expr, type FunctionBody, type Label, type Local, load } from "./wasm.js";
/** Locals of the dispatch loop and where its parts leave to. */
export interface Frame {
  readonly body: FunctionBody;
  readonly ip: Local;
  readonly left: Local;
  readonly exit: Local;
  readonly result: Local;
  readonly sign: Local;
  readonly carry: Local;
  readonly carries: Local;
  readonly tlb: Local;
  readonly flat: boolean;
  dispatch: Label;
  /** Leave; what the block was charged from this instruction on is given back. */
  refund: Label;
  out: Label;
}

export const field16 = (frame: Frame, offset: number): Expr => load("i16u", frame.ip, offset);
const field8 = (frame: Frame, offset: number): Expr => load("i8u", frame.ip, offset);
const field32 = (frame: Frame, offset: number): Expr => load("i32", frame.ip, offset);
const ESP = 4;
const EBP = 5;
/** Where the record has the register of an operand. */
const registerFields = [RECORD.operandA, RECORD.operandB, RECORD.index] as const;

/** `old` with the bits of `mask` taken from `value`. */
const merge = (old: Expr, value: Expr, mask: Expr): Expr => xor(old, and(xor(old, value), mask));

const loadOps = { 8: "i8s", 16: "i16s", 32: "i32", 64: "i64" } as const;
const storeOps = { 8: "i8", 16: "i16", 32: "i32", 64: "i64" } as const;

/** Charges the block at `ip` and goes there, or leaves when the budget does not cover it. */
function enter({ body, ip, left, exit, out, dispatch }: Frame): void {
  body.set(left, sub(left, load("i16u", ip, RECORD.left)));
  body.if(less(left, i32(0)), () => {
    body.set(exit, i32(EXIT.budget));
    body.br(out);
  });
  body.br(dispatch);
}

/** Takes the direct branch at `ip`. Its link leads to the block, or to the record of a miss, which finds the branch again. */
export function follow(frame: Frame): void {
  const { body, ip } = frame;
  body.store("i32", i32(0), ip, LAST_BRANCH);
  body.set(ip, field32(frame, RECORD.link));
  enter(frame);
}

/** Goes to the block at `address` if the jump cache knows it, else leaves for a look-up. */
export function probe(frame: Frame, address: Expr, linkable: boolean): void {
  const { body, ip, exit, out } = frame;
  const target = body.temporary("i32");
  const entry = body.temporary("i32");
  body.set(target, address);
  body.set(
    entry,
    add(
      load("i32", i32(JUMP_CACHE_BASE)),
      shl(and(target, i32(JUMP_CACHE_ENTRIES - 1)), i32(Math.log2(JUMP_CACHE_ENTRY_SIZE))),
    ),
  );
  body.if(ne(load("i32", entry), target), () => {
    body.store("i32", i32(0), target, EXIT_TARGET);
    body.set(exit, i32(EXIT.lookup));
    body.br(out);
  });
  body.set(ip, load("i32", entry, 4));
  body.release(entry);
  body.release(target);
  if (linkable) {
    // A block that lies on two pages is never linked: the second page may be mapped elsewhere by then.
    const from = load("i32", i32(LAST_BRANCH));
    const mayLink = and(
      and(load("i8u", from, RECORD.flags), i32(RECORD_FLAG.linkable)),
      isZero(and(load("i8u", ip, RECORD.flags), i32(RECORD_FLAG.twoPages))),
    );
    body.if(mayLink, () => body.store("i32", from, ip, RECORD.link));
  }
  enter(frame);
}

export class Handler implements Code {
  readonly size: OperandSize;
  readonly #temporaries: Local[] = [];
  #address: Expr | undefined;
  readonly #cells: MemoryCell[] = [];

  constructor(
    readonly frame: Frame,
    readonly form: Form,
  ) {
    this.size = form.size;
  }

  finish(): void {
    for (const local of this.#temporaries) this.frame.body.release(local);
  }

  let(value: Expr): Local {
    const local = this.frame.body.temporary(value.type);
    this.#temporaries.push(local);
    this.frame.body.set(local, value);
    return local;
  }

  variable(value: Expr): { readonly value: Expr; set(value: Expr): void } {
    const local = this.let(value);
    return { value: local, set: (next) => this.frame.body.set(local, next) };
  }

  if(condition: Expr, then: () => void, otherwise?: () => void): void {
    this.frame.body.if(condition, then, otherwise);
  }

  #operand(index: number): OperandCode {
    return this.form.row.operands[index]!;
  }

  #width({ type, method }: OperandCode): OperandSize {
    if (method === "J") return 32;
    return type[0] === "b" ? 8 : type[0] === "w" ? 16 : type[0] === "d" ? 32 : this.size;
  }

  isMemory(index: number): boolean {
    const { method } = this.#operand(index);
    return method === "M" || method === "O" || (method === "E" && this.form.memory !== "none");
  }

  #registerAddress(index: number): Expr {
    const { method, name } = this.#operand(index);
    if (index === 2 && method === "fixed") return i32(REGISTERS + REGISTER_SIZE * (name === "CL" ? 1 : 0));
    return field16(this.frame, registerFields[index]!);
  }

  read(index: number): Expr {
    return this.#read(index, "read");
  }

  modify(index: number): Expr {
    return this.#read(index, "modify");
  }

  #read(index: number, access: CellAccess): Expr {
    const operand = this.#operand(index);
    if (operand.method === "I" || operand.name === "1") return this.let(field32(this.frame, RECORD.immediate));
    const width = this.#width(operand);
    if (!this.isMemory(index)) return this.let(load(loadOps[width], this.#registerAddress(index)));
    const cell = this.cell("operand", this.address(), width, access);
    this.#cells[index] = cell;
    return cell.value;
  }

  write(index: number, value: Expr): void {
    const width = this.#width(this.#operand(index));
    if (!this.isMemory(index)) {
      this.frame.body.store(storeOps[width], this.#registerAddress(index), value);
      return;
    }
    const cell = this.#cells[index] ?? this.cell("operand", this.address(), width, "write");
    cell.store(value);
  }

  /** Whether addresses may be 16 bits wide, which the record says. */
  get #addressVaries(): boolean {
    return this.form.memory === "segment" || (!this.frame.flat && this.form.memory === "none");
  }

  /** Ones where an address has bits. */
  #addressMask(): Expr {
    return shr(i32(-1), and(field8(this.frame, RECORD.flags), i32(RECORD_FLAG.address16)));
  }

  wrapAddress(sum: Expr): Expr {
    return this.#addressVaries ? and(sum, this.#addressMask()) : sum;
  }

  pointer(number: number): Expr {
    return this.#addressVaries ? this.let(this.wrapAddress(this.register(number, 32))) : this.register(number, 32);
  }

  setPointer(number: number, value: Expr): void {
    if (!this.#addressVaries) this.setRegister(number, 32, value);
    else this.setRegister(number, 32, merge(this.register(number, 32), value, this.#addressMask()));
  }

  address(): Expr {
    if (this.#address) return this.#address;
    const base = load("i32", field16(this.frame, RECORD.base));
    const displacement = field32(this.frame, RECORD.displacement);
    if (this.form.memory === "simple") {
      this.#address = this.let(add(base, displacement));
    } else {
      const index = load("i32", field16(this.frame, RECORD.index));
      this.#address = this.let(
        this.wrapAddress(add(add(base, shl(index, field8(this.frame, RECORD.scale))), displacement)),
      );
    }
    return this.#address;
  }

  /** Leaves if a slow path said so. */
  #checkSlow(): void {
    const { body, exit, refund } = this.frame;
    body.set(exit, load("i32", i32(SLOW_EXIT)));
    body.brIf(refund, exit);
  }

  #linear(segment: ImpliedSegment, offset: Expr, bytes: number, write: boolean): Expr {
    if (this.frame.flat && !(segment === "operand" && this.form.memory === "segment")) return offset;
    const number = segment === "ss" ? i32(2) : segment === "es" ? i32(0) : field8(this.frame, RECORD.segment);
    const linear = this.let(linearAddress(number, offset, i32(bytes + (write ? 16 : 0))));
    this.#checkSlow();
    return linear;
  }

  cell(segment: ImpliedSegment, offset: Expr, size: OperandSize, access: CellAccess = "read"): MemoryCell {
    const { body, tlb, exit, refund } = this.frame;
    const bytes = size / 8;
    const linear = this.#linear(segment, offset, bytes, access !== "read");
    const entry = this.let(
      add(tlb, and(shr(linear, i32(12 - Math.log2(TLB_ENTRY_SIZE))), i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE))),
    );
    const page = and(bytes === 1 ? linear : add(linear, i32(bytes - 1)), i32(-4096));
    const hit = (tag: number): Expr => eq(load("i32", entry, tag), page);
    const host = add(linear, load("i32", entry, TLB_DELTA));
    const storeSlowly = (value: Expr): void => {
      body.set(exit, storeWithCare(linear, i32(bytes), value));
      body.brIf(refund, exit);
    };
    if (access === "write") {
      return {
        value: linear,
        store: (value) =>
          body.if(
            hit(TLB_WRITE_TAG),
            () => body.store(storeOps[size], host, value),
            () => storeSlowly(value),
          ),
      };
    }
    const value = this.let(i32(0));
    if (access === "read") {
      body.if(
        hit(0),
        () => body.set(value, load(loadOps[size], host)),
        () => {
          body.set(value, slow("load", linear, i32(bytes)));
          this.#checkSlow();
        },
      );
      return {
        value,
        store: () => {
          throw new TypeError(`${this.form.row.mnemonic}: this cell was opened for reading`);
        },
      };
    }
    const place = this.let(i32(0));
    body.if(
      hit(TLB_WRITE_TAG),
      () => {
        body.set(place, host);
        body.set(value, load(loadOps[size], place));
      },
      () => {
        body.set(value, loadToModify(linear, i32(bytes)));
        this.#checkSlow();
        // The slow path has let the page in, unless it is a special one: then the store asks again.
        body.set(place, select(hit(TLB_WRITE_TAG), host, i32(0)));
      },
    );
    return {
      value,
      store: (next) =>
        body.if(
          place,
          () => body.store(storeOps[size], place, next),
          () => storeSlowly(next),
        ),
    };
  }

  #slot(number: number, size: OperandSize): number {
    return size === 8 && number >= 4
      ? REGISTERS + REGISTER_SIZE * (number - 4) + 1
      : REGISTERS + REGISTER_SIZE * number;
  }

  register(number: number, size: OperandSize): Expr {
    return this.let(load(loadOps[size], i32(0), this.#slot(number, size)));
  }

  setRegister(number: number, size: OperandSize, value: Expr): void {
    this.frame.body.store(storeOps[size], i32(0), value, this.#slot(number, size));
  }

  /** Everything, or what of ESP is the stack pointer. */
  #stackMasked(offset: Expr): Expr {
    return this.frame.flat ? offset : and(offset, load("i32", i32(STACK_MASK)));
  }

  stackTop(displacement = 0): Expr {
    const esp = load("i32", i32(REGISTERS + REGISTER_SIZE * ESP));
    return this.let(this.#stackMasked(displacement === 0 ? esp : add(esp, i32(displacement))));
  }

  setStackTop(offset: Expr): void {
    if (this.frame.flat) this.setRegister(ESP, 32, offset);
    else this.setRegister(ESP, 32, merge(this.register(ESP, 32), offset, load("i32", i32(STACK_MASK))));
  }

  framePointer(): Expr {
    return this.let(this.#stackMasked(this.register(EBP, 32)));
  }

  push(value: Expr, size: OperandSize = this.size): void {
    const pushed = this.let(value);
    const top = this.stackTop(-size / 8);
    this.cell("ss", top, size, "write").store(pushed);
    this.setStackTop(top);
  }

  signExtend(value: Expr, size: OperandSize = this.size): Expr {
    return size === 8 ? unary("i32.extend8_s", value) : size === 16 ? unary("i32.extend16_s", value) : value;
  }

  zeroExtend(value: Expr, size: OperandSize = this.size): Expr {
    return size === 32 ? value : and(value, i32(size === 8 ? 0xff : 0xffff));
  }

  carry(): Expr {
    return this.frame.carry;
  }

  carries(): Expr {
    return this.frame.carries;
  }

  condition(code: number): Expr {
    return condition(this.frame, code);
  }

  flags({ result, carry, carries }: FlagSource): void {
    const { body, frame } = { body: this.frame.body, frame: this.frame };
    // All are evaluated before any is set: the new ones may be written in terms of the old.
    const values = [carry, carries].map((value) => (value ? this.let(value) : undefined));
    if (result) {
      body.set(frame.sign, result);
      body.set(frame.result, frame.sign);
    }
    if (values[0]) body.set(frame.carry, values[0]);
    if (values[1]) body.set(frame.carries, values[1]);
  }

  eflags(): Expr {
    return this.let(eflags(this.frame));
  }

  setLowFlags(value: Expr): void {
    const { body, frame } = { body: this.frame.body, frame: this.frame };
    const bits = this.let(value);
    const overflow = this.let(xor(shr(frame.carries, i32(31)), frame.carry));
    body.set(frame.carry, and(bits, i32(1)));
    body.set(frame.carries, or(and(bits, i32(16)), shl(xor(overflow, frame.carry), i32(31))));
    body.set(frame.result, isZero(and(bits, i32(64))));
    body.set(frame.sign, or(shl(and(bits, i32(128)), i32(24)), isZero(and(bits, i32(4)))));
  }

  direction(): Expr {
    const down = and(shr(load("i32", i32(EFLAGS_REST)), i32(9)), i32(2));
    return shl(sub(i32(1), down), i32(Math.log2(this.size / 8)));
  }

  setDirection(value: 0 | 1): void {
    const rest = load("i32", i32(EFLAGS_REST));
    this.frame.body.store("i32", i32(0), value ? or(rest, i32(1 << 10)) : and(rest, i32(~(1 << 10))), EFLAGS_REST);
  }

  fault(vector: number, errorCode = -1): void {
    const { body, exit, refund } = this.frame;
    body.store("i32", i32(0), i32(vector), EXIT_VECTOR);
    body.store("i32", i32(0), i32(errorCode), EXIT_ERROR_CODE);
    body.set(exit, i32(EXIT.fault));
    body.br(refund);
  }

  nextEip(): Expr {
    return this.let(add(field32(this.frame, RECORD.eip), field8(this.frame, RECORD.length)));
  }

  checkTarget(target: Expr = field32(this.frame, RECORD.immediate)): void {
    if (this.frame.flat) return;
    this.frame.body.if(below(load("i32", i32(CODE_LIMIT)), target), () => this.fault(VECTOR.GP, 0));
  }

  branch(condition?: Expr): void {
    const { body, left } = this.frame;
    const take = (): void => {
      this.checkTarget();
      if (condition) body.set(left, add(left, sub(field16(this.frame, RECORD.left), i32(1))));
      follow(this.frame);
    };
    if (condition) body.if(condition, take);
    else take();
  }

  jump(target: Expr): void {
    this.checkTarget(target);
    probe(this.frame, target, false);
  }

  repeatIf(condition: Expr): void {
    const { body, left, exit, dispatch, out } = this.frame;
    body.if(condition, () => {
      body.store("i32", i32(0), add(load("i32", i32(REPEATS)), i32(1)), REPEATS);
      body.if(left, () => {
        body.set(left, sub(left, i32(1)));
        body.br(dispatch);
      });
      body.set(left, add(left, sub(field16(this.frame, RECORD.left), i32(1))));
      body.set(exit, i32(EXIT.repeat));
      body.br(out);
    });
  }
}
