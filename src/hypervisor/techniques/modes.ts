/** Which modes of a guest's processor a technique can run. */
import { type ModelName, models } from "../../hardware/cpu/model.js";
import { CR0, EFER, type SystemState } from "../../hardware/cpu/state.js";
import { type TechniqueName, techniques } from "./names.js";

/** The processor executes real mode where it can be told to; else somebody has to be in its place. */
function realMode(technique: TechniqueName, model: ModelName): boolean {
  if (technique === "sim" || technique === "svm-npt") return true;
  return technique === "vmx-ept" && models[model].secondaryControls.includes("unrestricted guest");
}

/** Guests of these have no more bits than their host, which has 32. */
const longMode = (technique: TechniqueName): boolean => techniques[technique].bits.includes(64);

/** Why a guest that is to run 64-bit code cannot be run; undefined where it can. */
export const longModeRefusal = (technique: TechniqueName): string | undefined =>
  longMode(technique) ? undefined : `64-bit code, which ${techniques[technique].title} cannot run`;

/** Why a guest that begins in real mode cannot be run; undefined where it can. */
export function realModeRefusal(technique: TechniqueName, model: ModelName): string | undefined {
  if (realMode(technique, model)) return undefined;
  const { title } = techniques[technique];
  return technique === "vmx-ept"
    ? `real mode, which ${title} needs unrestricted guests for, and a ${model} has not`
    : `real mode, which ${title} cannot run`;
}

/** Why a guest cannot go on in the mode it is in. */
export function modeRefusal(technique: TechniqueName, host: ModelName, { cr0, efer }: SystemState): string | undefined {
  const refused =
    (cr0 & CR0.PE) === 0
      ? realModeRefusal(technique, host)
      : (efer & EFER.LMA) !== 0
        ? longModeRefusal(technique)
        : undefined;
  return refused === undefined ? undefined : `the guest is in ${refused}`;
}
