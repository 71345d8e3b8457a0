/**
 * How an interpreter carries out semantics: reads operands out of the record, checks addresses in the TLB, keeps flags and
 * counts. One `Handler` writes the code of one form into the dispatch loop.
 */

import { VECTOR } from "../cpu/processor.js";
import type { CellAccess, Code, FlagSource, ImpliedSegment, MemoryCell, OperandSize } from "../isa/code.js";
import {
  add,
  and,
  below,
  eq,
  i32,
  i64,
  isZero,
  less,
  narrow,
  ne,
  or,
  sar,
  select,
  shl,
  shr,
  sub,
  truth,
  unary,
  widen,
  widenUnsigned,
  xor,
} from "../isa/code.js";
import type { OperandCode } from "../isa/instruction.js";
import { condition, eflags } from "./flag-code.js";
import type { Form } from "./forms.js";
import {
  CODE_LIMIT,
  EFLAGS_REST,
  EXIT,
  EXIT_ERROR_CODE,
  EXIT_TARGET,
  EXIT_TARGET_HIGH,
  EXIT_VECTOR,
  FLOAT_REGISTER_SIZE,
  JUMP_CACHE_BASE,
  JUMP_CACHE_ENTRIES,
  JUMP_CACHE_ENTRY_SIZE,
  JUMP_CACHE_HIGH,
  JUMP_CACHE_RECORD,
  LAST_BRANCH,
  LONG_BASES,
  RECORD,
  RECORD_FLAG,
  REGISTER_SIZE,
  REGISTERS,
  REPEATS,
  RIP_BASE,
  RIP_HIGH,
  SLOW_EXIT,
  STACK_MASK,
  TLB_DELTA,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_WRITE_TAG,
  XMM_REGISTERS,
} from "./layout.js";
import { vectorLoad } from "./simd.js";
import { linearAddress, loadToModify, STACK_ACCESS, slow, storeWithCare, WRITE_ACCESS } from "./slow-paths.js";
import {
  loadSlowValue,
  noteMmx,
  readLane,
  readVector,
  requireUnit,
  storeSlowValue,
  usesMmx,
  vectorWidth,
  writeLane,
  writeVector,
} from "./vector-operands.js";
import { type Expr, type FunctionBody, type Label, type Local, load } from "./wasm.js";

/**
 * The interpreters: for flat 32-bit segments, for any other segments, and for 64-bit code.
 */
export type CodeKind = "flat" | "segmented" | "long";

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
  readonly long: boolean;
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

/** What of the carries of 64 bits is kept: bit 63 as bit 31, and bit 4. */
const folded = (carries: Expr): Expr =>
  carries.type === "i64"
    ? or(and(narrow(shr(carries, i32(32))), i32(-0x80000000)), and(narrow(carries), i32(16)))
    : carries;

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
  const { body, ip, exit, out, long } = frame;
  const target = body.temporary("i32");
  const high = body.temporary("i32");
  const entry = body.temporary("i32");
  body.set(target, narrow(address));
  if (long) body.set(high, narrow(shr(address, i32(32))));
  body.set(
    entry,
    add(
      load("i32", i32(JUMP_CACHE_BASE)),
      shl(and(target, i32(JUMP_CACHE_ENTRIES - 1)), i32(Math.log2(JUMP_CACHE_ENTRY_SIZE))),
    ),
  );
  const differs = ne(load("i32", entry), target);
  body.if(long ? or(differs, ne(load("i32", entry, JUMP_CACHE_HIGH), high)) : differs, () => {
    body.store("i32", i32(0), target, EXIT_TARGET);
    if (long) body.store("i32", i32(0), high, EXIT_TARGET_HIGH);
    body.set(exit, i32(EXIT.lookup));
    body.br(out);
  });
  if (long) body.store("i32", i32(0), high, RIP_HIGH);
  body.set(ip, load("i32", entry, JUMP_CACHE_RECORD));
  body.release(entry);
  body.release(high);
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

/** Where the direct branch at `record` leads to. */
export function branchTarget({ long }: Frame, record: Expr): Expr {
  const target = load("i32", record, RECORD.immediate);
  if (!long) return target;
  const farther = shl(widen(load("i32", record, RECORD.displacement)), i32(32));
  return add(add(load("i64", i32(RIP_BASE)), widenUnsigned(target)), farther);
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

  get long(): boolean {
    return this.frame.long;
  }

  /** What comes before the instruction: whether its registers may be used. */
  begin(): void {
    const { unit } = this.form.row;
    if (unit !== undefined) requireUnit(this, unit);
  }

  finish(): void {
    if (usesMmx(this.form.row.unit)) noteMmx(this);
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
    this.frame.body.if(truth(condition), then, otherwise);
  }

  #operand(index: number): OperandCode {
    return this.form.row.operands[index]!;
  }

  #width({ type, method }: OperandCode): OperandSize {
    if (method === "J") return 32;
    if (type === "y") return this.size === 64 ? 64 : 32;
    return type[0] === "b" ? 8 : type[0] === "w" ? 16 : type[0] === "d" ? 32 : type[0] === "q" ? 64 : this.size;
  }

  widthOf(index: number): number {
    return vectorWidth(this.#operand(index), this.size);
  }

  isMemory(index: number): boolean {
    const { method } = this.#operand(index);
    return (
      method === "M" ||
      method === "O" ||
      ((method === "E" || method === "W" || method === "Q") && this.form.memory !== "none")
    );
  }

  /** Address in the engine's memory of the register of an operand. */
  registerAddress(index: number): Expr {
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
    if (operand.method === "I" || operand.name === "1") return this.let(this.#immediate(operand));
    const width = this.#width(operand);
    if (!this.isMemory(index)) return this.let(load(loadOps[width], this.registerAddress(index)));
    const cell = this.cell("operand", this.address(), width, access);
    this.#cells[index] = cell;
    return cell.value;
  }

  #immediate({ type, name }: OperandCode): Expr {
    if (this.size !== 64 || type === "b" || type === "w" || name === "1") return field32(this.frame, RECORD.immediate);
    if (type === "v") return load("i64", this.frame.ip, RECORD.displacement);
    return widen(field32(this.frame, RECORD.immediate));
  }

  /** A value as a store of a width takes it. */
  #fit(value: Expr, width: OperandSize): Expr {
    return width === 64 ? widen(value) : narrow(value);
  }

  /** Writes a general register: in 64-bit code one of 32 bits clears the upper half. */
  #storeRegister(address: Expr, width: OperandSize, value: Expr, offset = 0): void {
    const { body } = this.frame;
    if (width === 32 && this.long) body.store("i64", address, widenUnsigned(narrow(value)), offset);
    else body.store(storeOps[width], address, this.#fit(value, width), offset);
  }

  write(index: number, value: Expr): void {
    const width = this.#width(this.#operand(index));
    if (!this.isMemory(index)) {
      this.#storeRegister(this.registerAddress(index), width, value);
      return;
    }
    const cell = this.#cells[index] ?? this.cell("operand", this.address(), width, "write");
    cell.store(value);
  }

  /** Whether addresses may be narrower than most, which the record says. */
  get #addressVaries(): boolean {
    return this.form.memory === "segment" || (!this.frame.flat && !this.long && this.form.memory === "none");
  }

  /** Ones where an address has bits. */
  #addressMask(): Expr {
    const narrower = and(field8(this.frame, RECORD.flags), i32(RECORD_FLAG.narrowAddress));
    return this.long ? shr(i64(-1n), widenUnsigned(shl(narrower, i32(1)))) : shr(i32(-1), narrower);
  }

  wrapAddress(sum: Expr): Expr {
    return this.#addressVaries ? and(sum, this.#addressMask()) : sum;
  }

  asOffset(value: Expr, signed?: "signed"): Expr {
    if (!this.long) return value;
    return signed ? widen(value) : widenUnsigned(value);
  }

  pointer(number: number): Expr {
    const whole = this.register(number, this.long ? 64 : 32);
    return this.#addressVaries ? this.let(this.wrapAddress(whole)) : whole;
  }

  setPointer(number: number, value: Expr): void {
    const size = this.long ? 64 : 32;
    if (!this.#addressVaries) this.setRegister(number, size, value);
    // One of 32 bits clears the upper half in 64-bit code, one of 16 bits keeps it.
    else if (this.long) this.setRegister(number, size, this.wrapAddress(value));
    else this.setRegister(number, size, merge(this.register(number, size), value, this.#addressMask()));
  }

  address(): Expr {
    if (this.#address) return this.#address;
    if (this.long) {
      this.#address = this.let(this.#longAddress());
      return this.#address;
    }
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

  /** The address of the next instruction. */
  #nextRip(): Expr {
    const { frame } = this;
    const low = add(widenUnsigned(field32(frame, RECORD.eip)), widenUnsigned(field8(frame, RECORD.length)));
    return add(load("i64", i32(RIP_BASE)), low);
  }

  #longAddress(): Expr {
    const { frame, form } = this;
    if (form.row.operands.some(({ method }) => method === "O")) return load("i64", frame.ip, RECORD.displacement);
    const displacement = widen(field32(frame, RECORD.displacement));
    if (form.memory === "relative") return add(this.#nextRip(), displacement);
    const base = load("i64", field16(frame, RECORD.base));
    if (form.memory === "simple") return add(base, displacement);
    const scaled = shl(load("i64", field16(frame, RECORD.index)), widenUnsigned(field8(frame, RECORD.scale)));
    const sum = add(add(base, scaled), displacement);
    if (form.memory !== "segment") return sum;
    const relative = and(field8(frame, RECORD.flags), i32(RECORD_FLAG.relative));
    return this.wrapAddress(add(sum, select(relative, this.#nextRip(), i64(0n))));
  }

  /** Leaves if a slow path said so. */
  checkSlow(): void {
    const { body, exit, refund } = this.frame;
    body.set(exit, load("i32", i32(SLOW_EXIT)));
    body.brIf(refund, exit);
  }

  linear(segment: ImpliedSegment, offset: Expr, bytes: number, write: boolean): Expr {
    if (this.long) {
      if (segment !== "operand" || this.form.memory !== "segment") return offset;
      const number = field8(this.frame, RECORD.segment);
      return this.let(add(offset, load("i64", shl(number, i32(3)), LONG_BASES)));
    }
    if (this.frame.flat && !(segment === "operand" && this.form.memory === "segment")) return offset;
    const number = segment === "ss" ? i32(2) : segment === "es" ? i32(0) : field8(this.frame, RECORD.segment);
    const linear = this.let(linearAddress(number, offset, i32(bytes + (write ? WRITE_ACCESS : 0))));
    this.checkSlow();
    return linear;
  }

  /** Where bytes lie in the engine's memory, if the TLB has the tag. */
  resident(linear: Expr, bytes: number): { readonly hit: (tag: number) => Expr; readonly host: Expr } {
    const { tlb, long } = this.frame;
    const low = narrow(linear);
    const entry = this.let(
      add(tlb, and(shr(low, i32(12 - Math.log2(TLB_ENTRY_SIZE))), i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE))),
    );
    const page = and(bytes === 1 ? linear : add(linear, i32(bytes - 1)), i32(-4096));
    return {
      hit: (tag) => eq(load(long ? "i64" : "i32", entry, tag), page),
      host: add(low, load("i32", entry, TLB_DELTA)),
    };
  }

  vector(index: number): Expr {
    return readVector(this, index);
  }

  setVector(index: number, value: Expr): void {
    writeVector(this, index, value);
  }

  lane(index: number, bits: OperandSize, number: Expr): Expr {
    return readLane(this, index, bits, number);
  }

  setLane(index: number, bits: OperandSize, number: Expr, value: Expr): void {
    writeLane(this, index, bits, number, value);
  }

  xmm(number: number): Expr {
    return this.let(vectorLoad(128, i32(XMM_REGISTERS + FLOAT_REGISTER_SIZE * number)));
  }

  cell(segment: ImpliedSegment, offset: Expr, size: OperandSize, access: CellAccess = "read"): MemoryCell {
    const { body, exit, refund } = this.frame;
    const bytes = size / 8;
    const linear = this.linear(segment, offset, bytes, access !== "read");
    const { hit, host } = this.resident(linear, bytes);
    const slowly = this.slowAccess(linear, bytes, segment);
    const storeSlowly = (value: Expr): void => {
      body.set(exit, slowly.store(value));
      body.brIf(refund, exit);
    };
    const zero = size === 64 ? i64(0n) : i32(0);
    if (access === "write") {
      return {
        value: linear,
        store: (value) =>
          body.if(
            hit(TLB_WRITE_TAG),
            () => body.store(storeOps[size], host, this.#fit(value, size)),
            () => storeSlowly(this.#fit(value, size)),
          ),
      };
    }
    const value = this.let(zero);
    if (access === "read") {
      body.if(
        hit(0),
        () => body.set(value, load(loadOps[size], host)),
        () => {
          slowly.load(value, false);
          this.checkSlow();
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
        slowly.load(value, true);
        this.checkSlow();
        // The slow path has let the page in, unless it is a special one: then the store asks again.
        body.set(place, select(hit(TLB_WRITE_TAG), host, i32(0)));
      },
    );
    return {
      value,
      store: (next) =>
        body.if(
          place,
          () => body.store(storeOps[size], place, this.#fit(next, size)),
          () => storeSlowly(this.#fit(next, size)),
        ),
    };
  }

  /**
   * The way of an access that the TLB does not know. An operand of more than 4 bytes, which may be a vector, goes through SLOW_VALUE, an address of
   * 64-bit code as a float, which has room for every canonical one.
   */
  slowAccess(
    linear: Expr,
    bytes: number,
    segment: ImpliedSegment,
  ): { load(into: Local, toModify: boolean): void; store(value: Expr): Expr } {
    const { body } = this.frame;
    const wide = bytes > 4;
    if (!this.long && wide) {
      return {
        load: (into) => {
          body.drop(slow("loadWide", linear, i32(bytes)));
          body.set(into, loadSlowValue(bytes));
        },
        store: (value) => {
          storeSlowValue(body, value);
          return slow("storeWide", linear, i32(bytes));
        },
      };
    }
    if (!this.long) {
      return {
        load: (into, toModify) =>
          body.set(into, toModify ? loadToModify(linear, i32(bytes)) : slow("load", linear, i32(bytes))),
        store: (value) => storeWithCare(linear, i32(bytes), value),
      };
    }
    const address = unary("f64.convert_i64_s", linear);
    const throughStack = or(
      i32(bytes),
      segment === "ss"
        ? i32(STACK_ACCESS)
        : segment === "operand"
          ? select(eq(field8(this.frame, RECORD.segment), i32(2)), i32(STACK_ACCESS), i32(0))
          : i32(0),
    );
    return {
      load: (into, toModify) => {
        const loaded = slow(toModify ? "loadLongForWrite" : "loadLong", address, throughStack);
        if (!wide) body.set(into, loaded);
        else {
          body.drop(loaded);
          body.set(into, loadSlowValue(bytes));
        }
      },
      store: (value) => {
        if (wide) storeSlowValue(body, value);
        return slow("storeLong", address, throughStack, wide ? i32(0) : value);
      },
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
    this.#storeRegister(i32(0), size, value, this.#slot(number, size));
  }

  /** Everything, or what of ESP is the stack pointer. */
  #stackMasked(offset: Expr): Expr {
    return this.frame.flat ? offset : and(offset, load("i32", i32(STACK_MASK)));
  }

  stackTop(displacement = 0): Expr {
    if (this.long) {
      const rsp = load("i64", i32(REGISTERS + REGISTER_SIZE * ESP));
      return this.let(displacement === 0 ? rsp : add(rsp, i32(displacement)));
    }
    const esp = load("i32", i32(REGISTERS + REGISTER_SIZE * ESP));
    return this.let(this.#stackMasked(displacement === 0 ? esp : add(esp, i32(displacement))));
  }

  setStackTop(offset: Expr): void {
    if (this.long) this.setRegister(ESP, 64, offset);
    else if (this.frame.flat) this.setRegister(ESP, 32, offset);
    else this.setRegister(ESP, 32, merge(this.register(ESP, 32), offset, load("i32", i32(STACK_MASK))));
  }

  framePointer(): Expr {
    return this.long ? this.register(EBP, 64) : this.let(this.#stackMasked(this.register(EBP, 32)));
  }

  push(value: Expr, size: OperandSize = this.size): void {
    const pushed = this.let(value);
    const top = this.stackTop(-size / 8);
    this.cell("ss", top, size, "write").store(pushed);
    this.setStackTop(top);
  }

  signExtend(value: Expr, size: OperandSize = this.size): Expr {
    if (size === 64) return widen(value);
    if (value.type === "i64")
      return unary(size === 8 ? "i64.extend8_s" : size === 16 ? "i64.extend16_s" : "i64.extend32_s", value);
    return size === 8 ? unary("i32.extend8_s", value) : size === 16 ? unary("i32.extend16_s", value) : value;
  }

  zeroExtend(value: Expr, size: OperandSize = this.size): Expr {
    return size >= 32 ? value : and(value, i32(size === 8 ? 0xff : 0xffff));
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
    const values = [carry && narrow(carry), carries && folded(carries)].map((value) => value && this.let(value));
    if (result?.type === "i64") {
      const wide = this.let(result);
      body.set(frame.sign, or(and(narrow(shr(wide, i32(32))), i32(-0x80000000)), and(narrow(wide), i32(0xff))));
      body.set(frame.result, truth(wide));
    } else if (result) {
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
    const step = shl(sub(i32(1), down), i32(Math.log2(this.size / 8)));
    return this.long ? widen(step) : step;
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
    if (this.long) return this.let(this.#nextRip());
    return this.let(add(field32(this.frame, RECORD.eip), field8(this.frame, RECORD.length)));
  }

  checkTarget(target?: Expr): void {
    if (this.frame.flat) return;
    if (this.long) {
      // A direct target that is not canonical is found out when it is looked up.
      const wrong = target && ne(target, sar(shl(target, i32(16)), i32(16)));
      if (wrong) this.frame.body.if(wrong, () => this.fault(VECTOR.GP, 0));
      return;
    }
    this.#checkLimit(target ?? field32(this.frame, RECORD.immediate));
  }

  #checkLimit(target: Expr): void {
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
    body.if(truth(condition), () => {
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
