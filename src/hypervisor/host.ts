/**
 * The hypervisor while it has the processor: the port, what it remembers, and its memory. A handler makes one of these, works
 * through it, and what it remembers is replaced when it is done.
 *
 * Frames are reached by their physical addresses: this stands for the window that every hypervisor has on all of memory, and goes
 * through none of the guest's translations.
 */
import type { ProcessorPort } from "../hardware/cpu/processor.js";
import type { HostAccess } from "../hardware/supervisors.js";
import { VirtualBoard } from "../hardware/virtual-processor/board.js";
import { take } from "./frames.js";
import { guestMemory, noting } from "./guest-memory.js";
import { FIRST_IRQ } from "./layout.js";
import { type HypervisorState, type VmState, withVm } from "./state.js";
import { techniques } from "./techniques/names.js";

export const PAGE = 4096;

export class Host {
  readonly port: ProcessorPort;
  readonly access: HostAccess;
  state: HypervisorState;
  /** VMs that this handler has changed. */
  readonly #changed = new Map<number, VmState>();
  /** Devices and clocks of the VMs that this handler has to do with. */
  readonly #boards = new Map<number, VirtualBoard>();
  /** Numbers of frames that instructions executed for a guest, or its devices, have stored to; of techniques that trace stores. */
  readonly written = new Set<number>();
  /** Those of them that shadow paging knows of by now. */
  readonly storedTo = new Set<number>();
  /** They may have stored to any. */
  wroteAnything = false;
  /** The guest was left on its way in, by the event that was delivered to it. */
  leftAtEntry = false;

  constructor(port: ProcessorPort, access: HostAccess) {
    this.port = port;
    this.access = access;
    this.state = access.state as HypervisorState;
  }

  /** Time, in the host's ticks. */
  get now(): number {
    return Number(this.port.timestamp);
  }

  vm(number: number): VmState {
    return this.state.vms[number]!;
  }

  /** Replaces parts of a VM. The first change of a handler makes a record that is its own until the handler is done. */
  change(number: number, change: Partial<VmState>): VmState {
    let vm = this.#changed.get(number);
    if (vm === undefined) {
      vm = { ...this.vm(number) };
      this.#changed.set(number, vm);
      this.state = withVm(this.state, number, vm);
    }
    return Object.assign(vm, change);
  }

  /** The devices and the clock of a VM: what becomes of them is the VM's when the handler is done. */
  board(number: number): VirtualBoard {
    let board = this.#boards.get(number);
    if (board === undefined) {
      const { devices, ticks, extents, firstDisk, diskCount, technique } = this.vm(number);
      const disks = this.access.disks.slice(firstDisk, firstDisk + diskCount);
      const memory = guestMemory(this.port, extents);
      const traced = techniques[technique].traces === true ? noting(memory, this.written) : memory;
      board = new VirtualBoard({ devices, disks, tick: ticks }, traced);
      this.#boards.set(number, board);
    }
    return board;
  }

  /** What the handler has done becomes what the hypervisor remembers. */
  commit(): void {
    for (const [number, board] of this.#boards) this.#keep(number, board);
    this.access.state = this.state;
  }

  #keep(number: number, board: VirtualBoard): void {
    const { counts, firstDisk, diskCount, status } = this.vm(number);
    const { devices, now: ticks, portReads, portWrites, disks, stop } = board;
    this.change(number, {
      devices,
      ticks,
      counts: { ...counts, portReads: counts.portReads + portReads, portWrites: counts.portWrites + portWrites },
      status: stop === undefined || status.kind === "stopped" ? status : { kind: "stopped", stop },
    });
    const changed = disks?.some((disk, index) => disk !== this.access.disks[firstDisk + index]) ?? false;
    if (changed) this.access.disks = this.access.disks.toSpliced(firstDisk, diskCount, ...disks!);
  }

  /** Frames of zeros. */
  allocate(pages: number, what: string): number {
    const [frames, at] = take(this.state.frames, pages * PAGE, PAGE, what);
    this.state = { ...this.state, frames };
    return at;
  }

  // The host's interrupt controllers and timer, as `devices/` has them.

  portWrite(port: number, value: number): void {
    this.port.portWrite(port, 1, value);
  }

  /** Spec: Intel 8259A, "Initialization Command Words". Only the timer is let through. */
  startInterrupts(): void {
    for (const [port, value] of [
      ...[[0x20, 0x11] as const, [0x21, FIRST_IRQ] as const, [0x21, 4] as const, [0x21, 1] as const],
      ...[[0xa0, 0x11] as const, [0xa1, FIRST_IRQ + 8] as const, [0xa1, 2] as const, [0xa1, 1] as const],
      ...[[0x21, 0xfe] as const, [0xa1, 0xff] as const],
    ])
      this.portWrite(port, value);
  }

  endOfInterrupt(): void {
    this.portWrite(0x20, 0x20);
  }

  /** Lets the timer fire at a tick, or shortly behind it; at the latest after 55 ms. Spec: Intel 8254, "Mode 0". */
  setAlarm(tick: number): void {
    const clocks = Math.min(0xffff, Math.max(1, Math.ceil((tick - this.now) / TICKS_A_CLOCK)));
    this.portWrite(0x43, 0x30);
    this.portWrite(0x40, clocks & 0xff);
    this.portWrite(0x40, clocks >> 8);
    this.state = { ...this.state, alarm: this.now + clocks * TICKS_A_CLOCK };
  }
}

/** Of the 8254, so that an alarm is late by less than that; see `hardware/devices/pit8254.ts`. */
export const TICKS_A_CLOCK = 84;
