/**
 * All checks of VM entry, in the manual's order and by what becomes of an entry that fails one: VMfailValid for controls and
 * host state, a VM-entry failure for guest state.
 * Spec: SDM Vol. 3C, "VM Entries".
 */
import type { EntryCheck, EntryContext } from "./check-context.js";
import { controlChecks } from "./control-checks.js";
import { guestChecks } from "./guest-checks.js";
import { hostChecks } from "./host-checks.js";

export type CheckGroup = "control" | "host" | "guest";

/** A check that an entry failed. */
export interface FailedCheck {
  readonly group: CheckGroup;
  readonly check: EntryCheck;
}

export const entryChecks: Readonly<Record<CheckGroup, readonly EntryCheck[]>> = Object.freeze({
  control: Object.freeze(controlChecks),
  host: Object.freeze(hostChecks),
  guest: Object.freeze(guestChecks),
});

const groups = ["control", "host", "guest"] as const;

/** The first check of a group that does not hold. */
export const firstFailed = (group: CheckGroup, context: EntryContext): EntryCheck | undefined =>
  entryChecks[group].find(({ holds }) => !holds(context));

/** Every check that a VMCS fails, for people: the processor stops at the first one. */
export function failedChecks(context: EntryContext): readonly FailedCheck[] {
  return groups.flatMap((group) =>
    entryChecks[group].filter(({ holds }) => !holds(context)).map((check) => ({ group, check })),
  );
}
