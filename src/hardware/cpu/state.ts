/**
 * The processor's architectural state as immutable records. General registers are signed 32-bit numbers here (small
 * integers to the JavaScript engine, which makes a step cheap); the public view shows them unsigned.
 * Spec: SDM Vol. 3A, "System Architecture Overview".
 */
import type { SvmState } from "../svm/state.js";
import type { VmxState } from "../vmx/state.js";
import { type FloatingState, resetFloating } from "./floating.js";
import type { ModelName } from "./model.js";

/** A segment register: selector, and the descriptor as it was when the selector was loaded. */
export interface Segment {
  readonly selector: number;
  readonly base: number;
  /** Highest offset, in bytes (granularity already applied). */
  readonly limit: number;
  /**
   * Descriptor bits 40 to 55 as one number: type (bits 0-3), S (4), DPL (5-6), P (7), AVL (12), L (13), D/B (14), G (15).
   * 0 is a null selector: every access through it faults.
   */
  readonly access: number;
}

/** A segment register by its number. Written out: a look-up by a computed name costs more than all of the checks. */
export function segmentNumbered(segments: Readonly<Record<SegmentName, Segment>>, number: number): Segment {
  switch (number) {
    case 0:
      return segments.es;
    case 1:
      return segments.cs;
    case 2:
      return segments.ss;
    case 3:
      return segments.ds;
    case 4:
      return segments.fs;
    default:
      return segments.gs;
  }
}

export interface TableRegister {
  readonly base: number;
  readonly limit: number;
}

export type SegmentName = "es" | "cs" | "ss" | "ds" | "fs" | "gs";
/** Encoding order. */
export const segmentNames: readonly SegmentName[] = ["es", "cs", "ss", "ds", "fs", "gs"];

/** What changes only when system software runs: control registers, tables, segments. */
export interface SystemState {
  /** Never changes in the life of a machine. */
  readonly model: ModelName;
  readonly cr0: number;
  readonly cr2: number;
  /** Signed 32 bits as ever; only where long mode loaded more than them it is above, a physical address below 2^52. */
  readonly cr3: number;
  readonly cr4: number;
  /** IA32_EFER. 0 on a model without long mode. */
  readonly efer: number;
  readonly gdtr: TableRegister;
  readonly idtr: TableRegister;
  readonly ldtr: Segment;
  readonly tr: Segment;
  readonly segments: Readonly<Record<SegmentName, Segment>>;
  /** DR0 to DR3 are addresses. */
  readonly debug: readonly [dr0: number, dr1: number, dr2: number, dr3: number, dr6: number, dr7: number];
  /** PDPTE registers of PAE paging: low and high word of each of the four, as MOV to CR3 loaded them; empty without PAE. */
  readonly pdptes: readonly number[];
  /** Where the sequence of random numbers stands, of 64 bits: at first the processor's seed. */
  readonly random: bigint;
  /** Model-specific registers that were written, by name. */
  readonly msrs: Readonly<Record<string, bigint>>;
  /** VMX operation, or what AMD-V has beyond EFER.SVME; undefined on processors that do not virtualize at the moment. */
  readonly virtualization: VmxState | SvmState | undefined;
}

/** What keeps interrupts waiting for an instruction; "mov-ss" keeps NMIs and debug traps waiting, too. */
export type Shadow = "none" | "sti" | "mov-ss";

/** Events that wait for an instruction boundary. Almost always `noEvents`. */
export interface PendingEvents {
  /** DR6 bits of a debug trap behind the last instruction: BS, BT, B0 to B3. 0: none. */
  readonly debug: number;
  /** The NMI pin was pulsed. */
  readonly nmi: boolean;
  /** An NMI handler runs: the next NMI waits for IRET. */
  readonly nmiBlocked: boolean;
}
export const noEvents: PendingEvents = Object.freeze({ debug: 0, nmi: false, nmiBlocked: false });

/** In encoding order. */
export const generalNames = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;

/** The general registers by name; signed or unsigned is for whoever uses them to say. */
export type GeneralRegisters = Readonly<Record<(typeof generalNames)[number], number>>;

/** Words of `CpuState.wide`. */
export const WIDE_WORDS = 24;
/** All 64-bit parts of the general registers zero, as they always are without long mode. */
export const noWide: readonly number[] = Object.freeze(new Array<number>(WIDE_WORDS).fill(0));

export interface CpuState extends GeneralRegisters {
  /**
   * What long mode adds to the general registers, as signed words: the high halves of RAX to RDI, then low and high half
   * of R8 to R15. `noWide` itself when all are zero.
   */
  readonly wide: readonly number[];
  readonly eip: number;
  readonly eflags: number;
  readonly system: SystemState;
  readonly floating: FloatingState;
  /** HLT was executed and no interrupt has come since. */
  readonly halted: boolean;
  /** STI, or MOV or POP to SS, was just executed: interrupts wait for one more instruction. */
  readonly shadow: Shadow;
  readonly pending: PendingEvents;
}

/** EFLAGS bits. Spec: SDM Vol. 1, "EFLAGS Register". */
export const FLAG = {
  CF: 1 << 0,
  RESERVED: 1 << 1,
  PF: 1 << 2,
  AF: 1 << 4,
  ZF: 1 << 6,
  SF: 1 << 7,
  TF: 1 << 8,
  IF: 1 << 9,
  DF: 1 << 10,
  OF: 1 << 11,
  IOPL: 3 << 12,
  NT: 1 << 14,
  RF: 1 << 16,
  VM: 1 << 17,
  AC: 1 << 18,
  VIF: 1 << 19,
  VIP: 1 << 20,
  ID: 1 << 21,
} as const;

/** CR0 and CR4 bits that exist here. Spec: SDM Vol. 3A, "Control Registers". */
export const CR0 = {
  PE: 1,
  MP: 2,
  EM: 4,
  TS: 8,
  ET: 16,
  NE: 32,
  WP: 1 << 16,
  AM: 1 << 18,
  NW: 1 << 29,
  CD: 1 << 30,
  PG: 1 << 31,
} as const;
export const CR4 = {
  VME: 1,
  PVI: 2,
  TSD: 4,
  DE: 8,
  PSE: 16,
  PAE: 32,
  MCE: 64,
  PGE: 128,
  PCE: 256,
  OSFXSR: 512,
  OSXMMEXCPT: 1024,
  UMIP: 1 << 11,
  VMXE: 1 << 13,
  FSGSBASE: 1 << 16,
  SMEP: 1 << 20,
  SMAP: 1 << 21,
} as const;

/** IA32_EFER bits. Spec: SDM Vol. 3A, "Extended Feature Enable Register"; AMD64 Vol. 2, "Extended Feature Enable Register (EFER)". */
export const EFER = { SCE: 1, LME: 1 << 8, LMA: 1 << 10, NXE: 1 << 11, SVME: 1 << 12, FFXSR: 1 << 14 } as const;

/** Descriptor access bits (see `Segment.access`). */
export const ACCESS = {
  ACCESSED: 1,
  WRITABLE: 2,
  CONFORMING: 4,
  EXPAND_DOWN: 4,
  CODE: 8,
  S: 16,
  PRESENT: 128,
  /** L: 64-bit code, in long mode. */
  LONG: 1 << 13,
  BIG: 1 << 14,
  GRANULAR: 1 << 15,
} as const;
export const dplOf = (access: number): number => (access >> 5) & 3;

/** Operating modes. Spec: SDM Vol. 3A, "Modes of Operation". */
export type Mode = "real" | "protected" | "virtual-8086";

export const modeOf = ({ cr0 }: SystemState, eflags: number): Mode =>
  (cr0 & CR0.PE) === 0 ? "real" : (eflags & FLAG.VM) !== 0 ? "virtual-8086" : "protected";

/** IA-32e mode: 64-bit mode or compatibility mode. Spec: SDM Vol. 3A, "Modes of Operation". */
export const isLong = ({ efer }: SystemState): boolean => (efer & EFER.LMA) !== 0;

/**
 * Bits of the addresses and (but in 64-bit mode) operands of code in the present segment. Spec: SDM Vol. 3A, "Code Segment
 * Descriptor in 64-bit Mode".
 */
export function codeBitsOf({ efer, segments: { cs } }: SystemState): 16 | 32 | 64 {
  if ((efer & EFER.LMA) !== 0 && (cs.access & ACCESS.LONG) !== 0) return 64;
  return (cs.access & ACCESS.BIG) !== 0 ? 32 : 16;
}

/** Addresses that 48-bit canonical form has, as signed numbers: a number outside of it is none. Spec: SDM Vol. 1, "Canonical Addressing". */
export const isCanonical = (address: number): boolean => address >= -0x8000_0000_0000 && address < 0x8000_0000_0000;

/**
 * The current privilege level: the RPL of CS; 0 in real mode and 3 in virtual-8086 mode, where CS is no selector. Behind
 * the MOV that enters protected mode CS still is what real mode left, which is no code segment: 0.
 */
export function cplOf({ cr0, segments: { cs } }: SystemState, eflags: number): number {
  if ((cr0 & CR0.PE) === 0 || (cs.access & ACCESS.CODE) === 0) return (eflags & FLAG.VM) !== 0 ? 3 : 0;
  return cs.selector & 3;
}

/** What a segment register holds in real and virtual-8086 mode. Spec: SDM Vol. 3B, "8086 Emulation". */
export const realSegment = (selector: number, access: number): Segment => ({
  selector,
  base: selector * 16,
  limit: 0xffff,
  access,
});

export const NULL_SEGMENT: Segment = Object.freeze({ selector: 0, base: 0, limit: 0, access: 0 });

/** Base 0, limit 4 GiB, 32 bits, present. */
export const isFlat = (segment: Segment): boolean =>
  segment.base === 0 &&
  segment.limit === 0xffffffff &&
  (segment.access & (ACCESS.PRESENT | ACCESS.BIG)) === (ACCESS.PRESENT | ACCESS.BIG) &&
  (segment.access & (ACCESS.CODE | ACCESS.WRITABLE)) ===
    ((segment.access & ACCESS.CODE) !== 0 ? ACCESS.CODE | ACCESS.WRITABLE : ACCESS.WRITABLE) &&
  (segment.access & (ACCESS.CODE | ACCESS.EXPAND_DOWN)) !== ACCESS.EXPAND_DOWN;

const flat = (selector: number, access: number): Segment =>
  Object.freeze({ selector, base: 0, limit: 0xffffffff, access });

/**
 * The state a multiboot loader hands over: 32-bit protected mode, flat segments, paging and interrupts off, no usable
 * descriptor tables. Spec: Multiboot Specification 0.6.96, "Machine state".
 */
export const flatProtectedMode: CpuState = Object.freeze({
  eax: 0,
  ecx: 0,
  edx: 0,
  ebx: 0,
  esp: 0,
  ebp: 0,
  esi: 0,
  edi: 0,
  wide: noWide,
  eip: 0,
  eflags: FLAG.RESERVED,
  halted: false,
  shadow: "none",
  pending: noEvents,
  floating: resetFloating,
  system: Object.freeze({
    model: "pentium2",
    cr0: CR0.PE | CR0.ET,
    cr2: 0,
    cr3: 0,
    cr4: 0,
    efer: 0,
    gdtr: Object.freeze({ base: 0, limit: 0 }),
    idtr: Object.freeze({ base: 0, limit: 0 }),
    ldtr: NULL_SEGMENT,
    tr: NULL_SEGMENT,
    segments: Object.freeze({
      es: flat(0x10, 0xc093),
      cs: flat(0x08, 0xc09b),
      ss: flat(0x10, 0xc093),
      ds: flat(0x10, 0xc093),
      fs: flat(0x10, 0xc093),
      gs: flat(0x10, 0xc093),
    }),
    // Reset values of DR6 and DR7. Spec: SDM Vol. 3A, "Processor State After Reset".
    debug: Object.freeze([0, 0, 0, 0, 0xffff0ff0 | 0, 0x400] as const),
    pdptes: Object.freeze([]),
    random: 0n,
    msrs: Object.freeze({}),
    virtualization: undefined,
  }),
});
