/**
 * The open machine's processor outside of the generated code: what instructions in TypeScript and deliveries work on,
 * with its devices and its clock. It is the `ProcessorPort`; the `Engine` runs it.
 */
import { anyBreakpoint } from "../cpu/debug.js";
import type { Descriptor } from "../cpu/descriptors.js";
import type { DeliveredEvent, GuestOperation, VmExit } from "../cpu/guest-operation.js";
import {
  type AccessSize,
  type Between,
  type Fault,
  type GateWay,
  type LocalApicPort,
  type ProcessorPort,
  VECTOR,
} from "../cpu/processor.js";
import {
  type CpuState,
  codeBitsOf,
  cplOf,
  FLAG,
  flatProtectedMode,
  isLong,
  type Mode,
  modeOf,
  type PendingEvents,
  type Segment,
  type SegmentName,
  type Shadow,
  type SystemState,
} from "../cpu/state.js";
import type * as bus from "../devices/bus.js";
import type { X86CodeMode } from "../isa/x86.js";
import type { EventKind, MachineEvent, MachineState } from "../state.js";
import type { AddressSpace } from "./address-space.js";
import { type Attention, LOOK_AROUND } from "./attention.js";
import type { Blocks } from "./blocks.js";
import { Debugging } from "./debugging.js";
import { Deliveries } from "./deliveries.js";
import { DevicePort } from "./device-port.js";
import { FloatFile } from "./float-file.js";
import { GuestMode } from "./guest-mode.js";
import type { LinearMemory } from "./linear-memory.js";
import { LiveCounts } from "./live-counts.js";
import { PresentMode } from "./present-mode.js";
import { RegisterFile, SAVED_WORDS } from "./register-file.js";
import { SystemRegisters } from "./system-registers.js";
import { WaitingEvents } from "./waiting-events.js";
import type { Ways } from "./ways.js";

export class Processor implements ProcessorPort {
  readonly registers: RegisterFile;
  readonly floating: FloatFile;
  readonly counts: LiveCounts;
  readonly deliveries: Deliveries;
  readonly waiting: WaitingEvents;
  readonly present: PresentMode;
  readonly debugging: Debugging;
  readonly devicePort: DevicePort;
  readonly guestMode = new GuestMode(this);
  #system = new SystemRegisters(flatProtectedMode.system);
  readonly #space: AddressSpace;
  readonly #memory: LinearMemory;
  readonly #ways: Ways;

  eip = 0;
  /** Where execution goes on; set to the next instruction before a system instruction runs. */
  nextEip = 0;
  halted = false;
  shadow: Shadow = "none";
  /** The processor's number among `processors`, which is its initial APIC ID. */
  apicId = 0;

  /** Steps and ticks up to the present call of the generated code; `budget` it was given, `left` it has. */
  steps = 0;
  ticks = 0;
  /** Number of steps behind the last PAUSE of this turn. */
  pausedAt = -1;
  /** No other processor can go on: a turn that is over comes back at once. */
  alone = true;
  budget = 0;
  left = 0;

  attention: Attention | undefined;
  /** The instruction in TypeScript has iterations left. */
  repeating = false;
  /** A fault was met on the way to a handler: INT n itself was refused, and the exception delivered instead. */
  faultMet = false;
  /** The instruction in TypeScript ends in this. */
  exit: VmExit | undefined;
  observe: ReadonlySet<EventKind> | undefined;
  events: MachineEvent[] = [];
  readonly #saved = new Int32Array(SAVED_WORDS);

  constructor(buffer: ArrayBuffer, space: AddressSpace, blocks: Blocks<X86CodeMode>) {
    this.registers = new RegisterFile(buffer);
    this.floating = new FloatFile(buffer);
    this.counts = new LiveCounts(buffer);
    this.waiting = new WaitingEvents(buffer);
    this.#space = space;
    this.#memory = space.memory;
    space.system = this.#system.live;
    this.deliveries = new Deliveries(this, buffer, space);
    this.present = new PresentMode(this, buffer, space, blocks);
    this.#ways = this.present.ways;
    this.debugging = new Debugging(this, buffer);
    this.devicePort = new DevicePort(this, buffer, space);
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  open(state: MachineState): void {
    this.apicId = state.turn?.processor ?? 0;
    this.openCpu(state.cpu);
    this.deliveries.open(state.lastException);
    this.counts.open(state.counts);
    this.steps = state.steps;
    this.ticks = state.ticks;
    this.pausedAt = -1;
    this.devicePort.open(state);
  }

  openCpu(cpu: CpuState): void {
    if (this.#system.value !== cpu.system || ((cpu.eflags ^ this.registers.eflags) & (FLAG.VM | FLAG.AC)) !== 0)
      this.present.forget();
    this.#ways.abandon();
    this.#system.open(cpu.system);
    this.registers.load(cpu);
    this.registers.wideChanges = isLong(cpu.system);
    this.registers.eflags = cpu.eflags;
    this.floating.open(cpu.floating);
    this.eip = codeBitsOf(cpu.system) === 64 ? cpu.eip : cpu.eip >>> 0;
    this.halted = cpu.halted;
    this.shadow = cpu.shadow;
    this.pending = cpu.pending;
  }

  seal(): CpuState {
    return this.registers.toCpu({
      system: this.#system.seal(),
      floating: this.floating.seal(),
      eip: this.codeBits === 64 ? this.eip : this.eip | 0,
      halted: this.halted,
      shadow: this.shadow,
      pending: this.pending,
    });
  }

  /** After a run that was left by an error. */
  recover(): void {
    this.deliveries.recover();
    this.counts.recover();
    this.present.forget();
    this.#ways.forget();
  }

  // ---- several processors -----------------------------------------------------------------------------------------

  /** Which of the processors this is at present; see `Exchange`. */
  get systemRegisters(): SystemRegisters {
    return this.#system;
  }

  set systemRegisters(system: SystemRegisters) {
    this.#system = system;
    this.#space.system = system.live;
    this.present.forgetSegments();
  }

  pause(): void {
    if (this.processors === 1) return;
    this.pausedAt = this.steps + this.budget - this.left + 1;
    if (!this.alone) this.attention ??= LOOK_AROUND;
  }

  get processors(): number {
    return this.devices.apic?.local.length ?? 1;
  }

  // ---- instruction boundaries -------------------------------------------------------------------------------------

  /** The present tick, inside of an instruction too. */
  get now(): number {
    return this.ticks + this.budget - this.left;
  }

  /** Generated code has been at work: sees where it went, and which exceptions it delivered. */
  catchUp(): void {
    this.deliveries.catchUp(this.#ways);
    this.present.catchUp();
  }

  /** Remembers the registers in front of an instruction; one memory is enough, because deliveries do not nest. */
  checkpoint(): void {
    this.deliveries.begin();
    // A way whose end nobody has seen would seem to end where this leads.
    this.#ways.abandon();
    this.registers.saveTo(this.#saved, this.long);
    this.#system.mark();
  }

  /** Takes back what an instruction did to the registers before it faulted. */
  restore(): void {
    this.registers.restoreFrom(this.#saved, this.long);
    this.#system.restore();
    this.present.forget();
    this.#ways.abandon();
    // A task switch may have come as far as another CR3.
    this.#space.flushIfChanged();
  }

  // ---- events -----------------------------------------------------------------------------------------------------

  get pending(): PendingEvents {
    return this.waiting.value;
  }

  set pending(pending: PendingEvents) {
    this.waiting.value = pending;
  }

  get interruptible(): boolean {
    return this.devicePort.interruptWaits && this.guestMode.letsInterruptsIn;
  }

  faulted(fault: Fault): void {
    this.deliveries.faulted(fault);
    this.faultMet = true;
  }

  /** Tick of the next thing that happens by itself. */
  get nextEvent(): number {
    return Math.min(this.devicePort.nextEvent, this.guestMode.deadline);
  }

  /** An NMI waits that is let in. */
  get nmiWaits(): boolean {
    const { nmi, nmiBlocked } = this.pending;
    return nmi && (!nmiBlocked || this.guestMode.nmiBlockingIsVirtual) && this.guestMode.letsEventsIn;
  }

  pageFaultAt(linear: number): void {
    this.guestMode.pageFaults(this.#system.live.cr2);
    this.#system.setCr2(this.long ? linear : linear | 0);
  }

  /** CR2, as linear addresses are: signed in long mode alone. */
  get faultAddress(): number {
    const { cr2 } = this.#system.live;
    return this.long ? cr2 : cr2 >>> 0;
  }

  trap(dr6: number): void {
    if (dr6 === 0) return;
    this.waiting.debug = this.pending.debug | dr6;
    this.attention ??= LOOK_AROUND;
  }

  payloadOf(vector: number): number {
    return vector === VECTOR.PF ? this.faultAddress : vector === VECTOR.DB ? this.deliveries.dr6 : 0;
  }

  get between(): Between {
    const { halted, pending } = this;
    // An instruction that is being executed began in the shadow of the one before.
    const shadow = this.shadow === "none" ? this.guestMode.shadowBefore : this.shadow;
    return { halted, shadow, pending };
  }

  setBetween({ halted = this.halted, shadow = this.shadow, pending }: Partial<Between>): void {
    this.halted = halted;
    this.shadow = shadow;
    if (pending !== undefined) this.waiting.change(pending);
    this.attention ??= LOOK_AROUND;
  }

  get guest(): GuestOperation | undefined {
    return this.guestMode.operation;
  }

  leave(exit: VmExit): void {
    this.exit = exit;
  }

  inject(event: DeliveredEvent | undefined): void {
    this.guestMode.inject(event);
  }

  unblockNmi(): void {
    if (!this.pending.nmiBlocked || !this.guestMode.iretUnblocksNmi) return;
    this.waiting.change({ nmiBlocked: false });
    if (this.pending.nmi || this.guest !== undefined) this.attention ??= LOOK_AROUND;
  }

  halt(): void {
    this.halted = true;
    this.attention ??= LOOK_AROUND;
  }

  setShadow(by: "sti" | "mov-ss"): void {
    this.shadow = by;
    this.attention ??= LOOK_AROUND;
  }

  repeat(): void {
    this.repeating = true;
  }

  wentThroughGate(way: GateWay, gate: number, stack: Descriptor | undefined): void {
    // Behind a change of segments the processor is at a place that is not known yet.
    if (this.present.isKnown && this.#ways.throughGate(way, gate, stack, this.#system.live)) this.present.forget();
  }

  wentBack(selector: number, code: Descriptor, stack: Descriptor | undefined, eflags: number, may: number): void {
    if (this.present.isKnown && this.#ways.back(selector, code, stack, eflags, may)) this.present.forget();
  }

  // ---- registers --------------------------------------------------------------------------------------------------

  getRegister(number: number): number {
    return this.registers.get(number);
  }

  setRegister(number: number, value: number, high = 0): void {
    this.registers.set(number, value, high);
  }

  getRegisterHigh(number: number): number {
    return this.registers.getHigh(number);
  }

  getEflags(): number {
    return this.registers.eflags;
  }

  setEflags(value: number): void {
    const changed = value ^ this.registers.rest;
    if ((changed & (FLAG.VM | FLAG.AC)) !== 0) this.present.forget();
    this.registers.eflags = value;
    const opens = (value & changed & FLAG.IF) !== 0 && this.guestMode.isLeftForWindow;
    if ((value & FLAG.TF) !== 0 || ((value & FLAG.IF) !== 0 && this.devicePort.interruptWaits) || opens)
      this.attention ??= LOOK_AROUND;
  }

  get mode(): Mode {
    return modeOf(this.#system.live, this.registers.rest);
  }

  get cpl(): number {
    return cplOf(this.#system.live, this.registers.rest);
  }

  get long(): boolean {
    return isLong(this.#system.live);
  }

  get codeBits(): 16 | 32 | 64 {
    return codeBitsOf(this.#system.live);
  }

  /** Linear address of the instruction. */
  get linearEip(): number {
    return this.codeBits === 64 ? this.eip : (this.#system.live.segments.cs.base + this.eip) >>> 0;
  }

  get system(): SystemState {
    return this.#system.live;
  }

  setSystem(change: Partial<SystemState>): void {
    const { virtualization } = this.#system.live;
    this.#system.change(change);
    if (change.segments || change.cr0 !== undefined || change.debug) this.present.forget();
    if (change.debug || "virtualization" in change) this.devicePort.forgetPorts();
    if ("virtualization" in change) {
      // Who enters or leaves a guest changes more, and invalidates behind that.
      if ((virtualization?.guest === undefined) === (change.virtualization?.guest === undefined)) this.invalidate();
      this.attention ??= LOOK_AROUND;
    }
    // No way depends on where pages are.
    if ("virtualization" in change || (change.cr3 === undefined && change.cr2 === undefined)) {
      this.#ways.nowhere();
      this.present.forget();
    }
    if (change.debug && anyBreakpoint(this.#system.live)) this.attention ??= LOOK_AROUND;
  }

  setSegment(name: SegmentName, segment: Segment): void {
    if (this.#system.setSegment(name, segment)) this.present.forget();
  }

  // ---- memory -----------------------------------------------------------------------------------------------------

  /** Nothing to do for one page: translations here are never stale, as stores to page tables drop what they change. */
  invalidate(linear?: number): void {
    if (linear === undefined) this.#space.flushIfChanged();
  }

  // An access behind a store to a page table finds what that left: not by a walk each time, for software in TypeScript makes many.

  readLinear(linear: number, size: AccessSize, user: boolean): number {
    this.#space.settle();
    const value = this.#memory.read(linear, size, user);
    return size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
  }

  readUnpaged(physical: number): number {
    return this.#memory.readUnpaged(physical) >>> 0;
  }

  writeLinear(linear: number, size: AccessSize, value: number, user: boolean): void {
    this.#space.settle();
    this.#memory.write(linear, size, value, user);
  }

  low = 0;
  high = 0;
  readPair(linear: number): void {
    this.#space.settle();
    this.#memory.readPair(linear);
    this.low = this.#memory.low;
    this.high = this.#memory.high;
  }

  readWords(linear: number, count: number, user: boolean, words: Int32Array): void {
    this.#space.settle();
    this.#memory.readWords(linear, count, user, words);
  }

  writeWords(linear: number, count: number, user: boolean, words: Int32Array): void {
    this.#space.settle();
    this.#memory.writeWords(linear, count, user, words);
  }

  readBytes(linear: number, bytes: Uint8Array, user: boolean): void {
    this.#space.settle();
    this.#memory.readBytes(linear, bytes, user);
  }

  writeBytes(linear: number, bytes: Uint8Array, user: boolean): void {
    this.#space.settle();
    this.#memory.writeBytes(linear, bytes, user);
  }

  readPhysical(physical: number): number {
    return this.#space.readPhysical(physical) >>> 0;
  }

  readPhysicalWords(physical: number, words: Uint32Array): void {
    this.#space.readPhysicalWords(physical, words);
  }

  writePhysical(physical: number, value: number): void {
    this.#space.writePhysical(physical, value);
  }

  checkWrite(linear: number, size: number, user: boolean): void {
    this.#memory.checkWrite(linear, size, user);
  }

  segmentAddress(segment: number, offset: number, size: number, write: boolean): number {
    const { checks } = this.#space;
    const system = this.#system.live;
    return this.codeBits === 64
      ? checks.longAddress(system, segment, offset, size, write)
      : checks.segmentAddress(system, segment, offset, size, write);
  }

  // ---- devices ----------------------------------------------------------------------------------------------------

  get devices(): bus.DeviceSet {
    return this.devicePort.devices;
  }

  set devices(devices: bus.DeviceSet) {
    this.devicePort.devices = devices;
  }

  get localApic(): LocalApicPort | undefined {
    return this.devicePort.localApic;
  }

  portRead(port: number, size: AccessSize): number {
    return this.devicePort.portRead(port, size);
  }

  portWrite(port: number, size: AccessSize, value: number): void {
    this.devicePort.portWrite(port, size, value);
  }
}
