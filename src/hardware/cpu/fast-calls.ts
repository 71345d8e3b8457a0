/**
 * SYSENTER, SYSEXIT, SYSCALL and SYSRET: into ring 0 and back without a gate. CS and SS are made up, not read from a table:
 * flat, and selected by model-specific registers.
 * Spec: SDM Vol. 3A, "Performing Fast Calls to System Procedures with the SYSENTER and SYSEXIT Instructions", "Fast System
 * Calls in 64-Bit Mode"; AMD64 Architecture Programmer's Manual Vol. 3, SYSCALL, SYSRET, SYSENTER.
 */
import { segmentFrom } from "./descriptors.js";
import { replaceFlags } from "./flags.js";
import { models } from "./model.js";
import { msrAddress, msrWord } from "./msr.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { addressOf, highWord, registerAddress, setRegisterAddress } from "./quadwords.js";
import { EFER, FLAG, isCanonical, type Segment, type SystemState } from "./state.js";

const [RCX, RDX, RSP, R11] = [1, 2, 4, 11] as const;

/** The upper word of a present, page-granular descriptor with base 0 and all of the limit. The DPL goes to bits 13 and 14. */
const CODE32 = 0x00cf9b00;
const CODE64 = 0x00af9b00;
const DATA = 0x00cf9300;
const LIMIT_LOW = 0xffff;
const flatSegment = (selector: number, high: number, level: number): Segment =>
  segmentFrom((selector & 0xfffc) | level, LIMIT_LOW, high | (level << 13));

/** CS and SS of a privilege level; the selector of SS lies behind that of CS unless it is given. */
function loadFlat(port: ProcessorPort, selector: number, level: 0 | 3, bits: 32 | 64, stack = selector + 8): void {
  port.setSegment("cs", flatSegment(selector, bits === 64 ? CODE64 : CODE32, level));
  port.setSegment("ss", flatSegment(stack, DATA, level));
}

const isAmd = (port: ProcessorPort): boolean => models[port.system.model].vendor === "amd";

function requireCanonical(address: number): number {
  if (!isCanonical(address)) throw new Fault(VECTOR.GP, 0, "target-not-canonical");
  return address;
}

function requireRing0(port: ProcessorPort): void {
  if (port.cpl !== 0) throw new Fault(VECTOR.GP, 0, "cpl-not-0");
}

/** The selector in IA32_SYSENTER_CS, without an RPL. */
function callSelector(port: ProcessorPort): number {
  if (port.long && isAmd(port)) throw new Fault(VECTOR.UD, undefined, "not-in-long-mode");
  if (port.mode === "real") throw new Fault(VECTOR.GP, 0, "fast-call-in-real-mode");
  const selector = msrWord(port, "IA32_SYSENTER_CS") & 0xfffc;
  if (selector === 0) throw new Fault(VECTOR.GP, 0, "fast-call-without-selector");
  return selector;
}

/** SYSENTER. Spec: SDM Vol. 2B, SYSENTER—Fast System Call. */
export function enterSystem(port: ProcessorPort): void {
  const selector = callSelector(port);
  port.setEflags(port.getEflags() & ~(FLAG.VM | FLAG.IF | FLAG.RF));
  const { long } = port;
  loadFlat(port, selector, 0, long ? 64 : 32);
  if (long) setRegisterAddress(port, RSP, msrAddress(port, "IA32_SYSENTER_ESP"));
  else port.setRegister(RSP, msrWord(port, "IA32_SYSENTER_ESP"));
  port.nextEip = long ? msrAddress(port, "IA32_SYSENTER_EIP") : msrWord(port, "IA32_SYSENTER_EIP");
}

/** SYSEXIT; `wide` goes to 64-bit code. Spec: SDM Vol. 2B, SYSEXIT—Fast Return from Fast System Call. */
export function exitSystem(port: ProcessorPort, wide: boolean): void {
  const selector = callSelector(port);
  requireRing0(port);
  const to = wide ? requireCanonical(registerAddress(port, RDX)) : port.getRegister(RDX);
  const stack = wide ? requireCanonical(registerAddress(port, RCX)) : port.getRegister(RCX);
  loadFlat(port, selector + (wide ? 32 : 16), 3, wide ? 64 : 32);
  setRegisterAddress(port, RSP, stack);
  port.nextEip = to;
}

/** Throws #UD unless system calls are switched on, and the code is one that has them. */
function requireSystemCalls(port: ProcessorPort): void {
  if ((port.system.efer & EFER.SCE) === 0) throw new Fault(VECTOR.UD, undefined, "system-calls-off");
  if (port.mode !== "protected") throw new Fault(VECTOR.UD, undefined, "not-in-protected-mode");
  if (port.codeBits !== 64 && !isAmd(port)) throw new Fault(VECTOR.UD, undefined, "only-in-64-bit-code");
}

/** The registers of SYSCALL and SYSRET as numbers. */
interface FastCalls {
  /** Of the legacy form: the low word of IA32_STAR. */
  readonly legacy: number;
  /** Bits 32 to 47 of IA32_STAR are for SYSCALL, 48 to 63 for SYSRET. */
  readonly call: number;
  readonly back: number;
  readonly long: number;
  readonly compatible: number;
  readonly mask: number;
}

let known: FastCalls | undefined;
/** Written rarely and read at every call: taken apart once for each set of registers. */
let knownOf: SystemState["msrs"] | undefined;

function fastCalls(port: ProcessorPort): FastCalls {
  const { msrs } = port.system;
  if (known !== undefined && msrs === knownOf) return known;
  const star = msrs["IA32_STAR"] ?? 0n;
  knownOf = msrs;
  known = {
    legacy: msrWord(port, "IA32_STAR"),
    call: Number((star >> 32n) & 0xffffn),
    back: Number((star >> 48n) & 0xffffn),
    long: msrAddress(port, "IA32_LSTAR"),
    compatible: msrAddress(port, "IA32_CSTAR"),
    mask: msrWord(port, "IA32_FMASK"),
  };
  return known;
}

/** SYSCALL. Spec: SDM Vol. 2B, SYSCALL—Fast System Call; on AMD's parts legacy and compatibility mode have it, too. */
export function callSystem(port: ProcessorPort): void {
  requireSystemCalls(port);
  const eflags = port.getEflags();
  const registers = fastCalls(port);
  const { long, nextEip, codeBits } = port;
  setRegisterAddress(port, RCX, nextEip);
  if (!long) {
    port.setEflags(eflags & ~(FLAG.VM | FLAG.IF | FLAG.RF));
    loadFlat(port, registers.call, 0, 32);
    port.nextEip = registers.legacy;
    return;
  }
  port.setRegister(R11, eflags);
  port.setEflags((eflags & ~registers.mask & ~FLAG.RF) | FLAG.RESERVED);
  loadFlat(port, registers.call, 0, 64);
  port.nextEip = codeBits === 64 ? registers.long : registers.compatible;
}

/** What SYSRET loads of R11: all flags but RF and VM. */
const RETURNED = 0x3c7fd7;

/**
 * SYSRET; `wide` goes to 64-bit code. AMD's parts look at RCX no further and leave what SS holds besides its selector.
 * Spec: SDM Vol. 2B, SYSRET—Return From Fast System Call.
 */
export function returnFromSystem(port: ProcessorPort, wide: boolean): void {
  requireSystemCalls(port);
  requireRing0(port);
  const amd = isAmd(port);
  const to = wide ? registerAddress(port, RCX) : port.getRegister(RCX);
  if (!amd) requireCanonical(to);
  const selector = fastCalls(port).back;
  const { ss } = port.system.segments;
  if (port.long) port.setEflags((port.getRegister(R11) & RETURNED) | FLAG.RESERVED);
  else port.setEflags(replaceFlags(port.getEflags(), FLAG.IF, FLAG.IF));
  port.setSegment("cs", flatSegment(wide ? selector + 16 : selector, wide ? CODE64 : CODE32, 3));
  const stack = ((selector + 8) & 0xfffc) | 3;
  port.setSegment("ss", amd ? { ...ss, selector: stack } : flatSegment(selector + 8, DATA, 3));
  port.nextEip = to;
}

/** SWAPGS. Spec: SDM Vol. 2B, SWAPGS—Swap GS Base Register. */
export function swapGs(port: ProcessorPort): void {
  requireRing0(port);
  const { msrs, segments } = port.system;
  const { gs } = segments;
  const other = msrAddress(port, KERNEL_GS_BASE);
  port.setSystem({ msrs: Object.freeze({ ...msrs, [KERNEL_GS_BASE]: BigInt.asUintN(64, BigInt(gs.base)) }) });
  port.setSegment("gs", { ...gs, base: other });
}
const KERNEL_GS_BASE = "IA32_KERNEL_GS_BASE";

/** Throws #UD unless the operating system lets FS and GS bases be used. */
export function requireFsGsBase(port: ProcessorPort, flag: number): void {
  if ((port.system.cr4 & flag) === 0) throw new Fault(VECTOR.UD, undefined, "fsgsbase-off");
}

/** RDFSBASE and RDGSBASE: 32 or 64 bits of the base. Spec: SDM Vol. 2B, RDFSBASE/RDGSBASE—Read FS/GS Segment Base. */
export function readBase(port: ProcessorPort, name: "fs" | "gs", register: number, wide: boolean): void {
  const { base } = port.system.segments[name];
  port.setRegister(register, base | 0, wide ? highWord(base) : 0);
}

/** WRFSBASE and WRGSBASE. Throws #GP(0). Spec: SDM Vol. 2D, WRFSBASE/WRGSBASE—Write FS/GS Segment Base. */
export function writeBase(port: ProcessorPort, name: "fs" | "gs", register: number, wide: boolean): void {
  const base = addressOf(port.getRegister(register), wide ? port.getRegisterHigh(register) : 0);
  if (!isCanonical(base)) throw new Fault(VECTOR.GP, 0, "address-not-canonical");
  port.setSegment(name, { ...port.system.segments[name], base });
}
