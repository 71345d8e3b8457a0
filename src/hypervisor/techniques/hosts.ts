/** Hosts for guests of one technique: the processor that is usual for it, and the mode. */
import type { ModelName } from "../../hardware/cpu/model.js";
import type { TechniqueName } from "./names.js";

interface UsualHost {
  /** Techniques whose guests have 32 bits get a processor that has no more. */
  readonly model: ModelName;
  readonly bits: 32 | 64;
}

export const usualHosts: Readonly<Record<TechniqueName, UsualHost>> = Object.freeze({
  sim: { model: "nehalem", bits: 32 },
  trap: { model: "pentium3", bits: 32 },
  bt: { model: "pentium3", bits: 32 },
  pv: { model: "pentium3", bits: 32 },
  "vmx-shadow": { model: "nehalem", bits: 64 },
  "vmx-ept": { model: "nehalem", bits: 64 },
  "svm-npt": { model: "phenom", bits: 64 },
});
