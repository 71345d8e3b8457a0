/**
 * The open machine's processor outside of the generated code: what instructions in TypeScript and deliveries work on,
 * with its devices and its clock. It is the `ProcessorPort`; the `Engine` runs it.
 */
import {
  anyBreakpoint,
  anyDataBreakpoint,
  codeBreakpoints,
  DR6,
  dataBreakpoints,
  portBreakpoints,
  recorded,
} from "../cpu/debug.js";
import type { Descriptor } from "../cpu/descriptors.js";
import { deliver, type EventSource } from "../cpu/exceptions.js";
import { mmxFault, sseFault, x87Fault } from "../cpu/floating-faults.js";
import type { DeliveredEvent, GuestOperation } from "../cpu/guest-operation.js";
import type { AccessSize, Between, GateWay, LocalApicPort, ProcessorPort } from "../cpu/processor.js";
import { Fault, VECTOR, vectorNames } from "../cpu/processor.js";
import type { RuleName } from "../cpu/rules.js";
import {
  ACCESS,
  type CpuState,
  CR0,
  codeBitsOf,
  cplOf,
  FLAG,
  flatProtectedMode,
  isCanonical,
  isFlat,
  isLong,
  type Mode,
  modeOf,
  noEvents,
  type PendingEvents,
  type Segment,
  type SegmentName,
  type Shadow,
  type SystemState,
  segmentNumbered,
} from "../cpu/state.js";
import * as ownApic from "../devices/apic-bus.js";
import * as bus from "../devices/bus.js";
import type { Reach } from "../devices/guest-memory.js";
import { type Disk, readDisk, writeDisk } from "../disk.js";
import type { DeliveredException } from "../inspect/exception.js";
import type { X86CodeMode } from "../isa/x86.js";
import type { Counts, EventKind, MachineEvent, MachineState, Stop } from "../state.js";
import type { AddressSpace } from "./address-space.js";
import type { Blocks } from "./blocks.js";
import { CodeModes } from "./code-modes.js";
import { asFault } from "./core.js";
import { ExceptionLog } from "./exception-log.js";
import { FloatFile } from "./float-file.js";
import { KnownPorts } from "./known-ports.js";
import {
  CODE_LIMIT,
  CPL,
  EVENTS_WAIT,
  EXCEPTIONS,
  FLOAT_FAULT,
  INTERRUPT_WAITS,
  LOG_BYTES,
  LOG_EIP,
  LOG_ERROR_CODE,
  LOG_PLACE,
  LOG_VECTOR,
  MMX_FAULT,
  PORT_READS,
  REPEATS,
  RESUME,
  RESUME_LEFT,
  SSE_FAULT,
  STACK_MASK,
} from "./layout.js";
import { ParkedProcessor } from "./parked-processor.js";
import { RegisterFile, SAVED_WORDS } from "./register-file.js";
import { SystemRegisters } from "./system-registers.js";
import { Ways } from "./ways.js";

/** Why execution came back before its budget was used up. */
export interface Attention {
  readonly stop?: Stop;
}
export const LOOK_AROUND: Attention = {};
const NO_COUNTS: Counts = { repeats: 0, exceptions: 0, interrupts: 0, portReads: 0, portWrites: 0 };

export class Processor implements ProcessorPort {
  readonly registers: RegisterFile;
  readonly floating: FloatFile;
  #system = new SystemRegisters(flatProtectedMode.system);
  readonly #space: AddressSpace;
  readonly #blocks: Blocks<X86CodeMode>;
  readonly #i32: Int32Array;
  readonly #view: DataView;
  readonly #modes = new CodeModes();
  /** Undefined: to be worked out before code is read again. */
  #codeMode: X86CodeMode | undefined;
  /** The segments the generated code knows, by number; which of them are flat; and whether every access is looked at. */
  readonly #loaded: (Segment | undefined)[] = Array.from({ length: 6 }, () => undefined);
  #flatSegments = 0;
  #checked = false;

  eip = 0;
  #nextEip = 0;
  halted = false;
  shadow: Shadow = "none";
  #pending: PendingEvents = noEvents;
  #devices!: bus.DeviceSet;
  #disks: readonly Disk[] | undefined;
  /** What devices reach of the open machine beyond their registers. */
  readonly #reach: Reach;
  readonly #ways: Ways;
  readonly #ports: KnownPorts;
  /** The place that segments and code mode are those of. */
  #place = 0;
  /** Counts of the open machine, changed in place; `sealCounts` makes them a value. */
  readonly counts: { -readonly [K in keyof Counts]: Counts[K] } = { ...NO_COUNTS };
  #countsValue: Counts = NO_COUNTS;
  /** Tick of the next thing a device does by itself. */
  nextEvent = 0;

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
  observe: ReadonlySet<EventKind> | undefined;
  #repeats = true;
  events: MachineEvent[] = [];

  readonly #saved = new Int32Array(SAVED_WORDS);
  readonly #exceptions = new ExceptionLog();

  /** Privilege when it was last looked at, for events. */
  #cpl = 0;

  constructor(buffer: ArrayBuffer, space: AddressSpace, blocks: Blocks<X86CodeMode>) {
    this.#i32 = new Int32Array(buffer);
    this.#view = new DataView(buffer);
    this.registers = new RegisterFile(buffer);
    this.floating = new FloatFile(buffer);
    this.#space = space;
    this.#blocks = blocks;
    this.#ways = new Ways(buffer);
    this.#ports = new KnownPorts(buffer);
    space.system = this.#system.live;
    space.mapped = {
      read: (physical, size) => this.#memoryRead(physical, size),
      write: (physical, size, value) => this.#memoryWrite(physical, size, value),
    };
    this.#reach = {
      memory: space.guestMemory,
      disks: {
        read: (number, offset, length) => {
          const disk = this.#disks?.[number];
          return disk === undefined ? new Uint8Array(length) : readDisk(disk, offset, length);
        },
        write: (number, offset, bytes) => {
          const disk = this.#disks?.[number];
          if (disk !== undefined) this.#disks = this.#disks!.with(number, writeDisk(disk, offset, bytes));
        },
      },
    };
  }

  get disks(): readonly Disk[] | undefined {
    return this.#disks;
  }

  get devices(): bus.DeviceSet {
    return this.#devices;
  }

  set devices(devices: bus.DeviceSet) {
    if (devices === this.#devices) return;
    this.#devices = devices;
    this.#ports.forget();
    this.#requests();
  }

  get pending(): PendingEvents {
    return this.#pending;
  }

  set pending(pending: PendingEvents) {
    this.#pending = pending;
    this.#i32[EVENTS_WAIT >> 2] = pending === noEvents ? 0 : 1;
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  open(state: MachineState): void {
    this.apicId = state.turn?.processor ?? 0;
    this.#openCpu(state.cpu);
    this.#exceptions.open(state.lastException);
    this.devices = state.devices;
    this.#disks = state.disks;
    Object.assign(this.counts, state.counts);
    this.#countsValue = state.counts;
    this.steps = state.steps;
    this.ticks = state.ticks;
    this.pausedAt = -1;
    this.#space.setA20(bus.a20Enabled(state.devices));
    // An event of this very tick has not been dealt with yet: that is done when execution goes on.
    this.nextEvent = bus.nextEvent(this.devices, this.ticks - 1);
  }

  #openCpu(cpu: CpuState): void {
    if (this.#system.value !== cpu.system || ((cpu.eflags ^ this.registers.eflags) & (FLAG.VM | FLAG.AC)) !== 0)
      this.#codeMode = undefined;
    if (sameTables(this.#system.live, cpu.system)) this.#ways.abandon();
    else this.#ways.forget();
    this.#system.open(cpu.system);
    this.registers.load(cpu);
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

  // ---- several processors -----------------------------------------------------------------------------------------

  /** Parks the processor whose turn is over, and goes on with another. */
  exchange(over: ParkedProcessor, next: ParkedProcessor, number: number): void {
    this.#park(over);
    this.#unpark(next);
    this.apicId = number;
    this.pausedAt = -1;
    this.#requests();
    this.#space.flushIfChanged();
    this.watchPrivilege();
  }

  #park(into: ParkedProcessor): void {
    into.save(this.#i32);
    into.cpu = undefined;
    into.fields = {
      system: this.#system,
      floating: this.floating.last,
      eip: this.eip,
      halted: this.halted,
      shadow: this.shadow,
      pending: this.#pending,
    };
  }

  #unpark(from: ParkedProcessor): void {
    const { fields } = from;
    this.#codeMode = undefined;
    // The generated code knows the segments of the processor before.
    this.#loaded.fill(undefined);
    if (fields === undefined) {
      this.#system = new SystemRegisters(from.cpu!.system);
      this.#space.system = this.#system.live;
      this.#openCpu(from.cpu!);
      return;
    }
    from.restore(this.#i32);
    this.#system = fields.system;
    this.#space.system = this.#system.live;
    this.floating.last = fields.floating;
    this.eip = fields.eip;
    this.halted = fields.halted;
    this.shadow = fields.shadow;
    this.pending = fields.pending;
  }

  /** A parked processor as a value. */
  valueOf(parked: ParkedProcessor): CpuState {
    const own = new ParkedProcessor();
    this.#park(own);
    this.#unpark(parked);
    const value = this.seal();
    parked.save(this.#i32);
    parked.fields!.floating = this.floating.last;
    this.#unpark(own);
    return value;
  }

  /** The registers are set from outside: INIT, a start-up message. */
  become(cpu: CpuState): void {
    this.#openCpu(cpu);
    this.#codeMode = undefined;
    this.#space.flushIfChanged();
    this.#requests();
  }

  /** The NMI pin is pulsed. */
  nmi(): void {
    this.#setPending({ ...this.pending, nmi: true });
  }

  /** PAUSE: the turn is over. */
  pause(): void {
    if (this.processors === 1) return;
    this.pausedAt = this.steps + this.budget - this.left + 1;
    if (!this.alone) this.attention ??= LOOK_AROUND;
  }

  /** Whether an interrupt waits for this processor. */
  #requests(): void {
    this.#i32[INTERRUPT_WAITS >> 2] = bus.interruptRequested(this.#devices, this.apicId) ? 1 : 0;
  }

  /** What is known of the last exception. */
  get lastException(): DeliveredException | undefined {
    return this.#exceptions.seal();
  }

  sealCounts(): Counts {
    const { repeats, exceptions, interrupts, portReads, portWrites } = this.counts;
    const value = this.#countsValue;
    const same =
      value.repeats === repeats &&
      value.exceptions === exceptions &&
      value.interrupts === interrupts &&
      value.portReads === portReads &&
      value.portWrites === portWrites;
    if (!same) this.#countsValue = { repeats, exceptions, interrupts, portReads, portWrites };
    return this.#countsValue;
  }

  // ---- instruction boundaries -------------------------------------------------------------------------------------

  /** The present tick, inside of an instruction too. */
  get now(): number {
    return this.ticks + this.budget - this.left;
  }

  /** How code is read now. Selects what the generated code looks up by mode and privilege. */
  get codeMode(): X86CodeMode {
    this.#codeMode ??= this.#workOutMode();
    return this.#codeMode;
  }

  /** What decided how code is read has not changed since it was worked out. */
  get modeIsKnown(): boolean {
    return this.#codeMode !== undefined;
  }

  #workOutMode(): X86CodeMode {
    const system = this.#system.live;
    const eflags = this.registers.eflags;
    const cpl = cplOf(system, eflags);
    const user = cpl === 3;
    this.notePrivilege();
    const space = this.#space;
    const aligned = user && (system.cr0 & CR0.AM) !== 0 && (eflags & FLAG.AC) !== 0;
    const watched = anyDataBreakpoint(system);
    const checked = aligned || watched;
    if (checked !== this.#checked) this.#loaded.fill(undefined);
    this.#checked = checked;
    space.alignmentChecked = aligned;
    space.watch = watched ? this.#watchData : undefined;
    const { segments } = system;
    this.#loadSegment(0, segments.es);
    this.#loadSegment(1, segments.cs);
    this.#loadSegment(2, segments.ss);
    this.#loadSegment(3, segments.ds);
    this.#loadSegment(4, segments.fs);
    this.#loadSegment(5, segments.gs);
    const mode = this.#modes.of(system.model, isLong(system), segments.cs, this.#flatSegments, checked);
    const long = mode.kind === "long";
    space.select(user, long, long && checked);
    this.#i32[CPL >> 2] = cpl;
    this.#i32[FLOAT_FAULT >> 2] = x87Fault(system);
    this.#i32[MMX_FAULT >> 2] = mmxFault(system);
    this.#i32[SSE_FAULT >> 2] = sseFault(system);
    // Ways lead to jump caches.
    if (this.#blocks.select(mode, user)) this.#ways.forget();
    if (mode.kind === "segmented") {
      this.#i32[STACK_MASK >> 2] = stackMask(system.segments.ss);
      this.#i32[CODE_LIMIT >> 2] = mode.csLimit;
    }
    // Gates of long mode have another form.
    if (
      mode.kind === "flat" &&
      !isLong(system) &&
      this.#repeats &&
      this.processors === 1 &&
      this.observe === undefined &&
      !anyBreakpoint(system)
    )
      this.#ways.arrive(segments, mode, user);
    else this.#ways.nowhere();
    this.#place = this.#ways.place;
    return mode;
  }

  /** Generated code has been at work: sees where it went, and which exceptions it delivered. */
  catchUp(): void {
    if (this.#i32[LOG_PLACE >> 2] !== 0) this.#catchUpWithExceptions();
    const number = this.#ways.place;
    if (number === this.#place) return;
    const { cs, ss, mode, user } = this.#ways.placeOf(number)!;
    this.#place = number;
    this.#system.setSegment("cs", cs);
    this.#system.setSegment("ss", ss);
    this.#loaded[1] = cs;
    this.#loaded[2] = ss;
    this.#codeMode = mode;
    this.#blocks.select(mode, user);
  }

  #catchUpWithExceptions(): void {
    const i32 = this.#i32;
    const { cs, mode, user } = this.#ways.placeOf(i32[LOG_PLACE >> 2]!)!;
    i32[LOG_PLACE >> 2] = 0;
    const log = this.#exceptions;
    for (let offset = 0; offset < log.bytes.byteLength; offset += 4)
      log.bytes.setInt32(offset, i32[(LOG_BYTES + offset) >> 2]!, true);
    log.byteCount = log.bytes.byteLength;
    const fault = asFault(i32[LOG_VECTOR >> 2]!, i32[LOG_ERROR_CODE >> 2]!);
    const eip = i32[LOG_EIP >> 2]! >>> 0;
    const place = { eip, cpl: user ? 3 : cs.selector & 3, mode: "protected", codeBits: mode.bits } as const;
    log.begin(fault, this.faultAddress, cs.selector, place);
  }

  /** Counts what generated code did by itself. */
  collectCounts(): void {
    const { counts } = this;
    counts.repeats += this.#take(REPEATS);
    counts.exceptions += this.#take(EXCEPTIONS);
    counts.portReads += this.#take(PORT_READS);
  }

  #take(address: number): number {
    const value = this.#i32[address >> 2]!;
    if (value !== 0) this.#i32[address >> 2] = 0;
    return value;
  }

  /** RF lasts until an instruction has been executed: the next one may be it. */
  takeResumeFlag(): void {
    const { rest } = this.registers;
    this.#i32[RESUME >> 2] = rest & FLAG.RF;
    if ((rest & FLAG.RF) === 0) return;
    this.registers.rest = rest & ~FLAG.RF;
    this.#i32[RESUME_LEFT >> 2] = this.left;
  }

  /** None has been executed. */
  giveBackResumeFlag(): void {
    if (this.#i32[RESUME >> 2] !== 0 && this.#i32[RESUME_LEFT >> 2] === this.left) this.registers.rest |= FLAG.RF;
  }

  /** After a run that was left by an error. */
  recover(): void {
    this.#i32[LOG_PLACE >> 2] = 0;
    for (const address of [REPEATS, EXCEPTIONS, PORT_READS]) this.#i32[address >> 2] = 0;
    this.#codeMode = undefined;
    this.#ways.forget();
  }

  /** Somebody begins or ceases to watch: what nobody sees is done in generated code. */
  watched(): void {
    this.#ports.forget();
    this.#codeMode = undefined;
  }

  /** Whether generated code may repeat deliveries; not where it matters what an instruction accessed before it faulted. */
  set repeats(repeats: boolean) {
    if (repeats === this.#repeats) return;
    this.#repeats = repeats;
    this.watched();
  }

  /** Lets the generated code check accesses through a segment register, unless it does so already. */
  #loadSegment(number: number, segment: Segment): void {
    if (this.#loaded[number] === segment) return;
    this.#loaded[number] = segment;
    this.#space.loadSegment(number, segment);
    // A code segment may be read but never written, so accesses through one are always checked.
    const flat = (segment.access & ACCESS.CODE) === 0 && isFlat(segment);
    this.#flatSegments = (this.#flatSegments & ~(1 << number)) | (flat ? 1 << number : 0);
  }

  /** Sees a privilege other than at the last look. */
  notePrivilege(): void {
    const from = this.#cpl;
    this.#cpl = this.cpl;
    if (from === this.#cpl || !this.observe?.has("privilege")) return;
    this.events.push({ kind: "privilege", tick: this.now, eip: this.eip, from, to: this.#cpl });
  }

  /** Privilege changes are seen from here on. */
  watchPrivilege(): void {
    this.#cpl = this.cpl;
  }

  /** One instruction at a time: TF or a breakpoint wants to know of each. */
  get debugging(): boolean {
    return (this.registers.rest & FLAG.TF) !== 0 || anyBreakpoint(this.#system.live);
  }

  /** DR6 bits of breakpoints on the instruction at EIP. */
  get codeBreakpoints(): number {
    if ((this.registers.rest & FLAG.RF) !== 0 || !anyBreakpoint(this.#system.live)) return 0;
    return codeBreakpoints(this.#system.live, this.linearEip);
  }

  /** Behind an instruction that began with TF set. INT clears TF and does not trap; what loads TF itself does. */
  singleStepped(mnemonic: string | undefined): void {
    const still = (this.registers.rest & FLAG.TF) !== 0;
    if (still || mnemonic === "POPF" || mnemonic === "IRET") this.trap(DR6.BS);
  }

  /** Breakpoint bits that an instruction gathered before it faulted are forgotten. */
  set debugTraps(bits: number) {
    if (bits !== this.pending.debug) this.#setPending({ ...this.pending, debug: bits });
  }

  readonly #watchData = (linear: number, size: number, write: boolean): void => {
    this.trap(dataBreakpoints(this.#system.live, linear, size, write));
  };

  #setPending({ debug, nmi, nmiBlocked }: PendingEvents): void {
    this.pending = debug === 0 && !nmi && !nmiBlocked ? noEvents : { debug, nmi, nmiBlocked };
  }

  // ---- deliveries -------------------------------------------------------------------------------------------------

  /** Delivers an event to its handler; throws TripleFault or Unsupported with nothing done. */
  deliver(vector: number, errorCode: number | undefined, source: EventSource, rule?: RuleName): void {
    this.#nextEip = this.eip;
    this.#space.settle();
    this.checkpoint();
    if (source === "exception") this.#met(new Fault(vector, errorCode, rule));
    // Spec: SDM Vol. 3B, "General-Detect Exception Condition": the handler finds BD set and GD clear.
    this.#debugCause = rule === "debug-registers-guarded" ? DR6.BD : this.#debugCause;
    if (rule === "debug-registers-guarded") this.setSystem({ debug: recorded(this.#system.live, DR6.BD) });
    try {
      deliver(this, vector, errorCode, source, this.eip);
    } catch (thrown) {
      this.restore();
      throw thrown;
    } finally {
      this.#space.settle();
    }
    this.eip = this.#nextEip;
  }

  #met(fault: Fault): void {
    const log = this.#exceptions;
    if (!log.closed) {
      log.add(fault, this.faultAddress);
      return;
    }
    const { cs } = this.#system.live.segments;
    const linear = this.linearEip;
    log.byteCount = this.#space.copyCode(linear, this.cpl === 3, log.bytes);
    log.begin(fault, this.faultAddress, cs.selector, this);
  }

  /** Default operand and address size of the code segment. */
  get codeBits(): 16 | 32 | 64 {
    return codeBitsOf(this.#system.live);
  }

  /** Linear address of the instruction. */
  get linearEip(): number {
    return this.codeBits === 64 ? this.eip : (this.#system.live.segments.cs.base + this.eip) >>> 0;
  }

  /** A linear address so many bytes behind another. */
  #after(linear: number, bytes: number): number {
    return this.long ? linear + bytes : (linear + bytes) >>> 0;
  }

  get long(): boolean {
    return isLong(this.#system.live);
  }

  /** CR2, as linear addresses are: signed in long mode alone. */
  get faultAddress(): number {
    const { cr2 } = this.#system.live;
    return this.long ? cr2 : cr2 >>> 0;
  }

  faulted(fault: Fault): void {
    this.#met(fault);
    this.faultMet = true;
    if (!this.observe?.has("exception")) return;
    const { vector, errorCode } = fault;
    this.events.push({
      kind: "exception",
      tick: this.now,
      eip: this.eip,
      cpl: this.cpl,
      vector,
      name: vectorNames[vector] ?? `vector ${vector}`,
      ...(errorCode === undefined ? {} : { errorCode }),
      ...(vector === VECTOR.PF ? { cr2: this.faultAddress } : {}),
    });
  }

  /** DR6 bits of the #DB that is being raised. */
  #debugCause = 0;

  /** #DB, with these bits in DR6. */
  deliverDebug(bits: number): void {
    const { debug } = this.#system.live;
    this.#debugCause = bits;
    this.setSystem({ debug: recorded(this.#system.live, bits) });
    try {
      this.deliver(VECTOR.DB, undefined, "exception");
    } catch (thrown) {
      this.setSystem({ debug });
      throw thrown;
    }
    this.debugTraps = 0;
  }

  /** The NMI that waits. */
  deliverNmi(): void {
    const before = this.pending;
    this.#setPending({ ...before, nmi: false, nmiBlocked: true });
    try {
      this.deliver(VECTOR.NMI, undefined, "nmi");
    } catch (thrown) {
      this.pending = before;
      throw thrown;
    }
    this.halted = false;
  }

  get nmiWaits(): boolean {
    return this.pending.nmi && !this.pending.nmiBlocked;
  }

  get interruptible(): boolean {
    return this.registers.interruptFlag && bus.interruptRequested(this.devices, this.apicId);
  }

  /** Remembers the registers in front of an instruction; one memory is enough, because deliveries do not nest. */
  checkpoint(): void {
    this.#exceptions.close();
    // A way whose end nobody has seen would seem to end where this leads.
    this.#ways.abandon();
    this.registers.saveTo(this.#saved, this.long);
    this.#system.mark();
  }

  /** Takes back what an instruction did to the registers before it faulted. */
  restore(): void {
    this.registers.restoreFrom(this.#saved, this.long);
    this.#system.restore();
    this.#codeMode = undefined;
    this.#ways.abandon();
    // A task switch may have come as far as another CR3.
    this.#space.flushIfChanged();
  }

  pageFaultAt(linear: number): void {
    this.#system.setCr2(this.long ? linear : linear | 0);
  }

  // ---- processor port ---------------------------------------------------------------------------------------------

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
    if (((value ^ this.registers.rest) & (FLAG.VM | FLAG.AC)) !== 0) this.#codeMode = undefined;
    this.registers.eflags = value;
    if ((value & FLAG.TF) !== 0 || ((value & FLAG.IF) !== 0 && bus.interruptRequested(this.devices, this.apicId)))
      this.attention ??= LOOK_AROUND;
  }

  get nextEip(): number {
    return this.#nextEip;
  }

  set nextEip(value: number) {
    this.#nextEip = value;
  }

  get mode(): Mode {
    return modeOf(this.#system.live, this.registers.rest);
  }

  get cpl(): number {
    return cplOf(this.#system.live, this.registers.rest);
  }

  get system(): SystemState {
    return this.#system.live;
  }

  setSystem(change: Partial<SystemState>): void {
    this.#system.change(change);
    if (change.segments || change.cr0 !== undefined || change.debug) this.#codeMode = undefined;
    if (change.debug) this.#ports.forget();
    // No way depends on where pages are.
    if (change.cr3 === undefined && change.cr2 === undefined) {
      this.#ways.forget();
      this.#codeMode = undefined;
    }
    if (change.debug && anyBreakpoint(this.#system.live)) this.attention ??= LOOK_AROUND;
  }

  setSegment(name: SegmentName, segment: Segment): void {
    if (this.#system.setSegment(name, segment)) this.#codeMode = undefined;
  }

  /** Nothing to do for one page: translations here are never stale, as stores to page tables drop what they change. */
  invalidate(linear?: number): void {
    if (linear === undefined) this.#space.flushIfChanged();
  }

  readLinear(linear: number, size: AccessSize, user: boolean): number {
    const value = this.#space.read(linear, size, user);
    return size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
  }

  writeLinear(linear: number, size: AccessSize, value: number, user: boolean): void {
    this.#space.write(linear, size, value, user);
  }

  low = 0;
  high = 0;
  readPair(linear: number): void {
    const host = this.#space.hostAddress(linear, 8, false, false);
    if (host !== 0) {
      this.low = this.#view.getInt32(host, true);
      this.high = this.#view.getInt32(host + 4, true);
      return;
    }
    this.low = this.#space.read(linear, 4, false);
    this.high = this.#space.read(this.#after(linear, 4), 4, false);
  }

  readWords(linear: number, count: number, user: boolean, words: Int32Array): void {
    const host = this.#space.hostAddress(linear, count * 4, false, user);
    for (let index = 0; index < count; index++)
      words[index] =
        host !== 0
          ? this.#view.getInt32(host + 4 * index, true)
          : this.#space.read(this.#after(linear, 4 * index), 4, user);
  }

  writeWords(linear: number, count: number, user: boolean, words: Int32Array): void {
    const host = this.#space.hostAddress(linear, count * 4, true, user);
    for (let index = count - 1; index >= 0; index--) {
      if (host !== 0) this.#view.setInt32(host + 4 * index, words[index]!, true);
      else this.#space.write(this.#after(linear, 4 * index), 4, words[index]!, user);
    }
  }

  checkWrite(linear: number, size: number, user: boolean): void {
    this.#space.checkWrite(linear, size, user);
  }

  segmentAddress(segment: number, offset: number, size: number, write: boolean): number {
    if (this.codeBits === 64) return this.#canonicalAddress(segment, offset, size, write);
    return this.#space.segmentAddress(segment, offset, size, write);
  }

  /** Spec: SDM Vol. 3A, "Limit Checking in 64-bit Mode", "FS and GS base" in "Segment Loading Instructions in IA-32e Mode". */
  #canonicalAddress(segment: number, offset: number, size: number, write: boolean): number {
    const linear = segment < 4 ? offset : segmentNumbered(this.#system.live.segments, segment).base + offset;
    if (!isCanonical(linear) || !isCanonical(linear + size - 1))
      throw new Fault(segment === 2 ? VECTOR.SS : VECTOR.GP, 0, "address-not-canonical");
    const space = this.#space;
    if (space.alignmentChecked && (linear & (Math.min(size, 8) - 1)) !== 0)
      throw new Fault(VECTOR.AC, 0, "data-not-aligned");
    if (space.watch !== undefined) space.watch(linear, size, write);
    return linear;
  }

  portRead(port: number, size: AccessSize): number {
    const before = this.devices;
    const { devices, value } = bus.portRead(before, port, size, this.now, this.#reach);
    this.counts.portReads++;
    this.#portAccessed(devices, "in", port, size, value);
    if (
      devices === before &&
      this.observe === undefined &&
      !anyBreakpoint(this.#system.live) &&
      bus.isTimeless(devices, port, size)
    ) {
      this.#ports.add(port, size, value);
      this.limitPorts();
    }
    return value;
  }

  /** Known ports hold until the next tick at which time changes a device, told in steps that are left of the budget. */
  limitPorts(): void {
    if (!this.#ports.none) this.#ports.limit = this.ticks + this.budget - bus.quietUntil(this.#devices);
  }

  wentThroughGate(way: GateWay, gate: number, stack: Descriptor | undefined): void {
    // Behind a change of segments the processor is at a place that is not known yet.
    if (this.modeIsKnown && this.#ways.throughGate(way, gate, stack, this.#system.live)) this.#codeMode = undefined;
  }

  wentBack(selector: number, code: Descriptor, stack: Descriptor | undefined, eflags: number, may: number): void {
    if (this.modeIsKnown && this.#ways.back(selector, code, stack, eflags, may)) this.#codeMode = undefined;
  }

  portWrite(port: number, size: AccessSize, value: number): void {
    const before = this.devices;
    const devices = bus.portWrite(before, port, size, value, this.now, this.#reach);
    this.counts.portWrites++;
    this.#portAccessed(devices, "out", port, size, value);
    this.#written(before, devices);
  }

  /** What a write to a device can do beyond the device. */
  #written(before: bus.DeviceSet, devices: bus.DeviceSet): void {
    const exit = devices.debugExit?.exitValue;
    if (devices.debugExit !== before.debugExit && exit !== undefined) {
      this.attention = { stop: { reason: "debug-exit", value: exit, status: ((exit << 1) | 1) & 0xff } };
    }
    if (bus.resetRequested(devices) && !bus.resetRequested(before)) this.attention = { stop: { reason: "reset" } };
    if (bus.powerOffRequested(devices) && !bus.powerOffRequested(before))
      this.attention = { stop: { reason: "power-off" } };
    this.#space.setA20(bus.a20Enabled(devices));
  }

  #memoryRead(physical: number, size: number): number {
    const { devices: before, apicId: number, now } = this;
    const { devices, value } = ownApic.isOwnRegister(before, number, physical)
      ? ownApic.readOwnRegister(before, number, physical, size, now)
      : bus.memoryRead(before, physical, size, now, this.#reach);
    this.#accessed(devices);
    return size === 4 ? value | 0 : (value << (32 - 8 * size)) >> (32 - 8 * size);
  }

  #memoryWrite(physical: number, size: number, value: number): void {
    const { devices: before, apicId: number, now } = this;
    const unsigned = size === 4 ? value >>> 0 : value & (2 ** (8 * size) - 1);
    const devices = ownApic.isOwnRegister(before, number, physical)
      ? ownApic.writeOwnRegister(before, number, physical, size, unsigned, now)
      : bus.memoryWrite(before, physical, size, unsigned, now, this.#reach);
    this.#accessed(devices);
    if (devices !== before) this.#written(before, devices);
  }

  #portAccessed(devices: bus.DeviceSet, direction: "in" | "out", port: number, size: number, value: number): void {
    this.trap(portBreakpoints(this.#system.live, port, size));
    if (this.observe?.has("port")) {
      this.events.push({ kind: "port", tick: this.now, eip: this.eip, direction, port, size, value });
    }
    this.#accessed(devices);
  }

  /** An access has made these of the devices: looked at behind the instruction. */
  #accessed(devices: bus.DeviceSet): void {
    if (devices === this.devices) return;
    this.devices = devices;
    this.nextEvent = bus.nextEvent(devices, this.now);
    this.attention ??= LOOK_AROUND;
  }

  get localApic(): LocalApicPort | undefined {
    return this.#devices.apic === undefined ? undefined : this.#ownApic;
  }

  readonly #ownApic = localApicPort(this, (devices) => this.#accessed(devices));

  /** The processor\'s number among `processors`, which is its initial APIC ID. */
  apicId = 0;

  get processors(): number {
    return this.#devices.apic?.local.length ?? 1;
  }

  get timestamp(): bigint {
    return BigInt(this.now);
  }

  halt(): void {
    this.halted = true;
    this.attention ??= LOOK_AROUND;
  }

  setShadow(by: "sti" | "mov-ss"): void {
    this.shadow = by;
    this.attention ??= LOOK_AROUND;
  }

  trap(dr6: number): void {
    if (dr6 === 0) return;
    this.debugTraps = this.pending.debug | dr6;
    this.attention ??= LOOK_AROUND;
  }

  get guest(): GuestOperation | undefined {
    return undefined;
  }

  readPhysical(physical: number): number {
    return new DataView(this.#reach.memory.read(physical, 4).buffer).getUint32(0, true);
  }

  writePhysical(physical: number, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    this.#reach.memory.write(physical, bytes);
  }

  get between(): Between {
    return { halted: this.halted, shadow: this.shadow, pending: this.pending };
  }

  setBetween({ halted, shadow, pending }: Partial<Between>): void {
    if (halted !== undefined) this.halted = halted;
    if (shadow !== undefined) this.shadow = shadow;
    if (pending !== undefined) this.#setPending(pending);
    this.attention ??= LOOK_AROUND;
  }

  payloadOf(vector: number): number {
    return vector === VECTOR.PF ? this.faultAddress : vector === VECTOR.DB ? this.#debugCause : 0;
  }

  /** Delivered behind the instruction that asks for it, as a part of it. */
  injected: DeliveredEvent | undefined;
  inject(event: DeliveredEvent): void {
    this.injected = event;
  }

  unblockNmi(): void {
    if (!this.pending.nmiBlocked) return;
    this.#setPending({ ...this.pending, nmiBlocked: false });
    if (this.pending.nmi) this.attention ??= LOOK_AROUND;
  }

  repeat(): void {
    this.repeating = true;
  }
}

/** The local APIC of a processor; `accessed` is told of the devices behind each access. */
const localApicPort = (processor: Processor, accessed: (devices: bus.DeviceSet) => void): LocalApicPort => ({
  get base() {
    return ownApic.readBase(processor.devices, processor.apicId);
  },
  set base(value) {
    accessed(ownApic.writeBase(processor.devices, processor.apicId, value, processor.now));
  },
  get on() {
    return ownApic.isOn(processor.devices, processor.apicId);
  },
  get taskPriority() {
    return ownApic.readTaskPriority(processor.devices, processor.apicId);
  },
  set taskPriority(value) {
    accessed(ownApic.writeTaskPriority(processor.devices, processor.apicId, value, processor.now));
  },
  get deadline() {
    const due = ownApic.readDeadline(processor.devices, processor.apicId, processor.now);
    return due === Number.POSITIVE_INFINITY ? undefined : BigInt(due);
  },
  set deadline(value) {
    const due = value === undefined ? Number.POSITIVE_INFINITY : Number(value);
    accessed(ownApic.armDeadline(processor.devices, processor.apicId, due, processor.now));
  },
  read: (address) => ownApic.readX2(processor.devices, processor.apicId, address, processor.now),
  write(address, value) {
    const after = ownApic.writeX2(processor.devices, processor.apicId, address, value, processor.now);
    if (after !== undefined) accessed(after);
    return after !== undefined;
  },
});

/** Whether ways through gates depend on nothing that is different. */
const sameTables = (a: SystemState, b: SystemState): boolean =>
  a.gdtr === b.gdtr &&
  a.idtr === b.idtr &&
  a.ldtr === b.ldtr &&
  a.tr === b.tr &&
  a.cr0 === b.cr0 &&
  a.cr4 === b.cr4 &&
  a.debug === b.debug &&
  a.msrs === b.msrs &&
  a.model === b.model;

/** What of ESP is the stack pointer. */
const stackMask = ({ access }: Segment): number => ((access & (1 << 14)) !== 0 ? -1 : 0xffff);
