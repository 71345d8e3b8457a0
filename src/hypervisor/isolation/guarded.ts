/**
 * What no guest may change but the hypervisor alone, or nobody: told from a host as it stands, and compared with another one on which
 * the same VMs were made.
 *
 * What is compared byte by byte is places of the host's memory that do not change while guests run. Shadow tables do, with the guests';
 * of these it is looked at where they lead. What belongs to nobody is zeros.
 */
import type { DeviceSet } from "../../hardware/devices/bus.js";
import { stateOf } from "../../hardware/machine.js";
import type { MachineState } from "../../hardware/state.js";
import { vmcbField } from "../../hardware/svm/vmcb.js";
import { type FieldName, fields } from "../../hardware/vmx/fields.js";
import { contentHash } from "../../state/hash.js";
import { readPages } from "../../state/page-map.js";
import { PAGE_SIZE, type Page } from "../../state/pages.js";
import { PersistentMap } from "../../state/persistent-map.js";
import { KIND } from "../handlers.js";
import type { Hypervisor } from "../hypervisor.js";
import { PLACE } from "../layout.js";
import type { ShadowState, ShadowTable } from "../shadow/state.js";
import type { FrameRange, HypervisorState, VmState } from "../state.js";
import { CACHE_BYTES, WORDS_BYTES } from "../techniques/bt/layout.js";
import { OWN_MSRS, sysenterMsrs } from "../techniques/guest-registers.js";
import type { TechniqueName } from "../techniques/names.js";
import { OWN } from "../techniques/trap/state.js";

export const guardedNames = Object.freeze([
  ...(["guest B", "B's share", "A's cap", "hypervisor's code and tables", "control structures"] as const),
  ...(["ways to memory", "free frames", "host's devices", "host's MSRs", "hypervisor's course"] as const),
]);
/** Something that has to be the same with an attack and without it. */
export type GuardedName = (typeof guardedNames)[number];

/** Bytes of the host's memory. `mask`: those bits of each dword are looked at. */
interface Place extends FrameRange {
  readonly mask?: number;
}

/** Of an entry of page tables, all but the accessed and dirty flags. */
const UNMARKED = ~0x60;
const BITMAP_AT = 100;

const between = (at: number, end: number, mask?: number): Place => ({
  at,
  bytes: end - at,
  ...(mask === undefined ? {} : { mask }),
});

const inOuterRings: readonly TechniqueName[] = ["trap", "bt", "pv"];

/** Code, tables, and what of the first 2 MiB is nobody's. The stack is as it happens to be. */
function ownPlaces(technique: TechniqueName): readonly Place[] {
  const { code, tss, stack, tables, vmxon, shadowGdt, shadowIdt, shadowTss, translations, pool } = PLACE;
  const places = [
    ...[between(0, code), between(code, tss), between(tss, tss + PAGE_SIZE), between(stack, tables)],
    between(tables, vmxon, UNMARKED),
    // VMRUN keeps the host's registers there.
    between(technique === "svm-npt" ? vmxon + PAGE_SIZE : vmxon, shadowGdt),
  ];
  if (!inOuterRings.includes(technique)) return [...places, between(shadowGdt, pool)];
  const most = 2 * (WORDS_BYTES + CACHE_BYTES);
  return [
    ...places,
    between(shadowGdt + (OWN.ldt & ~7), shadowGdt + 0x1_0000),
    // A paravirtual guest's gates are in the table while it runs.
    ...(technique === "pv" ? [] : [between(shadowIdt, shadowTss), between(shadowTss, shadowTss + BITMAP_AT)]),
    between(shadowTss + BITMAP_AT + 4, translations),
    between(technique === "bt" ? translations + most : translations, pool),
  ];
}

/** Fields of a VMCS that are written once. */
const constantFields: readonly FieldName[] = [
  ...(Object.keys(fields) as FieldName[]).filter((name) => fields[name].type === "host"),
  ...(["Address of I/O bitmap A", "Address of I/O bitmap B", "Address of MSR bitmaps"] as const),
  ...(["Pin-based VM-execution controls", "Secondary processor-based VM-execution controls"] as const),
  ...(["VM-exit controls", "EPT pointer", "VMCS link pointer"] as const),
];
/** The same of a VMCB. */
const constantParts: readonly string[] = [
  ...["INTERCEPT_CR_READ", "INTERCEPT_CR_WRITE", "INTERCEPT_DR_READ", "INTERCEPT_DR_WRITE", "INTERCEPT_EXCEPTIONS"],
  ...["INTERCEPT_MISC1", "INTERCEPT_MISC2", "IOPM_BASE_PA", "MSRPM_BASE_PA", "GUEST_ASID", "NP_ENABLE", "N_CR3"],
];

const vmcsPlaces = (vmcs: number): readonly Place[] =>
  constantFields.map((name) => ({
    at: vmcs + fields[name].offset,
    bytes: fields[name].width === 64 || fields[name].width === "natural" ? 8 : 4,
  }));

const vmcbPlaces = (vmcb: number): readonly Place[] =>
  constantParts.map((name) => {
    const { offset, bits } = vmcbField(name);
    return { at: vmcb + offset, bytes: Math.ceil(bits / 8) };
  });

interface Kept {
  readonly vmcs?: number;
  readonly vmcb?: number;
  readonly shadow?: ShadowState;
}

/** Where of a VM's frames that lie together its memory ends. */
const behindMemory = ({ at, bytes }: FrameRange, extents: VmState["extents"]): number =>
  extents.reduce(
    (end, one) => (one.host >= at && one.host < at + bytes ? Math.max(end, one.host + one.bytes) : end),
    at,
  );

/** Places that are made for a VM before it first runs and are the same from then on: control structure and bitmaps, nested tables. */
function vmPlaces({ extents, frames, own, technique }: VmState): {
  readonly control: readonly Place[];
  readonly ways: readonly Place[];
} {
  const { vmcs, vmcb } = (own ?? {}) as Kept;
  const structure = vmcs ?? vmcb;
  if (structure === undefined) return { control: [], ways: [] };
  const made = frames.map((range) => between(behindMemory(range, extents), range.at + range.bytes));
  const control = vmcs === undefined ? vmcbPlaces(structure) : vmcsPlaces(structure);
  // The bitmaps lie behind the control structure, and the nested tables in front of it.
  const bitmaps = between(structure + PAGE_SIZE, structure + PAGE_SIZE * (vmcs === undefined ? 6 : 4));
  const ways =
    technique === "vmx-shadow"
      ? []
      : made.filter(({ at, bytes }) => bytes > 0 && at < structure).map(({ at }) => between(at, structure, UNMARKED));
  return { control: [...control, bitmaps], ways };
}

function isSame(a: MachineState, b: MachineState, { at, bytes, mask = -1 }: Place): boolean {
  const [is, was] = [readPages(a.memory, at, bytes), readPages(b.memory, at, bytes)];
  return is.every((byte, offset) => ((byte ^ was[offset]!) & (mask >>> (8 * (offset & 3)))) === 0);
}

/** Whether two hosts have the same bytes at places. */
const areSame = (a: MachineState, b: MachineState, places: readonly Place[]): boolean =>
  places.every((place) => isSame(a, b, place));

const hypervisorState = (host: Hypervisor): HypervisorState =>
  stateOf(host.machine).supervisors![KIND]!.state as HypervisorState;

// ---- where shadow tables lead ---------------------------------------------------------------------------------------

const [PRESENT, LARGE] = [1, 0x80];
const FRAME = 0xffff_f000;

function leadsAstray(host: MachineState, { extents, own }: VmState): boolean {
  const { shadow } = (own ?? {}) as Kept;
  if (shadow === undefined) return false;
  const wide = !/^(|flat|32-bit)( |$)/.test(shadow.context);
  const tables = Object.values(shadow.tables);
  const links = new Set(tables.map((table) => table.host));
  const isOwn = (frame: number): boolean =>
    extents.some((extent) => frame >= extent.host && frame < extent.host + extent.bytes);
  const leadsWell = ({ level }: ShadowTable, low: number, high: number): boolean => {
    const frame = ((low & FRAME) >>> 0) + (high & 0xf_ffff) * 2 ** 32;
    // Large pages show the hypervisor's own part.
    return level === 1 ? isOwn(frame) : links.has(frame) || (low & LARGE) !== 0;
  };
  return tables.some((table) => {
    const view = new DataView(readPages(host.memory, table.host, PAGE_SIZE).slice().buffer);
    for (let at = 0; at < PAGE_SIZE; at += wide ? 8 : 4) {
      const low = view.getUint32(at, true);
      if ((low & PRESENT) !== 0 && !leadsWell(table, low, wide ? view.getUint32(at + 4, true) : 0)) return true;
    }
    return false;
  });
}

// ---- what is nobody's -----------------------------------------------------------------------------------------------

function hasStrays({ memory }: MachineState, { frames }: HypervisorState): boolean {
  const isFree = (at: number): boolean =>
    at >= frames.next || frames.free.some((piece) => at >= piece.at && at < piece.at + piece.bytes);
  let found = false;
  PersistentMap.compare(PersistentMap.empty<Page>(), memory, (number, _none, page) => {
    if (!found && page !== undefined && isFree(number * PAGE_SIZE)) found = page.bytes().some((byte) => byte !== 0);
  });
  return found;
}

// ---- devices and registers of the host ------------------------------------------------------------------------------

/** Of the host's devices what neither time nor the hypervisor's own use of timer, controllers and serial port changes. */
function settled(devices: DeviceSet): unknown {
  const { pic, pit, rtc, uart, ...others } = devices;
  const controller = ({ IRR, ISR, inputs, ...rest }: DeviceSet["pic"]["master"]): unknown => rest;
  const { counter1, counter2, systemControl } = pit;
  const { index, A, B, alarm, memory } = rtc;
  const { received, input, transmitterEmptyPending, ...line } = uart;
  const timer = { control: pit.counter0.control, counter1, counter2, systemControl };
  return {
    ...{ pic: { master: controller(pic.master), slave: controller(pic.slave) }, timer },
    ...{ clock: { index, A, B, alarm, memory }, line, others },
  };
}

/** Those that guests have in the processor, too. */
const guestMsrs: readonly string[] = [
  ...[...Object.keys(OWN_MSRS), ...sysenterMsrs],
  ...["IA32_FS_BASE", "IA32_GS_BASE"],
];

const msrs = ({ cpu }: MachineState): unknown =>
  Object.fromEntries(Object.entries(cpu.system.msrs).filter(([name]) => !guestMsrs.includes(name)));

/** What of a host is not as on another one, which has the same VMs. */
export function differences(host: Hypervisor, expected: Hypervisor, technique: TechniqueName): readonly GuardedName[] {
  const [is, was] = [stateOf(host.machine), stateOf(expected.machine)];
  const state = hypervisorState(host);
  const places = hypervisorState(expected).vms.map(vmPlaces);
  const at = (kind: "control" | "ways"): readonly Place[] => places.flatMap((of) => of[kind]);
  const holds: Partial<Record<GuardedName, boolean>> = {
    "hypervisor's code and tables": areSame(is, was, ownPlaces(technique)),
    "control structures": areSame(is, was, at("control")),
    "ways to memory": areSame(is, was, at("ways")) && !state.vms.some((vm) => leadsAstray(is, vm)),
    "free frames": !hasStrays(is, state),
    "host's devices": contentHash(settled(is.devices)) === contentHash(settled(was.devices)),
    "host's MSRs": contentHash(msrs(is)) === contentHash(msrs(was)),
  };
  return guardedNames.filter((name) => holds[name] === false);
}
