/**
 * What a hypervisor remembers, as immutable records: `machine.supervisors.hypervisor.state`. What the hardware reads (VMCS, VMCB,
 * tables, bitmaps) is in the host's memory, and nowhere else.
 */
import type { CpuState } from "../hardware/cpu/state.js";
import type { DeviceSet } from "../hardware/devices/bus.js";
import type { Counts, Turn as ProcessorTurn, RomRange, Stop } from "../hardware/state.js";
import type { Supervisors } from "../hardware/supervisors.js";
import type { ProtectionName } from "./isolation/protections.js";
import type { Ledger } from "./ledger.js";
import type { Schedule } from "./schedule.js";
import type { TechniqueName } from "./techniques/names.js";

/** A piece of a guest's physical memory and the host's frames it lies in; whole pages. */
export interface Extent {
  readonly guest: number;
  readonly host: number;
  readonly bytes: number;
  /** Guests may not write it. */
  readonly readOnly: boolean;
}

/** Host frames that lie together. */
export interface FrameRange {
  readonly at: number;
  readonly bytes: number;
}

/** Host frames: what lies at and above `next` is nobody's, nor are the pieces below it in `free`, which are in order. */
export interface Frames {
  readonly free: readonly FrameRange[];
  readonly next: number;
  readonly end: number;
}

/** What becomes of a VM, as far as its processor is concerned. */
export type VmStatus =
  | { readonly kind: "ready" }
  /**
   * HLT. A device of the VM ends that at the host's tick `wake`, which is `until` in the VM's own time; undefined: nothing but input
   * does.
   */
  | {
      readonly kind: "halted";
      /** The host's tick at which it began. */
      readonly since: number;
      readonly wake: number | undefined;
      readonly until: number | undefined;
    }
  /** It goes no further: why. */
  | { readonly kind: "stopped"; readonly stop: Stop };

/** What is kept of one of several virtual processors beside its registers. */
export interface VirtualProcessorState {
  /** What its technique keeps of it while a host's processor does not hold its registers; undefined before it first runs. */
  readonly own: object | undefined;
  /** How often it was left. */
  readonly exits: number;
}

/** A virtual machine. */
export interface VmState {
  readonly name: string;
  readonly technique: TechniqueName;
  /** Under simulation: its steps at a time. */
  readonly quantum: number;
  readonly memorySize: number;
  readonly rom: readonly RomRange[];
  readonly extents: readonly Extent[];
  readonly devices: DeviceSet;
  /** Number of its first disk in the host's store, and how many there are. */
  readonly firstDisk: number;
  readonly diskCount: number;
  /** TypeScript firmware of the guest, its addresses guest-physical. */
  readonly supervisors: Supervisors | undefined;
  /** The virtual processor as it was when it last left the real one; what the technique keeps elsewhere is old here. */
  readonly cpu: CpuState;
  /** Of a VM with several virtual processors: which of them `cpu` is, what is left of its turn, and the others. Its steps since then count. */
  readonly turn?: ProcessorTurn | undefined;
  /** Of such a VM, by number. */
  readonly processors?: readonly VirtualProcessorState[];
  /** Guest time. */
  readonly steps: number;
  readonly ticks: number;
  readonly counts: Counts;
  readonly status: VmStatus;
  /** The host's tick from which on its operator wants it to go no further; its time stands still. */
  readonly pausedAt: number | undefined;
  /** To be done when the hypervisor has the processor next: it is switched off, or is to be no more. */
  readonly order: "off" | "leave" | undefined;
  /** All frames it has: its memory, and what the technique keeps for it. */
  readonly frames: readonly FrameRange[];
  readonly ledger: Ledger;
  /** Host ticks during which it had a processor. */
  readonly ran: number;
  /** Protections that it is without: see `isolation/protections.ts`. */
  readonly removed?: readonly ProtectionName[];
  /** Numbers of its frames that were stored to on its behalf since it last went on, of a technique that traces stores. */
  readonly stores?: readonly number[] | undefined;
  /** What its technique keeps, of several virtual processors of the one that ran last; undefined before it first runs. */
  readonly own: object | undefined;
}

/** Which VM the processor runs, and since when. */
export interface Running {
  readonly vm: number;
  /** The host's tick at which the guest's next instruction begins. */
  readonly since: number;
}

/** What a processor of the host is at. */
export interface HostProcessor {
  /** The VM whose registers it holds, be it in the guest or in the hypervisor on its behalf. */
  readonly current: number | undefined;
  /** A guest is running. */
  readonly running: Running | undefined;
  /** The host's tick at which its timer was last set to fire; undefined: it is not set. */
  readonly alarm: number | undefined;
  /** The VM whose turn it is; undefined: it idles. */
  readonly turn: Turn | undefined;
}

/** A VM has a processor. */
export interface Turn {
  readonly vm: number;
  /** The host's tick at which it ends. */
  readonly end: number;
  /** The host's tick up to which it is paid for. */
  readonly paid: number;
}

export interface HypervisorState {
  readonly bits: 32 | 64;
  /** Linear addresses of the places the startup code has. */
  readonly places: {
    readonly exit: number;
    readonly idle: number;
    /** Lets interrupts in, then simulates on. */
    readonly again: number;
    /** Lets in an interrupt that waits, and goes on as the idle loop does. */
    readonly window: number;
    readonly gates: number;
  };
  readonly frames: Frames;
  readonly vms: readonly VmState[];
  readonly schedule: Schedule;
  /** By number. */
  readonly processors: readonly HostProcessor[];
}

/** The state with one VM replaced. */
export const withVm = (state: HypervisorState, number: number, vm: VmState): HypervisorState => ({
  ...state,
  vms: state.vms.with(number, vm),
});
