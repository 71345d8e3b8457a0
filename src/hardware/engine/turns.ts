/**
 * Several processors. One runs at a time. Its turn passes to the next one that can go on after 256 steps, at HLT and at
 * PAUSE; whose turn it is and what is left of it are state (`MachineState.turn`), so that a step is always one instruction
 * of one certain processor, and a run in pieces is a run in one.
 *
 * The engine's memory holds the registers of the processor whose turn it is; the others are parked. Decoded code is
 * shared, and translations as long as processors have the same tables. While no other can go on, a turn that passes comes
 * back at once: such turns are counted, not made.
 */
import type { CpuState } from "../cpu/state.js";
import * as ownApic from "../devices/apic-bus.js";
import * as bus from "../devices/bus.js";
import { type MachineState, TURN_STEPS, type Turn } from "../state.js";
import { Exchange } from "./exchange.js";
import { initialized, ParkedProcessor, started } from "./parked-processor.js";
import type { Processor } from "./processor.js";

export class Turns {
  readonly #processor: Processor;
  readonly #exchange: Exchange;
  /** By number. The one of the processor whose turn it is is where it will be parked. */
  #parked: ParkedProcessor[] = [];
  /** Steps left of the turn. */
  left = TURN_STEPS;
  /** The value that was sealed last. */
  #others: readonly CpuState[] = [];
  #sealedSteps: readonly number[] = [];
  /** Steps that each processor has made, up to the present call of the generated code. */
  #steps: number[] = [];

  constructor(processor: Processor, buffer: ArrayBuffer) {
    this.#processor = processor;
    this.#exchange = new Exchange(processor, buffer);
  }

  get several(): boolean {
    return this.#parked.length > 1;
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  open({ turn }: MachineState): void {
    if (turn === undefined) {
      this.#parked = [];
      return;
    }
    const { processor, left, others, steps } = turn;
    this.left = left;
    this.#others = others;
    this.#sealedSteps = steps;
    this.#steps = [...steps];
    while (this.#parked.length < others.length + 1) this.#parked.push(new ParkedProcessor());
    this.#parked.length = others.length + 1;
    others.forEach((cpu, index) => {
      this.#parked[index < processor ? index : index + 1]!.become(cpu);
    });
  }

  seal(): Turn | undefined {
    if (!this.several) return undefined;
    const processor = this.#processor.apicId;
    const others = this.#parked.filter((_, number) => number !== processor).map((parked) => this.#value(parked));
    if (others.some((cpu, index) => cpu !== this.#others[index])) this.#others = others;
    const steps = this.#steps;
    if (steps.some((count, number) => count !== this.#sealedSteps[number]))
      this.#sealedSteps = Object.freeze([...steps]);
    return { processor, left: this.left, others: this.#others, steps: this.#sealedSteps };
  }

  /** Steps that the processor at work has made, inside of an instruction too. */
  get ownSteps(): number {
    const { apicId, steps, budget, left } = this.#processor;
    return (this.several ? this.#steps[apicId]! : steps) + budget - left;
  }

  #value(parked: ParkedProcessor): CpuState {
    parked.cpu ??= this.#exchange.valueOf(parked);
    return parked.cpu;
  }

  // ---- turns ------------------------------------------------------------------------------------------------------

  /** Whether a processor is neither halted nor waits to be started. */
  #canGoOn(number: number): boolean {
    const processor = this.#processor;
    const own = number === processor.apicId;
    const { halted, pending } = own ? processor : this.#parked[number]!;
    const { devices } = processor;
    if (ownApic.waits(devices, number)) return false;
    if (!halted || pending.debug !== 0 || (pending.nmi && !pending.nmiBlocked)) return true;
    return this.#interruptFlag(number) && bus.interruptRequested(devices, number);
  }

  #interruptFlag(number: number): boolean {
    const processor = this.#processor;
    return number === processor.apicId ? processor.registers.interruptFlag : this.#parked[number]!.interruptFlag;
  }

  /** Whether the processor whose turn it is can use it. */
  get canGoOn(): boolean {
    return this.#canGoOn(this.#processor.apicId);
  }

  /** Whether no other processor can go on. */
  get alone(): boolean {
    for (let number = 0; number < this.#parked.length; number++)
      if (number !== this.#processor.apicId && this.#canGoOn(number)) return false;
    return true;
  }

  /** Counts steps of the turn, in which nothing has changed for the others unless by the last one. */
  count(steps: number): void {
    if (steps === 0) return;
    const processor = this.#processor;
    this.#steps[processor.apicId]! += steps;
    const sincePause = processor.steps - processor.pausedAt;
    const left = sincePause < steps ? TURN_STEPS - sincePause : this.left - steps;
    const over = left % TURN_STEPS === 0 && (left <= 0 || sincePause === 0);
    if (over || processor.halted || !this.canGoOn) this.pass();
    else this.left = left > 0 ? left : TURN_STEPS + (left % TURN_STEPS);
  }

  /** Gives a new turn to the next processor that can go on, and says whether there is one. */
  pass(): boolean {
    this.left = TURN_STEPS;
    const { apicId } = this.#processor;
    const count = this.#parked.length;
    for (let distance = 1; distance <= count; distance++) {
      const number = (apicId + distance) % count;
      if (!this.#canGoOn(number)) continue;
      if (number !== apicId) this.#exchange.pass(this.#parked[apicId]!, this.#parked[number]!, number);
      return true;
    }
    return false;
  }

  /** Whether a device will end the halt of some processor without any input. */
  canWake(): boolean {
    const { devices, ticks } = this.#processor;
    return this.#parked.some(
      (_, number) =>
        this.#interruptFlag(number) && !ownApic.waits(devices, number) && bus.canWakeByItself(devices, ticks, number),
    );
  }

  /** Whether some processor would take an interrupt. */
  get waitsForInterrupt(): boolean {
    const { devices } = this.#processor;
    return this.#parked.some((_, number) => this.#interruptFlag(number) && !ownApic.waits(devices, number));
  }

  // ---- messages ---------------------------------------------------------------------------------------------------

  /** What messages make of the processors themselves: NMI, INIT and start-up. */
  takeSignals(): void {
    const processor = this.#processor;
    const { apic } = processor.devices;
    if (apic === undefined) return;
    for (let number = 0; number < apic.local.length; number++) {
      const { nmi, init, startUp, waits } = apic.local[number]!;
      if (!nmi && !init && startUp < 0) continue;
      if (init && this.#holdsInit(number)) continue;
      processor.devices = ownApic.signalsTaken(processor.devices, number);
      if (init && number === processor.apicId && processor.guestMode.isLeftFor({ kind: "init" })) continue;
      if (init) this.#become(number, initialized(this.#valueOf(number)));
      if (startUp >= 0 && (waits || init)) this.#become(number, started(this.#valueOf(number), startUp));
      else if (nmi && !waits) this.#nmi(number);
    }
  }

  /** INIT waits in VMX root operation and while GIF is clear; what it is to a guest is seen when that is its processor's turn. */
  #holdsInit(number: number): boolean {
    const { virtualization } = this.#valueOf(number).system;
    if (virtualization === undefined) return false;
    if (number !== this.#processor.apicId) return true;
    return virtualization.guest === undefined && (virtualization.kind === "vmx" || !virtualization.gif);
  }

  #valueOf(number: number): CpuState {
    return number === this.#processor.apicId ? this.#processor.seal() : this.#value(this.#parked[number]!);
  }

  #become(number: number, cpu: CpuState): void {
    if (number === this.#processor.apicId) this.#exchange.become(cpu);
    else this.#parked[number]!.become(cpu);
  }

  #nmi(number: number): void {
    if (number === this.#processor.apicId) this.#processor.waiting.change({ nmi: true });
    else this.#parked[number]!.nmi();
  }
}
