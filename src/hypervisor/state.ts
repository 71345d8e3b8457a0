/**
 * What a hypervisor remembers, as immutable records: `machine.supervisors.hypervisor.state`. What the hardware reads (VMCS, VMCB,
 * tables, bitmaps) is in the host's memory, and nowhere else.
 */
import type { CpuState } from "../hardware/cpu/state.js";
import type { DeviceSet } from "../hardware/devices/bus.js";
import type { Counts, RomRange, Stop } from "../hardware/state.js";
import type { Supervisors } from "../hardware/supervisors.js";
import type { Ledger } from "./ledger.js";
import type { TechniqueName } from "./techniques/names.js";

/** A piece of a guest's physical memory and the host's frames it lies in; whole pages. */
export interface Extent {
  readonly guest: number;
  readonly host: number;
  readonly bytes: number;
  /** Guests may not write it. */
  readonly readOnly: boolean;
}

/** Host frames: what lies at and above `next` has never been given away. */
export interface Frames {
  readonly next: number;
  readonly end: number;
}

/** What becomes of a VM, as far as its processor is concerned. */
export type VmStatus =
  /** Not started, or stopped by its operator. */
  | { readonly kind: "paused" }
  | { readonly kind: "ready" }
  /**
   * HLT. A device of the VM ends that at the host's tick `wake`, which is `until` in the VM's own time; undefined: nothing but input
   * does.
   */
  | { readonly kind: "halted"; readonly wake: number | undefined; readonly until: number | undefined }
  /** It goes no further: why. */
  | { readonly kind: "stopped"; readonly stop: Stop };

/** A virtual machine. */
export interface VmState {
  readonly name: string;
  readonly technique: TechniqueName;
  /** Share of the processors' time, beside the other VMs'. */
  readonly weight: number;
  /** Most per cent of one processor; 0: no limit. */
  readonly cap: number;
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
  /** Guest time. */
  readonly steps: number;
  readonly ticks: number;
  readonly counts: Counts;
  readonly status: VmStatus;
  readonly ledger: Ledger;
  /** Host ticks during which it had a processor. */
  readonly ran: number;
  /** What its technique keeps; undefined before it first runs. */
  readonly own: object | undefined;
}

/** Which VM the processor runs, and since when. */
export interface Running {
  readonly vm: number;
  /** The host's tick at which the guest's next instruction begins. */
  readonly since: number;
}

export interface HypervisorState {
  readonly bits: 32 | 64;
  /** Linear addresses of the places the startup code has. */
  readonly places: {
    readonly exit: number;
    readonly idle: number;
    /** Lets in an interrupt that waits, and goes on as the idle loop does. */
    readonly window: number;
    readonly gates: number;
  };
  readonly frames: Frames;
  readonly vms: readonly VmState[];
  /** The VM whose registers the processor holds, be it in the guest or in the hypervisor on its behalf. */
  readonly current: number | undefined;
  /** A guest is running. */
  readonly running: Running | undefined;
  /** The host's tick at which the timer was last set to fire; undefined: it is not set. */
  readonly alarm: number | undefined;
  /** The host's tick at which the turn of the current VM ends. */
  readonly sliceEnd: number;
}

/** The state with one VM replaced. */
export const withVm = (state: HypervisorState, number: number, vm: VmState): HypervisorState => ({
  ...state,
  vms: state.vms.with(number, vm),
});
