/**
 * What CPUID says: a 32-bit processor of the Pentium's features that are implemented, and no others.
 * Spec: SDM Vol. 2A, CPUID—CPU Identification.
 */

import { VirtlabError } from "../../state/error.js";

/** Processor models, oldest first. */
export const modelNames = ["486", "pentium", "pentium2"] as const;
export type ModelName = (typeof modelNames)[number];

/** Whether `model` has what came with `since`. */
export const includes = (model: ModelName, since: ModelName | undefined): boolean =>
  since === undefined || modelNames.indexOf(model) >= modelNames.indexOf(since);

/** @throws VirtlabError for a name that is no model. */
export function checkedModel(name: string = "pentium2"): ModelName {
  if ((modelNames as readonly string[]).includes(name)) return name as ModelName;
  throw new VirtlabError(`model "${name}" is unknown (known: ${modelNames.join(", ")})`);
}

const FEATURES = { PSE: 1 << 3, TSC: 1 << 4, MSR: 1 << 5, CX8: 1 << 8 };
/** Family 5, model 2, stepping 0. */
const SIGNATURE = 0x520;

const word = (text: string): number =>
  text.charCodeAt(0) | (text.charCodeAt(1) << 8) | (text.charCodeAt(2) << 16) | (text.charCodeAt(3) << 24);

/** [EAX, EBX, ECX, EDX] of a leaf; leaves beyond the last one answer as the last one does, as the manual says for Intel. */
export function identify(_model: ModelName, leaf: number): readonly [number, number, number, number] {
  if (leaf === 0) return [1, word("Genu"), word("ntel"), word("ineI")];
  return [SIGNATURE, 0, 0, FEATURES.PSE | FEATURES.TSC | FEATURES.MSR | FEATURES.CX8];
}
