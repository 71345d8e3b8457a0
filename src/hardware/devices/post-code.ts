/**
 * The POST code latch of a PC: a port firmware shows its progress on; kernels write to it for a short delay.
 *
 * Left out on purpose: reading the latch back, which only boards where the port is a spare DMA page register allow.
 */
import type { BusDevice } from "./bus-device.js";

export interface PostCodeState {
  /** The byte written last; 0 after reset. */
  readonly code: number;
}

export const postCode: BusDevice<PostCodeState> = {
  name: "POST code",
  spec: 'IBM PC/AT Technical Reference, "I/O Address Map", port 080',
  reset: () => ({ code: 0 }),
  peek: () => 0xff,
  read: (state) => ({ state, value: 0xff }),
  write: (state, _offset, _size, value) => (value === state.code ? state : { code: value }),
};
