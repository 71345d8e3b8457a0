/**
 * All checks of VM entry, in the manual's order and by what becomes of an entry that fails one: VMfailValid for controls and
 * host state, a VM-entry failure for guest state.
 *
 * A hypervisor enters the same VMCS again and again with a few fields changed, so parts of the table whose fields are those
 * that passed last are not looked at again.
 * Spec: SDM Vol. 3C, "VM Entries".
 */
import { FLAG } from "../cpu/state.js";
import type { EntryCheck, EntryContext } from "./check-context.js";
import { controlChecks } from "./control-checks.js";
import { has, PRIMARY, SECONDARY } from "./controls.js";
import { type FieldName, fieldNames, fields } from "./fields.js";
import { guestRegisterChecks, isLinked, otherGuestChecks, usesPdptes } from "./guest-checks.js";
import { hostChecks } from "./host-checks.js";
import { ANY_PLACE } from "./known-entries.js";
import { type Remembered, rememberedBy } from "./remembered.js";
import { segmentChecks } from "./segment-checks.js";

export type CheckGroup = "control" | "host" | "guest";

/** A check that an entry failed. */
export interface FailedCheck {
  readonly group: CheckGroup;
  readonly check: EntryCheck;
}

/** Checks that depend on nothing but some fields, the model and the host's mode. */
interface Part {
  readonly checks: readonly EntryCheck[];
  /** The fields it depends on, unless `varies`, and bits of their low words if not all count. */
  readonly names?: readonly FieldName[];
  readonly masks?: Partial<Record<FieldName, number>>;
  readonly varies?: (context: EntryContext) => boolean;
}

/** Any value of these will do. */
const UNCHECKED: readonly FieldName[] = ["TSC offset", "VMX-preemption timer value"];
const ofType = (type: "control" | "host"): readonly FieldName[] =>
  fieldNames.filter((name) => fields[name].type === type && !UNCHECKED.includes(name));
const ofSegments = fieldNames.filter((name) => /^Guest ([ECSDFG]S|LDTR|TR) /.test(name));
const ofGuest = fieldNames.filter((name) => fields[name].type === "guest" && !ofSegments.includes(name));
const MODE = ["VM-entry controls", "VM-exit controls"] as const;

const parts: Readonly<Record<CheckGroup, readonly Part[]>> = {
  control: [
    {
      checks: controlChecks,
      names: [...ofType("control"), "Guest CR0"],
      // The virtual task priority is in memory.
      varies: ({ primary }) => has(primary, PRIMARY["use TPR shadow"]),
    },
  ],
  host: [{ checks: hostChecks, names: [...ofType("host"), ...MODE] }],
  guest: [
    { checks: guestRegisterChecks, names: [...ofGuest, ...ofType("control")], masks: ANY_PLACE },
    {
      checks: segmentChecks,
      names: [...ofSegments, ...ofType("control"), "Guest CR0", "Guest RFLAGS"],
      masks: { "Guest RFLAGS": FLAG.VM },
    },
    {
      checks: otherGuestChecks,
      names: [...ofGuest, ...ofType("control"), "Guest CS access rights", "Guest SS access rights"],
      masks: ANY_PLACE,
      // PDPTEs and a linked VMCS are in memory.
      varies: (context) =>
        isLinked(context) || (usesPdptes(context) && !has(context.secondary, SECONDARY["enable EPT"])),
    },
  ],
};

export const entryChecks: Readonly<Record<CheckGroup, readonly EntryCheck[]>> = Object.freeze({
  control: controlChecks,
  host: hostChecks,
  guest: Object.freeze(parts.guest.flatMap(({ checks }) => checks)),
});

/** Who enters: what of the host counts. */
const hostOf = ({ model, port }: EntryContext): string => (port.long ? `${model.name} long` : model.name);

const memories = new Map<Part, Remembered<string>>(
  Object.values(parts)
    .flat()
    .filter(({ names }) => names !== undefined)
    .map((part) => [part, rememberedBy<string>(part.names!, part.masks)]),
);

function failedOf(part: Part, context: EntryContext): EntryCheck | undefined {
  const { vmcs, image } = context;
  const memory = part.varies?.(context) === true ? undefined : memories.get(part);
  if (memory?.get(vmcs, image) === hostOf(context)) return undefined;
  const failed = part.checks.find(({ holds }) => !holds(context));
  if (failed === undefined) memory?.set(vmcs, image, hostOf(context));
  return failed;
}

const everyPart = Object.values(parts).flat();

/** Whether a check looks at more than the VMCS. */
export const looksBeyond = (context: EntryContext): boolean =>
  everyPart.some(({ varies }) => varies?.(context) === true);

/** The first check of a group that does not hold. */
export function firstFailed(group: CheckGroup, context: EntryContext): EntryCheck | undefined {
  for (const part of parts[group]) {
    const failed = failedOf(part, context);
    if (failed !== undefined) return failed;
  }
  return undefined;
}

const groups = ["control", "host", "guest"] as const;

/** Every check that a VMCS fails, for people: the processor stops at the first one. */
export function failedChecks(context: EntryContext): readonly FailedCheck[] {
  return groups.flatMap((group) =>
    entryChecks[group].filter(({ holds }) => !holds(context)).map((check) => ({ group, check })),
  );
}
