/**
 * The three ways a PC's software asks for a reset: port 0x92, the keyboard controller's reset pulse and port 0xCF9.
 *
 * Left out on purpose: the A20 gate. Port 0x92 keeps its bit, set after reset, but address line 20 always works, as on
 * every PC since it can be ignored. Of the keyboard controller there is only the status register, which says that
 * nothing is waiting, and the command that pulses the reset line.
 */
import type { Device } from "./device.js";

/** Register offsets. */
export const RESET_CONTROL_OFFSET = { systemControl: 0, keyboardCommand: 1, resetControl: 2 } as const;

/** Port 0x92, bit 0: a change from 0 to 1 resets the processor. */
const FAST_RESET = 0x01;
/** Port 0x92, bit 1: address line 20 passes. */
const A20_GATE = 0x02;
/** Commands 0xF0 to 0xFF pulse the output lines whose bit is 0; line 0 is the processor's reset. */
const PULSE_OUTPUT = 0xf0;
const PULSE_RESET_NOT = 0x01;
/** Port 0xCF9, bit 2: a write that sets it resets; bit 1 chooses between a hard and a soft reset. */
const RESET_CPU = 0x04;

export interface ResetControlState {
  /** System control port A (0x92). */
  readonly systemControl: number;
  /** Reset control register (0xCF9). */
  readonly resetControl: number;
  /** Whether the guest has asked for a reset. */
  readonly resetRequested: boolean;
}

export const resetControl: Device<ResetControlState> = {
  name: "reset control",
  spec: 'Intel 82371SB (PIIX3) datasheet, "RC - Reset Control Register" and "PORT92 - Port 92 Register"; IBM PC/AT Technical Reference, "8042 commands"',
  reset: () => ({ systemControl: A20_GATE, resetControl: 0, resetRequested: false }),

  read(state, offset) {
    if (offset === RESET_CONTROL_OFFSET.systemControl) return { state, value: state.systemControl };
    if (offset === RESET_CONTROL_OFFSET.resetControl) return { state, value: state.resetControl };
    return { state, value: 0 };
  },

  write(state, offset, _size, value) {
    if (offset === RESET_CONTROL_OFFSET.keyboardCommand) {
      const pulsesReset = (value & 0xf0) === PULSE_OUTPUT && (value & PULSE_RESET_NOT) === 0;
      return pulsesReset ? { ...state, resetRequested: true } : state;
    }
    if (offset === RESET_CONTROL_OFFSET.systemControl) {
      const asks = (value & ~state.systemControl & FAST_RESET) !== 0;
      return { ...state, systemControl: value, resetRequested: state.resetRequested || asks };
    }
    const asks = (value & ~state.resetControl & RESET_CPU) !== 0;
    return { ...state, resetControl: value, resetRequested: state.resetRequested || asks };
  },
};
