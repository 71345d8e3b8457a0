/**
 * The registers of a local APIC as a table, by number: in memory register n lies at 16 n, in x2APIC mode it is MSR 0x800 + n.
 *
 * What leaves the APIC (end of interrupt, interprocessor interrupts) is `apic-system.ts`.
 *
 * Manual: SDM Vol. 3A, "Local APIC Register Address Map", "x2APIC Register Address Space".
 */
import { currentCount, timerModeOf, writeDivide, writeInitialCount } from "./apic-timer.js";
import { FIELD } from "./interrupt-message.js";
import {
  APIC_ERROR,
  isEnabled,
  isX2apic,
  type LocalApicState,
  LVT_NAMES,
  type LvtName,
  logicalX2apicId,
  processorPriority,
  withError,
  withLvt,
  writeTimerEntry,
} from "./local-apic.js";

/** Numbers of registers that others need. */
export const APIC_REGISTER = {
  id: 0x02,
  version: 0x03,
  taskPriority: 0x08,
  endOfInterrupt: 0x0b,
  spurious: 0x0f,
  errors: 0x28,
  command: 0x30,
  commandHigh: 0x31,
  LINT0: 0x35,
  selfIpi: 0x3f,
} as const;

/** Six entries of the local vector table, version 0x14: an APIC in the processor. */
const VERSION = 0x14 | ((LVT_NAMES.length - 1) << 16);
const SVR_BITS = 0x1ff;
const SVR_ENABLED = 1 << 8;
/** Delivery status reads as 0: messages are never under way. */
const ICR_LOW_BITS = 0xc_cfff;
const ICR_LOW_READ_ONLY = 1 << 12;
/** Bits of an entry that can be written. */
const LVT_BITS: { readonly [N in LvtName]: number } = {
  timer: 0x7_00ff,
  thermal: 0x1_07ff,
  performance: 0x1_07ff,
  LINT0: 0x1_a7ff,
  LINT1: 0x1_a7ff,
  error: 0x1_00ff,
};

interface Register {
  readonly read?: (state: LocalApicState, tick: number) => number;
  readonly write?: (state: LocalApicState, value: number, tick: number) => LocalApicState;
  /** Bits that WRMSR may set in x2APIC mode; 0 for a register that only reads there. */
  readonly x2Bits?: number;
  /** Absent in x2APIC mode, or only there. */
  readonly only?: "xapic" | "x2apic";
}

const lvtRegister = (name: LvtName): Register => ({
  read: ({ LVT }) => LVT[name],
  x2Bits: LVT_BITS[name],
  write(state, value) {
    const kept = state.LVT[name] & FIELD.remoteIrr;
    // While the APIC is disabled by software, every entry stays masked.
    const masked = isEnabled(state) ? 0 : FIELD.masked;
    const entry = (value & LVT_BITS[name]) | ((value & FIELD.levelTriggered) !== 0 ? kept : 0) | masked;
    return name === "timer" ? writeTimerEntry(state, entry) : withLvt(state, name, entry);
  },
});

/** Eight registers that show 256 vectors. */
const vectorRegisters = (first: number, name: "IRR" | "ISR" | "TMR"): [number, Register][] =>
  Array.from({ length: 8 }, (_, index) => [first + index, { read: (state) => state[name][index]! }]);

function writeSpurious(state: LocalApicState, value: number): LocalApicState {
  const next = { ...state, SVR: value & SVR_BITS };
  if ((value & SVR_ENABLED) !== 0) return next;
  return LVT_NAMES.reduce((masked, name) => withLvt(masked, name, masked.LVT[name] | FIELD.masked), next);
}

const REGISTERS: ReadonlyMap<number, Register> = new Map<number, Register>([
  [
    APIC_REGISTER.id,
    {
      read: (state) => (isX2apic(state) ? state.initialId : state.ID << 24),
      write: (state, value) => ({ ...state, ID: value >>> 24 }),
      x2Bits: 0,
    },
  ],
  [APIC_REGISTER.version, { read: () => VERSION }],
  [
    APIC_REGISTER.taskPriority,
    {
      read: ({ TPR }) => TPR,
      write: (state, value) => (state.TPR === (value & 0xff) ? state : { ...state, TPR: value & 0xff }),
      x2Bits: 0xff,
    },
  ],
  // Arbitration priority and remote read are of the bus of old.
  [0x09, { read: () => 0, only: "xapic" }],
  [0x0a, { read: (state) => processorPriority(state) }],
  [APIC_REGISTER.endOfInterrupt, { read: () => 0, only: "xapic" }],
  [0x0c, { read: () => 0, only: "xapic" }],
  [
    0x0d,
    {
      read: (state) => (isX2apic(state) ? logicalX2apicId(state.initialId) : state.LDR << 24),
      write: (state, value) => ({ ...state, LDR: value >>> 24 }),
      x2Bits: 0,
    },
  ],
  [
    0x0e,
    {
      read: ({ DFR }) => (DFR << 28) | 0x0fff_ffff,
      write: (state, value) => ({ ...state, DFR: value >>> 28 }),
      only: "xapic",
    },
  ],
  [APIC_REGISTER.spurious, { read: ({ SVR }) => SVR, write: writeSpurious, x2Bits: SVR_BITS }],
  ...vectorRegisters(0x10, "ISR"),
  ...vectorRegisters(0x18, "TMR"),
  ...vectorRegisters(0x20, "IRR"),
  [
    APIC_REGISTER.errors,
    {
      read: ({ ESR }) => ESR,
      // The errors since the last write show now, and the next one interrupts again.
      write: (state) => ({ ...state, ESR: state.errors, errors: 0 }),
      x2Bits: 0,
    },
  ],
  [
    APIC_REGISTER.command,
    {
      read: ({ ICR }) => ICR[0],
      write: (state, value) => ({ ...state, ICR: [value & ICR_LOW_BITS & ~ICR_LOW_READ_ONLY, state.ICR[1]] }),
    },
  ],
  [
    APIC_REGISTER.commandHigh,
    {
      read: ({ ICR }) => ICR[1],
      write: (state, value) => ({ ...state, ICR: [state.ICR[0], value >>> 0] }),
      only: "xapic",
    },
  ],
  ...LVT_NAMES.map((name, index): [number, Register] => [0x32 + index, lvtRegister(name)]),
  [
    0x38,
    {
      read: ({ timer }) => timer.initialCount,
      write: (state, value, tick) => ({
        ...state,
        timer: writeInitialCount(state.timer, value >>> 0, timerModeOf(state.LVT.timer), tick),
      }),
      x2Bits: -1,
    },
  ],
  [0x39, { read: ({ timer, LVT }, tick) => currentCount(timer, timerModeOf(LVT.timer), tick) }],
  [
    0x3e,
    {
      read: ({ timer }) => timer.DCR,
      write: (state, value, tick) => ({
        ...state,
        timer: writeDivide(state.timer, value, timerModeOf(state.LVT.timer), tick),
      }),
      x2Bits: 0xb,
    },
  ],
]);

/** Reads a register in memory, unsigned. One that is not there is an error and 0. */
export function readRegister(
  state: LocalApicState,
  number: number,
  tick: number,
): { state: LocalApicState; value: number } {
  const register = REGISTERS.get(number);
  if (register?.read === undefined) return { state: withError(state, APIC_ERROR.illegalRegister), value: 0 };
  return { state, value: register.read(state, tick) >>> 0 };
}

/** Writes a register in memory. Writing one that is not there is an error. */
export function writeRegister(state: LocalApicState, number: number, value: number, tick: number): LocalApicState {
  const register = REGISTERS.get(number);
  if (register === undefined) return withError(state, APIC_ERROR.illegalRegister);
  return register.write === undefined ? state : register.write(state, value, tick);
}

/** Reads a register as an MSR, unsigned; undefined for one that cannot be read. */
export function readX2Register(state: LocalApicState, number: number, tick: number): number | undefined {
  const register = REGISTERS.get(number);
  if (register?.read === undefined || register.only === "xapic") return undefined;
  return register.read(state, tick) >>> 0;
}

/** Writes a register as an MSR; undefined for one that cannot be written so, or bits that cannot be set. */
export function writeX2Register(
  state: LocalApicState,
  number: number,
  value: number,
  tick: number,
): LocalApicState | undefined {
  const register = REGISTERS.get(number);
  const { write, x2Bits = 0, only } = register ?? {};
  const isErrors = number === APIC_REGISTER.errors;
  if (write === undefined || only === "xapic" || (x2Bits === 0 && !isErrors) || (value & ~x2Bits) !== 0)
    return undefined;
  return write(state, value, tick);
}
