/**
 * The guest-state area: loaded by VM entry, saved by VM exit.
 * Spec: SDM Vol. 3C, "Loading Guest State", "Saving Guest State".
 */
import { type Model, models } from "../cpu/model.js";
import type { ProcessorPort } from "../cpu/processor.js";
import { sharedSegment, sharedTable, withDebug, withMsrs } from "../cpu/shared-records.js";
import { CR0, CR4, EFER, isLong, type Segment, type SystemState, type TableRegister } from "../cpu/state.js";
import { savesLongMode, TIMER_SHIFT } from "./capabilities.js";
import type { EntryContext } from "./check-context.js";
import { ENTRY, EXIT, has } from "./controls.js";
import type { GuestSegmentName } from "./fields.js";
import { ACTIVITY, guestPdptes, INTERRUPTIBILITY, PENDING_DEBUG, usesPdptes } from "./guest-checks.js";
import type { HostRegisters, KnownEntry } from "./known-entries.js";
import { UNUSABLE } from "./segment-checks.js";
import type { VmxGuest } from "./state.js";
import { addressAt, indexOf, quadAt, setAddress, setHalves, setQuad, type VmcsImage, wordOf } from "./vmcs.js";

const RSP = 4;
const DR6 = 4;
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

const loadedDr7 = (value: number): number => (value & 0xffff23ff) | 0x400;

/** Where the registers SYSENTER works with, and PAT, are in an image. */
const msrsOf = (whose: "Guest" | "Host") => ({
  cs: indexOf(`${whose} IA32_SYSENTER_CS`),
  esp: indexOf(`${whose} IA32_SYSENTER_ESP`),
  eip: indexOf(`${whose} IA32_SYSENTER_EIP`),
  pat: indexOf(`${whose} IA32_PAT`),
});
const MSRS = { Guest: msrsOf("Guest"), Host: msrsOf("Host") } as const;

/** The registers SYSENTER works with, and PAT where it is loaded. */
export function loadedMsrs(
  msrs: SystemState["msrs"],
  image: VmcsImage,
  whose: "Guest" | "Host",
  pat: boolean,
): SystemState["msrs"] {
  const at = MSRS[whose];
  const IA32_SYSENTER_CS = BigInt(image[at.cs]!);
  const IA32_SYSENTER_ESP = quadAt(image, at.esp);
  const IA32_SYSENTER_EIP = quadAt(image, at.eip);
  const sysenter = { IA32_SYSENTER_CS, IA32_SYSENTER_ESP, IA32_SYSENTER_EIP };
  return withMsrs(msrs, pat ? { ...sysenter, IA32_PAT: quadAt(image, at.pat) } : sysenter);
}

/** Without "load IA32_EFER" the guest's mode decides LMA, and LME where paging is on. */
function loadedEfer({ image, entry }: EntryContext, old: number): number {
  if (has(entry, ENTRY["load IA32_EFER"])) return wordOf(image, "Guest IA32_EFER");
  const long = has(entry, ENTRY["IA-32e mode guest"]);
  const paged = (wordOf(image, "Guest CR0") & CR0.PG) !== 0;
  const active = long ? old | EFER.LMA : old & ~EFER.LMA;
  if (!paged) return active;
  return long ? active | EFER.LME : active & ~EFER.LME;
}

/** Where the parts of each segment register are. */
const partsOf = (name: GuestSegmentName) => ({
  selector: indexOf(`Guest ${name} selector`),
  base: indexOf(`Guest ${name} base`),
  limit: indexOf(`Guest ${name} limit`),
  rights: indexOf(`Guest ${name} access rights`),
});
type Parts = ReturnType<typeof partsOf>;
const SEGMENTS = {
  es: partsOf("ES"),
  cs: partsOf("CS"),
  ss: partsOf("SS"),
  ds: partsOf("DS"),
  fs: partsOf("FS"),
  gs: partsOf("GS"),
  ldtr: partsOf("LDTR"),
  tr: partsOf("TR"),
} as const;

/** Where the other registers are. */
const AT = {
  cr0: indexOf("Guest CR0"),
  cr3: indexOf("Guest CR3"),
  cr4: indexOf("Guest CR4"),
  dr7: indexOf("Guest DR7"),
  debugControl: indexOf("Guest IA32_DEBUGCTL"),
  efer: indexOf("Guest IA32_EFER"),
  rsp: indexOf("Guest RSP"),
  rip: indexOf("Guest RIP"),
  rflags: indexOf("Guest RFLAGS"),
  gdtr: { base: indexOf("Guest GDTR base"), limit: indexOf("Guest GDTR limit") },
  idtr: { base: indexOf("Guest IDTR base"), limit: indexOf("Guest IDTR limit") },
  pdptes: ([0, 1, 2, 3] as const).map((index) => indexOf(`Guest PDPTE${index}`)),
  activity: indexOf("Guest activity state"),
  interruptibility: indexOf("Guest interruptibility state"),
  pendingDebug: indexOf("Guest pending debug exceptions"),
  timer: indexOf("VMX-preemption timer value"),
  entryControls: indexOf("VM-entry controls"),
} as const;

/** A linear address as it is where the guest is: signed in IA-32e mode alone. */
const baseAt = (image: VmcsImage, at: number, long: boolean): number => (long ? addressAt(image, at) : image[at]!);

function segmentAt(image: VmcsImage, { selector, base, limit, rights }: Parts, long: boolean): Segment {
  const access = image[rights]!;
  return sharedSegment(
    image[selector]!,
    baseAt(image, base, long),
    image[limit]!,
    (access & UNUSABLE) !== 0 ? 0 : access & 0xf0ff,
  );
}

const tableAt = (image: VmcsImage, { base, limit }: { base: number; limit: number }, long: boolean): TableRegister =>
  sharedTable(baseAt(image, base, long), image[limit]!);

const NO_PDPTES: readonly number[] = Object.freeze([]);

/** Control, debug and model-specific registers, segments and tables. */
function systemOf(system: SystemState, context: EntryContext): Partial<SystemState> {
  const { image, model, entry } = context;
  const { debug } = system;
  const long = has(entry, ENTRY["IA-32e mode guest"]);
  const segment = (parts: Parts): Segment => segmentAt(image, parts, long);
  return {
    cr3: loadedCr3(model, image[AT.cr3]!, image[AT.cr3 + 1]!),
    cr0: loadedCr0(system.cr0, image[AT.cr0]!),
    cr4: image[AT.cr4]! | 0,
    efer: loadedEfer(context, system.efer),
    debug: has(entry, ENTRY["load debug controls"]) ? withDebug(debug, debug[DR6], loadedDr7(image[AT.dr7]!)) : debug,
    msrs: loadedMsrs(system.msrs, image, "Guest", has(entry, ENTRY["load IA32_PAT"])),
    segments: {
      es: segment(SEGMENTS.es),
      cs: segment(SEGMENTS.cs),
      ss: segment(SEGMENTS.ss),
      ds: segment(SEGMENTS.ds),
      fs: segment(SEGMENTS.fs),
      gs: segment(SEGMENTS.gs),
    },
    ldtr: segment(SEGMENTS.ldtr),
    tr: segment(SEGMENTS.tr),
    gdtr: tableAt(image, AT.gdtr, long),
    idtr: tableAt(image, AT.idtr, long),
    pdptes: usesPdptes(context) ? Object.freeze([...guestPdptes(context)]) : NO_PDPTES,
  };
}

const isSameHost = (a: HostRegisters, b: HostRegisters): boolean =>
  a.cr0 === b.cr0 && a.efer === b.efer && a.debug === b.debug && a.msrs === b.msrs;

function loadSystem(port: ProcessorPort, context: EntryContext, known: KnownEntry | undefined): void {
  const { system } = port;
  const loaded = known?.loaded;
  if (loaded !== undefined && isSameHost(loaded.from, system)) {
    port.setSystem(loaded.change);
    return;
  }
  const change = systemOf(system, context);
  const { cr0, efer, debug, msrs } = system;
  if (known !== undefined) known.loaded = { from: { cr0, efer, debug, msrs }, change };
  port.setSystem(change);
}

/** Loads the guest-state area, checked before. Translations are for the caller to invalidate, once the guest runs. */
export function loadGuestState(port: ProcessorPort, context: EntryContext, known: KnownEntry | undefined): void {
  const { image } = context;
  loadSystem(port, context, known);
  port.setRegister(RSP, image[AT.rsp]!, image[AT.rsp + 1]!);
  port.setEflags(image[AT.rflags]!);
  port.nextEip = port.codeBits === 64 ? addressAt(image, AT.rip) : image[AT.rip]!;
  const blocking = image[AT.interruptibility]!;
  const debug = image[AT.pendingDebug]!;
  port.setBetween({
    halted: image[AT.activity] === ACTIVITY.HLT,
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
  value === 0 ? port.now : (Math.floor(port.now / RATE) + value) * RATE;

/** What is left of it now. */
const timerLeft = (port: ProcessorPort, expiry: number): number =>
  Math.max(0, Math.floor(expiry / RATE) - Math.floor(port.now / RATE));

/** The DPL of SS is the privilege, usable or not. */
function saveSegment(image: VmcsImage, parts: Parts, { selector, base, limit, access }: Segment, level = 0): void {
  image[parts.selector] = selector;
  setAddress(image, parts.base, base);
  image[parts.limit] = limit;
  image[parts.rights] = access === 0 ? UNUSABLE | level : access;
}

function saveTable(image: VmcsImage, at: { base: number; limit: number }, { base, limit }: TableRegister): void {
  setAddress(image, at.base, base);
  image[at.limit] = limit;
}

function saveSystem(port: ProcessorPort, image: VmcsImage, exit: number, guest: VmxGuest): void {
  const { system } = port;
  const { cr0, cr3, cr4, efer, debug, msrs, segments, ldtr, tr, gdtr, idtr, pdptes } = system;
  setHalves(image, AT.cr0, cr0, 0);
  setAddress(image, AT.cr3, cr3 < 0 ? cr3 >>> 0 : cr3);
  setHalves(image, AT.cr4, cr4, 0);
  if (has(exit, EXIT["save debug controls"])) {
    setHalves(image, AT.dr7, debug[DR7], 0);
    setHalves(image, AT.debugControl, 0, 0);
  }
  const at = MSRS.Guest;
  image[at.cs] = Number(BigInt.asUintN(32, msrs["IA32_SYSENTER_CS"] ?? 0n));
  setQuad(image, at.esp, msrs["IA32_SYSENTER_ESP"] ?? 0n);
  setQuad(image, at.eip, msrs["IA32_SYSENTER_EIP"] ?? 0n);
  if (has(exit, EXIT["save IA32_PAT"])) setQuad(image, at.pat, msrs["IA32_PAT"] ?? RESET_PAT);
  if (has(exit, EXIT["save IA32_EFER"])) setHalves(image, AT.efer, efer, 0);
  saveSegment(image, SEGMENTS.es, segments.es);
  saveSegment(image, SEGMENTS.cs, segments.cs);
  saveSegment(image, SEGMENTS.ss, segments.ss, port.cpl << 5);
  saveSegment(image, SEGMENTS.ds, segments.ds);
  saveSegment(image, SEGMENTS.fs, segments.fs);
  saveSegment(image, SEGMENTS.gs, segments.gs);
  saveSegment(image, SEGMENTS.ldtr, ldtr);
  saveSegment(image, SEGMENTS.tr, tr);
  saveTable(image, AT.gdtr, gdtr);
  saveTable(image, AT.idtr, idtr);
  if (guest.eptp === undefined || pdptes.length === 0) return;
  for (const index of [0, 1, 2, 3] as const)
    setHalves(image, AT.pdptes[index]!, pdptes[2 * index]!, pdptes[2 * index + 1]!);
}
/** Spec: SDM Vol. 3A, "IA32_PAT MSR". */
const RESET_PAT = 0x0007_0406_0007_0406n;

function saveBetween(port: ProcessorPort, image: VmcsImage): void {
  const { halted, shadow, pending } = port.between;
  const blocking = shadow === "sti" ? INTERRUPTIBILITY.STI : shadow === "mov-ss" ? INTERRUPTIBILITY.MOV_SS : 0;
  const met = pending.debug & PENDING_DEBUG.BREAKPOINTS;
  image[AT.activity] = halted ? ACTIVITY.HLT : ACTIVITY.ACTIVE;
  image[AT.interruptibility] = blocking | (pending.nmiBlocked ? INTERRUPTIBILITY.NMI : 0);
  const debug = met | (met === 0 ? 0 : PENDING_DEBUG.ENABLED) | (pending.debug & PENDING_DEBUG.BS);
  setHalves(image, AT.pendingDebug, debug, 0);
}

/** Saves the guest-state area; execution would go on at `rip`. */
export function saveGuestState(
  port: ProcessorPort,
  image: VmcsImage,
  exit: number,
  guest: VmxGuest,
  rip: number,
): void {
  saveSystem(port, image, exit, guest);
  setHalves(image, AT.rsp, port.getRegister(RSP), port.getRegisterHigh(RSP));
  setAddress(image, AT.rip, rip);
  setHalves(image, AT.rflags, port.getEflags(), 0);
  saveBetween(port, image);
  if (savesLongMode(models[port.system.model])) {
    const mode = ENTRY["IA-32e mode guest"];
    const entry = image[AT.entryControls]!;
    image[AT.entryControls] = isLong(port.system) ? entry | mode : entry & ~mode;
  }
  if (guest.preemption !== undefined && has(exit, EXIT["save VMX-preemption timer value"]))
    image[AT.timer] = timerLeft(port, guest.preemption);
}

/** Whether a host or guest with these registers has PDPTE registers. */
export const hasPdptes = (cr0: number, cr4: number, long: boolean): boolean =>
  (cr0 & CR0.PG) !== 0 && (cr4 & CR4.PAE) !== 0 && !long;
