/** A machine's whole state as one immutable record: what is hashed, saved, compared, opened and sealed. */
import type { DeliveredEvent } from "./cpu/guest-operation.js";
import type { CpuState } from "./cpu/state.js";
import type { DeviceSet } from "./devices/bus.js";
import type { Watchpoint } from "./engine/stops.js";
import type { DeliveredException } from "./inspect/exception.js";
import type { MemoryState, RomRange } from "./machine-content.js";
import type { Supervisors } from "./supervisors.js";

export type { RomRange } from "./machine-content.js";

/** What is counted beside steps; each count is exact and part of the value. */
export interface Counts {
  /** REP iterations that were not the last of their instruction. */
  readonly repeats: number;
  readonly exceptions: number;
  readonly interrupts: number;
  readonly portReads: number;
  readonly portWrites: number;
  /** VM entries and VM exits; absent before the first. */
  readonly vmEntries?: number;
  readonly vmExits?: number;
}

/** Steps of a turn. */
export const TURN_STEPS = 256;

/** Of a machine with several processors: whose turn it is, and the others. See `engine/turns.ts`. */
export interface Turn {
  /** Number of the processor that `MachineState.cpu` is: its initial APIC ID. */
  readonly processor: number;
  /** Steps until the turn passes; it does so at HLT and PAUSE, too. */
  readonly left: number;
  /** The other processors by their numbers. */
  readonly others: readonly CpuState[];
  /** Steps that each processor has made, by number: together those of the machine. */
  readonly steps: readonly number[];
}

export interface MachineState extends MemoryState {
  /** The processor, of several the one whose turn it is. */
  readonly cpu: CpuState;
  /** Absent in a machine with one processor. */
  readonly turn?: Turn | undefined;
  readonly rom: readonly RomRange[];
  readonly devices: DeviceSet;
  /** Privileged software in TypeScript; absent where there is none. */
  readonly supervisors?: Supervisors | undefined;
  /** Steps since reset: instructions, REP iterations, deliveries of exceptions and interrupts. */
  readonly steps: number;
  /** Steps, plus the time skipped while halted. */
  readonly ticks: number;
  readonly counts: Counts;
  /** The processor has shut down after a triple fault. */
  readonly shutdown: boolean;
  /** The last exception that was raised. An observation: outside of hash, difference and save. */
  readonly lastException?: DeliveredException | undefined;
}

/** Why a run ended. Not part of the state: it says something about the run, not about the machine. */
export type Stop =
  /** `maxInstructions` steps were made. */
  | { readonly reason: "limit" }
  /** What `until` asked for has come. */
  | { readonly reason: "until" }
  /** The instruction at one of `breakpoints` comes next; `address` is linear. */
  | { readonly reason: "breakpoint"; readonly address: number }
  /** The last step accessed what one of `watchpoints` watches, first at the linear `address`. */
  | {
      readonly reason: "watchpoint";
      readonly watchpoint: Watchpoint;
      readonly address: number;
      readonly access: "read" | "write";
    }
  /** The guest wrote `value` to the debug-exit port; `status` is (value << 1) | 1, as QEMU exits. */
  | { readonly reason: "debug-exit"; readonly value: number; readonly status: number }
  /** The guest asked for a reset. */
  | { readonly reason: "reset" }
  /** The guest switched the machine off. */
  | { readonly reason: "power-off" }
  | { readonly reason: "triple-fault" }
  /** HLT, and nothing but input can end it (`input`), or nothing at all. */
  | { readonly reason: "halted"; readonly waitsForInput: boolean }
  /** The guest needs something this machine does not have yet; nothing of that instruction was done. */
  | { readonly reason: "unsupported"; readonly detail: string };

/** What can be observed; each kind is asked for by name. */
export type MachineEvent =
  | {
      readonly kind: "exception";
      readonly tick: number;
      readonly eip: number;
      readonly cpl: number;
      readonly vector: number;
      readonly name: string;
      readonly errorCode?: number;
      readonly cr2?: number;
    }
  | {
      readonly kind: "interrupt";
      readonly tick: number;
      readonly eip: number;
      readonly cpl: number;
      readonly vector: number;
    }
  | {
      readonly kind: "port";
      readonly tick: number;
      readonly eip: number;
      readonly direction: "in" | "out";
      readonly port: number;
      readonly size: number;
      readonly value: number;
      /** Of a guest of this library's hypervisor: its name; the access was made for it, at its own tick. */
      readonly vm?: string;
    }
  | {
      readonly kind: "privilege";
      readonly tick: number;
      readonly eip: number;
      readonly from: number;
      readonly to: number;
    }
  | {
      readonly kind: "instruction";
      readonly tick: number;
      readonly eip: number;
      readonly cpl: number;
      readonly mnemonic: string;
      readonly group: string;
    }
  /** A kernel has served a system call; it had the result at `tick`. */
  | {
      readonly kind: "syscall";
      readonly tick: number;
      readonly eip: number;
      /** Number of the thread. */
      readonly task: number;
      readonly abi: "i386" | "x86_64";
      readonly name: string;
      /** As the call reads them from registers. */
      readonly arguments: readonly number[];
      /** What those that are pointers to texts led to, by their number: bytes as characters, of buffers the beginning. */
      readonly texts?: Readonly<Record<number, string | readonly string[]>>;
      /** Below 0: an errno. */
      readonly result: number;
      /** The kernel knows the call; what it does not know is ENOSYS. */
      readonly served: boolean;
    }
  /**
   * A hypervisor gives a processor to a VM, or a kernel to a thread, from `tick` on; without `vm` and `task` the processor idles.
   */
  | {
      readonly kind: "schedule";
      readonly tick: number;
      readonly eip: number;
      readonly processor: number;
      readonly vm?: string;
      readonly task?: number;
    }
  /**
   * A guest of VT-x or AMD-V has been entered, at `eip`. An entry that is refused behind its first checks is one too: an exit
   * that says so follows at once.
   */
  | {
      readonly kind: "vm-entry";
      readonly tick: number;
      readonly eip: number;
      readonly technology: "vmx" | "svm";
      /** What the entry delivers to the guest. */
      readonly injected?: DeliveredEvent;
    }
  /** A guest has been left, in front of or behind its instruction at `eip`. */
  | VmExitEvent;

/** A VM exit or #VMEXIT as it is observed: what the VMCS or the VMCB has been told. */
export type VmExitEvent =
  | {
      readonly kind: "vm-exit";
      readonly tick: number;
      readonly eip: number;
      readonly technology: "vmx";
      /** The basic exit reason, and its name in the SDM's Appendix C. */
      readonly reason: number;
      readonly name: string;
      readonly qualification: bigint;
      /** VM entry failed: the guest did not run. */
      readonly entryFailed: boolean;
    }
  | {
      readonly kind: "vm-exit";
      readonly tick: number;
      readonly eip: number;
      readonly technology: "svm";
      /** EXITCODE, where VMEXIT_INVALID is -1, and its name in the AMD64 manual's Appendix C. */
      readonly reason: number;
      readonly name: string;
      /** EXITINFO1 and EXITINFO2. */
      readonly info1: bigint;
      readonly info2: bigint;
      /** VMRUN refused the guest: it did not run. */
      readonly entryFailed: boolean;
    };

export type EventKind = MachineEvent["kind"];
export const eventKinds: readonly EventKind[] = [
  "exception",
  "interrupt",
  "port",
  "privilege",
  "instruction",
  "schedule",
  "syscall",
  "vm-entry",
  "vm-exit",
];
