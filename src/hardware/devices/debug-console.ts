/**
 * The debug console: a port a guest writes text to, one byte a write, with nothing to set up.
 *
 * It is QEMU's and Bochs' `0xE9 hack`. Left out on purpose: input, interrupts and any width but a byte.
 */
import type { BusDevice } from "./bus-device.js";

export interface DebugConsoleState {
  /** Every byte written so far, one character of code 0 to 255 each. */
  readonly output: string;
}

/** What a read gives; a guest takes it as the sign that the port is there. */
const PRESENT = 0xe9;

export const debugConsole: BusDevice<DebugConsoleState> = {
  name: "debug console",
  spec: 'Bochs User Manual, "port_e9_hack"; QEMU, "isa-debugcon"',
  reset: () => ({ output: "" }),
  peek: () => PRESENT,
  read: (state) => ({ state, value: PRESENT }),
  write: (state, _offset, _size, value) => ({ output: state.output + String.fromCharCode(value & 0xff) }),
};
