/** The techniques by name. */
import { VirtlabError } from "../../state/error.js";
import type { VmState } from "../state.js";
import type { TechniqueName } from "./names.js";
import { sim } from "./sim/sim.js";
import { svmNpt } from "./svm/svm.js";
import type { Technique } from "./technique.js";
import { trap } from "./trap/trap.js";
import { vmxShadow } from "./vmx/shadow.js";
import { vmxEpt } from "./vmx/vmx.js";

const table: Partial<Record<TechniqueName, Technique>> = {
  sim,
  trap,
  "vmx-shadow": vmxShadow,
  "vmx-ept": vmxEpt,
  "svm-npt": svmNpt,
};

export function techniqueOf({ technique, name }: VmState): Technique {
  const found = table[technique];
  if (found === undefined) throw new VirtlabError(`${name}: there is no technique "${technique}"`);
  return found;
}
