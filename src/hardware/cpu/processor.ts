/**
 * The processor port: what instructions executed in TypeScript, and later privileged software in TypeScript, may do to
 * the processor. Every operation makes the checks the hardware makes, and throws `Fault` where the hardware raises an
 * exception.
 */
import type { Descriptor } from "./descriptors.js";
import type { FloatingRegisters } from "./floating.js";
import type { DeliveredEvent, GuestOperation, VmExit } from "./guest-operation.js";
import type { RuleName } from "./rules.js";
import type { Mode, PendingEvents, Segment, SegmentName, Shadow, SystemState } from "./state.js";

/** An exception to be delivered. Not an Error: it is the machine's, not the program's, and needs no stack trace. */
export class Fault {
  constructor(
    readonly vector: number,
    /** Undefined for vectors without an error code. */
    readonly errorCode?: number,
    /** Which check failed: an entry of `rules.ts`, for people who ask why. */
    readonly rule?: RuleName,
  ) {}
}

/** Something the processor has and this model does not have yet. The machine stops visibly. */
export class Unsupported {
  constructor(readonly detail: string) {}
}

/** Exception vectors. Spec: SDM Vol. 3A, "Exception and Interrupt Vectors". */
export const VECTOR = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;
export const vectorNames: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(VECTOR).map(([name, vector]) => [vector, name === "NMI" ? "NMI" : `#${name}`]),
);

export type AccessSize = 1 | 2 | 4;

/** What a gate and the code segment it names say of a delivery, all checks passed. */
export interface GateWay {
  readonly vector: number;
  /** The gate's words. */
  readonly low: number;
  readonly high: number;
  /** INT n, from `cpl`. */
  readonly software: boolean;
  readonly cpl: number;
  readonly code: Descriptor;
  /** The handler runs at an inner level, on another stack. */
  readonly inner: boolean;
  readonly level: number;
  /** Of a word of the frame. */
  readonly size: 2 | 4;
  readonly handler: number;
  /** Flags the handler begins with, of those there are. */
  readonly kept: number;
}

/** What of the local APIC instructions reach otherwise than through memory. */
export interface LocalApicPort {
  /** IA32_APIC_BASE. It is for who writes it to check that there is such a mode, and a way to it. */
  base: bigint;
  /** The same says that it is on. */
  readonly on: boolean;
  /** Task priority, bits 4 to 7: CR8. */
  taskPriority: number;
  /** The tick at which the timer's deadline is met; undefined: there is none. */
  deadline: bigint | undefined;
  /** RDMSR of a register of x2APIC mode; undefined for #GP(0). */
  read(address: number): bigint | undefined;
  /** WRMSR of one; false for #GP(0). */
  write(address: number, value: bigint): boolean;
}

/** What is neither a register nor memory: activity, what keeps interrupts waiting, and events that wait. */
export interface Between {
  readonly halted: boolean;
  readonly shadow: Shadow;
  readonly pending: PendingEvents;
}

/**
 * Addresses, EIP too, are numbers: below 2^32 unsigned, and in long mode canonical ones signed (0xFFFFFFFF80000000 is
 * -0x80000000). A number that is out of that range is an address that is not canonical; any access to it is #GP(0).
 */
export interface ProcessorPort {
  /** The low half of a general register by encoding number, unsigned. 8 to 15 in 64-bit code only. */
  getRegister(number: number): number;
  /** Loads the low half; the high half becomes 0 as in 64-bit code, or what is given. */
  setRegister(number: number, value: number, high?: number): void;
  /** The high half, unsigned. */
  getRegisterHigh(number: number): number;
  /** EFLAGS, bit 1 set. */
  getEflags(): number;
  setEflags(value: number): void;
  /** x87, MMX and XMM registers. */
  readonly floating: FloatingRegisters;
  /** Address of the instruction being executed. */
  readonly eip: number;
  /** Where execution goes on; set to the next instruction before a system instruction runs. */
  nextEip: number;
  readonly mode: Mode;
  /** Default operand and address size of the code segment; 64 is 64-bit mode, whose operands have 32 bits. */
  readonly codeBits: 16 | 32 | 64;
  /** IA-32e mode (EFER.LMA): tables and gates have 64-bit form, whatever the code segment. `mode` is "protected". */
  readonly long: boolean;
  readonly cpl: number;
  /** As it is now: read what you need of it before you change it. */
  readonly system: SystemState;
  /** Replaces parts of the system state; what the engine remembered of the old one is dropped. */
  setSystem(change: Partial<SystemState>): void;
  /** Loads one segment register, and nothing else. */
  setSegment(name: SegmentName, segment: Segment): void;
  /** Drops what is remembered of a linear address, or of all. */
  invalidate(linear?: number): void;
  /** Reads `size` bytes at a linear address, unsigned, at the given privilege. Throws #PF. */
  readLinear(linear: number, size: AccessSize, user: boolean): number;
  /** A dword where a linear address is a physical one, as while paging is off; in a guest, of its own. Absent: by `readLinear` while it is. */
  readUnpaged?(physical: number): number;
  writeLinear(linear: number, size: AccessSize, value: number, user: boolean): void;
  /** Reads the two dwords of a descriptor or gate, as the supervisor, into `low` and `high`. Throws #PF. */
  readPair(linear: number): void;
  /** What `readPair` read, signed. */
  readonly low: number;
  readonly high: number;
  /** Reads `count` dwords into `words`, signed: of a quadword the low one first. Throws #PF. */
  readWords(linear: number, count: number, user: boolean, words: Int32Array): void;
  /** Writes `count` dwords, the last one first, as pushes do. Throws #PF with some of them written. */
  writeWords(linear: number, count: number, user: boolean, words: Int32Array): void;
  /** Fills `bytes` from a linear address on, at the given privilege. Throws #PF with those in front of the page read. */
  readBytes(linear: number, bytes: Uint8Array, user: boolean): void;
  /** Writes bytes, at the given privilege. Throws #PF with those in front of the page written. */
  writeBytes(linear: number, bytes: Uint8Array, user: boolean): void;
  /** Throws #PF unless `size` bytes can be written, which may lie on two pages. */
  checkWrite(linear: number, size: number, user: boolean): void;
  /**
   * Linear address of a checked access. In 64-bit code only FS and GS have a base, there are no limits, and the whole access
   * must have canonical addresses. Throws #GP(0) or #SS(0).
   */
  segmentAddress(segment: number, offset: number, size: number, write: boolean): number;
  /** Undefined in a machine without APICs. */
  readonly localApic: LocalApicPort | undefined;
  portRead(port: number, size: AccessSize): number;
  portWrite(port: number, size: AccessSize, value: number): void;
  /** Which processor of the machine it is, as its local APIC says; and how many there are. */
  readonly apicId: number;
  readonly processors: number;
  /** Time since reset, in ticks: what the time-stamp counter counts. */
  readonly now: number;
  halt(): void;
  /** PAUSE: of several processors, the next one is to go on. */
  pause(): void;
  /** Interrupts wait until after the next instruction. */
  setShadow(by: "sti" | "mov-ss"): void;
  /** A debug trap behind this instruction: DR6 bits (the T flag of a TSS). */
  trap(dr6: number): void;
  /** A fault was met on the way to a handler; it is delivered in place of what was being delivered. */
  faulted(fault: Fault): void;
  /**
   * Told of a delivery through the gate at a linear address, and the descriptor of the stack that is switched to, once
   * nothing can fault any more and before registers change: it goes the same way as long as all of that is the same.
   */
  wentThroughGate(way: GateWay, gate: number, stack: Descriptor | undefined): void;
  /** The same of a return to CS of `selector`, which loads the flags of `may` into `eflags`. */
  wentBack(selector: number, code: Descriptor, stack: Descriptor | undefined, eflags: number, may: number): void;
  /** What holds a guest of VT-x or AMD-V; undefined while none runs. */
  readonly guest: GuestOperation | undefined;
  /**
   * A dword at a host-physical address, unsigned, as the processor reads its own structures (VMCS, VMCB, bitmaps, entries of
   * nested tables): the guest's translations have no part in it.
   */
  readPhysical(physical: number): number;
  /** Fills `words` with the dwords from there on, all of one page, where that costs less than reading them one by one. */
  readPhysicalWords?(physical: number, words: Uint32Array): void;
  writePhysical(physical: number, value: number): void;
  /** Where the processor stands between instructions, for VM entries and exits to save and load. */
  readonly between: Between;
  setBetween(change: Partial<Between>): void;
  /** What an exception that is being raised tells beside its error code: the address of a #PF, DR6 bits of a #DB; 0 else. */
  payloadOf(vector: number): number;
  /** The guest is left in place of the present instruction, which ends at once with nothing done: what throwing the exit comes to, too. */
  leave(exit: VmExit): void;
  /**
   * VM entry is done: it delivers the event, if any, in the name of the guest that was just loaded, before its first
   * instruction. Told too of an entry that was refused behind its first checks, when the host is to go on.
   */
  inject(event: DeliveredEvent | undefined): void;
  /** IRET: NMIs are let in again. */
  unblockNmi(): void;
  /** A repeated instruction executed in TypeScript has iterations left: the step ends, EIP stays. */
  repeat(): void;
}
