/**
 * Entries that need not be looked at again. A hypervisor enters the same VMCS again and again, and mostly all that anything is decided
 * by is as it was when it was entered last; the same words lead to the same, so nobody sees it.
 */
import { FLAG, type SystemState } from "../cpu/state.js";
import type { EntryContext } from "./check-context.js";
import { INTERRUPTION } from "./events.js";
import { type FieldName, fieldNames, fields, LAYOUT } from "./fields.js";
import type { VmxGuest } from "./state.js";
import { indexOf, newImage, type VmcsImage } from "./vmcs.js";

/** What of the host's registers stays, or decides what is loaded. */
export type HostRegisters = Pick<SystemState, "cr0" | "efer" | "debug" | "msrs">;

/** Of the last entry of a VMCS. */
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

/** As many VMCSs are known. */
const LIMIT = 64;
const entries = new Map<number, KnownEntry>();

const INJECTED = indexOf("VM-entry interruption-information field");
export const injects = (image: VmcsImage): boolean => (image[INJECTED]! & INTERRUPTION.VALID) !== 0;

/** The last entry of this VMCS, where it was one like this; undefined where this one has to be looked at. */
export function knownEntry({ vmcs, image, model, port }: EntryContext): KnownEntry | undefined {
  const entry = entries.get(vmcs);
  if (entry === undefined || entry.model !== model || entry.long !== port.long || injects(image)) return undefined;
  const known = entry.image;
  for (let index = 0; index < masks.length; index++)
    if (((image[index]! ^ known[index]!) & masks[index]!) !== 0) return undefined;
  return entry;
}

/** An entry has passed all checks, none of which depends on anything else. */
export function rememberEntry({ vmcs, image, model, port }: EntryContext, guest: VmxGuest): void {
  if (injects(image)) return;
  if (entries.size >= LIMIT) entries.clear();
  entries.set(vmcs, { image: image.slice(), model, long: port.long, guest, loaded: undefined });
}
