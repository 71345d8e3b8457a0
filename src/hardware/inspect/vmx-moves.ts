/**
 * Which fields of a VMCS a VM entry loads, and which an exit saves, writes and loads: made from the table of fields and the
 * controls that decide of some.
 * Spec: SDM Vol. 3C, "Loading Guest State", "Saving Guest State", "Recording VM-Exit Information and Updating VM-Entry Control
 * Fields", "Loading Host State".
 */
import { ENTRY, EXIT, has, PRIMARY, SECONDARY } from "../vmx/controls.js";
import { type FieldName, fieldNames, fields } from "../vmx/fields.js";
import type { Vmcs } from "./vmcs.js";

/** A field and the register it belongs to; `undefined` where it is in none that a guest or a host sees. */
export interface FieldMove {
  readonly field: FieldName;
  readonly register: string | undefined;
}

const named: Readonly<Record<string, string>> = {
  "interruptibility state": "blocking",
  "activity state": "activity",
  "pending debug exceptions": "pending debug exceptions",
};

/** "Guest CS access rights" is cs.access, "Host RSP" is rsp. */
function registerOf(field: FieldName): string | undefined {
  const name = field.replace(/^(Guest|Host) /, "");
  if (named[name] !== undefined) return named[name];
  const part = /^(ES|CS|SS|DS|FS|GS|LDTR|TR|GDTR|IDTR) (selector|base|limit|access rights)$/.exec(name);
  if (part !== null) return `${part[1]!.toLowerCase()}.${part[2] === "access rights" ? "access" : part[2]}`;
  if (/^IA32_(EFER|PAT|SYSENTER_(CS|ESP|EIP))$/.test(name)) return name;
  return /^(CR[034]|DR7|RSP|RIP|RFLAGS|PDPTE\d)$/.test(name) ? name.toLowerCase() : undefined;
}

const moves = (type: "guest" | "host"): readonly FieldMove[] =>
  fieldNames.filter((name) => fields[name].type === type).map((field) => ({ field, register: registerOf(field) }));
const ofGuest = moves("guest");
const ofHost = moves("host");

type Words = Readonly<Record<"entry" | "exit" | "primary" | "secondary", number>>;

function wordsOf({ fields: values }: Pick<Vmcs, "fields">): Words {
  const word = (name: FieldName): number => Number(values[name]);
  const primary = word("Primary processor-based VM-execution controls");
  return {
    entry: word("VM-entry controls"),
    exit: word("VM-exit controls"),
    primary,
    secondary: has(primary, PRIMARY["activate secondary controls"])
      ? word("Secondary processor-based VM-execution controls")
      : 0,
  };
}

type Condition = (words: Words) => boolean;
const never: Condition = () => false;
const onEntry =
  (name: keyof typeof ENTRY): Condition =>
  ({ entry }) =>
    has(entry, ENTRY[name]);
const onExit =
  (name: keyof typeof EXIT): Condition =>
  ({ exit }) =>
    has(exit, EXIT[name]);
const withEpt: Condition = ({ secondary }) => has(secondary, SECONDARY["enable EPT"]);
const pdptes = (condition: Condition): Partial<Record<FieldName, Condition>> =>
  Object.fromEntries([0, 1, 2, 3].map((index) => [`Guest PDPTE${index}`, condition]));

/** Fields that are loaded under a condition, or never: what has no entry always is. */
const loaded: Partial<Record<FieldName, Condition>> = {
  "Guest IA32_PAT": onEntry("load IA32_PAT"),
  "Guest IA32_EFER": onEntry("load IA32_EFER"),
  "Guest DR7": onEntry("load debug controls"),
  "Guest IA32_DEBUGCTL": onEntry("load debug controls"),
  "Guest SMBASE": never,
  "VMCS link pointer": never,
  "VMX-preemption timer value": never,
  ...pdptes(withEpt),
};
const saved: Partial<Record<FieldName, Condition>> = {
  "Guest IA32_PAT": onExit("save IA32_PAT"),
  "Guest IA32_EFER": onExit("save IA32_EFER"),
  "Guest DR7": onExit("save debug controls"),
  "Guest IA32_DEBUGCTL": onExit("save debug controls"),
  "Guest SMBASE": never,
  "VMCS link pointer": never,
  "VMX-preemption timer value": onExit("save VMX-preemption timer value"),
  ...pdptes(withEpt),
};
const hosts: Partial<Record<FieldName, Condition>> = {
  "Host IA32_PAT": onExit("load IA32_PAT"),
  "Host IA32_EFER": onExit("load IA32_EFER"),
};

const chosen = (
  from: readonly FieldMove[],
  conditions: Partial<Record<FieldName, Condition>>,
  words: Words,
  hasPdptes: boolean,
): readonly FieldMove[] =>
  from.filter(({ field }) => {
    if (!hasPdptes && field.startsWith("Guest PDPTE")) return false;
    return conditions[field]?.(words) ?? true;
  });

/** What VM entry loads; PDPTE registers only where the guest has them. */
export const loadedByEntry = (vmcs: Pick<Vmcs, "fields">, hasPdptes: boolean): readonly FieldMove[] =>
  chosen(ofGuest, loaded, wordsOf(vmcs), hasPdptes);
export const savedByExit = (vmcs: Pick<Vmcs, "fields">, hasPdptes: boolean): readonly FieldMove[] =>
  chosen(ofGuest, saved, wordsOf(vmcs), hasPdptes);
export const loadedByExit = (vmcs: Pick<Vmcs, "fields">): readonly FieldMove[] =>
  chosen(ofHost, hosts, wordsOf(vmcs), false);

/** Registers that an exit gives the same values always. Spec: SDM Vol. 3C, "Loading Host State". */
export const fixedByExit: readonly string[] = Object.freeze([
  "rflags",
  "dr7",
  "gdtr.limit",
  "idtr.limit",
  ...["es", "cs", "ss", "ds", "fs", "gs", "tr"].flatMap((name) => [`${name}.limit`, `${name}.access`]),
  ...["es", "cs", "ss", "ds"].map((name) => `${name}.base`),
  ...["selector", "base", "limit", "access"].map((part) => `ldtr.${part}`),
  "IA32_EFER",
  "activity",
  "blocking",
  "pending debug exceptions",
]);

/** Written by every exit; the other read-only fields where there is something to tell. */
export const writtenAlways: readonly FieldName[] = Object.freeze([
  "Exit reason",
  "Exit qualification",
  "VM-exit interruption information",
  "IDT-vectoring information field",
  "VM-exit instruction length",
]);
/** What a late failure of VM entry writes. Spec: SDM Vol. 3C, "VM-Entry Failures During or After Loading Guest State". */
export const writtenByFailure: readonly FieldName[] = Object.freeze(["Exit reason", "Exit qualification"]);
/** Fields an exit writes only where there is something to tell, and two controls it changes. */
export const writtenSometimes: readonly FieldName[] = Object.freeze([
  ...fieldNames.filter((name) => fields[name].type === "read-only" && !writtenAlways.includes(name)),
  "VM-entry interruption-information field",
  "VM-entry controls",
]);
