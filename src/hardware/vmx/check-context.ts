/**
 * What the checks of VM entry look at, and the questions that many of them ask.
 * Spec: SDM Vol. 3C, "Checks on VMX Controls and Host-State Area", "Checking and Loading Guest State".
 */
import { type Model, models } from "../cpu/model.js";
import type { ProcessorPort } from "../cpu/processor.js";
import { EFER } from "../cpu/state.js";
import { has, PRIMARY } from "./controls.js";
import type { FieldName } from "./fields.js";
import { readImage, upperOf, type VmcsImage, wordOf } from "./vmcs.js";

/** A VMCS that is to be entered. */
export interface EntryContext {
  readonly port: Pick<ProcessorPort, "readPhysical" | "readPhysicalWords" | "system" | "long">;
  readonly model: Model;
  /** Its physical address. */
  readonly vmcs: number;
  readonly image: VmcsImage;
  readonly pin: number;
  readonly primary: number;
  /** 0 unless the primary controls activate them. */
  readonly secondary: number;
  readonly exit: number;
  readonly entry: number;
}

/** Reads a VMCS, into `into` if that is given. */
export function entryContext(port: EntryContext["port"], vmcs: number, into?: VmcsImage): EntryContext {
  const image = readImage(port, vmcs, into);
  const primary = wordOf(image, "Primary processor-based VM-execution controls");
  return {
    port,
    model: models[port.system.model],
    vmcs,
    image,
    pin: wordOf(image, "Pin-based VM-execution controls"),
    primary,
    secondary: has(primary, PRIMARY["activate secondary controls"])
      ? wordOf(image, "Secondary processor-based VM-execution controls")
      : 0,
    exit: wordOf(image, "VM-exit controls"),
    entry: wordOf(image, "VM-entry controls"),
  };
}

/** One check: what must hold, in the manual's words but shorter. */
export interface EntryCheck {
  /** Title of the manual's section. */
  readonly section: string;
  readonly sentence: string;
  readonly holds: (context: EntryContext) => boolean;
  /** Exit qualification where it is a guest's and fails: 0 unless given. */
  readonly qualification?: 2 | 3 | 4;
}

/** Checks of one section. */
export const section = (
  title: string,
  checks: readonly (readonly [sentence: string, holds: EntryCheck["holds"], qualification?: 2 | 3 | 4])[],
): readonly EntryCheck[] =>
  checks.map(([sentence, holds, qualification]) => ({
    section: title,
    sentence,
    holds,
    ...(qualification === undefined ? {} : { qualification }),
  }));

/** No bit is set beyond the physical addresses of the processor. */
export const isPhysical = ({ model, image }: EntryContext, name: FieldName): boolean =>
  upperOf(image, name) < 2 ** (model.physicalBits - 32);

/** The address of a page. */
export const isPage = (context: EntryContext, name: FieldName): boolean =>
  (wordOf(context.image, name) & 0xfff) === 0 && isPhysical(context, name);

/** Bits 47 to 63 are the same. */
export function isCanonicalField({ image }: EntryContext, name: FieldName): boolean {
  const top = (upperOf(image, name) | 0) >> 15;
  return top === 0 || top === -1;
}

/** The upper half is 0. */
export const isLow = ({ image }: EntryContext, name: FieldName): boolean => upperOf(image, name) === 0;

/** UC, WC, WT, WP, WB and UC-, in each byte. */
const PAT_TYPES = 0b1111_0011;
export function isPat({ image }: EntryContext, name: FieldName): boolean {
  const valid = (word: number): boolean =>
    [0, 8, 16, 24].every((shift) => {
      const type = (word >>> shift) & 0xff;
      return type < 8 && ((PAT_TYPES >> type) & 1) !== 0;
    });
  return valid(wordOf(image, name)) && valid(upperOf(image, name));
}

/** Bits of IA32_EFER that the processor has. */
export const isEfer = (context: EntryContext, name: FieldName): boolean =>
  isLow(context, name) && (wordOf(context.image, name) & ~(context.model.efer | EFER.LMA)) === 0;

/** An implication. */
export const implies = (condition: boolean, then: () => boolean): boolean => !condition || then();
