/**
 * What VT-x says of itself: the capability registers, made from the tables of controls and fields, and
 * IA32_FEATURE_CONTROL, which switches VMXON on.
 * Spec: SDM Vol. 3D, Appendix A "VMX Capability Reporting Facility"; Vol. 3C, "Enabling and Entering VMX Operation".
 */
import { type Model, models } from "../cpu/model.js";
import type { ModelSpecificRegister } from "../cpu/msr-table.js";
import type { ProcessorPort } from "../cpu/processor.js";
import { CR0, CR4 } from "../cpu/state.js";
import { allowedSettings, type ControlWord, controlWords, VM_FUNCTION } from "./controls.js";
import { HIGHEST_INDEX, LAYOUT } from "./fields.js";
import { REVISION } from "./vmcs.js";

/** The VMX-preemption timer counts when this bit of the time-stamp counter changes. */
export const TIMER_SHIFT = 5;
export const CR3_TARGETS = 4;
/** Activity states besides "active" that VM entry accepts: HLT. */
const ACTIVITY_HLT = 1n << 6n;
/** VM exits store IA32_EFER.LMA into "IA-32e mode guest". */
const SAVES_LMA = 1n << 5n;

const WRITE_BACK = 6n;
const TRUE_CONTROLS = 1n << 55n;
const INS_OUTS_TOLD = 1n << 54n;

export const hasEpt = ({ secondaryControls }: Model): boolean => secondaryControls.includes("enable EPT");
export const hasVpid = ({ secondaryControls }: Model): boolean => secondaryControls.includes("enable VPID");
const isUnrestricted = ({ secondaryControls }: Model): boolean => secondaryControls.includes("unrestricted guest");
/** Accessed and dirty flags of EPT, and exits that store IA32_EFER.LMA, are where guests can be unrestricted. */
export const hasEptDirty = isUnrestricted;
export const savesLongMode = isUnrestricted;

/** Bits of IA32_VMX_EPT_VPID_CAP. */
export const EPT_VPID = {
  EXECUTE_ONLY: 1n << 0n,
  WALK_4: 1n << 6n,
  UNCACHEABLE: 1n << 8n,
  WRITE_BACK: 1n << 14n,
  PAGES_2M: 1n << 16n,
  PAGES_1G: 1n << 17n,
  INVEPT: 1n << 20n,
  ACCESSED_DIRTY: 1n << 21n,
  INVEPT_SINGLE: 1n << 25n,
  INVEPT_ALL: 1n << 26n,
  INVVPID: 1n << 32n,
  INVVPID_ADDRESS: 1n << 40n,
  INVVPID_SINGLE: 1n << 41n,
  INVVPID_ALL: 1n << 42n,
  INVVPID_SINGLE_BUT_GLOBAL: 1n << 43n,
} as const;

function eptAndVpid(model: Model): bigint {
  const { EXECUTE_ONLY, WALK_4, UNCACHEABLE, WRITE_BACK: WB, PAGES_2M, PAGES_1G, ACCESSED_DIRTY } = EPT_VPID;
  const { INVEPT, INVEPT_SINGLE, INVEPT_ALL, INVVPID, INVVPID_ADDRESS, INVVPID_SINGLE, INVVPID_ALL } = EPT_VPID;
  const ept = EXECUTE_ONLY | WALK_4 | UNCACHEABLE | WB | PAGES_2M | INVEPT | INVEPT_SINGLE | INVEPT_ALL;
  const vpid = INVVPID | INVVPID_ADDRESS | INVVPID_SINGLE | INVVPID_ALL | EPT_VPID.INVVPID_SINGLE_BUT_GLOBAL;
  const large = model.features.has("PDPE1GB") ? PAGES_1G : 0n;
  const dirty = hasEptDirty(model) ? ACCESSED_DIRTY : 0n;
  return (hasEpt(model) ? ept | large | dirty : 0n) | (hasVpid(model) ? vpid : 0n);
}

/** Bits of CR0 that must be 1 in VMX operation, and of CR4; all of CR0, and the bits CR4 has, may be. */
export const CR0_FIXED = (CR0.PE | CR0.NE | CR0.PG) >>> 0;
export const CR4_FIXED = CR4.VMXE;

/** Whether VMX operation supports a value of CR0; an unrestricted guest may have protection and paging off. */
export function supportsCr0(value: number, unrestricted = false): boolean {
  const fixed = unrestricted ? CR0.NE : CR0_FIXED;
  return (value & fixed) === (fixed | 0);
}

/** Whether VMX operation on a model supports a value of CR4. */
export const supportsCr4 = ({ cr4 }: Model, value: number): boolean =>
  (value & CR4_FIXED) !== 0 && (value & ~cr4) === 0;

/** IA32_FEATURE_CONTROL. */
export const FEATURE_CONTROL = { name: "IA32_FEATURE_CONTROL", LOCKED: 1n, VMX_OUTSIDE_SMX: 4n } as const;

/** Firmware or the system has switched VMX on, and locked that. */
export function isVmxSwitchedOn({ system }: Pick<ProcessorPort, "system">): boolean {
  const { LOCKED, VMX_OUTSIDE_SMX, name } = FEATURE_CONTROL;
  const needed = LOCKED | VMX_OUTSIDE_SMX;
  return ((system.msrs[name] ?? 0n) & needed) === needed;
}

const misc = (model: Model): bigint =>
  BigInt(TIMER_SHIFT) | (savesLongMode(model) ? SAVES_LMA : 0n) | ACTIVITY_HLT | (BigInt(CR3_TARGETS) << 16n);

/** Allowed settings as a register tells them; those without TRUE say that all of the default1 class must be 1. */
const told =
  (word: ControlWord, relaxed: boolean) =>
  ({ name }: Model): bigint => {
    const { zero, one } = allowedSettings(name, word);
    const must = relaxed ? zero : controlWords[word].default1;
    return (BigInt(one) << 32n) | BigInt(must >>> 0);
  };

type Capability = readonly [address: number, name: string, summary: string, value: (model: Model) => bigint];

const table: readonly Capability[] = [
  [
    0x480,
    "BASIC",
    "Revision identifier and size of a VMCS, and that there are TRUE controls.",
    () => BigInt(REVISION) | (BigInt(LAYOUT.BYTES) << 32n) | (WRITE_BACK << 50n) | INS_OUTS_TOLD | TRUE_CONTROLS,
  ],
  [0x481, "PINBASED_CTLS", "Settings of the pin-based controls.", told("pin", false)],
  [0x482, "PROCBASED_CTLS", "Settings of the primary processor-based controls.", told("primary", false)],
  [0x483, "EXIT_CTLS", "Settings of the VM-exit controls.", told("exit", false)],
  [0x484, "ENTRY_CTLS", "Settings of the VM-entry controls.", told("entry", false)],
  [0x485, "MISC", "Rate of the preemption timer, activity states, CR3 targets.", misc],
  [0x486, "CR0_FIXED0", "Bits of CR0 that must be 1 in VMX operation.", () => BigInt(CR0_FIXED)],
  [0x487, "CR0_FIXED1", "Bits of CR0 that may be 1 in VMX operation.", () => 0xffff_ffffn],
  [0x488, "CR4_FIXED0", "Bits of CR4 that must be 1 in VMX operation.", () => BigInt(CR4_FIXED)],
  [0x489, "CR4_FIXED1", "Bits of CR4 that may be 1 in VMX operation.", ({ cr4 }) => BigInt(cr4 >>> 0)],
  [0x48a, "VMCS_ENUM", "Highest index of a field's encoding.", () => BigInt(HIGHEST_INDEX << 1)],
  [0x48b, "PROCBASED_CTLS2", "Settings of the secondary controls.", told("secondary", true)],
  [0x48c, "EPT_VPID_CAP", "What EPT, INVEPT and INVVPID can do.", eptAndVpid],
  [0x48d, "TRUE_PINBASED_CTLS", "Settings of the pin-based controls, all told.", told("pin", true)],
  [0x48e, "TRUE_PROCBASED_CTLS", "Settings of the primary controls, all told.", told("primary", true)],
  [0x48f, "TRUE_EXIT_CTLS", "Settings of the VM-exit controls, all told.", told("exit", true)],
  [0x490, "TRUE_ENTRY_CTLS", "Settings of the VM-entry controls, all told.", told("entry", true)],
  [0x491, "VMFUNC", "The functions of VMFUNC.", () => 1n << BigInt(VM_FUNCTION.EPTP_SWITCHING)],
];

/** What a capability register has to be there for: a model that lacks it refuses the address. */
const isThere: Readonly<Record<string, (model: Model) => boolean>> = {
  PROCBASED_CTLS2: ({ secondaryControls }) => secondaryControls.length > 0,
  EPT_VPID_CAP: (model) => hasEpt(model) || hasVpid(model),
  VMFUNC: ({ secondaryControls }) => secondaryControls.includes("enable VM functions"),
};

const none = (): bigint => 0n;

/** The value of a capability register by its name without IA32_VMX_. */
export const capabilityOf = (model: Model, name: string): bigint =>
  table.find(([, known]) => known === name)![3](model);

/** The rows of `cpu/msr-table.ts`. */
export const vmxCapabilities: readonly ModelSpecificRegister[] = Object.freeze([
  {
    name: FEATURE_CONTROL.name,
    address: 0x3a,
    summary: "Whether VMXON may be executed; it can be written until it is locked.",
    needs: "VMX",
    reset: 0n,
    writable: () => FEATURE_CONTROL.LOCKED | FEATURE_CONTROL.VMX_OUTSIDE_SMX,
    refuse: (_value, { system }) =>
      ((system.msrs[FEATURE_CONTROL.name] ?? 0n) & FEATURE_CONTROL.LOCKED) === 0n
        ? undefined
        : "feature-control-locked",
  },
  ...table.map(
    ([address, name, summary, value]): ModelSpecificRegister => ({
      name: `IA32_VMX_${name}`,
      address,
      summary,
      needs: "VMX",
      reset: 0n,
      writable: none,
      access: "read-only",
      ...(isThere[name] === undefined ? {} : { isThere: isThere[name] }),
      read: ({ system }) => value(models[system.model]),
    }),
  ),
]);
