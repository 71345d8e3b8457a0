/** What a host is not made with, and what it refuses to make a VM of. */

import type { Feature } from "../hardware/cpu/features.js";
import { type ModelName, models } from "../hardware/cpu/model.js";
import { Machine, stateOf } from "../hardware/machine.js";
import { VirtlabError } from "../state/error.js";
import { PLACE } from "./layout.js";
import type { VmOptions } from "./options.js";
import { PERIOD } from "./schedule.js";
import type { HypervisorState } from "./state.js";
import { techniqueOf } from "./techniques/index.js";
import { modeRefusal } from "./techniques/modes.js";
import { type TechniqueName, techniqueNames, techniques } from "./techniques/names.js";

/** What no guest of ours can use: its processor may say it has it. */
const OF_HOSTS: readonly Feature[] = ["VMX", "SVM", "NPT", "NRIPS"];

/** What the host's processor executes for the guest, it has to have. */
function missingFeatures(technique: TechniqueName, host: ModelName, guest: ModelName): string | undefined {
  if (technique === "sim" || guest === host) return undefined;
  const has = models[host].features;
  const missing = [...models[guest].features].filter((name) => !has.has(name) && !OF_HOSTS.includes(name));
  if (missing.length === 0) return undefined;
  return `the guest's processor, a ${guest}, has ${missing.join(", ")}, which a ${host} has not, and only simulation adds`;
}

/** @throws VirtlabError for what does not describe a VM at all. */
export function checkVm(options: VmOptions): void {
  const { name, guest } = options ?? {};
  if (typeof name !== "string" || name === "") throw new VirtlabError("a VM needs a name");
  if (!(guest instanceof Machine)) throw new VirtlabError(`${name}: the guest of a VM is a Machine`);
}

/** Why a VM cannot be made; undefined where it can. */
export function refusal(
  state: HypervisorState,
  model: ModelName,
  { name, guest, technique, weight = 256, cap = 0, quantum = 1 }: VmOptions,
): string | undefined {
  const { bits, vms } = state;
  if (vms.some((vm) => vm.name === name)) return "there is a VM of that name";
  if (!techniqueNames.includes(technique))
    return `technique "${String(technique)}" is unknown (known: ${techniqueNames.join(", ")})`;
  const { title, bits: modes, lacks, several, most = Number.POSITIVE_INFINITY } = techniques[technique];
  if (vms.filter((vm) => vm.technique === technique).length >= most)
    return `${title} has room for ${most} VMs of a host`;
  const lacking = lacks(model);
  if (lacking !== undefined) return `${title} needs ${lacking}, which a ${model} has not`;
  if (!modes.includes(bits)) return `${title} needs a host in ${modes.join(" or ")}-bit mode, not in ${bits}-bit mode`;
  const { turn } = stateOf(guest);
  if (turn !== undefined && several !== true)
    return `a VM of ${title} has one processor, and this machine has ${turn.steps.length}`;
  const refused = modeRefusal(technique, model, stateOf(guest).cpu.system);
  if (refused !== undefined) return refused;
  const missing = missingFeatures(technique, model, stateOf(guest).cpu.system.model);
  if (missing !== undefined) return missing;
  if (!Number.isInteger(weight) || weight < 1 || weight > 65535) return `weight ${weight} is not 1 to 65535`;
  if (!Number.isInteger(cap) || cap < 0 || cap > 100) return `cap ${cap} is not 0 to 100 per cent of a processor`;
  if (!Number.isInteger(quantum) || quantum < 1) return `quantum ${quantum} is no number of steps`;
  return techniqueOf({ technique, name }).refusal?.(stateOf(guest));
}

/** The model has VT-x or AMD-V. */
export const assisted = (model: ModelName): boolean =>
  models[model].features.has("VMX") || models[model].features.has("SVM");

/** @throws VirtlabError for turns that are none. */
export function checkSlice(slice: number): void {
  if (!Number.isInteger(slice) || slice < 1000 || slice > PERIOD)
    throw new VirtlabError(`hypervisor: a turn of ${slice} ticks is not 1000 to ${PERIOD}`);
}

/** @throws VirtlabError for a mode that a host of this model, or with so many processors, cannot run in. */
export function checkMode(model: ModelName, bits: 32 | 64, processors: number): void {
  if (bits !== 32 && bits !== 64)
    throw new VirtlabError(`hypervisor: a host runs in 32- or 64-bit mode, not in ${bits}`);
  if (bits === 64 && !models[model].features.has("LM"))
    throw new VirtlabError(`hypervisor: a ${model} has no 64-bit mode`);
  if (bits === 32 && !models[model].features.has("PSE"))
    throw new VirtlabError(`hypervisor: a ${model} has no pages of 4 MiB (PSE), which a host in 32-bit mode needs`);
  if (bits === 32 && processors > 1)
    throw new VirtlabError("hypervisor: a host with several processors runs in 64-bit mode alone");
}

/** @throws VirtlabError for a host that has no room for its hypervisor. */
export function checkMemory(bytes: number): void {
  if (bytes < PLACE.pool)
    throw new VirtlabError(
      `hypervisor: a host of ${bytes} bytes has no room for its hypervisor, which takes ${PLACE.pool}`,
    );
}

/** @throws VirtlabError for what is no text to wait for. */
export function checkSerial(serial: unknown): void {
  if (serial !== undefined && typeof serial !== "string")
    throw new VirtlabError("run: what to wait for at a serial port is a text");
}
