/**
 * Why a VM entry fails: the checks that a VMCS or a VMCB does not pass, by their entries in the tables.
 * Spec: SDM Vol. 3C, "VM Entries"; AMD64 Architecture Programmer's Manual Vol. 2, "Canonicalization and Consistency Checks".
 */
import { models } from "../cpu/model.js";
import { EFER, isLong } from "../cpu/state.js";
import type { Machine } from "../machine.js";
import { consistencyChecks } from "../svm/consistency.js";
import { entryContext } from "../vmx/check-context.js";
import { type CheckGroup, failedChecks, entryChecks as vmxChecks } from "../vmx/entry-checks.js";
import { REASON } from "../vmx/exit-reasons.js";
import { VM_ERROR, vmErrors } from "../vmx/vm-errors.js";
import { physicalWords } from "./physical-words.js";
import type { VmTechnology } from "./vm-exits.js";
import { vmcb } from "./vmcb.js";
import { vmcsAddress } from "./vmcs.js";

/** A check of VM entry: what must hold. AMD's are told by what must not. */
export interface VmEntryCheck {
  /** "control", "host" and "guest" are the areas of the VMCS that are looked at, in this order. */
  readonly group: "control" | "host" | "guest" | "VMRUN";
  /** Section of the manual, by its title. */
  readonly section: string;
  readonly sentence: string;
  /** What becomes of an entry that fails it. */
  readonly outcome: string;
}

/** The checks that an entry fails. */
export interface WhyEntryFails {
  readonly technology: VmTechnology;
  /** Physical address of the VMCS or the VMCB. */
  readonly address: number;
  /** In the manual's order: the processor stops at the first. Empty where the entry passes all of them. */
  readonly failed: readonly VmEntryCheck[];
  /** Everything in one sentence. */
  readonly sentence: string;
}

const valid = (error: number): string => `VMfailValid, error ${error}: ${vmErrors.get(error)}`;
const guestOutcome = (qualification: number): string =>
  `VM-entry failure, exit reason ${REASON.INVALID_GUEST_STATE}, qualification ${qualification}`;

function vmxCheck(
  group: CheckGroup,
  { section, sentence, qualification }: (typeof vmxChecks)[CheckGroup][number],
): VmEntryCheck {
  const outcomes = {
    control: valid(VM_ERROR.INVALID_CONTROLS),
    host: valid(VM_ERROR.INVALID_HOST_STATE),
    guest: guestOutcome(qualification ?? 0),
  };
  return Object.freeze({ group, section, sentence, outcome: outcomes[group] });
}
const svmCheck = (sentence: string): VmEntryCheck =>
  Object.freeze({
    group: "VMRUN",
    section: "Canonicalization and Consistency Checks",
    sentence,
    outcome: "#VMEXIT with VMEXIT_INVALID",
  });

const groups = ["control", "host", "guest"] as const;

/** The checks of VM entry in the order of the manual. */
export const entryChecks = (technology: VmTechnology): readonly VmEntryCheck[] =>
  technology === "vmx"
    ? groups.flatMap((group) => vmxChecks[group].map((check) => vmxCheck(group, check)))
    : consistencyChecks.map(({ check }) => svmCheck(check));

function failedByVmcs(machine: Machine, address: number): readonly VmEntryCheck[] {
  const { system } = machine.cpu;
  const context = entryContext({ ...physicalWords(machine), system, long: isLong(system) }, address);
  return failedChecks(context).map(({ group, check }) => vmxCheck(group, check));
}

function failedByVmcb(machine: Machine, address: number): readonly VmEntryCheck[] {
  const { fields } = vmcb(machine, address);
  const { model, cr0 } = machine.cpu.system;
  const looked = { field: (name: string) => fields[name]!, model: models[model], hostCr0: cr0 };
  return consistencyChecks.filter(({ fails }) => fails(looked)).map(({ check }) => svmCheck(check));
}

function sentenceOf([first]: readonly VmEntryCheck[]): string {
  if (first === undefined) return "It passes every check of VM entry.";
  const check = first.group === "VMRUN" ? first.sentence : `This does not hold: ${first.sentence}`;
  return `${check} (${first.section}; ${first.outcome}.)`;
}

/**
 * Which checks of VM entry the current VMCS fails, or the one at a physical address; or a VMCB, whose address is needed. The host
 * is the machine as it stands: asked in front of VMLAUNCH or VMRUN, or behind one that failed.
 *
 * @throws VirtlabError where no VMCS is current and no address is given, and for an address that is no page of memory.
 */
export function whyEntryFails(machine: Machine, address?: number): WhyEntryFails {
  const isSvm = (machine.cpu.system.efer & EFER.SVME) !== 0;
  const at = isSvm ? vmcb(machine, address).address : vmcsAddress(machine, address, "whyEntryFails");
  const failed = Object.freeze((isSvm ? failedByVmcb : failedByVmcs)(machine, at));
  return Object.freeze({ technology: isSvm ? "svm" : "vmx", address: at, failed, sentence: sentenceOf(failed) });
}
