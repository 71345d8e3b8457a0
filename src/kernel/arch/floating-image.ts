/** Floating-point registers of a program in the form of FXSAVE, in which signal frames have them. Spec: SDM Vol. 2A, FXSAVE—Save x87 FPU, MMX Technology, and SSE State. */
import type { FloatingRegisters, FloatingState } from "../../hardware/cpu/floating.js";
import { MXCSR_BITS, resetFloating } from "../../hardware/cpu/floating.js";
import { type FastFormat, readFast, writeEnvironment, writeFast } from "../../hardware/cpu/floating-images.js";
import type { ProcessorPort } from "../../hardware/cpu/processor.js";

export const FAST_SIZE = 512;
/** Of the environment and registers as FSAVE has them, with the status and a mark of Linux's behind them. */
export const LEGACY_SIZE = 112;

const format = (wide: boolean): FastFormat => ({ wide, xmmCount: wide ? 16 : 8, mxcsrBits: MXCSR_BITS });

/** x87 as FNINIT leaves it. */
export const freshFloating: FloatingState = Object.freeze({ ...resetFloating, control: 0x37f, tags: 0xffff });

/** The registers of a record, as a processor would have them. */
function asRegisters(state: FloatingState): FloatingRegisters & { state(): FloatingState } {
  const registers = [...state.registers];
  const xmm = [...state.xmm];
  const { registers: _registers, xmm: _xmm, ...words } = state;
  return {
    ...words,
    getRegister: (number) => registers[number]!,
    setRegister: (number, bits) => {
      registers[number] = bits;
    },
    getXmm: (number) => xmm[number]!,
    setXmm: (number, bits) => {
      xmm[number] = bits;
    },
    state() {
      const { control, status, tags, opcode, instructionPointer, instructionSelector } = this;
      const { dataPointer, dataSelector, mxcsr } = this;
      return Object.freeze({
        ...{ control, status, tags, opcode, instructionPointer, instructionSelector, dataPointer, dataSelector, mxcsr },
        registers: Object.freeze(registers),
        xmm: Object.freeze(xmm),
      });
    },
  };
}

const portOf = (floating: FloatingRegisters): ProcessorPort =>
  ({ floating, mode: "protected" }) as unknown as ProcessorPort;

/** The region of FXSAVE; the upper XMM registers only for 64-bit programs. */
export function fastImage(state: FloatingState, wide: boolean): Uint8Array {
  const bytes = new Uint8Array(FAST_SIZE);
  writeFast(portOf(asRegisters(state)), new DataView(bytes.buffer), format(wide));
  return bytes;
}

/** Registers from such a region; bits of MXCSR that there are not are dropped. */
export function floatingOfImage(bytes: Uint8Array, before: FloatingState, wide: boolean): FloatingState {
  const registers = asRegisters(before);
  readFast(portOf(registers), new DataView(bytes.buffer, bytes.byteOffset, bytes.length), format(wide));
  registers.mxcsr &= MXCSR_BITS;
  return registers.state();
}

/** What FSAVE would write, as frames of 32-bit programs begin. */
export function legacyImage(state: FloatingState): Uint8Array {
  const bytes = new Uint8Array(LEGACY_SIZE);
  const view = new DataView(bytes.buffer);
  const registers = asRegisters(state);
  writeEnvironment(portOf(registers), view, 32);
  const top = (state.status >>> 11) & 7;
  for (let index = 0; index < 8; index++) {
    const bits = registers.getRegister((top + index) & 7);
    view.setBigUint64(28 + index * 10, BigInt.asUintN(64, bits), true);
    view.setUint16(36 + index * 10, Number(bits >> 64n), true);
  }
  view.setUint16(108, state.status, true);
  return bytes;
}
