/**
 * The VMX controls by name and bit, which of them are implemented, and which settings a processor allows.
 * Spec: SDM Vol. 3C, "VM-Execution Control Fields", "VM-Exit Control Fields", "VM-Entry Control Fields"; Vol. 3D, Appendix A
 * "VMX Capability Reporting Facility".
 */
import { type Model, type ModelName, models } from "../cpu/model.js";

/** Bits of the pin-based VM-execution controls. */
const pin = {
  "external-interrupt exiting": 0,
  "NMI exiting": 3,
  "virtual NMIs": 5,
  "activate VMX-preemption timer": 6,
} as const;

const primary = {
  "interrupt-window exiting": 2,
  "use TSC offsetting": 3,
  "HLT exiting": 7,
  "INVLPG exiting": 9,
  "MWAIT exiting": 10,
  "RDPMC exiting": 11,
  "RDTSC exiting": 12,
  "CR3-load exiting": 15,
  "CR3-store exiting": 16,
  "CR8-load exiting": 19,
  "CR8-store exiting": 20,
  "use TPR shadow": 21,
  "NMI-window exiting": 22,
  "MOV-DR exiting": 23,
  "unconditional I/O exiting": 24,
  "use I/O bitmaps": 25,
  "monitor trap flag": 27,
  "use MSR bitmaps": 28,
  "MONITOR exiting": 29,
  "PAUSE exiting": 30,
  "activate secondary controls": 31,
} as const;

const secondary = {
  "enable EPT": 1,
  "descriptor-table exiting": 2,
  "enable RDTSCP": 3,
  "enable VPID": 5,
  "WBINVD exiting": 6,
  "unrestricted guest": 7,
  "RDRAND exiting": 11,
  "enable VM functions": 13,
  "RDSEED exiting": 16,
} as const;

const exit = {
  "save debug controls": 2,
  "host address-space size": 9,
  "acknowledge interrupt on exit": 15,
  "save IA32_PAT": 18,
  "load IA32_PAT": 19,
  "save IA32_EFER": 20,
  "load IA32_EFER": 21,
  "save VMX-preemption timer value": 22,
} as const;

const entry = {
  "load debug controls": 2,
  "IA-32e mode guest": 9,
  "load IA32_PAT": 14,
  "load IA32_EFER": 15,
} as const;

export type SecondaryControl = keyof typeof secondary;
export const secondaryControls = Object.freeze(Object.keys(secondary) as SecondaryControl[]);

/** Masks of controls, unsigned. */
const masks = <Name extends string>(bits: Readonly<Record<Name, number>>): Readonly<Record<Name, number>> =>
  Object.freeze(
    Object.fromEntries(Object.entries<number>(bits).map(([name, bit]) => [name, 2 ** bit])) as Record<Name, number>,
  );

export const PIN = masks(pin);
export const PRIMARY = masks(primary);
export const SECONDARY = masks(secondary);
export const EXIT = masks(exit);
export const ENTRY = masks(entry);

/** Whether a control of a word is 1. */
export const has = (word: number, mask: number): boolean => (word & mask) !== 0;

interface Word {
  readonly masks: Readonly<Record<string, number>>;
  /** Reserved controls that were 1 in the first processors: they must be ("default1"). */
  readonly default1: number;
  /** Those of them that the TRUE capability registers let be 0. */
  readonly relaxed: number;
}

/** Spec: SDM Vol. 3D, "Reserved Controls and Default Settings". */
export const controlWords = {
  pin: { masks: PIN, default1: 0x16, relaxed: 0 },
  primary: {
    masks: PRIMARY,
    default1: 0x0401_e172,
    relaxed: PRIMARY["CR3-load exiting"] | PRIMARY["CR3-store exiting"],
  },
  secondary: { masks: SECONDARY, default1: 0, relaxed: 0 },
  exit: { masks: EXIT, default1: 0x0003_6dff, relaxed: EXIT["save debug controls"] },
  entry: { masks: ENTRY, default1: 0x11ff, relaxed: ENTRY["load debug controls"] },
} as const satisfies Readonly<Record<string, Word>>;
export type ControlWord = keyof typeof controlWords;

/** Functions of VMFUNC. */
export const VM_FUNCTION = { EPTP_SWITCHING: 0 } as const;

/** Settings that a processor allows: bits that must be 1, and bits that may be. */
export interface AllowedSettings {
  readonly zero: number;
  readonly one: number;
}

/** What the first processors with VT-x had not, and came with EPT. */
const CAME_WITH_EPT: ReadonlySet<string> = new Set([
  "activate VMX-preemption timer",
  "save VMX-preemption timer value",
  "monitor trap flag",
]);

function isPresent({ secondaryControls: there }: Model, word: ControlWord, name: string): boolean {
  if (word === "secondary") return there.includes(name as SecondaryControl);
  if (CAME_WITH_EPT.has(name)) return there.includes("enable EPT");
  return name !== "activate secondary controls" || there.length > 0;
}

function settings(model: Model, word: ControlWord): AllowedSettings {
  const { masks: bits, default1, relaxed }: Word = controlWords[word];
  const there = Object.keys(bits).filter((name) => isPresent(model, word, name));
  const one = there.reduce((sum, name) => sum | bits[name]!, default1) >>> 0;
  return Object.freeze({ zero: (default1 & ~relaxed) >>> 0, one });
}

const known = new Map<string, AllowedSettings>();

/** The settings of a word of controls that VM entry on a model accepts, as the TRUE capability registers tell them. */
export function allowedSettings(model: ModelName, word: ControlWord): AllowedSettings {
  const key = `${model} ${word}`;
  const found = known.get(key) ?? settings(models[model], word);
  known.set(key, found);
  return found;
}

/** Whether a processor accepts a setting. */
export function isAllowed(model: ModelName, word: ControlWord, value: number): boolean {
  const { zero, one } = allowedSettings(model, word);
  return (zero & ~value) === 0 && (value & ~one) === 0;
}
