/**
 * A virtual processor in a VMCB and back. Control registers are the guest's own; EFER.SVME alone is set for every guest and not
 * shown, and what VMLOAD moves is in the processor as long as the guest has it.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "VMRUN", "VMSAVE and VMLOAD Instructions", "Nested Paging".
 */
import { usesPae } from "../../../hardware/cpu/control-registers.js";
import type { Segment, SegmentName, Shadow, SystemState, TableRegister } from "../../../hardware/cpu/state.js";
import { type CpuState, CR0, codeBitsOf, cplOf, EFER } from "../../../hardware/cpu/state.js";
import { accessOf, attributeOf } from "../../../hardware/svm/state-save.js";
import { cr3Of, hasTask, OWN_MSRS, sharedSystem, sysenterMsrs, writtenSysenter } from "../guest-registers.js";
import type { Polling } from "../polling.js";
import {
  addressAt,
  fieldOf,
  lowOf,
  numberOf,
  putAddress,
  putNumber,
  putQuad,
  putWords,
  type VmcbImage,
} from "./vmcb.js";

/** Addresses of what virtual processors of one VM share. */
export interface SvmShared {
  /** Nested tables. */
  readonly root: number;
  readonly ports: number;
  readonly msrs: number;
}

/** What the technique keeps of a VM, or of one of its virtual processors, beside its VMCB. */
export interface SvmOwn extends Polling {
  readonly vmcb: number;
  /** What several virtual processors share. */
  readonly shared?: SvmShared;
  /** TR before the guest has loaded it: in the processor it is a TSS all the same. */
  readonly tr: Segment | undefined;
}

const stateSegments = ["es", "cs", "ss", "ds"] as const satisfies readonly SegmentName[];

function putSegment(image: VmcbImage, name: string, { selector, base, limit, access }: Segment): void {
  putNumber(image, `${name}.selector`, selector);
  putNumber(image, `${name}.attrib`, attributeOf(access));
  putNumber(image, `${name}.limit`, limit);
  putAddress(image, `${name}.base`, base);
}

const segmentAt = (image: VmcbImage, name: string): Segment =>
  Object.freeze({
    selector: numberOf(image, `${name}.selector`),
    base: addressAt(image, `${name}.base`),
    limit: numberOf(image, `${name}.limit`),
    access: accessOf(numberOf(image, `${name}.attrib`)),
  });

function putTable(image: VmcbImage, name: string, { base, limit }: TableRegister): void {
  putNumber(image, `${name}.limit`, limit);
  putAddress(image, `${name}.base`, base);
}

const tableAt = (image: VmcbImage, name: string): TableRegister =>
  Object.freeze({ base: addressAt(image, `${name}.base`), limit: numberOf(image, `${name}.limit`) });

const PAT_AT_RESET = 0x0007_0406_0007_0406n;

/** What VMRUN loads of the guest. */
export function putState(image: VmcbImage, { system, eip, eflags, shadow, wide, eax, esp }: CpuState): void {
  const { cr0, cr2, cr3, cr4, efer, debug, segments } = system;
  const long = (efer & EFER.LMA) !== 0;
  for (const name of stateSegments) putSegment(image, name.toUpperCase(), segments[name]);
  putTable(image, "GDTR", system.gdtr);
  putTable(image, "IDTR", system.idtr);
  putNumber(image, "CPL", cplOf(system, eflags));
  putWords(image, "EFER", efer | EFER.SVME, 0);
  putWords(image, "CR0", cr0, 0);
  putAddress(image, "CR2", long ? cr2 : cr2 >>> 0);
  putAddress(image, "CR3", cr3 < 0 ? cr3 >>> 0 : cr3);
  putWords(image, "CR4", cr4, 0);
  putWords(image, "DR6", debug[4], 0);
  putWords(image, "DR7", debug[5], 0);
  putWords(image, "RFLAGS", eflags, 0);
  putAddress(image, "RIP", codeBitsOf(system) === 64 ? eip : eip >>> 0);
  putWords(image, "RAX", eax, wide[0]!);
  putWords(image, "RSP", esp, wide[4]!);
  putQuad(image, "G_PAT", system.msrs["IA32_PAT"] ?? PAT_AT_RESET);
  putNumber(image, "INTERRUPT_SHADOW", shadow === "none" ? 0 : 1);
}

/** Fields of the MSRs that VMLOAD moves. */
const movedMsrs = {
  IA32_STAR: "STAR",
  IA32_LSTAR: "LSTAR",
  IA32_CSTAR: "CSTAR",
  IA32_FMASK: "SFMASK",
  IA32_KERNEL_GS_BASE: "KernelGsBase",
  IA32_SYSENTER_CS: "SYSENTER_CS",
  IA32_SYSENTER_ESP: "SYSENTER_ESP",
  IA32_SYSENTER_EIP: "SYSENTER_EIP",
} as const;

/** A processor's TR is always a TSS: before a guest loads it, it is one of 32 bits, with which long mode can be entered. */
const BUSY_TSS = 0x8b;

/** What VMLOAD loads. */
export function putRest(image: VmcbImage, { segments, ldtr, tr, msrs }: SystemState): void {
  putSegment(image, "FS", segments.fs);
  putSegment(image, "GS", segments.gs);
  putSegment(image, "LDTR", ldtr);
  putSegment(image, "TR", hasTask(tr) ? tr : { ...tr, access: BUSY_TSS });
  for (const [name, field] of Object.entries(movedMsrs)) putQuad(image, field, msrs[name] ?? 0n);
}

const sameSegment = (a: Segment, b: Segment): boolean =>
  a === b || (a.selector === b.selector && a.base === b.base && a.limit === b.limit && a.access === b.access);

/** TR as the guest sees it. */
const taskOf = (real: Segment, { tr }: SvmOwn): Segment =>
  tr !== undefined && real.selector === tr.selector && real.base === tr.base ? tr : real;

/** Whether the processor holds all that VMLOAD would load. */
export function holdsRest(real: SystemState, own: SvmOwn, { segments, ldtr, tr, msrs }: SystemState): boolean {
  return (
    sameSegment(real.segments.fs, segments.fs) &&
    sameSegment(real.segments.gs, segments.gs) &&
    sameSegment(real.ldtr, ldtr) &&
    sameSegment(taskOf(real.tr, own), tr) &&
    sysenterMsrs.every((name) => (real.msrs[name] ?? 0n) === (msrs[name] ?? 0n)) &&
    Object.keys(OWN_MSRS).every((name) => real.msrs[name] === msrs[name])
  );
}

/** What has to be kept of a guest beside its VMCB. */
export const ownOf = (own: SvmOwn, { tr }: SystemState): SvmOwn => ({ ...own, tr: hasTask(tr) ? undefined : tr });

/** SVME as the guest has written it, which leaves it; LMA follows from CR0 too, which does not. */
const seenEfer = (real: number, old: number): number => (real & ~EFER.SVME) | (old & EFER.SVME);

/** Registers of the processor that are the guest's, whether it runs or was left. */
const heldSystem = (real: SystemState, own: SvmOwn, old: SystemState): SystemState => {
  const shared = sharedSystem(real, old);
  return {
    ...shared,
    ldtr: real.ldtr,
    tr: taskOf(real.tr, own),
    segments: { ...old.segments, fs: real.segments.fs, gs: real.segments.gs },
    msrs: Object.freeze({ ...shared.msrs, ...writtenSysenter(old.msrs, (name) => real.msrs[name] ?? 0n) }),
    virtualization: undefined,
  };
};

/** Reads words of the guest's memory by its own addresses; undefined where it has none. */
export type GuestWords = (physical: number) => number | undefined;

const NO_PDPTES: readonly number[] = Object.freeze([]);

/** With nested paging PDPTE registers are what stands in memory. */
function pdptesOf({ cr0, cr3, cr4, efer }: SystemState, read: GuestWords): readonly number[] {
  if ((cr0 & CR0.PG) === 0 || !usesPae(cr0, cr4, efer)) return NO_PDPTES;
  const table = (cr3 & ~31) >>> 0;
  return Object.freeze(Array.from({ length: 8 }, (_, index) => (read(table + 4 * index) ?? 0) | 0));
}

/**
 * The virtual processor when its guest was left. `real` is the processor, `old` what is in neither; general registers but RAX and
 * RSP, floating-point registers and events that wait are those of `held`.
 */
export function leftState(
  image: VmcbImage,
  real: SystemState,
  { own, old, read }: { readonly own: SvmOwn; readonly old: SystemState; readonly read: GuestWords },
  held: CpuState,
): CpuState {
  const base = heldSystem(real, own, old);
  const efer = seenEfer(lowOf(image, "EFER"), old.efer);
  const long = (efer & EFER.LMA) !== 0;
  const [dr0, dr1, dr2, dr3] = real.debug;
  const cr2 = addressAt(image, "CR2");
  const control: SystemState = {
    ...base,
    cr0: lowOf(image, "CR0") | 0,
    cr2: long ? cr2 : cr2 | 0,
    cr3: cr3Of(fieldOf(image, "CR3")),
    cr4: lowOf(image, "CR4") | 0,
    efer,
    gdtr: tableAt(image, "GDTR"),
    idtr: tableAt(image, "IDTR"),
    debug: Object.freeze([dr0, dr1, dr2, dr3, lowOf(image, "DR6") | 0, lowOf(image, "DR7") | 0] as const),
    segments: Object.freeze({
      ...base.segments,
      es: segmentAt(image, "ES"),
      cs: segmentAt(image, "CS"),
      ss: segmentAt(image, "SS"),
      ds: segmentAt(image, "DS"),
    }),
  };
  const system = Object.freeze({ ...control, pdptes: pdptesOf(control, read) });
  const words = (name: string): readonly [number, number] => {
    const value = fieldOf(image, name);
    return [Number(value & 0xffff_ffffn) | 0, Number(value >> 32n) | 0];
  };
  const [eax, highRax] = words("RAX");
  const [esp, highRsp] = words("RSP");
  const { wide } = held;
  const same = wide[0] === highRax && wide[4] === highRsp;
  const eip = addressAt(image, "RIP");
  const shadow: Shadow = numberOf(image, "INTERRUPT_SHADOW") === 0 ? "none" : "sti";
  return {
    ...held,
    eax,
    esp,
    wide: same ? wide : Object.freeze(wide.with(0, highRax).with(4, highRsp)),
    eip: codeBitsOf(system) === 64 ? eip : eip | 0,
    eflags: lowOf(image, "RFLAGS") | 0,
    system,
    halted: false,
    shadow,
  };
}

/** The guest's system state while it runs. */
export function runningSystem(real: SystemState, own: SvmOwn, old: SystemState): SystemState {
  const { msrs, tr } = heldSystem(real, own, old);
  return Object.freeze({
    ...real,
    model: old.model,
    random: old.random,
    efer: seenEfer(real.efer, old.efer),
    tr,
    msrs,
    virtualization: undefined,
  });
}
