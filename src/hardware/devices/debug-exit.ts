/**
 * The debug exit: a range of four ports; a write to any of them ends the run with the value written.
 *
 * It is QEMU's `isa-debug-exit`. The machine that holds the device looks at `exitValue` and stops; QEMU's exit status
 * `(value << 1) | 1` is made by whoever reports it. A second write, possible only if the machine goes on nevertheless,
 * replaces the value.
 */
import type { BusDevice } from "./bus-device.js";

export interface DebugExitState {
  /** The value written, unsigned, of the width of the write; absent until then. */
  readonly exitValue?: number;
}

/** Ports of the range. */
export const DEBUG_EXIT_LENGTH = 4;

export const debugExit: BusDevice<DebugExitState> = {
  name: "isa-debug-exit",
  spec: 'QEMU, "isa-debug-exit"',
  reset: () => ({}),
  peek: () => 0,
  read: (state) => ({ state, value: 0 }),
  write: (_state, _offset, _size, value) => ({ exitValue: value }),
};
