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
import { has, PRIMARY } from "./controls.js";
import { type FieldName, fieldNames, fields } from "./fields.js";
import { guestRegisterChecks, otherGuestChecks } from "./guest-checks.js";
import { hostChecks } from "./host-checks.js";
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
  /** The fields it depends on, unless `varies`; absent: it depends on memory, or on fields that change with every exit. */
  readonly names?: readonly FieldName[];
  readonly varies?: (context: EntryContext) => boolean;
}

const ofType = (type: "control" | "host"): readonly FieldName[] =>
  fieldNames.filter((name) => fields[name].type === type);
const ofSegments = fieldNames.filter((name) => /^Guest ([ECSDFG]S|LDTR|TR) /.test(name));
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
    { checks: guestRegisterChecks },
    { checks: segmentChecks, names: [...ofSegments, ...ofType("control"), "Guest CR0", "Guest RFLAGS"] },
    { checks: otherGuestChecks },
  ],
};

export const entryChecks: Readonly<Record<CheckGroup, readonly EntryCheck[]>> = Object.freeze({
  control: controlChecks,
  host: hostChecks,
  guest: Object.freeze(parts.guest.flatMap(({ checks }) => checks)),
});

/** Words of the image that fields are, and what of each counts: of RFLAGS only VM. */
interface Words {
  readonly indices: Int32Array;
  readonly masks: Int32Array;
}

function wordsOf(names: readonly FieldName[]): Words {
  const words = names.flatMap((name) => {
    const { offset, width } = fields[name];
    const mask = name === "Guest RFLAGS" ? FLAG.VM : -1;
    const low = [offset >> 2, mask] as const;
    return width === 64 || width === "natural" ? [low, [(offset >> 2) + 1, -1] as const] : [low];
  });
  return {
    indices: Int32Array.from(words.map(([index]) => index)),
    masks: Int32Array.from(words.map(([, mask]) => mask)),
  };
}

/** What passed last, of each VMCS. */
interface Passed {
  readonly model: string;
  readonly long: boolean;
  readonly words: Int32Array;
}

const LIMIT = 64;
const memories = new Map<Part, { readonly of: Words; readonly passed: Map<number, Passed> }>(
  Object.values(parts)
    .flat()
    .filter(({ names }) => names !== undefined)
    .map((part) => [part, { of: wordsOf(part.names!), passed: new Map() }]),
);

function passedBefore(part: Part, { vmcs, model, port, image }: EntryContext): boolean {
  const memory = memories.get(part);
  const before = memory?.passed.get(vmcs);
  if (memory === undefined || before?.model !== model.name || before.long !== port.long) return false;
  const { indices, masks } = memory.of;
  const { words } = before;
  for (let index = 0; index < words.length; index++)
    if ((image[indices[index]!]! & masks[index]!) !== words[index]) return false;
  return true;
}

function remember(part: Part, { vmcs, model, port, image }: EntryContext): void {
  const memory = memories.get(part);
  if (memory === undefined) return;
  const { of, passed } = memory;
  if (passed.size >= LIMIT) passed.clear();
  const words = of.indices.map((at, index) => image[at]! & of.masks[index]!);
  passed.set(vmcs, { model: model.name, long: port.long, words });
}

function failedOf(part: Part, context: EntryContext): EntryCheck | undefined {
  const constant = part.varies?.(context) !== true;
  if (constant && passedBefore(part, context)) return undefined;
  const failed = part.checks.find(({ holds }) => !holds(context));
  if (failed === undefined && constant) remember(part, context);
  return failed;
}

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
