/** What people give a hypervisor, and what they see of its VMs. */
import type { CreateOptions } from "../hardware/boot/start.js";
import type { Machine } from "../hardware/machine.js";
import type { EventKind } from "../hardware/state.js";
import type { LedgerEntry } from "./ledger.js";
import type { VmStatus } from "./state.js";
import type { TranslationView } from "./techniques/bt/view.js";
import type { TechniqueName } from "./techniques/names.js";
import type { Vcpu } from "./vcpus.js";

/** The host: a machine of any kind, with the hypervisor in place of a system. */
export interface HostOptions extends CreateOptions {
  /**
   * The mode the hypervisor runs in. Hardware-assisted techniques need 64, the others, which truncate segments, 32. Default: 64 where the
   * model has VT-x or AMD-V.
   */
  readonly bits?: 32 | 64;
  /**
   * Processors of the host, among which its VMs are scheduled: 1, which is the default, to 8. Several need a host in 64-bit mode and a
   * machine with APICs, which is a "pc" unless said otherwise.
   */
  readonly processors?: number;
  /** Ticks of a VM's turn: 1000 to 3006818, which are 30 ms and the default. */
  readonly slice?: number;
}

/** What a VM is to be. */
export interface VmOptions {
  /** By which it is asked for; no other VM of the host has it. */
  readonly name: string;
  /**
   * What the VM is in front of its first instruction, or wherever it goes on from. Under simulation, VT-x with EPT and AMD-V it may have
   * several processors: they take turns as those of the machine do, on one processor of the host at a time.
   */
  readonly guest: Machine;
  readonly technique: TechniqueName;
  /** Share of the processors beside other VMs: 1 to 65535. Default 256. */
  readonly weight?: number;
  /** Most per cent of one processor: 0, which is the default, is no limit. */
  readonly cap?: number;
  /** Under simulation: steps of the guest that one step of the hypervisor makes. Default 16384. */
  readonly quantum?: number;
  /** It waits for `resume`. */
  readonly paused?: boolean;
}

/** How far a host goes on. */
export interface HypervisorRunOptions {
  /** Steps of the host at the most: default, no limit. */
  readonly maxInstructions?: number;
  /** Until a VM's serial port has put out a text, or a VM stops. */
  readonly until?: { readonly vm: string; readonly serial?: string };
  /** Events of the host to collect. */
  readonly observe?: readonly EventKind[];
}

/** A virtual machine of a host, at this step. */
export interface Vm {
  readonly name: string;
  readonly technique: TechniqueName;
  readonly status: VmStatus;
  /** Its operator wants it to go no further for now. */
  readonly paused: boolean;
  /** What the guest sees, as a machine that could go on by itself: registers, memory, devices, disks, its own time. */
  readonly machine: Machine;
  /** Its virtual processors by number; `machine.turn` says the same of several as of the machine that they are. */
  readonly vcpus: readonly Vcpu[];
  /** What its serial port has put out, as text. */
  readonly serial: string;
  /** Every exit, by reason, instruction and effect. */
  readonly ledger: readonly LedgerEntry[];
  readonly exits: number;
  /** Blocks of guest code that binary translation has translated; 0 under other techniques. */
  readonly translatedBlocks: number;
  /** Shadow page tables that were built, and page faults that the guest never saw; 0 under techniques without them. */
  readonly shadow: { readonly builds: number; readonly faults: number };
  /** Host ticks during which it had a processor. */
  readonly ran: number;
  /** Binary translation: what it has made of the guest's kernel. Undefined of other techniques, and before the VM first runs. */
  readonly translation: TranslationView | undefined;
  /** Host ticks it has been charged for: those, and what the hypervisor did for it. */
  readonly charged: number;
  readonly weight: number;
  readonly cap: number;
}
