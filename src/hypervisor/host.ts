/**
 * The hypervisor while it has the processor: the port, what it remembers, and its memory. A handler makes one of these, works
 * through it, and what it remembers is replaced when it is done.
 *
 * Frames are reached by their physical addresses: this stands for the window that every hypervisor has on all of memory, and goes
 * through none of the guest's translations.
 */
import type { ProcessorPort } from "../hardware/cpu/processor.js";
import type { Disk } from "../hardware/disk.js";
import type { Turn as ProcessorTurn } from "../hardware/state.js";
import type { HostAccess } from "../hardware/supervisors.js";
import { VirtualBoard } from "../hardware/virtual-processor/board.js";
import type { VirtualMemory } from "../hardware/virtual-processor/memory.js";
import { take } from "./frames.js";
import { guestMemory, hostWideDma, noting } from "./guest-memory.js";
import { lacks } from "./isolation/protections.js";
import { APIC_VECTOR, FIRST_IRQ } from "./layout.js";
import type { Schedule } from "./schedule.js";
import { type HostProcessor, type HypervisorState, type VmState, withVm } from "./state.js";
import { techniques } from "./techniques/names.js";

export const PAGE = 4096;

type ChangedVm = { -readonly [Name in keyof VmState]: VmState[Name] };
const NO_DISKS: readonly Disk[] = Object.freeze([]);

/** Numbers of a VM's frames that were stored to since its guest last went on: by instructions executed for it, or by its devices. */
interface Stores {
  /** Shadow paging does not know of these. */
  readonly unseen: Set<number>;
  readonly seen: Set<number>;
}

/** Memory as a VM's bus has it: its masters reach what its processor does. */
const onBus = ({ state, port }: Host, vm: VmState, memory: VirtualMemory): VirtualMemory =>
  lacks(vm, "DMA bounds") ? hostWideDma(port, memory, state.frames.end) : memory;

export class Host {
  readonly port: ProcessorPort;
  readonly access: HostAccess;
  /** Number of the processor. */
  readonly processor: number;
  /** What it is at. */
  own: HostProcessor;
  state: HypervisorState;
  /** An interrupt of the host's waits that the processor has to take itself, before a guest goes on. */
  interruptWaits = false;
  /** VMs that this handler has changed, by number. */
  readonly #changed: (ChangedVm | undefined)[] = [];
  /** Devices and clocks of the VMs that this handler has to do with, likewise. */
  readonly #boards: (VirtualBoard | undefined)[] = [];
  /** Of VMs whose technique traces stores, likewise. */
  readonly #stores: (Stores | undefined)[] = [];
  /** The guest was left on its way in, by the event that was delivered to it. */
  leftAtEntry = false;

  constructor(port: ProcessorPort, access: HostAccess) {
    this.port = port;
    this.access = access;
    this.processor = port.apicId;
    this.state = access.state as HypervisorState;
    this.own = this.state.processors[this.processor]!;
  }

  /** Time, in the host's ticks. */
  get now(): number {
    return this.port.now;
  }

  /** The host has several processors. */
  get several(): boolean {
    return this.state.processors.length > 1;
  }

  /** What a guest's time goes on by while it runs: time as well, unless other processors take turns with this one. */
  get made(): number {
    return this.several ? this.access.steps : this.now;
  }

  vm(number: number): VmState {
    return this.state.vms[number]!;
  }

  /** What was stored to of a VM. */
  stores(number: number): Stores {
    let stores = this.#stores[number];
    if (stores === undefined) {
      stores = { unseen: new Set(this.vm(number).stores), seen: new Set() };
      this.#stores[number] = stores;
    }
    return stores;
  }

  get schedule(): Schedule {
    return this.state.schedule;
  }

  set schedule(schedule: Schedule) {
    this.state = { ...this.state, schedule };
  }

  /** A VM's record that is this handler's own until it is done: made with the first change. */
  changed(number: number): ChangedVm {
    let vm = this.#changed[number];
    if (vm === undefined) {
      vm = { ...this.vm(number) };
      this.#changed[number] = vm;
      this.state = withVm(this.state, number, vm);
    }
    return vm;
  }

  /** Replaces parts of a VM. */
  change(number: number, change: Partial<VmState>): VmState {
    return Object.assign(this.changed(number), change);
  }

  /** The devices and the clock of a VM: what becomes of them is the VM's when the handler is done. */
  board(number: number): VirtualBoard {
    let board = this.#boards[number];
    if (board === undefined) {
      const { devices, ticks, extents, firstDisk, diskCount, technique, turn } = this.vm(number);
      const disks = diskCount === 0 ? NO_DISKS : this.access.disks.slice(firstDisk, firstDisk + diskCount);
      const memory = guestMemory(this.port, extents);
      const traced = techniques[technique].traces === true ? noting(memory, this.stores(number).unseen) : memory;
      board = new VirtualBoard(
        { devices, disks, tick: ticks, processor: turn?.processor ?? 0 },
        onBus(this, this.vm(number), traced),
      );
      if (this.access.observes("port")) this.#watchPorts(board, this.vm(number).name);
      this.#boards[number] = board;
    }
    return board;
  }

  /** Another turn of a VM's virtual processors, be it another one's or not. */
  turn(number: number, turn: ProcessorTurn): void {
    this.changed(number).turn = turn;
    this.board(number).apicId = turn.processor;
  }

  #watchPorts(board: VirtualBoard, vm: string): void {
    const { access, port: processor } = this;
    board.watch = (direction, port, size, value) =>
      access.note({ kind: "port", tick: board.now, eip: processor.eip, direction, port, size, value, vm });
  }

  /** VMs whose devices have ended them go no further. */
  takeStops(): void {
    this.#boards.forEach((board, number) => {
      if (board?.stop !== undefined && this.vm(number).status.kind !== "stopped")
        this.change(number, { status: { kind: "stopped", stop: board.stop } });
    });
  }

  /** What the handler has done becomes what the hypervisor remembers. */
  commit(): void {
    this.flush();
    const { state, own, processor } = this;
    const { processors } = state;
    this.access.state =
      own === processors[processor] ? state : { ...state, processors: processors.with(processor, own) };
  }

  /** What the handler has done with VMs is in their records. */
  flush(): void {
    this.#boards.forEach((board, number) => {
      if (board !== undefined) this.#keep(number, board);
    });
    this.#stores.forEach((stores, number) => {
      if (stores !== undefined) this.#keepStores(number, stores);
    });
    this.#boards.length = 0;
    this.#stores.length = 0;
    this.#changed.length = 0;
  }

  #keep(number: number, board: VirtualBoard): void {
    const vm = this.changed(number);
    const { counts, firstDisk, diskCount } = vm;
    const { devices, now, portReads, portWrites, disks } = board;
    vm.devices = devices;
    vm.ticks = now;
    if (portReads + portWrites !== 0)
      vm.counts = { ...counts, portReads: counts.portReads + portReads, portWrites: counts.portWrites + portWrites };
    if (diskCount === 0) return;
    const changed = disks?.some((disk, index) => disk !== this.access.disks[firstDisk + index]) ?? false;
    if (changed) this.access.disks = this.access.disks.toSpliced(firstDisk, diskCount, ...disks!);
  }

  /** What a guest that does not go on was not compared with waits until it does: another's turn may come first. */
  #keepStores(number: number, { unseen, seen }: Stores): void {
    const left = this.own.running?.vm === number ? [...unseen] : [...new Set([...seen, ...unseen])];
    if (left.length > 0) this.changed(number).stores = left;
    else if (this.vm(number).stores !== undefined) this.changed(number).stores = undefined;
  }

  /** Frames of zeros, for the VM whose registers the processor holds. */
  allocate(pages: number, what: string): number {
    const bytes = pages * PAGE;
    const [frames, at] = take(this.state.frames, bytes, PAGE, what);
    this.state = { ...this.state, frames };
    const number = this.own.current!;
    const own = this.vm(number).frames;
    const last = own.at(-1);
    const follows = last !== undefined && last.at + last.bytes === at;
    this.change(number, {
      frames: follows ? own.with(-1, { at: last.at, bytes: last.bytes + bytes }) : [...own, { at, bytes }],
    });
    return at;
  }

  // The host's interrupt controllers and timer, as `devices/` has them.

  portWrite(port: number, value: number): void {
    this.port.portWrite(port, 1, value);
  }

  /** A register of this processor's local APIC. */
  #apicWrite(register: number, value: number): void {
    this.port.writePhysical(LOCAL_APIC + register, value);
  }

  /** Spec: Intel 8259A, "Initialization Command Words". The timer is let through, and the serial port, which is the operator's. */
  startInterrupts(): void {
    for (const [port, value] of [
      ...[[0x20, 0x11] as const, [0x21, FIRST_IRQ] as const, [0x21, 4] as const, [0x21, 1] as const],
      ...[[0xa0, 0x11] as const, [0xa1, FIRST_IRQ + 8] as const, [0xa1, 2] as const, [0xa1, 1] as const],
      ...[[0x21, this.several ? 0xef : 0xee] as const, [0xa1, 0xff] as const],
    ])
      this.portWrite(port, value);
    // What the timer was at before is over: it counts nothing until an alarm is set.
    this.portWrite(0x43, 0x30);
    this.portWrite(UART.IER, UART.RECEIVED);
    this.portWrite(UART.MCR, UART.OUT2);
  }

  /** Spec: SDM Vol. 3A, "Local APIC State", "APIC Timer". */
  startLocalApic(): void {
    this.#apicWrite(APIC.SVR, APIC.ENABLED | APIC_VECTOR.spurious);
    this.#apicWrite(APIC.DCR, APIC.DIVIDE_BY_1);
    this.#apicWrite(APIC.TIMER, APIC_VECTOR.timer);
  }

  /** Has other processors look what there is for them to do. */
  kick(processor: number | "others"): void {
    if (processor === "others") this.#apicWrite(APIC.ICR, APIC.TO_OTHERS | APIC_VECTOR.kick);
    else {
      this.#apicWrite(APIC.ICR_HIGH, processor * 2 ** 24);
      this.#apicWrite(APIC.ICR, APIC_VECTOR.kick);
    }
  }

  /** An interrupt of the host's was taken. */
  endOfInterrupt(vector: number): void {
    if (vector === APIC_VECTOR.timer || vector === APIC_VECTOR.kick) {
      this.#apicWrite(APIC.EOI, 0);
      return;
    }
    if (vector < FIRST_IRQ || vector >= FIRST_IRQ + 16) return;
    // What the operator wants is in the hypervisor's records; the byte only wakes it.
    while ((this.port.portRead(UART.LSR, 1) & UART.DATA_READY) !== 0) this.port.portRead(UART.RBR, 1);
    this.portWrite(0x20, 0x20);
    // It may be another processor's VM that something is wanted of.
    if (this.several) this.kick("others");
  }

  /**
   * Lets the timer fire at a tick, or less than a clock behind it; at the latest after 55 ms. A local APIC's fires at the very tick.
   * The 8254 takes a count over with the clock behind the write, so two clocks are the least. Spec: Intel 8254, "Mode 0".
   */
  setAlarm(tick: number): void {
    if (this.several) {
      // Not at once: a guest is to get further, and what is nearer is approached.
      const ticks = Math.min(MOST_TICKS, Math.max(TICKS_A_CLOCK, tick - this.now));
      this.#apicWrite(APIC.INITIAL_COUNT, ticks);
      this.own = { ...this.own, alarm: this.now + ticks };
      return;
    }
    const loaded = Math.floor(this.now / TICKS_A_CLOCK) + 1;
    const clocks = Math.min(0xffff, Math.max(1, Math.ceil(tick / TICKS_A_CLOCK) - loaded));
    this.portWrite(0x43, 0x30);
    this.portWrite(0x40, clocks & 0xff);
    this.portWrite(0x40, clocks >> 8);
    this.own = { ...this.own, alarm: (loaded + clocks) * TICKS_A_CLOCK };
  }
}

const LOCAL_APIC = 0xfee0_0000;
/** Registers of a local APIC and their bits. Spec: SDM Vol. 3A, "Local APIC Register Address Map". */
const APIC = {
  ...{ EOI: 0xb0, SVR: 0xf0, ICR: 0x300, ICR_HIGH: 0x310, TIMER: 0x320, INITIAL_COUNT: 0x380, DCR: 0x3e0 },
  ...{ ENABLED: 0x100, TO_OTHERS: 0xc_4000, DIVIDE_BY_1: 0xb },
} as const;
const MOST_TICKS = 0xffff_ffff;

/** Registers of the first serial port and their bits. Spec: National Semiconductor PC16550D, "Registers". */
const UART = { RBR: 0x3f8, IER: 0x3f9, MCR: 0x3fc, LSR: 0x3fd, RECEIVED: 1, OUT2: 8, DATA_READY: 1 } as const;

/** Of the 8254, so that an alarm is late by less than that; see `hardware/devices/pit8254.ts`. */
export const TICKS_A_CLOCK = 84;
