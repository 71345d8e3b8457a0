/** What of a processor no technique keeps elsewhere: general and floating-point registers, and what of the system state is a guest's as long as it has the processor. */
import type { FloatingRegisters, FloatingState } from "../hardware/cpu/floating.js";
import type { ProcessorPort } from "../hardware/cpu/processor.js";
import { type CpuState, generalNames, noWide } from "../hardware/cpu/state.js";

const GENERAL = 8;
const ALL = 16;
const RSP = 4;

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** The general registers in their present form. */
export function savedGeneral(port: ProcessorPort): Pick<CpuState, (typeof generalNames)[number] | "wide"> {
  const low = (number: number): number => port.getRegister(number) | 0;
  const wide: number[] = [];
  let isWide = false;
  const add = (word: number): void => {
    isWide ||= word !== 0;
    wide.push(word);
  };
  for (let number = 0; number < GENERAL; number++) add(port.getRegisterHigh(number) | 0);
  for (let number = GENERAL; number < ALL; number++) {
    add(low(number));
    add(port.getRegisterHigh(number) | 0);
  }
  return {
    ...{ eax: low(0), ecx: low(1), edx: low(2), ebx: low(3) },
    ...{ esp: low(4), ebp: low(5), esi: low(6), edi: low(7) },
    wide: isWide ? wide : noWide,
  };
}

/** Loads them, the stack pointer excepted. */
export function loadGeneral(port: ProcessorPort, cpu: CpuState): void {
  for (let number = 0; number < ALL; number++) {
    if (number === RSP) continue;
    const beyond = GENERAL + 2 * (number - GENERAL);
    const low = number < GENERAL ? cpu[generalNames[number]!] : cpu.wide[beyond]!;
    const high = cpu.wide[number < GENERAL ? number : beyond + 1]!;
    port.setRegister(number, low >>> 0, high >>> 0);
  }
}

const floatingWords = [
  ...(["control", "status", "tags", "opcode", "mxcsr"] as const),
  ...(["instructionPointer", "instructionSelector", "dataPointer", "dataSelector"] as const),
] as const;

export function savedFloating(floating: FloatingRegisters): FloatingState {
  const words = Object.fromEntries(floatingWords.map((name) => [name, floating[name]]));
  return Object.freeze({
    ...(words as Record<(typeof floatingWords)[number], number>),
    registers: Object.freeze(range(GENERAL).map((number) => floating.getRegister(number))),
    xmm: Object.freeze(range(ALL).map((number) => floating.getXmm(number))),
  });
}

export function loadFloating(floating: FloatingRegisters, state: FloatingState): void {
  for (const name of floatingWords) floating[name] = state[name];
  for (const [number, bits] of state.registers.entries()) floating.setRegister(number, bits);
  for (const [number, bits] of state.xmm.entries()) floating.setXmm(number, bits);
}
