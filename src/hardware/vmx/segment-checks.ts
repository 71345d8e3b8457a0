/**
 * Checks of VM entry on the guest's segment registers, in the manual's order.
 * Spec: SDM Vol. 3C, "Checks on Guest Segment Registers".
 */
import { ACCESS, CR0, dplOf, FLAG } from "../cpu/state.js";
import { type EntryCheck, type EntryContext, implies, isCanonicalField, isLow, section } from "./check-context.js";
import { ENTRY, has, SECONDARY } from "./controls.js";
import type { GuestSegmentName } from "./fields.js";
import { physicalOf, wordOf } from "./vmcs.js";

/** Bit 16 of access rights: the register is not usable. */
export const UNUSABLE = 1 << 16;

type Name = GuestSegmentName;
type Holds = EntryCheck["holds"];

const rights = ({ image }: EntryContext, name: Name): number => wordOf(image, `Guest ${name} access rights`);
const selector = ({ image }: EntryContext, name: Name): number => wordOf(image, `Guest ${name} selector`);
const limit = ({ image }: EntryContext, name: Name): number => wordOf(image, `Guest ${name} limit`);
const typeOf = (context: EntryContext, name: Name): number => rights(context, name) & 15;
const isUsable = (context: EntryContext, name: Name): boolean => (rights(context, name) & UNUSABLE) === 0;
const is8086 = ({ image }: EntryContext): boolean => (wordOf(image, "Guest RFLAGS") & FLAG.VM) !== 0;
const isLongGuest = ({ entry }: EntryContext): boolean => has(entry, ENTRY["IA-32e mode guest"]);
const isUnrestricted = ({ secondary }: EntryContext): boolean => has(secondary, SECONDARY["unrestricted guest"]);

const all = ["CS", "SS", "DS", "ES", "FS", "GS"] as const;
const data = ["DS", "ES", "FS", "GS"] as const;
/** Writable data that is expanded up and has been accessed, at level 3. */
const RIGHTS_OF_8086 = 0xf3;

type Rule = readonly [sentence: string, holds: Holds];
/** A rule for each of several registers, which are usable where that is asked for. */
const each = (
  names: readonly Name[],
  sentence: (name: Name) => string,
  holds: (context: EntryContext, name: Name) => boolean,
): readonly Rule[] => names.map((name) => [sentence(name), (context) => holds(context, name)]);
/** The same where the register is usable; CS always is. */
const eachUsable = (
  names: readonly Name[],
  sentence: (name: Name) => string,
  holds: (context: EntryContext, name: Name) => boolean,
): readonly Rule[] =>
  each(names, sentence, (context, name) => (name !== "CS" && !isUsable(context, name)) || holds(context, name));
/** Not in virtual-8086 mode, whose segments have rules of their own. */
const protectedOnly = (rules: readonly Rule[]): readonly Rule[] =>
  rules.map(([sentence, holds]) => [sentence, (context) => is8086(context) || holds(context)]);

/** G is 0 unless bits 11:0 of the limit are 1, and 1 if any of bits 31:20 is. */
function fitsGranularity(context: EntryContext, name: Name): boolean {
  const granular = (rights(context, name) & ACCESS.GRANULAR) !== 0;
  const low = limit(context, name) & 0xfff;
  return granular ? low === 0xfff : limit(context, name) >>> 20 === 0;
}

const selectors: readonly Rule[] = [
  ["TI of the TR selector is 0.", (context) => (selector(context, "TR") & 4) === 0],
  ["TI of the LDTR selector is 0.", (context) => !isUsable(context, "LDTR") || (selector(context, "LDTR") & 4) === 0],
  [
    "The RPL of SS is that of CS, unless the guest is unrestricted.",
    (context) =>
      is8086(context) || isUnrestricted(context) || ((selector(context, "SS") ^ selector(context, "CS")) & 3) === 0,
  ],
];

const bases: readonly Rule[] = [
  ...each(
    all,
    (name) => `In virtual-8086 mode the base of ${name} is 16 times the selector.`,
    (context, name) =>
      implies(is8086(context), () => physicalOf(context.image, `Guest ${name} base`) === selector(context, name) * 16),
  ),
  ...each(
    ["TR", "FS", "GS"],
    (name) => `The base of ${name} is canonical.`,
    (context, name) => isCanonicalField(context, `Guest ${name} base`),
  ),
  [
    "The base of LDTR is canonical.",
    (context) => !isUsable(context, "LDTR") || isCanonicalField(context, "Guest LDTR base"),
  ],
  ...eachUsable(
    ["CS", "SS", "DS", "ES"],
    (name) => `Bits 63:32 of the base of ${name} are 0.`,
    (context, name) => isLow(context, `Guest ${name} base`),
  ),
];

const limits = each(
  all,
  (name) => `In virtual-8086 mode the limit of ${name} is FFFFH.`,
  (context, name) => implies(is8086(context), () => limit(context, name) === 0xffff),
);

/** Of CS: type 3 is data, which only an unrestricted guest in real mode has there. */
const REAL_CODE = 3;
const isCodeType = (type: number): boolean => type >= 9 && (type & 1) !== 0;

function fitsCodeLevel(context: EntryContext): boolean {
  const level = dplOf(rights(context, "CS"));
  const stack = dplOf(rights(context, "SS"));
  const type = typeOf(context, "CS");
  if (type === REAL_CODE) return level === 0;
  return (type & ACCESS.CONFORMING) !== 0 ? level <= stack : level === stack;
}

function fitsStackLevel(context: EntryContext): boolean {
  const level = dplOf(rights(context, "SS"));
  const real = typeOf(context, "CS") === REAL_CODE || (wordOf(context.image, "Guest CR0") & CR0.PE) === 0;
  return !real || level === 0;
}

const codeAndData = protectedOnly([
  [
    "The type of CS is that of accessed code; an unrestricted guest's may be 3.",
    (context) => isCodeType(typeOf(context, "CS")) || (isUnrestricted(context) && typeOf(context, "CS") === REAL_CODE),
  ],
  ["The type of SS is 3 or 7.", (context) => !isUsable(context, "SS") || (typeOf(context, "SS") & 11) === 3],
  ...eachUsable(
    data,
    (name) => `The type of ${name} is accessed, and readable if it is code.`,
    (context, name) => {
      const type = typeOf(context, name);
      return (type & ACCESS.ACCESSED) !== 0 && ((type & ACCESS.CODE) === 0 || (type & 2) !== 0);
    },
  ),
  ...eachUsable(
    all,
    (name) => `S of ${name} is 1.`,
    (context, name) => (rights(context, name) & ACCESS.S) !== 0,
  ),
  ["The DPL of CS fits its type and the DPL of SS.", fitsCodeLevel],
  [
    "The DPL of SS is its RPL, unless the guest is unrestricted.",
    (context) => isUnrestricted(context) || dplOf(rights(context, "SS")) === (selector(context, "SS") & 3),
  ],
  ["The DPL of SS is 0 if the type of CS is 3 or CR0.PE is 0.", fitsStackLevel],
  ...eachUsable(
    data,
    (name) => `The DPL of ${name} is not below its RPL, unless it is conforming or the guest is unrestricted.`,
    (context, name) =>
      isUnrestricted(context) ||
      typeOf(context, name) > 11 ||
      dplOf(rights(context, name)) >= (selector(context, name) & 3),
  ),
  ...eachUsable(
    all,
    (name) => `P of ${name} is 1.`,
    (context, name) => (rights(context, name) & ACCESS.PRESENT) !== 0,
  ),
  ...eachUsable(
    all,
    (name) => `Bits 11:8 of the access rights of ${name} are 0.`,
    (context, name) => (rights(context, name) & 0xf00) === 0,
  ),
  [
    "D of CS is 0 if the guest is in 64-bit mode.",
    (context) =>
      implies(
        isLongGuest(context) && (rights(context, "CS") & ACCESS.LONG) !== 0,
        () => (rights(context, "CS") & ACCESS.BIG) === 0,
      ),
  ],
  ...eachUsable(all, (name) => `G of ${name} fits its limit.`, fitsGranularity),
  ...eachUsable(
    all,
    (name) => `Bits 31:17 of the access rights of ${name} are 0.`,
    (context, name) => rights(context, name) < 2 * UNUSABLE,
  ),
]);

const system = (name: "TR" | "LDTR", sentence: string, holds: Holds): Rule => [
  sentence,
  (context) => (name === "LDTR" && !isUsable(context, name)) || holds(context),
];

const systemRules = (name: "TR" | "LDTR", types: Holds, told: string): readonly Rule[] => [
  system(name, `The type of ${name} is ${told}.`, types),
  system(name, `S of ${name} is 0.`, (context) => (rights(context, name) & ACCESS.S) === 0),
  system(name, `P of ${name} is 1.`, (context) => (rights(context, name) & ACCESS.PRESENT) !== 0),
  system(name, `Bits 11:8 of the access rights of ${name} are 0.`, (context) => (rights(context, name) & 0xf00) === 0),
  system(name, `G of ${name} fits its limit.`, (context) => fitsGranularity(context, name)),
  ...(name === "TR" ? [system(name, "TR is usable.", (context) => isUsable(context, name))] : []),
  system(name, `Bits 31:17 of the access rights of ${name} are 0.`, (context) => rights(context, name) < 2 * UNUSABLE),
];

export const segmentChecks: readonly EntryCheck[] = section("Checks on Guest Segment Registers", [
  ...selectors,
  ...bases,
  ...limits,
  ...each(
    all,
    (name) => `In virtual-8086 mode the access rights of ${name} are F3H.`,
    (context, name) => implies(is8086(context), () => rights(context, name) === RIGHTS_OF_8086),
  ),
  ...codeAndData,
  ...systemRules(
    "TR",
    (context) => typeOf(context, "TR") === 11 || (!isLongGuest(context) && typeOf(context, "TR") === 3),
    "that of a busy TSS, in IA-32e mode one of 64 bits",
  ),
  ...systemRules("LDTR", (context) => typeOf(context, "LDTR") === 2, "that of an LDT"),
]);
