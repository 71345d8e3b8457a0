/**
 * What comes first at an instruction boundary, as the host or in a guest: an event that waits, as a step of its own, or the next
 * instructions; whose turn it is; and time, which goes on while nothing else does.
 */
import { type ExitCause, type GuestOperation, VmExit } from "../cpu/guest-operation.js";
import { Fault, VECTOR } from "../cpu/processor.js";
import { FLAG, noEvents } from "../cpu/state.js";
import * as bus from "../devices/bus.js";
import type { MachineState, Stop } from "../state.js";
import type { Processor } from "./processor.js";
import type { Turns } from "./turns.js";

/** Steps a call into the generated code runs at the most: V8 replaces a function by its optimized form between calls. */
const SLICE = 1_000_000;

/** What is known of the open machine as a whole. */
export interface OpenMachine {
  /** The value it equals, if it equals one. */
  value: MachineState | undefined;
  shutdown: boolean;
  /** The last instruction that was executed in TypeScript. */
  lastSystem: string | undefined;
  /** The run ends where time would go on by itself. */
  stopsAtHalt: boolean;
}

/** What of the engine is asked for here. */
export interface Execution {
  /** Executes at most so many steps, up to what needs attention. */
  execute(budget: number): Stop | undefined;
  /** Why to stop for what a delivery threw. */
  stopFor(thrown: unknown): Stop;
}

export class InstructionBoundary {
  readonly #processor: Processor;
  readonly #turns: Turns;
  readonly #open: OpenMachine;
  readonly #engine: Execution;

  constructor(processor: Processor, turns: Turns, open: OpenMachine, engine: Execution) {
    this.#processor = processor;
    this.#turns = turns;
    this.#open = open;
    this.#engine = engine;
  }

  /** Goes on with the processor whose turn it is, and passes the turn. */
  advance(limit: number): Stop | undefined {
    const turns = this.#turns;
    const processor = this.#processor;
    if (!turns.several || this.#open.shutdown) return this.#goOn(limit);
    if (processor.ticks >= processor.devicePort.nextEvent) this.#timePasses();
    if (!turns.canGoOn) {
      const stop = this.#idle();
      if (stop) return stop;
    }
    const { steps } = processor;
    processor.alone = turns.alone;
    const stop = this.#goOn(processor.alone ? limit : Math.min(limit, turns.left));
    turns.count(processor.steps - steps);
    return stop;
  }

  /**
   * Goes on with a processor: the delivery of an event that waits, or instructions up to the next thing that needs attention.
   * Spec: SDM Vol. 3A, "Priority Among Simultaneous Exceptions and Interrupts".
   */
  #goOn(limit: number): Stop | undefined {
    if (this.#open.shutdown) return { reason: "triple-fault" };
    const processor = this.#processor;
    // Of several processors this one can go on, whatever it waited for. A guest's host may want it back in its halt.
    if (processor.halted && processor.pending === noEvents && !this.#turns.several && processor.guest === undefined) {
      const stop = this.#idle();
      if (stop) return stop;
    }
    if (processor.ticks >= processor.devicePort.nextEvent) this.#timePasses();
    if (processor.guest !== undefined) return this.#goOnAsGuest(processor.guest, limit);
    if (processor.pending !== noEvents && processor.shadow !== "mov-ss") {
      const { debug } = processor.pending;
      if (debug !== 0) return this.#trapStep(() => processor.deliveries.deliverDebug(debug));
      if (processor.nmiWaits) return this.#interruptStep(VECTOR.NMI, () => processor.deliveries.deliverNmi());
      if (processor.halted && !processor.interruptible) {
        const stop = this.#idle();
        if (stop) return stop;
      }
    }
    if (processor.shadow === "none" && processor.interruptible) return this.#interrupt();
    return processor.debugging.isOn ? this.#debugged() : this.#engine.execute(this.#pieceOf(limit));
  }

  /** How far to go without looking around. An interrupt that waits for the instruction after STI is looked at right behind it. */
  #pieceOf(limit: number): number {
    const processor = this.#processor;
    const untilEvent = Math.max(1, processor.nextEvent - processor.ticks);
    return processor.shadow === "none" ? Math.min(limit, SLICE, untilEvent) : 1;
  }

  /**
   * The same in a guest, which its host may want to have back.
   * Spec: SDM Vol. 3C, "Other Causes of VM Exits", and the priorities with each of them.
   */
  #goOnAsGuest(guest: GuestOperation, limit: number): Stop | undefined {
    const processor = this.#processor;
    const first = guest.boundary(processor, "traps");
    if (first !== undefined) return this.#exitStep(first);
    const oneByOne = guest.oneByOne(processor);
    const { steps } = processor;
    const stop = this.#stepAsGuest(guest, oneByOne ? 1 : limit);
    if (oneByOne && processor.steps !== steps) processor.guest?.stepped(processor);
    return stop;
  }

  #stepAsGuest(guest: GuestOperation, limit: number): Stop | undefined {
    const processor = this.#processor;
    const { deliveries } = processor;
    const above = (what: "nmi" | "interrupts"): ExitCause | undefined => guest.boundary(processor, what);
    if (processor.shadow !== "mov-ss") {
      const { debug } = processor.pending;
      if (debug !== 0) return this.#trapStep(() => deliveries.deliverDebug(debug));
      const second = above("nmi");
      if (second !== undefined) return this.#exitStep(second);
      if (processor.nmiWaits) return this.#interruptStep(VECTOR.NMI, () => deliveries.deliverNmi());
    }
    if (processor.shadow === "none") {
      const third = above("interrupts");
      if (third !== undefined) return this.#exitStep(third);
      if (processor.interruptible) return this.#interrupt();
      const vector = guest.takeVirtualInterrupt(processor);
      if (vector !== undefined)
        return this.#interruptStep(vector, () => void deliveries.deliver(vector, undefined, "interrupt"));
    }
    if (processor.halted) return this.#idle();
    return processor.debugging.isOn ? this.#debugged() : this.#engine.execute(this.#pieceOf(limit));
  }

  /** The guest is left between two instructions. */
  #exitStep(cause: ExitCause): Stop | undefined {
    return this.#boundaryStep(() => this.#processor.guestMode.leave(new VmExit(cause), 0));
  }

  /** One instruction, with TF or a breakpoint watching. */
  #debugged(): Stop | undefined {
    const processor = this.#processor;
    const bits = processor.debugging.breakpointsHere;
    if (bits !== 0) return this.#trapStep(() => processor.deliveries.deliverDebug(bits));
    const stepping = (processor.registers.rest & FLAG.TF) !== 0;
    const { exceptions } = processor.counts;
    const before = processor.steps;
    this.#open.lastSystem = undefined;
    const stop = this.#engine.execute(1);
    if (processor.steps === before) return stop;
    // A fault forgets what the instruction came across before it.
    if (processor.counts.exceptions !== exceptions) processor.waiting.debug = 0;
    else if (stepping) processor.debugging.singleStepped(this.#open.lastSystem);
    return stop;
  }

  /** A delivery between instructions, as a step of its own; if it cannot be, nothing has happened. */
  #boundaryStep(delivery: () => void): Stop | undefined {
    const processor = this.#processor;
    this.#open.value = undefined;
    try {
      delivery();
    } catch (thrown) {
      const stop = this.#engine.stopFor(thrown);
      if (stop.reason === "unsupported") return stop;
      processor.steps++;
      processor.ticks++;
      return stop;
    }
    processor.halted = false;
    processor.shadow = "none";
    processor.steps++;
    processor.ticks++;
    return undefined;
  }

  #trapStep(delivery: () => void): Stop | undefined {
    const processor = this.#processor;
    processor.deliveries.observe(new Fault(VECTOR.DB));
    const stop = this.#boundaryStep(delivery);
    if (stop?.reason !== "unsupported") processor.counts.exceptions++;
    return stop;
  }

  #interruptStep(vector: number, delivery: () => void): Stop | undefined {
    const processor = this.#processor;
    if (processor.observe?.has("interrupt")) {
      const { ticks: tick, eip, cpl } = processor;
      processor.events.push({ kind: "interrupt", tick, eip, cpl, vector });
    }
    const stop = this.#boundaryStep(delivery);
    if (stop?.reason !== "unsupported") processor.counts.interrupts++;
    return stop;
  }

  #interrupt(): Stop | undefined {
    const processor = this.#processor;
    if (processor.guest?.hostTakesInterrupts(processor))
      return this.#boundaryStep(
        () => void processor.guestMode.isLeftFor({ kind: "interrupt", acknowledge: () => this.#acknowledge() }),
      );
    const { devices: before, devicePort } = processor;
    const { nextEvent } = devicePort;
    const vector = this.#acknowledge();
    const stop = this.#interruptStep(vector, () => void processor.deliveries.deliver(vector, undefined, "interrupt"));
    if (stop?.reason === "unsupported") {
      // Nothing happened: the request is still there.
      processor.devices = before;
      processor.devicePort.nextEvent = nextEvent;
    }
    return stop;
  }

  /** The vector of the interrupt that is requested. */
  #acknowledge(): number {
    const processor = this.#processor;
    const { devices, vector } = bus.acknowledge(processor.devices, processor.apicId);
    processor.devices = devices;
    processor.devicePort.nextEvent = bus.nextEvent(devices, processor.ticks);
    return vector;
  }

  #timePasses(): void {
    const processor = this.#processor;
    const devices = bus.advance(processor.devices, processor.ticks);
    if (devices !== processor.devices) {
      this.#open.value = undefined;
      processor.devices = devices;
    }
    processor.devicePort.nextEvent = bus.nextEvent(devices, processor.ticks);
    this.#turns.takeSignals();
  }

  /** Whether a device will end the halt. */
  #wakes(): boolean {
    const { devices, ticks, apicId } = this.#processor;
    return this.#turns.several ? this.#turns.canWake() : bus.canWakeByItself(devices, ticks, apicId);
  }

  /** HLT: time goes on to the event that ends it. When nothing does, nothing has happened. */
  #idle(): Stop | undefined {
    const processor = this.#processor;
    const turns = this.#turns;
    const value = this.#open.value;
    const { devices, ticks } = processor;
    for (;;) {
      if (processor.ticks >= processor.devicePort.nextEvent) this.#timePasses();
      if (turns.several ? turns.pass() : processor.interruptible || processor.nmiWaits) return undefined;
      if (processor.ticks >= processor.guestMode.deadline) return undefined;
      const ends = processor.guestMode.deadline !== Number.POSITIVE_INFINITY;
      const enabled = turns.several ? turns.waitsForInterrupt : processor.guestMode.letsInterruptsIn;
      const waits = processor.nextEvent !== Number.POSITIVE_INFINITY && this.#wakes();
      const goesOn = ends || (enabled && waits);
      if (!goesOn || this.#open.stopsAtHalt) {
        this.#open.value = value;
        processor.devices = devices;
        processor.ticks = ticks;
        processor.devicePort.nextEvent = bus.nextEvent(devices, ticks - 1);
        return goesOn ? { reason: "until" } : { reason: "halted", waitsForInput: enabled };
      }
      this.#open.value = undefined;
      processor.ticks = processor.nextEvent;
    }
  }
}
