/**
 * What a PC's reset line is driven by: ports 0x92 and 0xCF9, and, through the bus, the keyboard controller's output port.
 *
 * Port 0x92 is also one of the two sources of address line 20, the keyboard controller's output port the other.
 */
import type { BusDevice } from "./bus-device.js";

/** Register offsets. */
export const RESET_CONTROL_OFFSET = { systemControl: 0, resetControl: 1 } as const;

/** Port 0x92, bit 0: a change from 0 to 1 resets the processor. */
const FAST_RESET = 0x01;
/** Port 0x92, bit 1: address line 20 passes. */
const A20_GATE = 0x02;
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

export const resetControl: BusDevice<ResetControlState> = {
  name: "reset control",
  spec: 'Intel 82371SB (PIIX3) datasheet, "RC - Reset Control Register" and "PORT92 - Port 92 Register"',
  reset: () => resetResetControl(true),

  peek: (state, offset) => (offset === RESET_CONTROL_OFFSET.systemControl ? state.systemControl : state.resetControl),

  read(state, offset) {
    return { state, value: offset === RESET_CONTROL_OFFSET.systemControl ? state.systemControl : state.resetControl };
  },

  write(state, offset, _size, value) {
    if (offset === RESET_CONTROL_OFFSET.systemControl) {
      const asks = (value & ~state.systemControl & FAST_RESET) !== 0;
      return { ...state, systemControl: value, resetRequested: state.resetRequested || asks };
    }
    const asks = (value & ~state.resetControl & RESET_CPU) !== 0;
    return { ...state, resetControl: value, resetRequested: state.resetRequested || asks };
  },
};

/** The ports as a PC's firmware leaves them, with address line 20 passing or not. */
export function resetResetControl(a20: boolean): ResetControlState {
  return { systemControl: a20 ? A20_GATE : 0, resetControl: 0, resetRequested: false };
}

/** Another device has pulled the reset line. */
export function pullReset(state: ResetControlState): ResetControlState {
  return { ...state, resetRequested: true };
}

/** Whether port 0x92 lets address line 20 pass. */
export function port92PassesA20(state: ResetControlState): boolean {
  return (state.systemControl & A20_GATE) !== 0;
}
