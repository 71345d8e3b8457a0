/**
 * The guest of VT-x or AMD-V that the open machine's processor runs, if it runs one: which interrupts are let in, how the guest
 * is left, and what the entry into it delivers.
 */
import { type DeliveredEvent, type ExitCause, type GuestOperation, VmExit } from "../cpu/guest-operation.js";
import { VECTOR } from "../cpu/processor.js";
import type { Shadow } from "../cpu/state.js";
import { svmGuest } from "../svm/guest.js";
import { vmxGuest } from "../vmx/guest.js";
import { LOOK_AROUND } from "./attention.js";
import { controlBlock, exitEvent, guestAddress } from "./guest-events.js";
import type { Processor } from "./processor.js";

export class GuestMode {
  readonly #processor: Processor;
  /** The instruction that is being executed has entered a guest. */
  #entered = false;
  /** Delivered behind it, as a part of it. */
  #injected: DeliveredEvent | undefined;
  /** What held interrupts back when the instruction began that is being executed. */
  shadowBefore: Shadow = "none";
  /** CR2 before the last page fault: one that leaves the guest does not change it. */
  #cr2Before = 0;

  constructor(processor: Processor) {
    this.#processor = processor;
  }

  get operation(): GuestOperation | undefined {
    const { virtualization } = this.#processor.system;
    if (virtualization?.guest === undefined) return undefined;
    return virtualization.kind === "vmx" ? vmxGuest : svmGuest;
  }

  // ---- interrupts -------------------------------------------------------------------------------------------------

  /** Whether an external interrupt is taken now, by the guest or by its host. */
  get letsInterruptsIn(): boolean {
    const processor = this.#processor;
    const { operation } = this;
    if (operation !== undefined) return operation.letsInterruptsIn(processor);
    return processor.registers.interruptFlag && this.letsEventsIn;
  }

  /** Whether the guest, if there is one, is left as soon as it lets interrupts in, which it does now. */
  get isLeftForWindow(): boolean {
    return this.operation?.boundary(this.#processor, "interrupts") !== undefined;
  }

  /** AMD-V's global interrupt flag, which is set where there is none. */
  get letsEventsIn(): boolean {
    const { virtualization } = this.#processor.system;
    return virtualization?.kind !== "svm" || virtualization.gif;
  }

  /** Whether what the processor has as blocking by NMI holds none back: it is a guest's own. */
  get nmiBlockingIsVirtual(): boolean {
    return this.operation?.nmiBlocking(this.#processor) === "virtual";
  }

  /** Whether IRET ends blocking by NMI. */
  get iretUnblocksNmi(): boolean {
    return this.operation?.nmiBlocking(this.#processor) !== "host";
  }

  /** The tick at which the guest is left unless something else does so before; infinity without a guest. */
  get deadline(): number {
    return this.operation?.deadline(this.#processor) ?? Number.POSITIVE_INFINITY;
  }

  // ---- exits ------------------------------------------------------------------------------------------------------

  /** A page fault is about to set CR2, which was this. */
  pageFaults(cr2: number): void {
    this.#cr2Before = cr2;
  }

  /**
   * Leaves the guest, with nothing done of the instruction of `length` bytes that made it. Throws TripleFault where the host's
   * state cannot be loaded.
   */
  leave(exit: VmExit, length: number): void {
    const processor = this.#processor;
    const { cause } = exit;
    if (cause.kind === "exception" && cause.event.vector === VECTOR.PF)
      processor.systemRegisters.setCr2(this.#cr2Before);
    // It is in force until that instruction has been executed, which it has not.
    if (this.shadowBefore !== "none") processor.shadow = this.shadowBefore;
    processor.nextEip = processor.eip;
    const { eip, now: tick } = processor;
    const control = controlBlock(processor);
    processor.counts.vmExits++;
    this.operation!.leave(processor, exit, exit.vectoring, length);
    if (processor.observe?.has("vm-exit")) processor.events.push(exitEvent(processor, control, { tick, eip }));
    processor.eip = processor.nextEip;
    processor.invalidate();
    processor.attention ??= LOOK_AROUND;
  }

  /** Whether the guest, if there is one, was left for this. */
  isLeftFor(cause: ExitCause): boolean {
    try {
      this.operation?.check(this.#processor, cause);
    } catch (thrown) {
      if (!(thrown instanceof VmExit)) throw thrown;
      this.leave(thrown, 0);
      return true;
    }
    return false;
  }

  // ---- entries ----------------------------------------------------------------------------------------------------

  /** A guest has been entered, or refused late; what is injected is delivered behind the instruction that did. */
  inject(event: DeliveredEvent | undefined): void {
    this.#entered = true;
    this.#injected = event;
  }

  /** Delivers what the entry that was just made injects, if anything. */
  deliverInjected(): void {
    if (!this.#entered) return;
    const event = this.#injected;
    this.#entered = false;
    // What held interrupts back was the host's.
    this.shadowBefore = "none";
    this.#injected = undefined;
    const processor = this.#processor;
    const { counts, observe } = processor;
    const refused = this.operation === undefined;
    counts.vmEntries++;
    if (refused) counts.vmExits++;
    if (observe !== undefined) this.#observeEntry(event, refused);
    if (event === undefined) return;
    const { vector, errorCode, type, length = 0 } = event;
    processor.deliveries.deliver(vector, errorCode, type, { length, injected: true });
  }

  #observeEntry(event: DeliveredEvent | undefined, refused: boolean): void {
    const processor = this.#processor;
    const { observe, events } = processor;
    const control = controlBlock(processor);
    const eip = refused ? guestAddress(processor, control) : processor.eip;
    // The instruction has been counted already.
    const tick = processor.now - 1;
    if (observe?.has("vm-entry")) {
      const injected = event === undefined ? {} : { injected: event };
      events.push({ kind: "vm-entry", tick, eip, technology: control.technology, ...injected });
    }
    if (refused && observe?.has("vm-exit")) events.push(exitEvent(processor, control, { tick, eip }));
  }
}
