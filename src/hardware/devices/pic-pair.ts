/**
 * A PC's two 8259As: the slave's INT drives input 2 of the master, and together they have lines 0 to 15.
 *
 * Left out on purpose: slaves anywhere but on input 2, whatever ICW3 says; the wiring of a PC is fixed.
 *
 * Manual: Intel 8259A datasheet, "Cascade Mode"; Intel 82371SB (PIIX3) datasheet, "Interrupt Controller Registers".
 */
import type { BusDevice } from "./bus-device.js";
import type { ReadResult } from "./device.js";
import { acknowledgeLevel, type Pic8259State, pic8259, requestedLevel, setInput, vectorOf } from "./pic8259.js";

/** Register offsets: each chip's two ports, then the two edge/level control registers. */
export const PIC_PAIR_OFFSET = { master: 0, slave: 2, masterElcr: 4, slaveElcr: 5 } as const;

/** The master's input that the slave drives. */
const CASCADE_LEVEL = 2;
/** Lines that can be level sensitive: not those of the timer, the keyboard, the cascade, the clock and the FPU. */
const MASTER_ELCR_BITS = 0xf8;
const SLAVE_ELCR_BITS = 0xde;

export interface PicPairState {
  readonly master: Pic8259State;
  readonly slave: Pic8259State;
}

export const picPair: BusDevice<PicPairState> = {
  name: "8259A pair",
  spec: '8259A datasheet, "Cascade Mode"; 82371SB datasheet, "ELCR1/2 - Edge/Level Control Registers"',

  reset: () => ({ master: pic8259.reset(), slave: pic8259.reset() }),

  peek(state, offset, size, tick): number {
    if (offset >= PIC_PAIR_OFFSET.masterElcr) {
      return offset === PIC_PAIR_OFFSET.masterElcr ? state.master.ELCR : state.slave.ELCR;
    }
    return offset >= PIC_PAIR_OFFSET.slave
      ? pic8259.peek!(state.slave, offset - PIC_PAIR_OFFSET.slave, size, tick)
      : pic8259.peek!(state.master, offset, size, tick);
  },

  read(state, offset, size, tick): ReadResult<PicPairState> {
    const value = picPair.peek!(state, offset, size, tick);
    if (value >= 0) return { state, value };
    if (offset >= PIC_PAIR_OFFSET.slave) {
      const slave = pic8259.read(state.slave, offset - PIC_PAIR_OFFSET.slave, size, tick);
      return { state: cascade(state, state.master, slave.state), value: slave.value };
    }
    const master = pic8259.read(state.master, offset, size, tick);
    return { state: cascade(state, master.state, state.slave), value: master.value };
  },

  write(state, offset, size, value, tick): PicPairState {
    const { master, slave } = state;
    switch (offset) {
      case PIC_PAIR_OFFSET.masterElcr:
        return cascade(state, pic8259.write(master, 2, size, value & MASTER_ELCR_BITS, tick), slave);
      case PIC_PAIR_OFFSET.slaveElcr:
        return cascade(state, master, pic8259.write(slave, 2, size, value & SLAVE_ELCR_BITS, tick));
      default:
        return offset >= PIC_PAIR_OFFSET.slave
          ? cascade(state, master, pic8259.write(slave, offset - PIC_PAIR_OFFSET.slave, size, value, tick))
          : cascade(state, pic8259.write(master, offset, size, value, tick), slave);
    }
  },

  interrupt: (state) => interruptRequested(state),
};

/** Drives interrupt line 0 to 15. Line 2 is the cascade and cannot be driven. */
export function setLine(state: PicPairState, line: number, high: boolean): PicPairState {
  const inputs = line < 8 ? state.master.inputs >> line : state.slave.inputs >> (line - 8);
  if ((inputs & 1) === (high ? 1 : 0)) return state;
  if (line >= 8) return cascade(state, state.master, setInput(state.slave, line - 8, high));
  return line === CASCADE_LEVEL ? state : cascade(state, setInput(state.master, line, high), state.slave);
}

/** Drives an interrupt line high. */
export function raise(state: PicPairState, line: number): PicPairState {
  return setLine(state, line, true);
}

/** Drives an interrupt line low. */
export function lower(state: PicPairState, line: number): PicPairState {
  return setLine(state, line, false);
}

/** Whether the processor's INTR pin is high. */
export function interruptRequested(state: PicPairState): boolean {
  return requestedLevel(state.master) >= 0;
}

/** Whether the mask registers let interrupt line 0 to 15 through. */
export function isUnmasked(state: PicPairState, line: number): boolean {
  if (line < 8) return (state.master.IMR & (1 << line)) === 0;
  return ((state.master.IMR & (1 << CASCADE_LEVEL)) | (state.slave.IMR & (1 << (line - 8)))) === 0;
}

/** Whether interrupt line 0 to 15 requests an interrupt, masked or not. */
export function isRequested(state: PicPairState, line: number): boolean {
  return ((line < 8 ? state.master.IRR >> line : state.slave.IRR >> (line - 8)) & 1) !== 0;
}

/**
 * The processor's interrupt acknowledge cycle: takes the request of the highest priority into service and gives its
 * vector (0 to 255). Without a request it gives that of level 7 of the chip that was asked and puts nothing in service.
 *
 * Spec: 8259A datasheet, "Interrupt Sequence".
 */
export function acknowledge(state: PicPairState): { readonly state: PicPairState; readonly vector: number } {
  const master = acknowledgeLevel(state.master);
  if (master.level !== CASCADE_LEVEL) {
    return { state: cascade(state, master.state, state.slave), vector: vectorOf(master.state, master.level) };
  }
  const slave = acknowledgeLevel(state.slave);
  // The slave's INT falls with the acknowledgement even if it has a further request: the master needs the edge.
  const fallen = setInput(master.state, CASCADE_LEVEL, false);
  return { state: cascade(state, fallen, slave.state), vector: vectorOf(slave.state, slave.level) };
}

/** The pair of these two chips, with the cascade driven; `before` itself if nothing differs from it. */
function cascade(before: PicPairState, master: Pic8259State, slave: Pic8259State): PicPairState {
  const driven = setInput(master, CASCADE_LEVEL, requestedLevel(slave) >= 0);
  return driven === before.master && slave === before.slave ? before : { master: driven, slave };
}
