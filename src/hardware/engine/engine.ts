/**
 * The engine: a cache of one machine value. `open` brings a value in, `run` executes on it at full speed, `seal` gives
 * the next value. What it remembers in between (page slots, TLB, decoded blocks) never shows in a value.
 */
import { deliver, type EventSource, TripleFault } from "../cpu/exceptions.js";
import { type AccessSize, Fault, type ProcessorPort, Unsupported, VECTOR, vectorNames } from "../cpu/processor.js";
import {
  ACCESS,
  cplOf,
  FLAG,
  isFlat,
  type Mode,
  modeOf,
  type PendingEvents,
  type Segment,
  type SegmentName,
  type SystemState,
  segmentNames,
} from "../cpu/state.js";
import * as bus from "../devices/bus.js";
import { decode } from "../isa/decoder.js";
import type { DecodedInstruction } from "../isa/instruction.js";
import type { Counts, EventKind, MachineEvent, MachineState, Stop } from "../state.js";
import { AddressSpace } from "./address-space.js";
import { Blocks, type CodeMode } from "./blocks.js";
import { generateInterpreter } from "./interpreter.js";
import {
  EXIT,
  EXIT_ERROR_CODE,
  EXIT_LEFT,
  EXIT_RECORD,
  EXIT_TARGET,
  EXIT_VECTOR,
  JUMP_CACHE_BASE,
  JUMP_CACHE_SUPERVISOR,
  JUMP_CACHE_USER,
  MEMORY_SIZE,
  REPEATS,
  SLOW_EXIT,
  TLB_BASE,
  TLB_SUPERVISOR,
  TLB_USER,
} from "./layout.js";
import { prebuiltInterpreter } from "./prebuilt.js";
import { RegisterFile } from "./register-file.js";

/** Runs from a record whose block is charged already, with so many steps left; gives an exit code. */
type Go = (record: number, left: number) => number;

/** Steps a call into the generated code runs at the most: V8 replaces a function by its optimized form between calls. */
const SLICE = 1_000_000;

const NO_EVENTS: readonly MachineEvent[] = Object.freeze([]);

let compiled: WebAssembly.Module | undefined;

function interpreterModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(
    prebuiltInterpreter === undefined
      ? (generateInterpreter() as BufferSource)
      : Uint8Array.from(atob(prebuiltInterpreter), (c) => c.charCodeAt(0)),
  );
  return compiled;
}

export interface EngineRunOptions {
  /** Steps at the most. */
  readonly limit: number;
  /** Stop in front of the instruction at this EIP. */
  readonly untilEip?: number | undefined;
  /** Stop once the serial port has put out this text. */
  readonly untilSerial?: string | undefined;
  readonly observe?: ReadonlySet<EventKind> | undefined;
}

export interface EngineRunResult {
  readonly stop: Stop;
  readonly events: readonly MachineEvent[];
}

/** Why `execute` came back before its budget was used up. */
interface Attention {
  readonly stop?: Stop;
}

/** The registers in front of an instruction; one is enough, because deliveries do not nest. */
interface Checkpoint {
  readonly registers: Int32Array;
  eflags: number;
  system: SystemState;
}

export class Engine implements ProcessorPort {
  readonly #i32: Int32Array;
  readonly #registers: RegisterFile;
  readonly #space: AddressSpace;
  readonly #blocks: Blocks;
  readonly #flat: Go;
  readonly #segmented: Go;

  // The open machine. `#value` is the value it equals, if it equals one.
  #value: MachineState | undefined;
  #system!: SystemState;
  #eip = 0;
  #halted = false;
  #shadow = false;
  #pending!: PendingEvents;
  #shutdown = false;
  #memorySize = 0;
  #devices!: bus.DeviceSet;
  #counts!: Counts;
  #steps = 0;
  #ticks = 0;
  /** Tick of the next thing a device does by itself. */
  #nextEvent = 0;
  #mode!: CodeMode;
  readonly #modes = new Map<string, CodeMode>();

  // While executing: steps this call was given, and steps left of them. Both 0 outside.
  #budget = 0;
  #left = 0;
  #cpl = 0;
  #nextEip = 0;
  #repeating = false;
  #attention: Attention | undefined;
  /** A run is under way: if it was left by an error, nothing remembered can be trusted. */
  #running = false;
  readonly #saved: Checkpoint = { registers: new Int32Array(16), eflags: 0, system: undefined as never };
  #observe: ReadonlySet<EventKind> | undefined;
  #events: MachineEvent[] = [];

  /** `slotLimit` bounds how many page frames are held at a time; fewer than there are is for tests. */
  constructor(slotLimit?: number) {
    const memory = new WebAssembly.Memory({ initial: MEMORY_SIZE / 65536 });
    this.#i32 = new Int32Array(memory.buffer);
    this.#registers = new RegisterFile(memory.buffer);
    this.#blocks = new Blocks(memory.buffer);
    this.#space = new AddressSpace(memory.buffer, slotLimit, this.#blocks, (linear) =>
      this.#replaceSystem({ cr2: linear | 0 }),
    );
    const { exports } = new WebAssembly.Instance(interpreterModule(), { engine: { memory, ...this.#space.slowPaths } });
    this.#flat = exports["flat"] as Go;
    this.#segmented = exports["segmented"] as Go;
    this.#space.flush();
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  /** Makes `state` the open value. Free when it is the one that was sealed last. */
  open(state: MachineState): void {
    if (this.#value === state) return;
    if (this.#running) this.#recover();
    const { cpu } = state;
    const { system } = cpu;
    const old = this.#system as SystemState | undefined;
    this.#system = this.#space.system = system;
    const sameTables = old?.cr3 === system.cr3 && old.cr0 === system.cr0 && old.cr4 === system.cr4;
    this.#space.open(state.memory, state.memorySize, sameTables);
    this.#memorySize = state.memorySize;
    this.#registers.load(cpu);
    this.#registers.eflags = cpu.eflags;
    this.#eip = cpu.eip >>> 0;
    this.#halted = cpu.halted;
    this.#shadow = cpu.shadow;
    this.#pending = cpu.pending;
    if (old !== system) this.#segmentsChanged();
    this.#devices = state.devices;
    this.#counts = state.counts;
    this.#steps = state.steps;
    this.#ticks = state.ticks;
    this.#shutdown = state.shutdown;
    // An event of this very tick has not been dealt with yet: that is done when execution goes on.
    this.#nextEvent = bus.nextEvent(this.#devices, this.#ticks - 1);
    this.#value = state;
  }

  #recover(): void {
    this.#running = false;
    this.#i32[REPEATS >> 2] = 0;
    this.#space.recover();
  }

  /** The open machine as a value. */
  seal(): MachineState {
    this.#value ??= {
      cpu: this.#registers.toCpu({
        system: this.#system,
        eip: this.#eip | 0,
        halted: this.#halted,
        shadow: this.#shadow,
        pending: this.#pending,
      }),
      memorySize: this.#memorySize,
      memory: this.#space.seal(),
      devices: this.#devices,
      steps: this.#steps,
      ticks: this.#ticks,
      counts: this.#counts,
      shutdown: this.#shutdown,
    };
    return this.#value;
  }

  /** The open machine is no longer the value it was. */
  #changed(): void {
    this.#value = undefined;
  }

  // ---- running ----------------------------------------------------------------------------------------------------

  /** Runs the open value. */
  run({ limit, untilEip, untilSerial, observe }: EngineRunOptions): EngineRunResult {
    this.#running = true;
    this.#observe = observe;
    if (observe) this.#events = [];
    this.#space.patching = limit === 1;
    const stop = this.#runUntil(this.#steps + limit, untilEip, untilSerial);
    const events = observe ? this.#events : NO_EVENTS;
    this.#observe = undefined;
    this.#space.patching = false;
    this.#running = false;
    return { stop, events };
  }

  #runUntil(end: number, untilEip: number | undefined, untilSerial: string | undefined): Stop {
    const oneByOne = untilEip !== undefined || (this.#observe?.has("instruction") ?? false);
    const start = this.#devices.uart.output.length;
    let seen = start;
    while (this.#steps < end) {
      const stop = this.#advance(oneByOne ? 1 : end - this.#steps);
      if (stop) return stop;
      if (this.#eip === untilEip && !this.#halted) return { reason: "until" };
      const { output } = this.#devices.uart;
      if (untilSerial !== undefined && output.length > seen) {
        // Only what is new, and as much before it as a text that ends in it may begin in.
        if (output.includes(untilSerial, Math.max(start, seen - untilSerial.length + 1))) return { reason: "until" };
        seen = output.length;
      }
    }
    return { reason: "limit" };
  }

  /** One turn: the delivery of an interrupt, or instructions up to the next thing that needs attention. */
  #advance(limit: number): Stop | undefined {
    if (this.#shutdown) return { reason: "triple-fault" };
    if (this.#halted) {
      const stop = this.#idle();
      if (stop) return stop;
    }
    if (this.#ticks >= this.#nextEvent) this.#timePasses();
    if (!this.#shadow && this.#interruptible()) return this.#interrupt();
    // An interrupt that waits for the instruction after STI is looked at right behind it.
    const untilEvent = Math.max(1, this.#nextEvent - this.#ticks);
    return this.#execute(this.#shadow ? 1 : Math.min(limit, SLICE, untilEvent));
  }

  #interruptible(): boolean {
    return this.#registers.interruptFlag && bus.interruptRequested(this.#devices);
  }

  #interrupt(): Stop | undefined {
    const before = { devices: this.#devices, nextEvent: this.#nextEvent, halted: this.#halted };
    const { devices, vector } = bus.acknowledge(this.#devices);
    this.#changed();
    this.#devices = devices;
    this.#nextEvent = bus.nextEvent(devices, this.#ticks);
    this.#halted = false;
    this.#cpl = cplOf(this.#system, this.#registers.eflags);
    if (this.#observe?.has("interrupt")) {
      this.#events.push({ kind: "interrupt", tick: this.#ticks, eip: this.#eip, cpl: this.#cpl, vector });
    }
    const stop = this.#deliver(vector, undefined, "interrupt");
    if (stop?.reason === "unsupported") {
      // Nothing happened: the request is still there.
      this.#devices = before.devices;
      this.#nextEvent = before.nextEvent;
      this.#halted = before.halted;
      return stop;
    }
    this.#counts = { ...this.#counts, interrupts: this.#counts.interrupts + 1 };
    this.#steps++;
    this.#ticks++;
    return stop;
  }

  #timePasses(): void {
    const devices = bus.advance(this.#devices, this.#ticks);
    if (devices !== this.#devices) {
      this.#changed();
      this.#devices = devices;
    }
    this.#nextEvent = bus.nextEvent(devices, this.#ticks);
  }

  /** HLT: time goes on to the event that ends it. When nothing does, nothing has happened. */
  #idle(): Stop | undefined {
    const value = this.#value;
    const devices = this.#devices;
    const ticks = this.#ticks;
    for (;;) {
      if (this.#ticks >= this.#nextEvent) this.#timePasses();
      if (this.#interruptible()) return undefined;
      const enabled = this.#registers.interruptFlag;
      const waits = this.#nextEvent !== Number.POSITIVE_INFINITY && bus.canWakeByItself(this.#devices, this.#ticks);
      if (!enabled || !waits) {
        this.#value = value;
        this.#devices = devices;
        this.#ticks = ticks;
        this.#nextEvent = bus.nextEvent(devices, ticks - 1);
        return { reason: "halted", waitsForInput: enabled };
      }
      this.#changed();
      this.#ticks = this.#nextEvent;
    }
  }

  #execute(budget: number): Stop | undefined {
    this.#changed();
    this.#attention = undefined;
    this.#budget = this.#left = budget;
    const shadow = this.#shadow;
    this.#shadow = false;
    this.#cpl = cplOf(this.#system, this.#registers.eflags);
    while (this.#left > 0 && this.#attention === undefined) this.#turn();
    const used = this.#budget - this.#left;
    // Nothing was done, so interrupts go on waiting.
    if (used === 0) this.#shadow = shadow;
    this.#budget = this.#left = 0;
    this.#steps += used;
    this.#ticks += used;
    const repeats = this.#i32[REPEATS >> 2]!;
    if (repeats !== 0) {
      this.#i32[REPEATS >> 2] = 0;
      this.#counts = { ...this.#counts, repeats: this.#counts.repeats + repeats };
    }
    return (this.#attention as Attention | undefined)?.stop;
  }

  /** The present tick, inside of an instruction too. */
  get #now(): number {
    return this.#ticks + this.#budget - this.#left;
  }

  /** One call of the generated code, and what it came back for. */
  #turn(): void {
    const space = this.#space;
    space.makeRoom();
    let record: number;
    try {
      record = this.#blocks.find(this.#eip, this.#mode, space);
    } catch (thrown) {
      this.#thrown(thrown);
      return;
    }
    if (this.#observe?.has("instruction")) this.#observeInstruction();
    // An instruction that must run alone gets a budget of its own; `reserve` is what the others keep.
    const reserve = space.single ? this.#left - 1 : 0;
    const budget = this.#left - reserve;
    space.single = budget === 1;
    const go = this.#mode.flat ? this.#flat : this.#segmented;
    const count = this.#blocks.count(record);
    const code = count <= budget ? go(record, budget - count) : go(this.#blocks.truncated(record, budget), 0);
    space.single = false;
    const at = this.#i32[EXIT_RECORD >> 2]!;
    this.#left = this.#i32[EXIT_LEFT >> 2]! + reserve;
    this.#eip = code === EXIT.lookup ? this.#i32[EXIT_TARGET >> 2]! >>> 0 : this.#blocks.eip(at);
    switch (code) {
      case EXIT.budget:
        this.#left += this.#blocks.count(at);
        break;
      case EXIT.fault:
        this.#generatedFault();
        break;
      case EXIT.system:
        this.#systemInstruction(at);
        break;
      case EXIT.bail:
        this.#i32[SLOW_EXIT >> 2] = 0;
        space.single = true;
        break;
    }
    space.settle();
  }

  #generatedFault(): void {
    const errorCode = this.#i32[EXIT_ERROR_CODE >> 2]!;
    const own = new Fault(this.#i32[EXIT_VECTOR >> 2]!, errorCode < 0 ? undefined : errorCode);
    const fault = this.#space.pendingFault ?? own;
    this.#space.pendingFault = undefined;
    this.#i32[SLOW_EXIT >> 2] = 0;
    this.#exception(fault);
  }

  /** Executes an instruction that has no generated code. */
  #systemInstruction(record: number): void {
    const instruction = this.#blocks.instruction(record);
    if (instruction.row === undefined) {
      this.#exception(new Fault(instruction.vector, instruction.vector === VECTOR.GP ? 0 : undefined));
      return;
    }
    this.#nextEip = (this.#eip + instruction.length) >>> 0;
    this.#repeating = false;
    this.#checkpoint();
    try {
      instruction.row.system!(this, instruction as DecodedInstruction);
    } catch (thrown) {
      this.#restore();
      this.#thrown(thrown);
      return;
    }
    this.#left--;
    if (this.#repeating) this.#i32[REPEATS >> 2]!++;
    else this.#eip = this.#nextEip;
    this.#privilegeChanged();
  }

  #checkpoint(): void {
    this.#registers.saveTo(this.#saved.registers);
    this.#saved.eflags = this.#registers.eflags;
    this.#saved.system = this.#system;
  }

  /** Takes back what an instruction did to the registers before it faulted. */
  #restore(): void {
    this.#registers.restoreFrom(this.#saved.registers);
    this.#registers.eflags = this.#saved.eflags;
    // CR2 is what a page fault leaves behind, so it stays.
    if (this.#system !== this.#saved.system) this.setSystem({ ...this.#saved.system, cr2: this.#system.cr2 });
  }

  /** What an instruction, a fetch or a delivery threw instead of ending. */
  #thrown(thrown: unknown): void {
    if (thrown instanceof Fault) this.#exception(thrown);
    else this.#attention = { stop: this.#stopFor(thrown) };
  }

  #stopFor(thrown: unknown): Stop {
    if (thrown instanceof Unsupported) {
      return { reason: "unsupported", detail: `${thrown.detail} at EIP 0x${this.#eip.toString(16)}` };
    }
    if (!(thrown instanceof TripleFault)) throw thrown;
    this.#shutdown = true;
    return { reason: "triple-fault" };
  }

  /** The delivery of an exception is a step of its own; the instruction that raised it had no effect. */
  #exception(fault: Fault): void {
    const { vector, errorCode } = fault;
    if (this.#observe?.has("exception")) {
      this.#events.push({
        kind: "exception",
        tick: this.#now,
        eip: this.#eip,
        cpl: this.#cpl,
        vector,
        name: vectorNames[vector] ?? `vector ${vector}`,
        ...(errorCode === undefined ? {} : { errorCode }),
        ...(vector === VECTOR.PF ? { cr2: this.#system.cr2 >>> 0 } : {}),
      });
    }
    const stop = this.#deliver(vector, errorCode, "exception");
    if (stop) this.#attention = { stop };
    if (stop?.reason === "unsupported") return;
    this.#counts = { ...this.#counts, exceptions: this.#counts.exceptions + 1 };
    this.#left--;
  }

  #deliver(vector: number, errorCode: number | undefined, source: EventSource): Stop | undefined {
    this.#nextEip = this.#eip;
    this.#checkpoint();
    try {
      deliver(this, vector, errorCode, source, this.#eip);
    } catch (thrown) {
      this.#restore();
      return this.#stopFor(thrown);
    } finally {
      this.#space.settle();
    }
    this.#eip = this.#nextEip;
    this.#privilegeChanged();
    return undefined;
  }

  #privilegeChanged(): void {
    const from = this.#cpl;
    this.#cpl = cplOf(this.#system, this.#registers.eflags);
    if (from === this.#cpl) return;
    this.#selectHalves();
    if (this.#observe?.has("privilege")) {
      this.#events.push({ kind: "privilege", tick: this.#now, eip: this.#eip, from, to: this.#cpl });
    }
  }

  #observeInstruction(): void {
    const at = this.#mode.csBase + this.#eip;
    const { row } = decode((index) => this.readLinear((at + index) >>> 0, 1, this.#cpl === 3), this.#eip);
    this.#events.push({
      kind: "instruction",
      tick: this.#now,
      eip: this.#eip,
      cpl: this.#cpl,
      mnemonic: row?.mnemonic ?? "(bad)",
      group: row?.group ?? "miscellaneous",
    });
  }

  // ---- what decides how code is read ------------------------------------------------------------------------------

  #replaceSystem(change: Partial<SystemState>): void {
    this.#system = this.#space.system = Object.freeze({ ...this.#system, ...change });
  }

  #segmentsChanged(): void {
    const { segments } = this.#system;
    const { base, limit } = segments.cs;
    // A code segment may be read but never written, so accesses through one are always checked.
    const flatSegments = segmentNames.map(
      (name) => isFlat(segments[name]) && (segments[name].access & ACCESS.CODE) === 0,
    );
    const [es, , ss, ds] = flatSegments;
    const name = `${flatSegments.map(Number).join("")} ${base} ${limit}`;
    const known = this.#modes.get(name);
    const flat = (es && ss && ds && isFlat(segments.cs)) ?? false;
    const mode = known ?? { key: this.#modes.size, flat, csBase: base, csLimit: limit, flatSegments };
    this.#modes.set(name, mode);
    if (mode !== this.#mode) this.#blocks.forget();
    this.#mode = mode;
    this.#selectHalves();
  }

  /** Supervisor and user code see different halves of the TLB and of the jump cache. */
  #selectHalves(): void {
    const user = cplOf(this.#system, this.#registers.eflags) === 3;
    this.#space.user = user;
    this.#i32[TLB_BASE >> 2] = user ? TLB_USER : TLB_SUPERVISOR;
    this.#i32[JUMP_CACHE_BASE >> 2] = user ? JUMP_CACHE_USER : JUMP_CACHE_SUPERVISOR;
  }

  // ---- processor port ---------------------------------------------------------------------------------------------

  getRegister(number: number): number {
    return this.#registers.get(number);
  }

  setRegister(number: number, value: number): void {
    this.#registers.set(number, value);
  }

  getEflags(): number {
    return this.#registers.eflags;
  }

  setEflags(value: number): void {
    if ((value & FLAG.TF) !== 0) throw new Unsupported("single-stepping with TF");
    this.#registers.eflags = value;
    if ((value & FLAG.IF) !== 0) this.#attention ??= {};
  }

  get eip(): number {
    return this.#eip;
  }

  get nextEip(): number {
    return this.#nextEip;
  }

  set nextEip(value: number) {
    this.#nextEip = value >>> 0;
  }

  get cpl(): number {
    return cplOf(this.#system, this.#registers.eflags);
  }

  get mode(): Mode {
    return modeOf(this.#system, this.#registers.eflags);
  }

  get system(): SystemState {
    return this.#system;
  }

  setSegment(name: SegmentName, segment: Segment): void {
    this.setSystem({ segments: Object.freeze({ ...this.#system.segments, [name]: segment }) });
  }

  setSystem(change: Partial<SystemState>): void {
    this.#replaceSystem(change);
    if (change.segments || change.cr0 !== undefined) this.#segmentsChanged();
  }

  invalidate(): void {
    this.#space.flush();
  }

  readLinear(linear: number, size: AccessSize, user: boolean): number {
    const value = this.#space.read(linear, size, user);
    return size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
  }

  writeLinear(linear: number, size: AccessSize, value: number, user: boolean): void {
    this.#space.write(linear, size, value, user);
  }

  segmentAddress(segment: number, offset: number, size: number, write: boolean): number {
    return this.#space.segmentAddress(segment, offset, size, write);
  }

  portRead(port: number, size: AccessSize): number {
    const { devices, value } = bus.portRead(this.#devices, port, size, this.#now);
    this.#counts = { ...this.#counts, portReads: this.#counts.portReads + 1 };
    this.#portAccessed(devices, "in", port, size, value);
    return value;
  }

  portWrite(port: number, size: AccessSize, value: number): void {
    const { debugExit, reset } = this.#devices;
    const devices = bus.portWrite(this.#devices, port, size, value, this.#now);
    this.#counts = { ...this.#counts, portWrites: this.#counts.portWrites + 1 };
    this.#portAccessed(devices, "out", port, size, value);
    const exit = devices.debugExit?.exitValue;
    if (devices.debugExit !== debugExit && exit !== undefined) {
      this.#attention = { stop: { reason: "debug-exit", value: exit, status: ((exit << 1) | 1) & 0xff } };
    }
    if (devices.reset !== reset && devices.reset.resetRequested) this.#attention = { stop: { reason: "reset" } };
  }

  #portAccessed(devices: bus.DeviceSet, direction: "in" | "out", port: number, size: number, value: number): void {
    if (this.#observe?.has("port")) {
      this.#events.push({ kind: "port", tick: this.#now, eip: this.#eip, direction, port, size, value });
    }
    if (devices === this.#devices) return;
    this.#devices = devices;
    this.#nextEvent = bus.nextEvent(devices, this.#now);
    this.#attention ??= {};
  }

  get timestamp(): bigint {
    return BigInt(this.#now);
  }

  halt(): void {
    this.#halted = true;
    this.#attention ??= {};
  }

  setShadow(): void {
    this.#shadow = true;
    this.#attention ??= {};
  }

  trap(dr6: number): void {
    this.#pending = { ...this.#pending, debug: this.#pending.debug | dr6 };
    this.#attention ??= {};
  }

  unblockNmi(): void {
    if (this.#pending.nmiBlocked) this.#pending = { ...this.#pending, nmiBlocked: false };
  }

  repeat(): void {
    this.#repeating = true;
  }
}
