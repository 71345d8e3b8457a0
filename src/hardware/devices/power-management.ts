/**
 * The power management of a PIIX4: ACPI's fixed registers, a timer of 3.579545 MHz, and the way to switch the machine off.
 *
 * The timer's clock is three times the 8254's, so it makes a step every 28 ticks of the machine. It is computed, not
 * counted; a change of its highest bit sets TMROF_STS. The machine is always in ACPI mode: SCI_EN is tied high, and no SMI
 * command is needed.
 *
 * Left out on purpose: sleeping states other than soft off, the power button, general-purpose events (their registers are
 * kept), SMM, the SMBus, and moving the registers away from where firmware puts them.
 *
 * Manual: Intel 82371AB (PIIX4) datasheet, "Power Management I/O Space Registers"; ACPI specification, "Fixed Hardware
 * Registers".
 */
import type { BusDevice } from "./bus-device.js";

/** Machine ticks in one period of the timer's clock: a third of those of the 8254's. */
export const TICKS_PER_PM_CLOCK = 28;
const TIMER_BITS = 24;
/** Clocks after which the timer's highest bit changes. */
const HALF_TURN = 2 ** (TIMER_BITS - 1);

/** Register offsets. */
export const PM_OFFSET = { PMSTS: 0, PMEN: 2, PMCNTRL: 4, PMTMR: 8, GPSTS: 12, GPEN: 14 } as const;

/** PMSTS and PMEN, bit 0. */
const TMROF = 0x0001;
/** Bits of PMEN that can be written: timer, global, power button, real-time clock. */
const PMEN_BITS = 0x0521;
const PMCNTRL = { SCI_EN: 0x0001, SUS_TYP: 0x1c00, SUS_EN: 0x2000, kept: 0x1c02 } as const;

export interface PowerManagementState {
  readonly PMEN: number;
  /** Without SUS_EN, which reads 0. */
  readonly PMCNTRL: number;
  readonly GPEN: number;
  /** The clock at which TMROF_STS was cleared last. */
  readonly timerSeen: number;
  /** TMROF_STS at the time the state was brought to last, if it makes an interrupt. */
  readonly interrupting: boolean;
  readonly powerOffRequested: boolean;
}

export const powerManagement: BusDevice<PowerManagementState> = {
  name: "PIIX4 power management",
  spec: '82371AB datasheet, "Power Management I/O Space Registers"',

  reset: () => ({
    PMEN: 0,
    PMCNTRL: PMCNTRL.SCI_EN,
    GPEN: 0,
    timerSeen: 0,
    interrupting: false,
    powerOffRequested: false,
  }),

  peek(state, offset, size, tick): number {
    if (offset === PM_OFFSET.PMTMR && size === 4) return clockAt(tick) % 2 ** TIMER_BITS;
    let value = 0;
    for (let index = size - 1; index >= 0; index--) value = value * 256 + byteAt(state, offset + index, tick);
    return value;
  },

  read: (state, offset, size, tick) => ({ state, value: powerManagement.peek!(state, offset, size, tick) }),

  write(state, offset, size, value, tick): PowerManagementState {
    let next = state;
    for (let index = 0; index < size; index++) {
      next = writeByte(next, offset + index, Math.floor(value / 256 ** index) & 0xff, tick);
    }
    return withInterrupt(next, tick);
  },

  advance: (state, tick) => (tick < powerManagement.due!(state) ? state : { ...state, interrupting: true }),

  nextEvent(state, tick): number {
    const due = powerManagement.due!(state);
    return due > tick ? due : Number.POSITIVE_INFINITY;
  },

  due: (state) =>
    state.interrupting || (state.PMEN & TMROF) === 0
      ? Number.POSITIVE_INFINITY
      : (Math.floor(state.timerSeen / HALF_TURN) + 1) * HALF_TURN * TICKS_PER_PM_CLOCK,

  interrupt: (state) => state.interrupting,
};

function clockAt(tick: number): number {
  return Math.floor(tick / TICKS_PER_PM_CLOCK);
}

function overflowed(state: PowerManagementState, tick: number): boolean {
  return Math.floor(clockAt(tick) / HALF_TURN) !== Math.floor(state.timerSeen / HALF_TURN);
}

function withInterrupt(state: PowerManagementState, tick: number): PowerManagementState {
  const interrupting = (state.PMEN & TMROF) !== 0 && overflowed(state, tick);
  return interrupting === state.interrupting ? state : { ...state, interrupting };
}

/** The 16-bit register that a byte is in, as it reads. */
function wordAt(state: PowerManagementState, offset: number, tick: number): number {
  switch (offset) {
    case PM_OFFSET.PMSTS:
      return overflowed(state, tick) ? TMROF : 0;
    case PM_OFFSET.PMEN:
      return state.PMEN;
    case PM_OFFSET.PMCNTRL:
      return state.PMCNTRL;
    case PM_OFFSET.PMTMR:
      return clockAt(tick) % 0x1_0000;
    case PM_OFFSET.PMTMR + 2:
      return Math.floor(clockAt(tick) / 0x1_0000) % 2 ** (TIMER_BITS - 16);
    case PM_OFFSET.GPEN:
      return state.GPEN;
    default:
      return 0;
  }
}

function byteAt(state: PowerManagementState, offset: number, tick: number): number {
  return (wordAt(state, offset & ~1, tick) >> (8 * (offset & 1))) & 0xff;
}

function writeByte(state: PowerManagementState, offset: number, value: number, tick: number): PowerManagementState {
  const shift = 8 * (offset & 1);
  const put = (word: number, bits: number): number => (word & ~(0xff << shift)) | ((value << shift) & bits);
  switch (offset & ~1) {
    case PM_OFFSET.PMSTS:
      // Writing 1 clears.
      return ((value << shift) & TMROF) === 0 ? state : { ...state, timerSeen: clockAt(tick) };
    case PM_OFFSET.PMEN:
      return { ...state, PMEN: put(state.PMEN, PMEN_BITS) };
    case PM_OFFSET.PMCNTRL: {
      const written = put(state.PMCNTRL, PMCNTRL.kept | PMCNTRL.SUS_EN);
      const off = (written & PMCNTRL.SUS_EN) !== 0 && (written & PMCNTRL.SUS_TYP) === 0;
      const kept = (written & PMCNTRL.kept) | PMCNTRL.SCI_EN;
      return { ...state, PMCNTRL: kept, powerOffRequested: state.powerOffRequested || off };
    }
    case PM_OFFSET.GPEN:
      return { ...state, GPEN: put(state.GPEN, 0xffff) };
    default:
      return state;
  }
}
