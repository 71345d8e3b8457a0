/**
 * What a program has in the processor: taken out when it loses it, put back when it goes on. The kernel's stack holds what the hardware
 * pushed; SYSCALL pushes nothing, and leaves it in registers.
 * Spec: SDM Vol. 3A, "IA-32e Mode", "64-Bit Mode Stack Frame"; SDM Vol. 2B, SYSCALL—Fast System Call.
 */
import type { FloatingRegisters, FloatingState } from "../../hardware/cpu/floating.js";
import { writeMsr } from "../../hardware/cpu/msr.js";
import { Fault, type ProcessorPort } from "../../hardware/cpu/processor.js";
import { addressOf, highWord, registerAddress, setRegisterAddress } from "../../hardware/cpu/quadwords.js";
import { loadDataSegment } from "../../hardware/cpu/segments.js";
import { FLAG } from "../../hardware/cpu/state.js";
import { freshFloating } from "./floating-image.js";
import { PHYSICAL, PLACE, SELECTOR, TLS_ENTRIES } from "./layout.js";

/** Encoding numbers of general registers. */
export const R = { AX: 0, CX: 1, DX: 2, BX: 3, SP: 4, BP: 5, SI: 6, DI: 7, R8: 8, R9: 9, R10: 10, R11: 11 } as const;

const FS_BASE = 0xc000_0100;
const GS_BASE = 0xc000_0101;

export interface UserRegisters {
  /** RAX to R15, low and high word each, signed. */
  readonly general: readonly number[];
  readonly rip: number;
  readonly rflags: number;
  readonly cs: number;
  readonly ss: number;
  readonly ds: number;
  readonly es: number;
  readonly fs: number;
  readonly gs: number;
  readonly fsBase: number;
  readonly gsBase: number;
  readonly floating: FloatingState;
}

const NO_GENERAL: readonly number[] = Object.freeze(new Array<number>(32).fill(0));

/** A program in front of its first instruction. */
export function freshRegisters(bits: 32 | 64, rip: number, stack: number): UserRegisters {
  const general = NO_GENERAL.slice();
  general[R.SP * 2] = stack | 0;
  general[R.SP * 2 + 1] = highWord(stack);
  const data = bits === 64 ? 0 : SELECTOR.userData;
  return Object.freeze({
    general: Object.freeze(general),
    rip,
    rflags: FLAG.IF | FLAG.RESERVED,
    cs: bits === 64 ? SELECTOR.userCode64 : SELECTOR.userCode32,
    ss: SELECTOR.userData,
    ...{ ds: data, es: data, fs: 0, gs: 0, fsBase: 0, gsBase: 0 },
    floating: freshFloating,
  });
}

/** The registers with one of the general ones changed. */
export function withGeneral(registers: UserRegisters, number: number, value: number): UserRegisters {
  const general = registers.general.with(number * 2, value | 0).with(number * 2 + 1, highWord(value));
  return { ...registers, general };
}

export const generalOf = ({ general }: UserRegisters, number: number): number =>
  addressOf(general[number * 2]!, general[number * 2 + 1]!);

/** How the processor came into the kernel from a program. */
export type Entered = "call" | "gate";

const FRAME = PHYSICAL + PLACE.stack - 40;
const words = new Int32Array(10);

/** Instruction pointer, flags, stack and selectors of the program that was left. */
export interface UserFrame {
  readonly rip: number;
  readonly cs: number;
  readonly rflags: number;
  readonly rsp: number;
  readonly ss: number;
}

export function userFrame(port: ProcessorPort, entered: Entered): UserFrame {
  if (entered === "call")
    return {
      rip: registerAddress(port, R.CX),
      cs: SELECTOR.userCode64,
      rflags: port.getRegister(R.R11),
      rsp: registerAddress(port, R.SP),
      ss: SELECTOR.userData,
    };
  port.readWords(FRAME, 10, false, words);
  return {
    rip: addressOf(words[0]!, words[1]!),
    cs: words[2]! & 0xffff,
    rflags: words[4]!,
    rsp: addressOf(words[6]!, words[7]!),
    ss: words[8]! & 0xffff,
  };
}

/** Puts on the kernel's stack what leads back to a program. */
export function pushFrame(port: ProcessorPort, { rip, cs, rflags, rsp, ss }: UserFrame): void {
  words.set([rip | 0, highWord(rip), cs, 0, rflags, 0, rsp | 0, highWord(rsp), ss, 0]);
  port.writeWords(FRAME, 10, false, words);
  setRegisterAddress(port, R.SP, FRAME);
}

function floatingOf(registers: FloatingRegisters): FloatingState {
  const { control, status, tags, opcode, instructionPointer, instructionSelector } = registers;
  const { dataPointer, dataSelector, mxcsr } = registers;
  return Object.freeze({
    ...{ control, status, tags, opcode, instructionPointer, instructionSelector, dataPointer, dataSelector, mxcsr },
    registers: Object.freeze(Array.from({ length: 8 }, (_, number) => registers.getRegister(number))),
    xmm: Object.freeze(Array.from({ length: 16 }, (_, number) => registers.getXmm(number))),
  });
}

function loadFloating(registers: FloatingRegisters, state: FloatingState): void {
  const { control, status, tags, opcode, instructionPointer, instructionSelector } = state;
  const { dataPointer, dataSelector, mxcsr } = state;
  Object.assign(registers, { control, status, tags, opcode, instructionPointer, instructionSelector });
  Object.assign(registers, { dataPointer, dataSelector, mxcsr });
  for (let number = 0; number < 8; number++) registers.setRegister(number, state.registers[number]!);
  for (let number = 0; number < 16; number++) registers.setXmm(number, state.xmm[number]!);
}

/** Takes a program's registers out of the processor. */
export function saveRegisters(port: ProcessorPort, entered: Entered): UserRegisters {
  const { rip, cs, rflags, rsp, ss } = userFrame(port, entered);
  const general = new Array<number>(32);
  for (let number = 0; number < 16; number++) {
    general[number * 2] = port.getRegister(number) | 0;
    general[number * 2 + 1] = port.getRegisterHigh(number) | 0;
  }
  general[R.SP * 2] = rsp | 0;
  general[R.SP * 2 + 1] = highWord(rsp);
  const { ds, es, fs, gs } = port.system.segments;
  return Object.freeze({
    general: Object.freeze(general),
    ...{ rip, cs, rflags, ss },
    ...{ ds: ds.selector, es: es.selector, fs: fs.selector, gs: gs.selector, fsBase: fs.base, gsBase: gs.base },
    floating: floatingOf(port.floating),
  });
}

/** Has the processor go on with a program when the handler ends. */
export function loadRegisters(port: ProcessorPort, registers: UserRegisters, back: number): void {
  const { general, rip, rflags, cs, ss } = registers;
  for (let number = 0; number < 16; number++)
    if (number !== R.SP) port.setRegister(number, general[number * 2]!, general[number * 2 + 1]!);
  loadSegments(port, registers);
  loadFloating(port.floating, registers.floating);
  pushFrame(port, { rip, cs, rflags, rsp: generalOf(registers, R.SP), ss });
  port.nextEip = back;
}

function loadSegments(port: ProcessorPort, registers: UserRegisters): void {
  const { fs, gs, fsBase, gsBase } = registers;
  for (const name of ["ds", "es", "fs", "gs"] as const) {
    const selector = registers[name];
    if (port.system.segments[name].selector !== selector || selector !== 0) loadSelector(port, name, selector);
  }
  if (fs === 0 && port.system.segments.fs.base !== fsBase) setBase(port, "fs", fsBase);
  if (gs === 0 && port.system.segments.gs.base !== gsBase) setBase(port, "gs", gsBase);
}

/** A selector whose descriptor is no longer what it was leads nowhere. */
function loadSelector(port: ProcessorPort, name: "ds" | "es" | "fs" | "gs", selector: number): void {
  try {
    loadDataSegment(port, name, selector);
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    loadDataSegment(port, name, 0);
  }
}

const GDT_TLS = PHYSICAL + PLACE.gdt + TLS_ENTRIES.first * 8;
const tlsWords = new Int32Array(TLS_ENTRIES.count * 2);

/** The thread's own entries of the descriptor table. */
export function loadTls(port: ProcessorPort, tls: readonly number[]): void {
  for (let index = 0; index < tlsWords.length; index++) tlsWords[index] = tls[index] ?? 0;
  port.writeWords(GDT_TLS, tlsWords.length, false, tlsWords);
}

const PRESENT = 0x8000;

/** A selector of data that a program may have in a segment register; others become 0. */
export function usableSelector(tls: readonly number[], selector: number): number {
  const wanted = selector | 3;
  if (selector < 4) return 0;
  if (wanted === SELECTOR.userData || wanted === SELECTOR.userCode32 || wanted === SELECTOR.userCode64) return wanted;
  const entry = (wanted >> 3) - TLS_ENTRIES.first;
  return (wanted & 7) === 3 && ((tls[entry * 2 + 1] ?? 0) & PRESENT) !== 0 ? wanted : 0;
}

/** Spec: arch_prctl(2). */
export const setBase = (port: ProcessorPort, segment: "fs" | "gs", base: number): void =>
  writeMsr(port, segment === "fs" ? FS_BASE : GS_BASE, BigInt(base));
