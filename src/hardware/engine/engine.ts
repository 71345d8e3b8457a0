/**
 * The engine: a cache of one machine value. `open` brings a value in, `run` executes on it at full speed, `seal` gives
 * the next value. What it remembers in between (page slots, TLB, decoded blocks) never shows in a value.
 */
import { TripleFault } from "../cpu/exceptions.js";
import { VmExit } from "../cpu/guest-operation.js";
import { Fault, Unsupported, VECTOR } from "../cpu/processor.js";
import { textFrom } from "../devices/sent-text.js";
import { decode } from "../isa/decoder.js";
import type { DecodedInstruction } from "../isa/instruction.js";
import { type X86CodeMode, x86 } from "../isa/x86.js";
import type { EventKind, MachineEvent, MachineState, RomRange, Stop } from "../state.js";
import { HOST_CALL, type Supervisors } from "../supervisors.js";
import type { AddressSpace } from "./address-space.js";
import { type Attention, LOOK_AROUND } from "./attention.js";
import type { Blocks } from "./blocks.js";
import { Core } from "./core.js";
import type { CodeKind } from "./dispatch.js";
import { OpenSupervisors } from "./host-calls.js";
import { InstructionBoundary, type OpenMachine } from "./instruction-boundary.js";
import { EXIT, REPEATS } from "./layout.js";
import { Processor } from "./processor.js";
import { NEXT_RECORD } from "./slow-paths.js";
import { codeAddress, noStops, type RunStops, stopsAt } from "./stops.js";
import { Turns } from "./turns.js";

const NO_EVENTS: readonly MachineEvent[] = Object.freeze([]);

export interface EngineRunOptions {
  /** Steps at the most. */
  readonly limit: number;
  /** Stop in front of these instructions and behind these accesses. */
  readonly stops?: RunStops | undefined;
  /** Stop once the serial port has put out this text. */
  readonly untilSerial?: string | undefined;
  /** The place in the output from which that text counts: where it ends now unless given. */
  readonly serialFrom?: number | undefined;
  /** Stop once privileged software in TypeScript remembers what this is true of: asked whenever it remembers something else. */
  readonly untilSupervisors?: ((supervisors: Supervisors) => boolean) | undefined;
  readonly observe?: ReadonlySet<EventKind> | undefined;
  /** Stop behind the step that told of an event of this kind, which is observed. */
  readonly untilEvent?: EventKind | undefined;
  /** Stop ("until") at HLT, where time would go on by itself. */
  readonly untilHalt?: boolean;
}

/** Events that only privileged software in TypeScript tells of: the code between its calls may run at full speed. */
const OF_HANDLERS: ReadonlySet<EventKind> = new Set(["syscall", "schedule"]);
const RUN_ON = Number.POSITIVE_INFINITY;

export interface EngineRunResult {
  readonly stop: Stop;
  readonly events: readonly MachineEvent[];
}

export class Engine {
  readonly #i32: Int32Array;
  readonly #core: Core<X86CodeMode>;
  readonly #space: AddressSpace;
  readonly #blocks: Blocks<X86CodeMode>;
  readonly #processor: Processor;
  readonly #turns: Turns;

  readonly #supervisors: OpenSupervisors;
  readonly #boundary: InstructionBoundary;
  readonly #open: OpenMachine = { value: undefined, shutdown: false, lastSystem: undefined, stopsAtHalt: false };

  // Of the open machine.
  #memorySize = 0;
  #rom: readonly RomRange[] = [];
  /** The run looks at what supervisors remember whenever one of them has run. */
  #tellsCalls = false;
  /** A run is under way: if it was left by an error, nothing remembered can be trusted. */
  #running = false;
  /** Which of the interpreters runs. */
  #kind: CodeKind = "flat";
  #stops: RunStops = noStops;
  /** The instruction at EIP has begun, or the run begins with it: it is too late to stop in front of it. */
  #begun = false;

  /** `slotLimit` bounds how many page frames are held at a time; fewer than there are is for tests. */
  constructor(slotLimit?: number) {
    this.#core = new Core(x86, {
      slotLimit,
      leave: (exit) => this.#leave(exit),
      system: (record) => this.#system(record),
      pageFault: (linear) => this.#processor.pageFaultAt(linear),
    });
    const { buffer, space, blocks } = this.#core;
    this.#i32 = new Int32Array(buffer);
    this.#space = space;
    this.#blocks = blocks;
    this.#processor = new Processor(buffer, space, blocks);
    this.#turns = new Turns(this.#processor, buffer);
    this.#supervisors = new OpenSupervisors(this.#processor, space, this.#turns);
    this.#boundary = new InstructionBoundary(this.#processor, this.#turns, this.#open, {
      execute: (budget) => this.#execute(budget),
      stopFor: (thrown) => this.#stopFor(thrown),
    });
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  /** Makes `state` the open value. Free when it is the one that was sealed last. */
  open(state: MachineState): void {
    if (this.#open.value === state) return;
    if (this.#running) this.#recover();
    // The registers first: translations are dropped in the name of the ones that are to come.
    this.#processor.open(state);
    this.#turns.open(state);
    this.#space.open(state.memory, state.memorySize, state.rom);
    this.#memorySize = state.memorySize;
    this.#rom = state.rom;
    this.#supervisors.open(state);
    this.#open.shutdown = state.shutdown;
    this.#open.value = state;
  }

  #recover(): void {
    this.#running = false;
    this.#processor.recover();
    this.#space.recover();
  }

  /** The open machine as a value. */
  seal(): MachineState {
    const { devices, devicePort, deliveries, counts, steps, ticks } = this.#processor;
    const { disks } = devicePort;
    // Written out, with what there is not: a step makes one, and spreading costs more than all the rest.
    this.#open.value ??= {
      cpu: this.#processor.seal(),
      turn: this.#turns.seal(),
      memorySize: this.#memorySize,
      rom: this.#rom,
      supervisors: this.#supervisors.value,
      memory: this.#space.seal(),
      disks,
      devices,
      steps,
      ticks,
      counts: counts.seal(),
      shutdown: this.#open.shutdown,
      lastException: deliveries.last,
    };
    return this.#open.value;
  }

  // ---- running ----------------------------------------------------------------------------------------------------

  /** Runs the open value. */
  run(options: EngineRunOptions): EngineRunResult {
    const { limit, stops = noStops, observe } = options;
    const processor = this.#processor;
    this.#running = true;
    this.#open.stopsAtHalt = options.untilHalt ?? false;
    processor.observe = observe;
    if (observe) {
      processor.events = [];
      processor.debugging.watched();
      processor.debugging.watchPrivilege();
    }
    this.#space.patching = limit === 1;
    this.#stops = stops;
    this.#space.watchData(stops.watchpoints);
    processor.debugging.repeats = stops.watchpoints.length === 0;
    // One step ends by itself where it is to stop.
    if (limit > 1) this.#blocks.stopAt(stops);
    const stop = this.#runUntil(processor.steps + limit, options);
    if (observe) {
      processor.debugging.notePrivilege();
      processor.debugging.watched();
    }
    const events = observe ? processor.events : NO_EVENTS;
    processor.observe = undefined;
    this.#space.patching = false;
    this.#running = false;
    return { stop, events };
  }

  #runUntil(end: number, { untilSerial, serialFrom, untilSupervisors, untilEvent }: EngineRunOptions): Stop {
    const processor = this.#processor;
    let supervisors = this.#supervisors.value;
    this.#tellsCalls = untilSupervisors !== undefined || (untilEvent !== undefined && OF_HANDLERS.has(untilEvent));
    const steps = untilEvent !== undefined && !OF_HANDLERS.has(untilEvent);
    const oneByOne = steps || (processor.observe?.has("instruction") ?? false);
    let seen = processor.devices.uart.output.length;
    const start = serialFrom ?? seen;
    let told = untilEvent === undefined ? RUN_ON : processor.events.length;
    while (processor.steps < end) {
      this.#begun = false;
      const stop = this.#boundary.advance(oneByOne ? 1 : end - processor.steps) ?? this.#arrival();
      if (stop) return stop;
      if (processor.events.length > told) {
        if (processor.events.slice(told).some(({ kind }) => kind === untilEvent)) return { reason: "until" };
        told = processor.events.length;
      }
      if (untilSupervisors !== undefined && this.#supervisors.value !== supervisors) {
        supervisors = this.#supervisors.value;
        if (untilSupervisors(supervisors!)) return { reason: "until" };
      }
      const { output } = processor.devices.uart;
      if (untilSerial !== undefined && output.length > seen) {
        // Only what is new, and as much before it as a text that ends in it may begin in.
        const news = textFrom(output, Math.max(start, seen - untilSerial.length + 1));
        if (news.includes(untilSerial)) return { reason: "until" };
        seen = output.length;
      }
    }
    return { reason: "limit" };
  }

  /** Why to stop where execution has come to. */
  #arrival(): Stop | undefined {
    const processor = this.#processor;
    const { hit } = this.#space;
    if (hit !== undefined) {
      const { watchpoint, address, write } = hit;
      return { reason: "watchpoint", watchpoint, address, access: write ? "write" : "read" };
    }
    if (this.#stops === noStops || this.#begun || processor.halted) return undefined;
    const base = processor.codeBits === 64 ? 0 : processor.system.segments.cs.base;
    if (!stopsAt(this.#stops, processor.eip, base)) return undefined;
    if (this.#stops.offsets.has(processor.eip)) return { reason: "until" };
    return { reason: "breakpoint", address: codeAddress(processor.eip, base) };
  }

  #execute(budget: number): Stop | undefined {
    const processor = this.#processor;
    this.#open.value = undefined;
    processor.attention = undefined;
    processor.budget = processor.left = budget;
    processor.present.timestamp.budgetEnd = processor.ticks + budget;
    const { shadow } = processor;
    processor.guestMode.shadowBefore = shadow;
    processor.shadow = "none";
    processor.devicePort.limitPorts();
    this.#begun = true;
    while (processor.left > 0 && processor.attention === undefined) {
      this.#kind = processor.present.mode.kind;
      const record = this.#proceed();
      if (record !== 0) this.#core.go(record, this.#kind);
    }
    const used = processor.budget - processor.left;
    // Nothing was done, so interrupts go on waiting.
    if (used === 0) processor.shadow = shadow;
    processor.guestMode.shadowBefore = "none";
    processor.budget = processor.left = 0;
    processor.steps += used;
    processor.ticks += used;
    processor.counts.collect();
    if (processor.attention !== undefined) this.#turns.takeSignals();
    return (processor.attention as Attention | undefined)?.stop;
  }

  /**
   * The record to run from, its block charged; 0 when there is something else to do first. Code that cannot
   * be fetched raises its fault here.
   */
  #proceed(): number {
    const space = this.#space;
    const processor = this.#processor;
    while (processor.left > 0 && processor.attention === undefined) {
      space.makeRoom();
      const mode = processor.present.mode;
      if (mode.kind !== this.#kind) return 0;
      if (!this.#begun && this.#stops !== noStops && stopsAt(this.#stops, processor.eip, mode.csBase)) {
        processor.attention = LOOK_AROUND;
        return 0;
      }
      this.#begun = false;
      let record: number;
      try {
        record = this.#blocks.behindStop(this.#blocks.find(processor.eip, mode, space));
      } catch (thrown) {
        this.#thrown(thrown);
        space.settle();
        continue;
      }
      if (processor.observe?.has("instruction")) this.#observeInstruction(mode);
      // RF lasts until an instruction has been executed.
      processor.debugging.takeResumeFlag();
      return this.#core.charge(record, processor.left);
    }
    return 0;
  }

  /** What the generated code cannot do by itself; gives the record to go on from, as `proceed` does. */
  #leave(exit: number): number {
    const space = this.#space;
    const processor = this.#processor;
    processor.catchUp();
    space.single = false;
    processor.left = this.#core.exitLeft(exit);
    processor.eip = this.#core.exitAddress(exit);
    if (exit === EXIT.fault) this.#thrown(this.#core.takeFault());
    else if (exit === EXIT.bail) this.#core.bail();
    this.#begun = exit === EXIT.bail || exit === EXIT.repeat;
    if (space.hit !== undefined) processor.attention ??= LOOK_AROUND;
    processor.debugging.giveBackResumeFlag();
    space.settle();
    return this.#proceed();
  }

  /** What generated code has no code for; see `SlowPaths.system`. */
  #system(record: number): number {
    const processor = this.#processor;
    const blocks = this.#blocks;
    const { generation } = blocks;
    processor.catchUp();
    processor.left = this.#core.systemLeft(record);
    processor.eip = blocks.eip(record);
    const following = this.#systemInstruction(record);
    this.#space.settle();
    if (
      processor.eip === following &&
      blocks.generation === generation &&
      processor.attention === undefined &&
      processor.present.isKnown &&
      !this.#space.single
    )
      return NEXT_RECORD;
    this.#space.single = false;
    processor.debugging.giveBackResumeFlag();
    return this.#proceed();
  }

  /** Executes an instruction that has no generated code. Gives the EIP behind it, or -1 if it raised an exception. */
  #systemInstruction(record: number): number {
    const processor = this.#processor;
    const instruction = this.#blocks.instruction(record);
    if (instruction.row === undefined) {
      if (this.#hostCall()) return -1;
      this.#exception(new Fault(instruction.vector, instruction.vector === VECTOR.GP ? 0 : undefined));
      return -1;
    }
    const next = processor.eip + instruction.length;
    const following = this.#kind === "long" ? next : next >>> 0;
    processor.nextEip = following;
    processor.repeating = false;
    processor.faultMet = false;
    processor.checkpoint();
    try {
      instruction.row.system!(processor, instruction as DecodedInstruction);
    } catch (thrown) {
      processor.restore();
      this.#thrown(thrown, instruction.length);
      return -1;
    }
    if (processor.exit !== undefined) {
      const { exit } = processor;
      processor.exit = undefined;
      this.#exit(exit, instruction.length);
      return -1;
    }
    this.#open.lastSystem = instruction.row.mnemonic;
    if (processor.faultMet) processor.counts.exceptions++;
    processor.left--;
    this.#begun = processor.repeating;
    if (this.#space.hit !== undefined) processor.attention ??= LOOK_AROUND;
    if (processor.repeating) this.#i32[REPEATS >> 2]!++;
    else processor.eip = processor.nextEip;
    this.#deliverInjected();
    return following;
  }

  /** Runs the handler whose entry is at EIP, as one step; false where there is none, so that the bytes are #UD. */
  #hostCall(): boolean {
    const call = this.#supervisors.here;
    if (call === undefined) return false;
    const processor = this.#processor;
    processor.nextEip = processor.eip + HOST_CALL.length;
    processor.repeating = false;
    processor.faultMet = false;
    processor.checkpoint();
    try {
      this.#supervisors.run(call);
    } catch (thrown) {
      processor.restore();
      this.#thrown(thrown, HOST_CALL.length);
      return true;
    }
    this.#open.lastSystem = undefined;
    processor.left--;
    this.#begun = false;
    if (this.#tellsCalls) processor.attention ??= LOOK_AROUND;
    if (this.#space.hit !== undefined) processor.attention ??= LOOK_AROUND;
    processor.eip = processor.nextEip;
    this.#deliverInjected();
    return true;
  }

  /** What VM entry delivers is a part of it. */
  #deliverInjected(): void {
    try {
      this.#processor.guestMode.deliverInjected();
    } catch (thrown) {
      this.#processor.attention = { stop: this.#stopFor(thrown) };
    }
  }

  /** What an instruction, a fetch or a delivery threw instead of ending. */
  #thrown(thrown: unknown, length = 0): void {
    if (thrown instanceof Fault) this.#exception(thrown);
    else if (thrown instanceof VmExit) this.#exit(thrown, length);
    else this.#processor.attention = { stop: this.#stopFor(thrown) };
  }

  /** A VM exit takes the place of the instruction that caused it, which is `length` bytes long. */
  #exit(exit: VmExit, length: number): void {
    const processor = this.#processor;
    this.#space.hit = undefined;
    try {
      processor.guestMode.leave(exit, length);
    } catch (thrown) {
      processor.attention = { stop: this.#stopFor(thrown) };
    }
    processor.left--;
  }

  #stopFor(thrown: unknown): Stop {
    if (thrown instanceof Unsupported) {
      return { reason: "unsupported", detail: `${thrown.detail} at EIP 0x${this.#processor.eip.toString(16)}` };
    }
    if (!(thrown instanceof TripleFault)) throw thrown;
    this.#open.shutdown = true;
    return { reason: "triple-fault" };
  }

  /** The delivery of an exception is a step of its own; the instruction that raised it had no effect. */
  #exception(fault: Fault): void {
    const processor = this.#processor;
    // What the instruction accessed before it faulted is forgotten.
    this.#space.hit = undefined;
    processor.deliveries.observe(fault);
    let delivered = true;
    try {
      delivered = processor.deliveries.deliver(fault.vector, fault.errorCode, "exception", { rule: fault.rule });
    } catch (thrown) {
      const stop = this.#stopFor(thrown);
      processor.attention = { stop };
      if (stop.reason === "unsupported") return;
    }
    if (this.#space.hit !== undefined) processor.attention ??= LOOK_AROUND;
    if (delivered) processor.counts.exceptions++;
    processor.left--;
  }

  // ---- observing --------------------------------------------------------------------------------------------------

  #observeInstruction({ csBase, bits }: X86CodeMode): void {
    const processor = this.#processor;
    const { now: tick, eip, cpl } = processor;
    const start = bits === 64 ? eip : csBase + eip;
    const linear = (index: number): number => (bits === 64 ? start + index : (start + index) >>> 0);
    const { row } = decode((index) => processor.readLinear(linear(index), 1, cpl === 3), eip, bits);
    const { mnemonic = "(bad)", group = "miscellaneous" } = row ?? {};
    processor.events.push({ kind: "instruction", tick, eip, cpl, mnemonic, group });
  }
}
