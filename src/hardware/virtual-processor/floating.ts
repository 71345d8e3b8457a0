/** The floating-point and vector registers of a processor that is a record: copied when the first of them is written. */
import type { FloatingRegisters, FloatingState } from "../cpu/floating.js";

type Scalars = Omit<FloatingState, "registers" | "xmm">;

export class VirtualFloating implements FloatingRegisters {
  #state: FloatingState;

  constructor(state: FloatingState) {
    this.#state = state;
  }

  /** As they are now; the same record while nothing is written. */
  get state(): FloatingState {
    return this.#state;
  }

  #set<K extends keyof Scalars>(name: K, value: number): void {
    if (this.#state[name] !== value) this.#state = { ...this.#state, [name]: value };
  }

  get control(): number {
    return this.#state.control;
  }

  set control(value: number) {
    this.#set("control", value | 0);
  }

  get status(): number {
    return this.#state.status;
  }

  set status(value: number) {
    this.#set("status", value | 0);
  }

  get tags(): number {
    return this.#state.tags;
  }

  set tags(value: number) {
    this.#set("tags", value | 0);
  }

  get opcode(): number {
    return this.#state.opcode;
  }

  set opcode(value: number) {
    this.#set("opcode", value | 0);
  }

  get instructionPointer(): number {
    return this.#state.instructionPointer;
  }

  set instructionPointer(value: number) {
    this.#set("instructionPointer", value);
  }

  get instructionSelector(): number {
    return this.#state.instructionSelector;
  }

  set instructionSelector(value: number) {
    this.#set("instructionSelector", value | 0);
  }

  get dataPointer(): number {
    return this.#state.dataPointer;
  }

  set dataPointer(value: number) {
    this.#set("dataPointer", value);
  }

  get dataSelector(): number {
    return this.#state.dataSelector;
  }

  set dataSelector(value: number) {
    this.#set("dataSelector", value | 0);
  }

  get mxcsr(): number {
    return this.#state.mxcsr;
  }

  set mxcsr(value: number) {
    this.#set("mxcsr", value | 0);
  }

  getRegister(number: number): bigint {
    return this.#state.registers[number]!;
  }

  setRegister(number: number, bits: bigint): void {
    this.#state = { ...this.#state, registers: this.#state.registers.with(number, BigInt.asUintN(80, bits)) };
  }

  getXmm(number: number): bigint {
    return this.#state.xmm[number]!;
  }

  setXmm(number: number, bits: bigint): void {
    this.#state = { ...this.#state, xmm: this.#state.xmm.with(number, BigInt.asUintN(128, bits)) };
  }
}
