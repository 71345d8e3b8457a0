/**
 * The floating-point and vector registers as they lie in the engine's memory, where generated code and instructions in
 * TypeScript both write them: whoever does sets FLOAT_CHANGED, and a new record is made only then.
 */
import { type FloatingRegisters, type FloatingState, resetFloating } from "../cpu/floating.js";
import {
  FCS,
  FCW,
  FDP,
  FDS,
  FIP,
  FLOAT_CHANGED,
  FOP,
  FSW,
  FTW,
  MXCSR,
  X87_REGISTERS,
  XMM_REGISTER_COUNT,
  XMM_REGISTERS,
} from "./layout.js";

const X87_FIRST = X87_REGISTERS >> 3;
const XMM_FIRST = XMM_REGISTERS >> 3;
const HIGH = 2 ** 32;

export class FloatFile implements FloatingRegisters {
  readonly #words: Int32Array;
  readonly #quads: BigUint64Array;
  #value: FloatingState = resetFloating;

  constructor(buffer: ArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#quads = new BigUint64Array(buffer, 0, (XMM_REGISTERS + 16 * XMM_REGISTER_COUNT) >> 3);
    this.#load(resetFloating);
  }

  /** The record that was made last: of the registers as they are, unless FLOAT_CHANGED says otherwise. */
  get last(): FloatingState {
    return this.#value;
  }

  /** All registers have been replaced in memory, with FLOAT_CHANGED as it was for that record. */
  set last(state: FloatingState) {
    this.#value = state;
  }

  open(state: FloatingState): void {
    if (state === this.#value && this.#words[FLOAT_CHANGED >> 2] === 0) return;
    this.#load(state);
  }

  #load(state: FloatingState): void {
    this.control = state.control;
    this.status = state.status;
    this.tags = state.tags;
    this.opcode = state.opcode;
    this.instructionPointer = state.instructionPointer;
    this.instructionSelector = state.instructionSelector;
    this.dataPointer = state.dataPointer;
    this.dataSelector = state.dataSelector;
    this.mxcsr = state.mxcsr;
    state.registers.forEach((bits, number) => {
      this.setRegister(number, bits);
    });
    state.xmm.forEach((bits, number) => {
      this.setXmm(number, bits);
    });
    this.#words[FLOAT_CHANGED >> 2] = 0;
    this.#value = state;
  }

  seal(): FloatingState {
    if (this.#words[FLOAT_CHANGED >> 2] === 0) return this.#value;
    this.#words[FLOAT_CHANGED >> 2] = 0;
    const { registers, xmm } = this.#value;
    this.#value = Object.freeze({
      control: this.control,
      status: this.status,
      tags: this.tags,
      opcode: this.opcode,
      instructionPointer: this.instructionPointer,
      instructionSelector: this.instructionSelector,
      dataPointer: this.dataPointer,
      dataSelector: this.dataSelector,
      registers: unlessSame(registers, (number) => this.getRegister(number)),
      xmm: unlessSame(xmm, (number) => this.getXmm(number)),
      mxcsr: this.mxcsr,
    });
    return this.#value;
  }

  get control(): number {
    return this.#words[FCW >> 2]!;
  }

  set control(value: number) {
    this.#set(FCW, value);
  }

  get status(): number {
    return this.#words[FSW >> 2]!;
  }

  set status(value: number) {
    this.#set(FSW, value);
  }

  get tags(): number {
    return this.#words[FTW >> 2]!;
  }

  set tags(value: number) {
    this.#set(FTW, value);
  }

  get opcode(): number {
    return this.#words[FOP >> 2]!;
  }

  set opcode(value: number) {
    this.#set(FOP, value);
  }

  get instructionPointer(): number {
    return this.#pointer(FIP);
  }

  set instructionPointer(value: number) {
    this.#setPointer(FIP, value);
  }

  get instructionSelector(): number {
    return this.#words[FCS >> 2]!;
  }

  set instructionSelector(value: number) {
    this.#set(FCS, value);
  }

  get dataPointer(): number {
    return this.#pointer(FDP);
  }

  set dataPointer(value: number) {
    this.#setPointer(FDP, value);
  }

  get dataSelector(): number {
    return this.#words[FDS >> 2]!;
  }

  set dataSelector(value: number) {
    this.#set(FDS, value);
  }

  get mxcsr(): number {
    return this.#words[MXCSR >> 2]!;
  }

  set mxcsr(value: number) {
    this.#set(MXCSR, value);
  }

  getRegister(number: number): bigint {
    const at = X87_FIRST + 2 * number;
    return (BigInt.asUintN(16, this.#quads[at + 1]!) << 64n) | this.#quads[at]!;
  }

  setRegister(number: number, bits: bigint): void {
    const at = X87_FIRST + 2 * number;
    this.#quads[at] = bits;
    this.#quads[at + 1] = (bits >> 64n) & 0xffffn;
    this.#words[FLOAT_CHANGED >> 2] = 1;
  }

  getXmm(number: number): bigint {
    const at = XMM_FIRST + 2 * number;
    return (this.#quads[at + 1]! << 64n) | this.#quads[at]!;
  }

  setXmm(number: number, bits: bigint): void {
    const at = XMM_FIRST + 2 * number;
    this.#quads[at] = bits;
    this.#quads[at + 1] = bits >> 64n;
    this.#words[FLOAT_CHANGED >> 2] = 1;
  }

  #set(address: number, value: number): void {
    this.#words[address >> 2] = value;
    this.#words[FLOAT_CHANGED >> 2] = 1;
  }

  /** Signed above 32 bits, as addresses of 64-bit code are. */
  #pointer(address: number): number {
    return this.#words[(address >> 2) + 1]! * HIGH + (this.#words[address >> 2]! >>> 0);
  }

  #setPointer(address: number, value: number): void {
    this.#set(address, value);
    this.#set(address + 4, Math.floor(value / HIGH));
  }
}

/** The list of what is at each number; the old one if nothing differs. */
function unlessSame(old: readonly bigint[], at: (number: number) => bigint): readonly bigint[] {
  const values = old.map((_bits, number) => at(number));
  return values.every((bits, number) => bits === old[number]) ? old : Object.freeze(values);
}
