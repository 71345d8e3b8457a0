/**
 * Guest operation, as the rest of the processor sees it: what a guest under VT-x or AMD-V may not do by itself, and how it
 * is left. What leaves a guest is a *cause*, named alike for both; which causes do, and how they are told, are the tables
 * of `vmx/` and `svm/`.
 *
 * An instruction names its cause behind the checks that come first (privilege, what makes it #UD) and before it has any
 * effect. Spec: SDM Vol. 3C, "Relative Priority of Faults and VM Exits"; AMD64 Vol. 2, "Instruction Intercepts".
 */
import type { DecodedInstruction } from "../isa/instruction.js";
import type { ProcessorPort } from "./processor.js";

/** Instructions that controls can make leave the guest, or that always do, and need no more to be told than their operand. */
export type InterceptedInstruction =
  | "CPUID"
  | "HLT"
  | "INVD"
  | "INVLPG"
  | "INVPCID"
  | "LGDT"
  | "LIDT"
  | "LLDT"
  | "LTR"
  | "MONITOR"
  | "MWAIT"
  | "PAUSE"
  | "RDPMC"
  | "RDRAND"
  | "RDSEED"
  | "RDTSC"
  | "RDTSCP"
  | "SGDT"
  | "SIDT"
  | "SLDT"
  | "STR"
  | "WBINVD"
  | "XSETBV"
  // Asked by AMD-V alone.
  | "PUSHF"
  | "POPF"
  | "IRET"
  | "INT"
  // VT-x; all of them but VMCALL and VMFUNC are for VMX root operation alone.
  | "INVEPT"
  | "INVVPID"
  | "VMCALL"
  | "VMCLEAR"
  | "VMFUNC"
  | "VMLAUNCH"
  | "VMPTRLD"
  | "VMPTRST"
  | "VMREAD"
  | "VMRESUME"
  | "VMWRITE"
  | "VMXOFF"
  | "VMXON"
  // AMD-V.
  | "CLGI"
  | "INVLPGA"
  | "SKINIT"
  | "STGI"
  | "VMLOAD"
  | "VMMCALL"
  | "VMRUN"
  | "VMSAVE";

/** Those of them that generated code repeats as a rule. */
export type RepeatedInstruction = "PUSHF" | "INT" | "IRET" | "INVLPG" | "PAUSE" | "RDTSC" | "RDTSCP";

/** An event on its way to a handler. */
export interface DeliveredEvent {
  readonly vector: number;
  /** "software" is INT n, "software exception" INT3 and INTO, "privileged" INT1. */
  readonly type: "interrupt" | "nmi" | "exception" | "software" | "software exception" | "privileged";
  readonly errorCode?: number;
  /** Bytes of the instruction, of those that are raised by one on purpose. */
  readonly length?: number;
}

/** An access to guest-physical memory that nested translation refused. */
export interface NestedFault {
  readonly guestPhysical: number;
  /** Undefined where no linear address led there: a PDPTE. */
  readonly linear: number | undefined;
  readonly access: { readonly write: boolean; readonly fetch: boolean };
  /** Of an entry of the guest's own tables. */
  readonly ofWalk: boolean;
  /** The rights that nested translation found, all levels taken together; none where an entry was not present. */
  readonly rights: { readonly read: boolean; readonly write: boolean; readonly execute: boolean };
  /** An entry has a value that no entry may have. */
  readonly misconfigured: boolean;
  /** AMD-V: what a #PF of the nested tables would have for an error code, the low half of EXITINFO1. */
  readonly errorCode?: number;
}

/** What may leave a guest. */
export type ExitCause =
  | {
      readonly kind: "instruction";
      readonly name: InterceptedInstruction;
      readonly instruction?: DecodedInstruction;
      /** INVLPG: the linear address. VMX instructions with a memory operand: its displacement; see "Exit Qualification". */
      readonly operand?: number;
    }
  | {
      readonly kind: "control-register";
      readonly access: "write" | "read" | "clts" | "lmsw" | "smsw";
      readonly number: 0 | 2 | 3 | 4 | 8;
      /** General register of the MOV. */
      readonly register?: number;
      /** What is to be loaded. */
      readonly value?: bigint;
      /** LMSW from memory: its linear address. */
      readonly linear?: number;
    }
  | {
      readonly kind: "debug-register";
      readonly access: "write" | "read";
      readonly number: number;
      readonly register: number;
    }
  | {
      readonly kind: "port";
      readonly port: number;
      readonly size: 1 | 2 | 4;
      readonly direction: "in" | "out";
      readonly immediate: boolean;
      /** INS, OUTS. */
      readonly string?: { readonly linear: number; readonly segment: number; readonly addressSize: 16 | 32 | 64 };
      readonly repeated: boolean;
    }
  | { readonly kind: "msr"; readonly access: "read" | "write"; readonly address: number }
  /** `payload`: the linear address of a #PF, DR6 bits of a #DB. */
  | { readonly kind: "exception"; readonly event: DeliveredEvent; readonly payload: number }
  /** External interrupt: `acknowledge` takes it from the controller and gives its vector. */
  | { readonly kind: "interrupt"; readonly acknowledge: () => number }
  | { readonly kind: "nmi" | "init" | "interrupt-window" | "nmi-window" | "preemption-timer" | "monitor-trap" }
  /** AMD-V: a virtual interrupt is about to be taken. */
  | { readonly kind: "virtual-interrupt" }
  | { readonly kind: "sipi"; readonly vector: number }
  | { readonly kind: "triple-fault" }
  | {
      readonly kind: "task-switch";
      readonly selector: number;
      /** "interrupt": through a task gate of the IDT; "return": IRET. */
      readonly source: "call" | "return" | "jump" | "interrupt";
      readonly errorCode?: number;
    }
  | { readonly kind: "nested-fault"; readonly fault: NestedFault }
  /** TPR shadow: the virtual task priority fell below the threshold. */
  | { readonly kind: "tpr-below-threshold" };

/** The guest is left: thrown as a `Fault` is, where nothing of the instruction has been done yet. Not an Error, as a Fault is none. */
export class VmExit {
  constructor(
    readonly cause: ExitCause,
    /** What was on its way to a handler when this happened. */
    readonly vectoring?: DeliveredEvent,
  ) {}
}

/**
 * What a guest meets: one object for VT-x and one for AMD-V, without state of their own; all of it is in
 * `system.virtualization`.
 */
export interface GuestOperation {
  /** The exit that a cause is where the guest's controls say so. Throws a `Fault` where they take an instruction away. */
  exitFor(port: ProcessorPort, cause: ExitCause): VmExit | undefined;
  /** Throws it. */
  check(port: ProcessorPort, cause: ExitCause): void;
  /** Throws #UD for an instruction that its host has not enabled: in front of every other check of the instruction. */
  requireEnabled(port: ProcessorPort, name: InterceptedInstruction): void;
  /** Whether an instruction that generated code repeats as a rule may leave the guest, or what it brings about may at once. */
  asksFor(port: ProcessorPort, name: RepeatedInstruction): boolean;
  /** Exceptions that may leave it: bit n for vector n. */
  exceptionsAskedFor(port: ProcessorPort): number;
  /** CR0 or CR4 as MOV, SMSW and others read it. */
  seenControl(port: ProcessorPort, number: 0 | 4): number;
  /** What a MOV that `check` let through loads into CR0 or CR4: bits the host owns keep their values. */
  loadedControl(port: ProcessorPort, number: 0 | 4, value: number): number;
  /** CR8, where the guest has one of its own. */
  readTaskPriority(port: ProcessorPort): number | undefined;
  /** Whether the guest has one of its own, which is written. May throw a `VmExit`. */
  writeTaskPriority(port: ProcessorPort, value: number): boolean;
  /** Added to the time-stamp counter as RDTSC, RDTSCP and RDMSR read it. */
  timestampOffset(port: ProcessorPort): bigint;
  /** Whether external interrupts are the host's, so that they leave the guest. */
  hostTakesInterrupts(port: ProcessorPort): boolean;
  /** Whether they are let in, by the host's flag or the guest's. */
  letsInterruptsIn(port: ProcessorPort): boolean;
  /**
   * Whose blocking by NMI is: the processor's as ever, "virtual" where it is the guest's own and holds no NMI of the host's back,
   * or "host" where the guest has none and its IRET ends nothing.
   */
  nmiBlocking(port: ProcessorPort): "processor" | "virtual" | "host";
  /** What leaves the guest between two instructions, above debug traps, NMIs or external interrupts in priority. */
  boundary(port: ProcessorPort, above: "traps" | "nmi" | "interrupts"): ExitCause | undefined;
  /** A virtual interrupt that the guest takes now; it is taken. Undefined: none. */
  takeVirtualInterrupt(port: ProcessorPort): number | undefined;
  /** The guest is looked at behind every instruction. */
  oneByOne(port: ProcessorPort): boolean;
  /** Told behind an instruction of such a guest. */
  stepped(port: ProcessorPort): void;
  /** The tick at which the guest is left unless something else does so before; infinity for never. */
  deadline(port: ProcessorPort): number;
  /**
   * Leaves the guest: saves its state, loads the host's. `vectoring` is what was being delivered; `length` the bytes of the
   * instruction. Of what a cause with an instruction would have done, nothing is.
   */
  leave(port: ProcessorPort, exit: VmExit, vectoring: DeliveredEvent | undefined, length: number): void;
}
