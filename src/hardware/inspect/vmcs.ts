/**
 * A VMCS as people read it: its fields by the manual's names, and in which of its states it is.
 * Spec: SDM Vol. 3C, "Virtual Machine Control Structures", "Overview" (the figure of the states of a VMCS).
 */
import { VirtlabError } from "../../state/error.js";
import type { Machine } from "../machine.js";
import type { FieldName } from "../vmx/fields.js";
import { readVmcs } from "../vmx/vmcs.js";
import { checkRegion, physicalWords } from "./physical-words.js";

/** Which of its states a VMCS is in. */
export interface VmcsState {
  /** VMREAD, VMWRITE and VM entries use it: VMPTRLD made it so. */
  readonly current: boolean;
  /** What VMLAUNCH and VMRESUME ask for. */
  readonly launch: "clear" | "launched";
  /**
   * Whether a processor may keep it inside. Of one that is clear and not current that cannot be told: this processor keeps
   * nothing, and memory does not say whether VMCLEAR or another VMPTRLD came last.
   */
  readonly active: boolean | undefined;
  /** Its guest runs. */
  readonly running: boolean;
}

/** A VMCS of a machine. */
export interface Vmcs {
  /** Physical. */
  readonly address: number;
  readonly revision: number;
  /** The VMX-abort indicator. */
  readonly abort: number;
  readonly state: VmcsState;
  /** Values by the manual's names, unsigned. */
  readonly fields: Readonly<Record<FieldName, bigint>>;
}

/**
 * The address of the VMCS that is meant.
 *
 * @throws VirtlabError where none is current and none is named.
 */
export function vmcsAddress(machine: Machine, address: number | undefined, what: string): number {
  const { virtualization } = machine.cpu.system;
  const found = address ?? (virtualization?.kind === "vmx" ? virtualization.current : undefined);
  if (found === undefined) throw new VirtlabError(`${what}: no VMCS is current`);
  checkRegion(machine, found, what);
  return found;
}

/**
 * The current VMCS of a machine, or the one at a physical address, by the names of its fields. What a processor may keep of it
 * inside is nothing here: memory has all of it.
 * Spec: SDM Vol. 3C, "Format of the VMCS Region".
 *
 * @throws VirtlabError where none is current and none is named, and for an address that is no page of memory.
 */
export function vmcs(machine: Machine, address?: number): Vmcs {
  const at = vmcsAddress(machine, address, "vmcs");
  const { revision, abort, launchState, fields: values } = readVmcs(physicalWords(machine), at);
  const { virtualization } = machine.cpu.system;
  const current = virtualization?.kind === "vmx" && virtualization.current === at;
  const state: VmcsState = Object.freeze({
    current,
    launch: launchState,
    active: current || launchState === "launched" ? true : undefined,
    running: current && virtualization.guest !== undefined,
  });
  return Object.freeze({ address: at, revision, abort, state, fields: values });
}
