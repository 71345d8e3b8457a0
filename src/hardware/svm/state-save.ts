/**
 * The processor's state in the state-save area of a VMCB: what VMRUN and #VMEXIT move, and what VMLOAD and VMSAVE do.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "VMRUN", "#VMEXIT", "VMSAVE and VMLOAD Instructions", "Segment State
 * in the VMCB"; Vol. 3, VMLOAD, VMSAVE.
 */
import { models } from "../cpu/model.js";
import { type ProcessorPort, Unsupported } from "../cpu/processor.js";
import { addressOf } from "../cpu/quadwords.js";
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
import { readField, readNumber, writeField } from "./vmcb.js";

const [RAX, RSP] = [0, 4] as const;
const WORD = 0xffff_ffffn;

/** An address or a base as it lies in memory. */
const unsigned = (address: number): bigint => BigInt.asUintN(64, BigInt(address));
/** A base as it is loaded: bits 48 to 63 become those of bit 47. */
const canonical = (value: bigint): number => Number(BigInt.asIntN(48, value));
const lowWord = (value: bigint): number => Number(value & WORD);

/** Bits 12 to 15 of `Segment.access` are bits 8 to 11 of an attribute. */
const attributeOf = (access: number): number => (access & 0xff) | ((access >>> 4) & 0xf00);
const accessOf = (attribute: number): number => (attribute & 0xff) | ((attribute & 0xf00) << 4);

function saveSegment(
  port: ProcessorPort,
  vmcb: number,
  name: string,
  { selector, access, limit, base }: Segment,
): void {
  writeField(port, vmcb, `${name}.selector`, selector);
  writeField(port, vmcb, `${name}.attrib`, attributeOf(access));
  writeField(port, vmcb, `${name}.limit`, limit);
  writeField(port, vmcb, `${name}.base`, unsigned(base));
}

type MakeAccess = (access: number) => number;

function loadSegment(port: ProcessorPort, vmcb: number, name: string, make: MakeAccess, wide: boolean): Segment {
  const selector = readNumber(port, vmcb, `${name}.selector`);
  const access = make(accessOf(readNumber(port, vmcb, `${name}.attrib`)));
  const value = readField(port, vmcb, `${name}.base`);
  const base = wide ? canonical(value) : lowWord(value);
  const limit = readNumber(port, vmcb, `${name}.limit`);
  if (selector === 0 && access === 0 && base === 0 && limit === 0) return NULL_SEGMENT;
  return Object.freeze({ selector, base, limit, access });
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

function saveTable(port: ProcessorPort, vmcb: number, name: string, { base, limit }: TableRegister): void {
  writeField(port, vmcb, `${name}.limit`, limit);
  writeField(port, vmcb, `${name}.base`, unsigned(base));
}

function loadTable(port: ProcessorPort, vmcb: number, name: string, wide: boolean): TableRegister {
  const value = readField(port, vmcb, `${name}.base`);
  const limit = readNumber(port, vmcb, `${name}.limit`) & 0xffff;
  return Object.freeze({ base: wide ? canonical(value) : lowWord(value), limit });
}

const register64 = (port: ProcessorPort, number: number): bigint =>
  (BigInt(port.getRegisterHigh(number) >>> 0) << 32n) | BigInt(port.getRegister(number) >>> 0);

const setRegister64 = (port: ProcessorPort, number: number, value: bigint): void =>
  port.setRegister(number, lowWord(value), lowWord(value >> 32n));

/** Which of the segments VMRUN and #VMEXIT move. */
const moved = ["es", "cs", "ss", "ds"] as const;
const PAT = "IA32_PAT";
const PAT_AT_RESET = 0x0007_0406_0007_0406n;

/** What VMRUN and #VMEXIT move, saved; `rip` is where execution is to go on. */
export function saveState(port: ProcessorPort, vmcb: number, rip: number): void {
  const { system } = port;
  const { segments, debug, efer } = system;
  const long = (efer & EFER.LMA) !== 0;
  const write = (name: string, value: bigint | number): void => writeField(port, vmcb, name, value);
  for (const name of moved) saveSegment(port, vmcb, name.toUpperCase(), segments[name]);
  saveTable(port, vmcb, "GDTR", system.gdtr);
  saveTable(port, vmcb, "IDTR", system.idtr);
  write("CPL", cplOf(system, port.getEflags()));
  write("EFER", efer);
  write("CR4", system.cr4 >>> 0);
  write("CR3", system.cr3 < 0 ? system.cr3 >>> 0 : system.cr3);
  write("CR2", long ? unsigned(system.cr2) : system.cr2 >>> 0);
  write("CR0", system.cr0 >>> 0);
  write("DR7", debug[5] >>> 0);
  write("DR6", debug[4] >>> 0);
  write("RFLAGS", port.getEflags() >>> 0);
  write("RIP", port.codeBits === 64 ? unsigned(rip) : rip >>> 0);
  write("RSP", register64(port, RSP));
  write("RAX", register64(port, RAX));
}

/** The PAT is exchanged with nested paging alone. */
export const savePat = (port: ProcessorPort, vmcb: number): void =>
  writeField(port, vmcb, "G_PAT", port.system.msrs[PAT] ?? PAT_AT_RESET);
export const loadPat = (port: ProcessorPort, vmcb: number): void =>
  setRegisters(port, { [PAT]: readField(port, vmcb, "G_PAT") });

const setRegisters = (port: ProcessorPort, values: Readonly<Record<string, bigint>>): void =>
  port.setSystem({ msrs: Object.freeze({ ...port.system.msrs, ...values }) });

/** LMA follows from LME and paging. */
function loadedEfer(efer: number, cr0: number): number {
  const long = (efer & EFER.LME) !== 0 && (cr0 & CR0.PG) !== 0;
  return long ? efer | EFER.LMA : efer & ~EFER.LMA;
}

const signedWord = (value: bigint): number => lowWord(value) | 0;

/** Control registers, tables and debug registers of a state-save area. */
function loadedSystem(port: ProcessorPort, vmcb: number): Partial<SystemState> & { readonly efer: number } {
  const read = (name: string): bigint => readField(port, vmcb, name);
  const { model, debug } = port.system;
  const cr0 = (signedWord(read("CR0")) & models[model].cr0) | CR0.ET;
  const efer = loadedEfer(lowWord(read("EFER")), cr0);
  const long = (efer & EFER.LMA) !== 0;
  const cr2 = read("CR2");
  const cr3 = long ? Number(read("CR3")) : lowWord(read("CR3"));
  const [dr0, dr1, dr2, dr3] = debug;
  const dr6 = (signedWord(read("DR6")) & 0xe00f) | 0xffff0ff0;
  const dr7 = (signedWord(read("DR7")) & 0xffff23ff) | 0x400;
  return {
    efer,
    cr0,
    cr2: long ? Number(BigInt.asIntN(64, cr2)) : signedWord(cr2),
    cr3: cr3 < 2 ** 32 ? cr3 | 0 : cr3,
    cr4: signedWord(read("CR4")),
    gdtr: loadTable(port, vmcb, "GDTR", long),
    idtr: loadTable(port, vmcb, "IDTR", long),
    debug: Object.freeze([dr0, dr1, dr2, dr3, dr6, dr7] as const),
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
): Readonly<Record<(typeof moved)[number], MakeAccess>> {
  if (virtual) return { es: virtual8086Access, cs: virtual8086Access, ss: virtual8086Access, ds: virtual8086Access };
  const ss = code64 ? stackAccess64 : dataAccess;
  return { es: dataAccess, cs: real ? realCodeAccess : codeAccess, ss, ds: dataAccess };
}

/** Loads what `saveState` saves, checked before. */
export function loadState(port: ProcessorPort, vmcb: number): void {
  const change = loadedSystem(port, vmcb);
  port.setSystem(change);
  const long = (change.efer & EFER.LMA) !== 0;
  const real = (port.system.cr0 & CR0.PE) === 0;
  const flags = (lowWord(readField(port, vmcb, "RFLAGS")) & FLAGS) | FLAG.RESERVED;
  const eflags = long ? flags & ~FLAG.VM : flags;
  const long64 = long && (accessOf(readNumber(port, vmcb, "CS.attrib")) & ACCESS.LONG) !== 0;
  const make = makers(real, !real && (eflags & FLAG.VM) !== 0, long64);
  for (const name of moved) port.setSegment(name, loadSegment(port, vmcb, name.toUpperCase(), make[name], false));
  port.setEflags(eflags);
  setRegister64(port, RSP, readField(port, vmcb, "RSP"));
  setRegister64(port, RAX, readField(port, vmcb, "RAX"));
  const rip = readField(port, vmcb, "RIP");
  port.nextEip = long64 ? addressOf(lowWord(rip), lowWord(rip >> 32n)) : lowWord(rip);
  port.invalidate();
  const level = readNumber(port, vmcb, "CPL");
  if (!real && level !== cplOf(port.system, eflags))
    throw new Unsupported(`VMRUN with a CPL (${level}) that is not the RPL of CS`);
}

/** Registers that VMLOAD and VMSAVE move, by the names of their fields; and of how many bits, or "address". */
const fast: readonly (readonly [field: string, register: string, kind: 32 | 64 | "address"])[] = [
  ["STAR", "IA32_STAR", 64],
  ["LSTAR", "IA32_LSTAR", "address"],
  ["CSTAR", "IA32_CSTAR", "address"],
  ["SFMASK", "IA32_FMASK", 32],
  ["KernelGsBase", "IA32_KERNEL_GS_BASE", "address"],
  ["SYSENTER_CS", "IA32_SYSENTER_CS", 32],
  ["SYSENTER_ESP", "IA32_SYSENTER_ESP", "address"],
  ["SYSENTER_EIP", "IA32_SYSENTER_EIP", "address"],
];

/** What VMSAVE does. */
export function saveRest(port: ProcessorPort, vmcb: number): void {
  const { segments, ldtr, tr, msrs } = port.system;
  saveSegment(port, vmcb, "FS", segments.fs);
  saveSegment(port, vmcb, "GS", segments.gs);
  saveSegment(port, vmcb, "LDTR", ldtr);
  saveSegment(port, vmcb, "TR", tr);
  for (const [field, register] of fast) writeField(port, vmcb, field, msrs[register] ?? 0n);
}

const kept = (value: bigint, kind: 32 | 64 | "address"): bigint =>
  kind === "address" ? unsigned(canonical(value)) : BigInt.asUintN(kind, value);

/** What VMLOAD does. */
export function loadRest(port: ProcessorPort, vmcb: number): void {
  port.setSegment("fs", loadSegment(port, vmcb, "FS", dataAccess, true));
  port.setSegment("gs", loadSegment(port, vmcb, "GS", dataAccess, true));
  port.setSystem({
    ldtr: loadSegment(port, vmcb, "LDTR", ldtAccess, true),
    tr: loadSegment(port, vmcb, "TR", taskAccess, true),
  });
  const values = fast.map(([field, register, kind]) => [register, kept(readField(port, vmcb, field), kind)] as const);
  setRegisters(port, Object.fromEntries(values));
}
