/**
 * What keeps a guest from everything that is not its own, as a table: each protection by name, the techniques that rely on it, and how
 * each of them establishes it. One place of a technique makes each of them, and asks there whether the VM is to be without it: a switch
 * that only tests have, because no public type shows the option.
 */
import type { VmOptions } from "../options.js";
import type { VmState } from "../state.js";
import type { TechniqueName } from "../techniques/names.js";

export const protectionNames = Object.freeze([
  ...(["EPT permission", "shadow-entry validation", "I/O bitmap", "MSR bitmap"] as const),
  ...(["DMA bounds", "segment truncation", "scheduler cap"] as const),
]);
export type ProtectionName = (typeof protectionNames)[number];

export interface Protection {
  /** What a guest would reach without it. */
  readonly keepsFrom: string;
  /** Techniques that rely on it, and how each establishes it. */
  readonly establishedBy: Readonly<Partial<Record<TechniqueName, string>>>;
}

const NESTED = "nested tables map the VM's own frames and nothing else";
const SHADOW = "a shadow entry maps a frame of the VM's own, or none";
const BITMAP = "every port leaves the guest";
const TSS = "IOPL is 0, and the TSS has no I/O permission bitmap";
const MSRS = "every MSR leaves the guest, but those that are switched with it";
const BOARD = "the virtual machine's bus ends with its memory";
const SEGMENTS = "what the GDT has in place of the guest's descriptors ends below the hypervisor";
const BUDGET = "a VM that has had its budget of a period is parked";

export const protections: Readonly<Record<ProtectionName, Protection>> = Object.freeze({
  "EPT permission": {
    keepsFrom: "frames of the hypervisor and of other guests, by guest-physical addresses",
    establishedBy: { "vmx-ept": NESTED, "svm-npt": NESTED },
  },
  "shadow-entry validation": {
    keepsFrom: "frames of the hypervisor and of other guests, by page tables of its own",
    establishedBy: { trap: SHADOW, bt: SHADOW, "vmx-shadow": SHADOW },
  },
  "I/O bitmap": {
    keepsFrom: "the host's devices",
    establishedBy: {
      trap: TSS,
      bt: `for programs: ${TSS}; a kernel's port instructions are never executed`,
      pv: TSS,
      "vmx-shadow": BITMAP,
      "vmx-ept": BITMAP,
      "svm-npt": BITMAP,
    },
  },
  "MSR bitmap": {
    keepsFrom: "the host's model-specific registers",
    establishedBy: { "vmx-shadow": MSRS, "vmx-ept": MSRS, "svm-npt": MSRS },
  },
  "DMA bounds": {
    keepsFrom: "frames of the hypervisor and of other guests, by masters of its bus",
    establishedBy: { trap: BOARD, bt: BOARD, "vmx-shadow": BOARD, "vmx-ept": BOARD, "svm-npt": BOARD },
  },
  "segment truncation": {
    keepsFrom: "the hypervisor's part of its linear addresses, in ring 1",
    establishedBy: {
      trap: SEGMENTS,
      bt: SEGMENTS,
      pv: "flat segments end below the hypervisor, and descriptors that reach it are refused",
    },
  },
  "scheduler cap": {
    keepsFrom: "more of the processor than its cap",
    establishedBy: {
      ...{ sim: BUDGET, trap: BUDGET, bt: BUDGET, pv: BUDGET },
      ...{ "vmx-shadow": BUDGET, "vmx-ept": BUDGET, "svm-npt": BUDGET },
    },
  },
});

/** The option's name. */
const REMOVED = Symbol("removed protections");

/** A VM that is to be without protections. It is a part of the host's value. */
export const without = (options: VmOptions, names: readonly ProtectionName[]): VmOptions =>
  names.length === 0 ? options : Object.assign({ ...options }, { [REMOVED]: names });

/** What a VM is to be without: nothing, but of what `without` has made. */
export const removedOf = (options: VmOptions): Pick<VmState, "removed"> => {
  const removed = (options as { readonly [REMOVED]?: readonly ProtectionName[] })[REMOVED];
  return removed === undefined ? {} : { removed };
};

/** Whether a VM is without a protection. */
export const lacks = ({ removed }: Pick<VmState, "removed">, name: ProtectionName): boolean =>
  removed?.includes(name) === true;
