/** The techniques by name. */
import { VirtlabError } from "../../state/error.js";
import type { VmState } from "../state.js";
import { bt } from "./bt/bt.js";
import type { TechniqueName } from "./names.js";
import { pv } from "./pv/pv.js";
import { sim } from "./sim/sim.js";
import { svmNpt } from "./svm/svm.js";
import type { Technique } from "./technique.js";
import { trap } from "./trap/trap.js";
import { vmxShadow } from "./vmx/shadow.js";
import { vmxEpt } from "./vmx/vmx.js";

const table: Readonly<Record<TechniqueName, Technique>> = {
  sim,
  trap,
  bt,
  pv,
  "vmx-shadow": vmxShadow,
  "vmx-ept": vmxEpt,
  "svm-npt": svmNpt,
};

export function techniqueOf({ technique, name }: Pick<VmState, "technique" | "name">): Technique {
  const found: Technique | undefined = table[technique];
  if (found === undefined) throw new VirtlabError(`${name}: there is no technique "${technique}"`);
  return found;
}
