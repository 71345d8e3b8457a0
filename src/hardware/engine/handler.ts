/**
 * How an interpreter carries out semantics: reads operands out of the record, moves the stack pointer, jumps, faults and
 * repeats. One `Handler` writes the code of one form into the dispatch loop.
 */
import { VECTOR } from "../cpu/processor.js";
import type { CellAccess, Code, FlagSource, ImpliedSegment, MemoryCell, OperandSize } from "../isa/code.js";
import {
  add,
  and,
  below,
  i32,
  narrow,
  ne,
  or,
  sar,
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
import { type Frame, field8, field16, field32, follow, probe } from "./dispatch.js";
import { condition, eflags, setFlags, setLowFlags } from "./flag-code.js";
import type { Form } from "./forms.js";
import {
  CODE_LIMIT,
  EFLAGS_REST,
  EXIT,
  EXIT_ERROR_CODE,
  EXIT_VECTOR,
  FLOAT_REGISTER_SIZE,
  RECORD,
  REGISTER_SIZE,
  REGISTERS,
  REPEATS,
  STACK_MASK,
  XMM_REGISTERS,
} from "./layout.js";
import {
  addressMask,
  addressVaries,
  fitted,
  loadOps,
  nextRip,
  openCell,
  operandOffset,
  storeOps,
} from "./memory-operands.js";
import { vectorLoad } from "./simd.js";
import {
  noteMmx,
  readLane,
  readVector,
  requireUnit,
  usesMmx,
  vectorWidth,
  writeLane,
  writeVector,
} from "./vector-operands.js";
import { type Expr, type Local, load } from "./wasm.js";

const ESP = 4;
const EBP = 5;
/** Where the record has the register of an operand. */
const registerFields = [RECORD.operandA, RECORD.operandB, RECORD.index] as const;

/** `old` with the bits of `mask` taken from `value`. */
const merge = (old: Expr, value: Expr, mask: Expr): Expr => xor(old, and(xor(old, value), mask));

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

  /** Writes a general register: in 64-bit code one of 32 bits clears the upper half. */
  #storeRegister(address: Expr, width: OperandSize, value: Expr, offset = 0): void {
    const { body } = this.frame;
    if (width === 32 && this.long) body.store("i64", address, widenUnsigned(narrow(value)), offset);
    else body.store(storeOps[width], address, fitted(value, width), offset);
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

  wrapAddress(sum: Expr): Expr {
    return addressVaries(this) ? and(sum, addressMask(this)) : sum;
  }

  asOffset(value: Expr, signed?: "signed"): Expr {
    if (!this.long) return value;
    return signed ? widen(value) : widenUnsigned(value);
  }

  pointer(number: number): Expr {
    const whole = this.register(number, this.long ? 64 : 32);
    return addressVaries(this) ? this.let(this.wrapAddress(whole)) : whole;
  }

  setPointer(number: number, value: Expr): void {
    const size = this.long ? 64 : 32;
    if (!addressVaries(this)) this.setRegister(number, size, value);
    // One of 32 bits clears the upper half in 64-bit code, one of 16 bits keeps it.
    else if (this.long) this.setRegister(number, size, this.wrapAddress(value));
    else this.setRegister(number, size, merge(this.register(number, size), value, addressMask(this)));
  }

  address(): Expr {
    this.#address ??= this.let(operandOffset(this));
    return this.#address;
  }

  cell(segment: ImpliedSegment, offset: Expr, size: OperandSize, access: CellAccess = "read"): MemoryCell {
    return openCell(this, segment, offset, size, access);
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

  flags(source: FlagSource): void {
    setFlags(this, source);
  }

  setLowFlags(value: Expr): void {
    setLowFlags(this, value);
  }

  eflags(): Expr {
    return this.let(eflags(this.frame));
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
    if (this.long) return this.let(nextRip(this));
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
