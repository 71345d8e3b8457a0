/**
 * The processor's state in the state-save area of a VMCB: what VMRUN and #VMEXIT move, and what VMLOAD and VMSAVE do.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "VMRUN", "#VMEXIT", "VMSAVE and VMLOAD Instructions", "Segment State
 * in the VMCB"; Vol. 3, VMLOAD, VMSAVE.
 */
import { models } from "../cpu/model.js";
import { type ProcessorPort, Unsupported } from "../cpu/processor.js";
import { addressOf, highWord } from "../cpu/quadwords.js";
import { sharedSegment, sharedTable, withDebug, withMsrs } from "../cpu/shared-records.js";
import {
  ACCESS,
  CR0,
  cplOf,
  EFER,
  FLAG,
  NULL_SEGMENT,
  type Segment,
  type SystemState,
  type TableRegister,
} from "../cpu/state.js";
import { indexOf, newImage, quadAt, readImage, setQuad, type VmcbImage, writeImage } from "./vmcb.js";

const [RAX, RSP] = [0, 4] as const;
const WORD = 0xffff_ffffn;

/** A base as it is loaded: bits 48 to 63 become those of bit 47. */
const canonical = (low: number, high: number): number => addressOf(low, (high << 16) >> 16);
const lowWord = (value: bigint): number => Number(value & WORD);

/** Bits 12 to 15 of `Segment.access` are bits 8 to 11 of an attribute. */
export const attributeOf = (access: number): number => (access & 0xff) | ((access >>> 4) & 0xf00);
export const accessOf = (attribute: number): number => (attribute & 0xff) | ((attribute & 0xf00) << 4);

/** Where fields are in an image. Of a segment selector and attribute come first, then limit and base. */
const AT = {
  es: indexOf("ES.selector"),
  cs: indexOf("CS.selector"),
  ss: indexOf("SS.selector"),
  ds: indexOf("DS.selector"),
  fs: indexOf("FS.selector"),
  gs: indexOf("GS.selector"),
  ldtr: indexOf("LDTR.selector"),
  tr: indexOf("TR.selector"),
  gdtr: indexOf("GDTR.limit"),
  idtr: indexOf("IDTR.limit"),
  cpl: indexOf("CPL"),
  efer: indexOf("EFER"),
  cr0: indexOf("CR0"),
  cr2: indexOf("CR2"),
  cr3: indexOf("CR3"),
  cr4: indexOf("CR4"),
  dr6: indexOf("DR6"),
  dr7: indexOf("DR7"),
  rflags: indexOf("RFLAGS"),
  rip: indexOf("RIP"),
  rsp: indexOf("RSP"),
  rax: indexOf("RAX"),
  pat: indexOf("G_PAT"),
} as const;

const setAddress = (image: VmcbImage, at: number, address: number): void =>
  setQuad(image, at, address | 0, highWord(address));

function putSegment(image: VmcbImage, at: number, { selector, access, limit, base }: Segment): void {
  image[at] = selector | (attributeOf(access) << 16);
  image[at + 1] = limit;
  setAddress(image, at + 2, base);
}

type MakeAccess = (access: number) => number;

function takeSegment(image: VmcbImage, at: number, make: MakeAccess, wide: boolean): Segment {
  const selector = image[at]! & 0xffff;
  const access = make(accessOf(image[at]! >>> 16));
  const limit = image[at + 1]!;
  const base = wide ? canonical(image[at + 2]!, image[at + 3]!) : image[at + 2]!;
  if (selector === 0 && access === 0 && base === 0 && limit === 0) return NULL_SEGMENT;
  return sharedSegment(selector, base, limit, access);
}

/** A data segment that is not present is null. */
const dataAccess: MakeAccess = (access) => ((access & ACCESS.PRESENT) === 0 ? 0 : access | ACCESS.S | ACCESS.ACCESSED);
/** SS counts as present in 64-bit mode, but a null one has no attributes at all. */
const stackAccess64: MakeAccess = (access) => (access === 0 ? 0 : access | ACCESS.S | ACCESS.ACCESSED | ACCESS.PRESENT);
const codeAccess: MakeAccess = (access) => access | ACCESS.S | ACCESS.CODE | ACCESS.ACCESSED | ACCESS.PRESENT;
/** Code of real mode may be written through CS. */
const realCodeAccess: MakeAccess = (access) =>
  (access & (ACCESS.BIG | ACCESS.GRANULAR)) | ACCESS.PRESENT | ACCESS.S | ACCESS.WRITABLE | ACCESS.ACCESSED;
/** Every segment of virtual-8086 mode. */
const virtual8086Access: MakeAccess = () => 0xf3;
const LDT = 2;
const BUSY = 2;
const ldtAccess: MakeAccess = (access) => ((access & ACCESS.PRESENT) === 0 ? 0 : ACCESS.PRESENT | LDT);
/** Whether it is one of 32 bits is all that counts of a TSS: it is present and busy. */
const taskAccess: MakeAccess = (access) => (access & 8) | 1 | BUSY | ACCESS.PRESENT;

function putTable(image: VmcbImage, at: number, { base, limit }: TableRegister): void {
  image[at] = limit;
  setAddress(image, at + 1, base);
}

const takeTable = (image: VmcbImage, at: number, wide: boolean): TableRegister =>
  sharedTable(wide ? canonical(image[at + 1]!, image[at + 2]!) : image[at + 1]!, image[at]! & 0xffff);

const PAT = "IA32_PAT";
const PAT_AT_RESET = 0x0007_0406_0007_0406n;
const CPL_SHIFT = 24;

/** What VMRUN and #VMEXIT move, saved; `rip` is where execution is to go on. */
export function saveState(port: ProcessorPort, image: VmcbImage, rip: number): void {
  const { system } = port;
  const { segments, debug, efer } = system;
  const long = (efer & EFER.LMA) !== 0;
  const eflags = port.getEflags();
  putSegment(image, AT.es, segments.es);
  putSegment(image, AT.cs, segments.cs);
  putSegment(image, AT.ss, segments.ss);
  putSegment(image, AT.ds, segments.ds);
  putTable(image, AT.gdtr, system.gdtr);
  putTable(image, AT.idtr, system.idtr);
  image[AT.cpl] = (image[AT.cpl]! & (2 ** CPL_SHIFT - 1)) | (cplOf(system, eflags) << CPL_SHIFT);
  setQuad(image, AT.efer, efer, 0);
  setQuad(image, AT.cr4, system.cr4, 0);
  setAddress(image, AT.cr3, system.cr3 < 0 ? system.cr3 >>> 0 : system.cr3);
  setAddress(image, AT.cr2, long ? system.cr2 : system.cr2 >>> 0);
  setQuad(image, AT.cr0, system.cr0, 0);
  setQuad(image, AT.dr7, debug[5], 0);
  setQuad(image, AT.dr6, debug[4], 0);
  setQuad(image, AT.rflags, eflags, 0);
  setAddress(image, AT.rip, port.codeBits === 64 ? rip : rip >>> 0);
  setQuad(image, AT.rsp, port.getRegister(RSP), port.getRegisterHigh(RSP));
  setQuad(image, AT.rax, port.getRegister(RAX), port.getRegisterHigh(RAX));
}

/** The PAT is exchanged with nested paging alone. */
export function savePat(port: ProcessorPort, image: VmcbImage): void {
  const pat = port.system.msrs[PAT] ?? PAT_AT_RESET;
  if (pat !== quadAt(image, AT.pat)) setQuad(image, AT.pat, lowWord(pat), lowWord(pat >> 32n));
}
export const loadPat = (port: ProcessorPort, image: VmcbImage): void =>
  setRegisters(port, { [PAT]: quadAt(image, AT.pat) });

function setRegisters(port: ProcessorPort, values: Readonly<Record<string, bigint>>): void {
  const { msrs } = port.system;
  const loaded = withMsrs(msrs, values);
  if (loaded !== msrs) port.setSystem({ msrs: loaded });
}

/** LMA follows from LME and paging. */
function loadedEfer(efer: number, cr0: number): number {
  const long = (efer & EFER.LME) !== 0 && (cr0 & CR0.PG) !== 0;
  return long ? efer | EFER.LMA : efer & ~EFER.LMA;
}

/** Control registers, tables and debug registers of a state-save area. */
function loadedSystem(port: ProcessorPort, image: VmcbImage): Partial<SystemState> & { readonly efer: number } {
  const { model, debug } = port.system;
  const cr0 = (image[AT.cr0]! & models[model].cr0) | CR0.ET;
  const efer = loadedEfer(image[AT.efer]!, cr0);
  const long = (efer & EFER.LMA) !== 0;
  const cr3 = long ? image[AT.cr3 + 1]! * 2 ** 32 + image[AT.cr3]! : image[AT.cr3]!;
  const dr6 = (image[AT.dr6]! & 0xe00f) | 0xffff0ff0;
  const dr7 = (image[AT.dr7]! & 0xffff23ff) | 0x400;
  return {
    efer,
    cr0,
    cr2: long ? addressOf(image[AT.cr2]!, image[AT.cr2 + 1]!) : image[AT.cr2]! | 0,
    cr3: cr3 < 2 ** 32 ? cr3 | 0 : cr3,
    cr4: image[AT.cr4]! | 0,
    gdtr: takeTable(image, AT.gdtr, long),
    idtr: takeTable(image, AT.idtr, long),
    debug: withDebug(debug, dr6, dr7),
    pdptes: NO_PDPTES,
  };
}
const NO_PDPTES: readonly number[] = Object.freeze([]);

const FLAGS = 0x3f7fd7;

/** How attributes of ES, CS, SS and DS become access rights in the mode that was loaded. */
function makers(
  real: boolean,
  virtual: boolean,
  code64: boolean,
): Readonly<Record<"es" | "cs" | "ss" | "ds", MakeAccess>> {
  if (virtual) return virtualMakers;
  return real ? realMakers : code64 ? makers64 : protectedMakers;
}
const protectedMakers = { es: dataAccess, cs: codeAccess, ss: dataAccess, ds: dataAccess };
const realMakers = { ...protectedMakers, cs: realCodeAccess };
const makers64 = { ...protectedMakers, ss: stackAccess64 };
const virtualMakers = { es: virtual8086Access, cs: virtual8086Access, ss: virtual8086Access, ds: virtual8086Access };

/** Loads what `saveState` saves, checked before. */
export function loadState(port: ProcessorPort, image: VmcbImage): void {
  const change = loadedSystem(port, image);
  port.setSystem(change);
  const long = (change.efer & EFER.LMA) !== 0;
  const real = (port.system.cr0 & CR0.PE) === 0;
  const flags = (image[AT.rflags]! & FLAGS) | FLAG.RESERVED;
  const eflags = long ? flags & ~FLAG.VM : flags;
  const long64 = long && (accessOf(image[AT.cs]! >>> 16) & ACCESS.LONG) !== 0;
  const make = makers(real, !real && (eflags & FLAG.VM) !== 0, long64);
  port.setSegment("es", takeSegment(image, AT.es, make.es, false));
  port.setSegment("cs", takeSegment(image, AT.cs, make.cs, false));
  port.setSegment("ss", takeSegment(image, AT.ss, make.ss, false));
  port.setSegment("ds", takeSegment(image, AT.ds, make.ds, false));
  port.setEflags(eflags);
  port.setRegister(RSP, image[AT.rsp]!, image[AT.rsp + 1]!);
  port.setRegister(RAX, image[AT.rax]!, image[AT.rax + 1]!);
  port.nextEip = long64 ? addressOf(image[AT.rip]!, image[AT.rip + 1]!) : image[AT.rip]!;
  port.invalidate();
  const level = image[AT.cpl]! >>> CPL_SHIFT;
  if (!real && level !== cplOf(port.system, eflags))
    throw new Unsupported(`VMRUN with a CPL (${level}) that is not the RPL of CS`);
}

/** Registers that VMLOAD and VMSAVE move: where they are, and of how many bits, or "address". */
const fast = (
  [
    ["STAR", "IA32_STAR", 64],
    ["LSTAR", "IA32_LSTAR", "address"],
    ["CSTAR", "IA32_CSTAR", "address"],
    ["SFMASK", "IA32_FMASK", 32],
    ["KernelGsBase", "IA32_KERNEL_GS_BASE", "address"],
    ["SYSENTER_CS", "IA32_SYSENTER_CS", 32],
    ["SYSENTER_ESP", "IA32_SYSENTER_ESP", "address"],
    ["SYSENTER_EIP", "IA32_SYSENTER_EIP", "address"],
  ] as const
).map(([field, register, kind]) => ({ at: indexOf(field), register, kind }));

const found = newImage();
const image = newImage();

/** What VMSAVE does. */
export function saveRest(port: ProcessorPort, vmcb: number): void {
  const { segments, ldtr, tr, msrs } = port.system;
  readImage(port, vmcb, found);
  image.set(found);
  putSegment(image, AT.fs, segments.fs);
  putSegment(image, AT.gs, segments.gs);
  putSegment(image, AT.ldtr, ldtr);
  putSegment(image, AT.tr, tr);
  for (const { at, register } of fast) {
    const value = msrs[register] ?? 0n;
    if (value !== quadAt(image, at)) setQuad(image, at, lowWord(value), lowWord(value >> 32n));
  }
  writeImage(port, vmcb, image, found);
}

const kept = (low: number, high: number, kind: 32 | 64 | "address"): bigint => {
  const value = (BigInt(kind === "address" ? (high << 16) >> 16 : high) << 32n) | BigInt(low);
  return BigInt.asUintN(kind === 32 ? 32 : 64, value);
};

/** What VMLOAD does. */
export function loadRest(port: ProcessorPort, vmcb: number): void {
  readImage(port, vmcb, image);
  port.setSegment("fs", takeSegment(image, AT.fs, dataAccess, true));
  port.setSegment("gs", takeSegment(image, AT.gs, dataAccess, true));
  port.setSystem({
    ldtr: takeSegment(image, AT.ldtr, ldtAccess, true),
    tr: takeSegment(image, AT.tr, taskAccess, true),
  });
  const values = fast.map(({ at, register, kind }) => [register, kept(image[at]!, image[at + 1]!, kind)] as const);
  setRegisters(port, Object.fromEntries(values));
}
