/**
 * Entries that need not be looked at again. A hypervisor enters the same VMCS again and again, and mostly all that anything is decided
 * by is as it was at one of the last entries; the same words lead to the same, so nobody sees it.
 */
import { FLAG, type SystemState } from "../cpu/state.js";
import type { EntryContext } from "./check-context.js";
import { INTERRUPTION } from "./events.js";
import { type FieldName, fieldNames, fields, LAYOUT } from "./fields.js";
import type { VmxGuest } from "./state.js";
import { indexOf, newImage, type VmcsImage } from "./vmcs.js";

/** What of the host's registers stays, or decides what is loaded. */
export type HostRegisters = Pick<SystemState, "cr0" | "efer" | "debug" | "msrs">;

/** Of one of the last entries of a VMCS. */
export interface KnownEntry {
  readonly image: VmcsImage;
  /** Who entered. */
  readonly model: EntryContext["model"];
  readonly long: boolean;
  /** What the guest is held to, but for time. */
  readonly guest: VmxGuest;
  /** System registers that were loaded, and those of the host that count for it. */
  loaded: { readonly from: HostRegisters; readonly change: Partial<SystemState> } | undefined;
}

/** What each entry has of its own: time, and the event that is injected. */
export const OF_THE_ENTRY: readonly FieldName[] = [
  ...(["TSC offset", "VMX-preemption timer value", "VM-entry interruption-information field"] as const),
  ...(["VM-entry exception error code", "VM-entry instruction length"] as const),
];

/** Changed by every instruction, and checked in no way. */
const STATUS = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF | FLAG.DF;

/** Where the guest is counts by the upper halves alone: bits of low words that something depends on. */
export const ANY_PLACE: Partial<Record<FieldName, number>> = {
  "Guest RIP": 0,
  "Guest RSP": 0,
  "Guest RFLAGS": ~STATUS,
  "VMX-preemption timer value": 0,
};

/** Of each word of an image the bits that something depends on. */
const masks = newImage().fill(0xffff_ffff);
masks.fill(0, 0, LAYOUT.FIELDS >> 2);
for (const name of fieldNames) {
  const at = indexOf(name);
  const none = fields[name].type === "read-only" || OF_THE_ENTRY.includes(name);
  const words = fields[name].width === 64 || fields[name].width === "natural" ? 2 : 1;
  if (none) masks.fill(0, at, at + words);
  else masks[at] = ANY_PLACE[name] ?? -1;
}

/** As many VMCSs are known, and of each so many entries, the last one first. */
const LIMIT = 64;
const ENTRIES = 8;
const entries = new Map<number, KnownEntry[]>();

const INJECTED = indexOf("VM-entry interruption-information field");
const ERROR_CODE = indexOf("VM-entry exception error code");
const LENGTH = indexOf("VM-entry instruction length");
export const injects = (image: VmcsImage): boolean => (image[INJECTED]! & INTERRUPTION.VALID) !== 0;

/** Whether two entries inject the same, or nothing. */
function isSameEvent(a: VmcsImage, b: VmcsImage): boolean {
  if (!injects(a)) return !injects(b);
  return a[INJECTED] === b[INJECTED] && a[ERROR_CODE] === b[ERROR_CODE] && a[LENGTH] === b[LENGTH];
}

function isLike(known: KnownEntry, { image, model, port }: EntryContext): boolean {
  const other = known.image;
  if (known.model !== model || known.long !== port.long || !isSameEvent(image, other)) return false;
  for (let index = 0; index < masks.length; index++)
    if (((image[index]! ^ other[index]!) & masks[index]!) !== 0) return false;
  return true;
}

/** One of the last entries of this VMCS that was like this; undefined where this one has to be looked at. */
export function knownEntry(context: EntryContext): KnownEntry | undefined {
  const known = entries.get(context.vmcs);
  if (known === undefined) return undefined;
  for (let at = 0; at < known.length; at++) {
    const entry = known[at]!;
    if (!isLike(entry, context)) continue;
    known.copyWithin(1, 0, at);
    known[0] = entry;
    return entry;
  }
  return undefined;
}

/** An entry has passed all checks, none of which depends on anything else. */
export function rememberEntry({ vmcs, image, model, port }: EntryContext, guest: VmxGuest): void {
  if (entries.size >= LIMIT && !entries.has(vmcs)) entries.clear();
  const known = entries.get(vmcs) ?? [];
  known.unshift({ image: image.slice(), model, long: port.long, guest, loaded: undefined });
  if (known.length > ENTRIES) known.pop();
  entries.set(vmcs, known);
}
