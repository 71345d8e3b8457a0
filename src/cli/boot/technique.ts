/** Which technique the options of `virtlab boot` ask for, which processor goes with it, and what does not. */

import { is64BitKernel } from "../../hardware/boot/image.js";
import type { ModelName } from "../../hardware/cpu/model.js";
import { usualHosts } from "../../hypervisor/techniques/hosts.js";
import { longModeRefusal, realModeRefusal } from "../../hypervisor/techniques/modes.js";
import { type TechniqueName, techniques } from "../../hypervisor/techniques/names.js";
import { isParavirtual } from "../../hypervisor/techniques/pv/builder.js";
import { VirtlabError } from "../../state/error.js";
import type { BootFlags } from "./flags.js";

/** What `--hypervisor` takes, and the technique without a word on the guest's memory. */
export const hypervisors = {
  vmx: "vmx-ept",
  svm: "svm-npt",
  bt: "bt",
  sim: "sim",
  trap: "trap",
  pv: "pv",
} as const satisfies Readonly<Record<string, TechniqueName>>;
export type HypervisorName = keyof typeof hypervisors;

/** Unrestricted guests are of its time, and not of Nehalem's. */
const REAL_MODE: ModelName = "max";

const refuse = (what: string): never => {
  throw new VirtlabError(`boot: ${what}`);
};

/** @throws VirtlabError for options that do not go together. */
export function techniqueOf({ hypervisor, ept, shadow }: BootFlags): TechniqueName | undefined {
  const memory = ept ? "--ept" : shadow ? "--shadow" : undefined;
  if (ept && shadow) return refuse("a VM's memory is behind EPT or behind shadow tables (--ept, --shadow), not both");
  if (hypervisor === undefined)
    return memory === undefined ? undefined : refuse(`${memory} goes with --hypervisor vmx alone`);
  if (memory !== undefined && hypervisor !== "vmx")
    return refuse(
      `${memory} goes with --hypervisor vmx alone: ${techniques[hypervisors[hypervisor]].title} has no such choice`,
    );
  return shadow ? "vmx-shadow" : hypervisors[hypervisor];
}

/** Options that mean nothing without a hypervisor, and with one. */
export function checkFlags(flags: BootFlags, isVirtual: boolean): void {
  const { hostMemory, costTable, gdb, portLog } = flags;
  if (!isVirtual) {
    if (hostMemory !== undefined) refuse("--host-memory goes with --hypervisor alone");
    if (costTable !== undefined) refuse("--cost-table goes with --hypervisor alone");
    return;
  }
  if (gdb !== undefined) refuse("a VM cannot be debugged from outside (--gdb does not go with --hypervisor)");
  if (portLog !== undefined) refuse("a VM's ports are not logged (--port-log does not go with --hypervisor)");
}

const startsInRealMode = (flags: BootFlags, image: string | undefined): boolean =>
  flags.real === true || flags.rom !== undefined || (image === undefined && flags.loadState === undefined);

/** The processor of host and guest. */
export const modelFor = (technique: TechniqueName, flags: BootFlags, image: string | undefined): ModelName =>
  flags.model ?? (technique === "vmx-ept" && startsInRealMode(flags, image) ? REAL_MODE : usualHosts[technique].model);

/** @throws VirtlabError for a technique that the model lacks, before anything is read. */
export function checkStart(technique: TechniqueName, flags: BootFlags, image: string | undefined): void {
  const { title, lacks, several } = techniques[technique];
  if (flags.smp > 1 && several !== true) refuse(`a VM of ${title} has one processor, not ${flags.smp}`);
  const model = modelFor(technique, flags, image);
  const lacking = lacks(model);
  if (lacking !== undefined) refuse(`${title} needs ${lacking}, which a ${model} has not`);
  const real = startsInRealMode(flags, image) ? realModeRefusal(technique, model) : undefined;
  if (real !== undefined) throw new VirtlabError(`${image ?? flags.rom ?? flags.disk[0]}: begins in ${real}`);
}

/** @throws VirtlabError for a kernel of 64 bits where there are none, and one that does not know of the hypervisor it has to ask. */
export function checkImage(technique: TechniqueName, name: string, image: Uint8Array): void {
  if (technique === "pv" && !isParavirtual(image, name))
    throw new VirtlabError(`${name}: has no note of Xen's, so it is no kernel for paravirtualization`);
  const refused = longModeRefusal(technique);
  if (refused !== undefined && is64BitKernel(image)) throw new VirtlabError(`${name}: has ${refused}`);
}
