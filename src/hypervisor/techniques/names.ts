/** The techniques by name, and what each needs of the host. */
import { type ModelName, models } from "../../hardware/cpu/model.js";

export const techniqueNames = ["sim", "trap", "bt", "pv", "vmx-shadow", "vmx-ept", "svm-npt"] as const;
export type TechniqueName = (typeof techniqueNames)[number];

interface Need {
  /** What it is called in full. */
  readonly title: string;
  /** Modes of the host it can be had on. */
  readonly bits: readonly (32 | 64)[];
  /** What the model lacks for it; undefined where it lacks nothing. */
  readonly lacks: (model: ModelName) => string | undefined;
  /** It has to know which of the guest's frames are stored to on the guest's behalf. */
  readonly traces?: true;
  /** Its VMs may have several virtual processors. */
  readonly several?: true;
  /** VMs of a host that it has room for. */
  readonly most?: number;
}

const nothing = (): undefined => undefined;
const vtx = (model: ModelName): string | undefined => (models[model].features.has("VMX") ? undefined : "VT-x");
const ept = (model: ModelName): string | undefined =>
  vtx(model) ?? (models[model].secondaryControls.includes("enable EPT") ? undefined : "EPT");
const amdv = (model: ModelName): string | undefined => (models[model].features.has("SVM") ? undefined : "AMD-V");

export const techniques: Readonly<Record<TechniqueName, Need>> = Object.freeze({
  sim: { title: "simulation", bits: [32, 64], lacks: nothing, several: true },
  trap: { title: "trap-and-emulate", bits: [32], lacks: nothing, traces: true },
  bt: { title: "binary translation", bits: [32], lacks: nothing, traces: true, most: 3 },
  pv: { title: "paravirtualization", bits: [32], lacks: nothing },
  "vmx-shadow": { title: "VT-x with shadow paging", bits: [64], lacks: vtx, traces: true },
  "vmx-ept": { title: "VT-x with EPT", bits: [64], lacks: ept, several: true },
  "svm-npt": { title: "AMD-V with nested paging", bits: [64], lacks: amdv, several: true },
});
