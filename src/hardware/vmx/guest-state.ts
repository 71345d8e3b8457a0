/**
 * The guest-state area: loaded by VM entry, saved by VM exit.
 * Spec: SDM Vol. 3C, "Loading Guest State", "Saving Guest State".
 */
import { type Model, models } from "../cpu/model.js";
import type { ProcessorPort } from "../cpu/processor.js";
import { highWord } from "../cpu/quadwords.js";
import {
  CR0,
  CR4,
  EFER,
  isLong,
  type Segment,
  type SegmentName,
  type SystemState,
  type TableRegister,
} from "../cpu/state.js";
import { savesLongMode, TIMER_SHIFT } from "./capabilities.js";
import type { EntryContext } from "./check-context.js";
import { ENTRY, EXIT, has } from "./controls.js";
import type { FieldName, GuestSegmentName } from "./fields.js";
import { ACTIVITY, guestPdptes, INTERRUPTIBILITY, PENDING_DEBUG, usesPdptes } from "./guest-checks.js";
import { UNUSABLE } from "./segment-checks.js";
import type { VmxGuest } from "./state.js";
import {
  linearOf,
  quadOf,
  readWord,
  upperOf,
  type VmcsImage,
  wordOf,
  writeAddress,
  writeField,
  writeHalves,
  writeWord,
} from "./vmcs.js";

const RSP = 4;
const DR7 = 5;
const WORD = 2 ** 32;

/** Bits of CR0 that VM entries and exits load; the rest stays as it is. */
const LOADED_CR0 = CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.WP | CR0.AM | CR0.PG;
export const loadedCr0 = (old: number, value: number): number => (value & LOADED_CR0) | (old & ~LOADED_CR0);

/** CR3 as the system state has it. */
export function loadedCr3(model: Model, low: number, high: number): number {
  const masked = low & model.cr3;
  return high === 0 ? masked : high * WORD + (masked >>> 0);
}

export const loadedDr7 = (value: number): number => (value & 0xffff23ff) | 0x400;

/** The registers SYSENTER works with, and PAT where it is loaded. */
export const loadedMsrs = (
  msrs: SystemState["msrs"],
  image: VmcsImage,
  whose: "Guest" | "Host",
  pat: boolean,
): SystemState["msrs"] =>
  Object.freeze({
    ...msrs,
    IA32_SYSENTER_CS: quadWord(image, `${whose} IA32_SYSENTER_CS`),
    IA32_SYSENTER_ESP: quadOf(image, `${whose} IA32_SYSENTER_ESP`),
    IA32_SYSENTER_EIP: quadOf(image, `${whose} IA32_SYSENTER_EIP`),
    ...(pat ? { IA32_PAT: quadOf(image, `${whose} IA32_PAT`) } : {}),
  });
const quadWord = (image: VmcsImage, name: FieldName): bigint => BigInt(wordOf(image, name));

/** Without "load IA32_EFER" the guest's mode decides LMA, and LME where paging is on. */
function loadedEfer({ image, entry }: EntryContext, old: number): number {
  if (has(entry, ENTRY["load IA32_EFER"])) return wordOf(image, "Guest IA32_EFER");
  const long = has(entry, ENTRY["IA-32e mode guest"]);
  const paged = (wordOf(image, "Guest CR0") & CR0.PG) !== 0;
  const active = long ? old | EFER.LMA : old & ~EFER.LMA;
  if (!paged) return active;
  return long ? active | EFER.LME : active & ~EFER.LME;
}

/** A linear address as it is where the guest is: signed in IA-32e mode alone. */
const baseOf = ({ image, entry }: EntryContext, name: FieldName): number =>
  has(entry, ENTRY["IA-32e mode guest"]) ? linearOf(image, name) : wordOf(image, name);

function segmentOf(context: EntryContext, name: GuestSegmentName): Segment {
  const { image } = context;
  const rights = wordOf(image, `Guest ${name} access rights`);
  return Object.freeze({
    selector: wordOf(image, `Guest ${name} selector`),
    base: baseOf(context, `Guest ${name} base`),
    limit: wordOf(image, `Guest ${name} limit`),
    access: (rights & UNUSABLE) !== 0 ? 0 : rights & 0xf0ff,
  });
}

const tableOf = (context: EntryContext, name: "GDTR" | "IDTR"): TableRegister =>
  Object.freeze({ base: baseOf(context, `Guest ${name} base`), limit: wordOf(context.image, `Guest ${name} limit`) });

const segmentNames = { es: "ES", cs: "CS", ss: "SS", ds: "DS", fs: "FS", gs: "GS" } as const;

function segmentsOf(context: EntryContext): SystemState["segments"] {
  const of = (name: SegmentName): Segment => segmentOf(context, segmentNames[name]);
  return Object.freeze({ es: of("es"), cs: of("cs"), ss: of("ss"), ds: of("ds"), fs: of("fs"), gs: of("gs") });
}

/** Control, debug and model-specific registers, segments and tables. */
function loadSystem(port: ProcessorPort, context: EntryContext): void {
  const { image, model, entry } = context;
  const { system } = port;
  const [dr0, dr1, dr2, dr3, dr6, dr7] = system.debug;
  const debugging = has(entry, ENTRY["load debug controls"]);
  const newDr7 = debugging ? loadedDr7(wordOf(image, "Guest DR7")) : dr7;
  // By itself: what else there is decides more of what an engine remembers than CR3 does.
  port.setSystem({ cr3: loadedCr3(model, wordOf(image, "Guest CR3"), upperOf(image, "Guest CR3")) });
  port.setSystem({
    cr0: loadedCr0(system.cr0, wordOf(image, "Guest CR0")),
    cr4: wordOf(image, "Guest CR4") | 0,
    efer: loadedEfer(context, system.efer),
    debug: Object.freeze([dr0, dr1, dr2, dr3, dr6, newDr7] as const),
    msrs: loadedMsrs(system.msrs, image, "Guest", has(entry, ENTRY["load IA32_PAT"])),
    segments: segmentsOf(context),
    ldtr: segmentOf(context, "LDTR"),
    tr: segmentOf(context, "TR"),
    gdtr: tableOf(context, "GDTR"),
    idtr: tableOf(context, "IDTR"),
    pdptes: Object.freeze(usesPdptes(context) ? [...guestPdptes(context)] : []),
  });
}

/** Loads the guest-state area, checked before. Translations are for the caller to invalidate, once the guest runs. */
export function loadGuestState(port: ProcessorPort, context: EntryContext): void {
  const { image } = context;
  loadSystem(port, context);
  port.setRegister(RSP, wordOf(image, "Guest RSP"), upperOf(image, "Guest RSP"));
  port.setEflags(wordOf(image, "Guest RFLAGS"));
  port.nextEip = port.codeBits === 64 ? linearOf(image, "Guest RIP") : wordOf(image, "Guest RIP");
  const blocking = wordOf(image, "Guest interruptibility state");
  const debug = wordOf(image, "Guest pending debug exceptions");
  port.setBetween({
    halted: wordOf(image, "Guest activity state") === ACTIVITY.HLT,
    shadow:
      (blocking & INTERRUPTIBILITY.STI) !== 0 ? "sti" : (blocking & INTERRUPTIBILITY.MOV_SS) !== 0 ? "mov-ss" : "none",
    pending: {
      debug: debug & (PENDING_DEBUG.BREAKPOINTS | PENDING_DEBUG.BS),
      nmi: port.between.pending.nmi,
      nmiBlocked: (blocking & INTERRUPTIBILITY.NMI) !== 0,
    },
  });
}

const RATE = 2 ** TIMER_SHIFT;

/** The tick at which the preemption timer, which counts when a bit of the counter of ticks changes, has counted down from a value. */
export const timerExpiry = (port: ProcessorPort, value: number): number =>
  value === 0 ? Number(port.timestamp) : (Math.floor(Number(port.timestamp) / RATE) + value) * RATE;

/** What is left of it now. */
const timerLeft = (port: ProcessorPort, expiry: number): number =>
  Math.max(0, Math.floor(expiry / RATE) - Math.floor(Number(port.timestamp) / RATE));

function saveSegment(port: ProcessorPort, vmcs: number, name: GuestSegmentName, segment: Segment): void {
  const { selector, base, limit, access } = segment;
  // The DPL of SS is the privilege, usable or not.
  const level = name === "SS" ? port.cpl << 5 : 0;
  writeWord(port, vmcs, `Guest ${name} selector`, selector);
  writeAddress(port, vmcs, `Guest ${name} base`, base);
  writeWord(port, vmcs, `Guest ${name} limit`, limit);
  writeWord(port, vmcs, `Guest ${name} access rights`, access === 0 ? UNUSABLE | level : access);
}

function saveSystem(port: ProcessorPort, vmcs: number, exit: number, guest: VmxGuest): void {
  const { system } = port;
  const { cr0, cr3, cr4, efer, debug, msrs, segments, ldtr, tr, pdptes } = system;
  writeWord(port, vmcs, "Guest CR0", cr0);
  writeAddress(port, vmcs, "Guest CR3", cr3 < 0 ? cr3 >>> 0 : cr3);
  writeWord(port, vmcs, "Guest CR4", cr4);
  if (has(exit, EXIT["save debug controls"])) {
    writeWord(port, vmcs, "Guest DR7", debug[DR7]);
    writeWord(port, vmcs, "Guest IA32_DEBUGCTL", 0);
  }
  for (const name of ["IA32_SYSENTER_CS", "IA32_SYSENTER_ESP", "IA32_SYSENTER_EIP"] as const)
    writeField(port, vmcs, `Guest ${name}`, msrs[name] ?? 0n);
  if (has(exit, EXIT["save IA32_PAT"])) writeField(port, vmcs, "Guest IA32_PAT", msrs["IA32_PAT"] ?? RESET_PAT);
  if (has(exit, EXIT["save IA32_EFER"])) writeWord(port, vmcs, "Guest IA32_EFER", efer);
  for (const [key, name] of Object.entries(segmentNames) as [SegmentName, GuestSegmentName][])
    saveSegment(port, vmcs, name, segments[key]);
  saveSegment(port, vmcs, "LDTR", ldtr);
  saveSegment(port, vmcs, "TR", tr);
  for (const [key, name] of [
    ["gdtr", "GDTR"],
    ["idtr", "IDTR"],
  ] as const) {
    writeAddress(port, vmcs, `Guest ${name} base`, system[key].base);
    writeWord(port, vmcs, `Guest ${name} limit`, system[key].limit);
  }
  if (guest.eptp === undefined || pdptes.length === 0) return;
  for (const index of [0, 1, 2, 3] as const)
    writeHalves(port, vmcs, `Guest PDPTE${index}`, pdptes[2 * index]!, pdptes[2 * index + 1]!);
}
/** Spec: SDM Vol. 3A, "IA32_PAT MSR". */
const RESET_PAT = 0x0007_0406_0007_0406n;

function saveBetween(port: ProcessorPort, vmcs: number): void {
  const { halted, shadow, pending } = port.between;
  const blocking = shadow === "sti" ? INTERRUPTIBILITY.STI : shadow === "mov-ss" ? INTERRUPTIBILITY.MOV_SS : 0;
  const met = pending.debug & PENDING_DEBUG.BREAKPOINTS;
  writeWord(port, vmcs, "Guest activity state", halted ? ACTIVITY.HLT : ACTIVITY.ACTIVE);
  writeWord(port, vmcs, "Guest interruptibility state", blocking | (pending.nmiBlocked ? INTERRUPTIBILITY.NMI : 0));
  writeWord(
    port,
    vmcs,
    "Guest pending debug exceptions",
    met | (met === 0 ? 0 : PENDING_DEBUG.ENABLED) | (pending.debug & PENDING_DEBUG.BS),
  );
}

/** Saves the guest-state area; execution would go on at `rip`. */
export function saveGuestState(port: ProcessorPort, vmcs: number, exit: number, guest: VmxGuest, rip: number): void {
  saveSystem(port, vmcs, exit, guest);
  writeHalves(port, vmcs, "Guest RSP", port.getRegister(RSP), port.getRegisterHigh(RSP));
  writeHalves(port, vmcs, "Guest RIP", rip | 0, highWord(rip));
  writeWord(port, vmcs, "Guest RFLAGS", port.getEflags());
  saveBetween(port, vmcs);
  if (savesLongMode(models[port.system.model])) {
    const mode = ENTRY["IA-32e mode guest"];
    const entry = readWord(port, vmcs, "VM-entry controls");
    writeWord(port, vmcs, "VM-entry controls", isLong(port.system) ? entry | mode : entry & ~mode);
  }
  if (guest.preemption !== undefined && has(exit, EXIT["save VMX-preemption timer value"]))
    writeWord(port, vmcs, "VMX-preemption timer value", timerLeft(port, guest.preemption));
}

/** Whether a host or guest with these registers has PDPTE registers. */
export const hasPdptes = (cr0: number, cr4: number, long: boolean): boolean =>
  (cr0 & CR0.PG) !== 0 && (cr4 & CR4.PAE) !== 0 && !long;
