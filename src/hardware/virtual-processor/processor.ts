/** A processor that is a record: executes single instructions of a guest, and delivers events through its own IDT. */
import { anyBreakpoint, codeBreakpoints, DR6, recorded } from "../cpu/debug.js";
import { deliver, TripleFault } from "../cpu/exceptions.js";
import type { DeliveredEvent } from "../cpu/guest-operation.js";
import { includes } from "../cpu/model.js";
import { Fault, Unsupported, VECTOR } from "../cpu/processor.js";
import { FLAG, noEvents } from "../cpu/state.js";
import { decode } from "../isa/decoder.js";
import type { DecodedInstruction, InvalidInstruction } from "../isa/instruction.js";
import { VirtualPort } from "./port.js";
import { systemOf } from "./unlisted.js";

/** How an instruction or a delivery ended. */
export type Outcome =
  /** The step was made. `delivered`: it was the delivery of that event, or of one that came in its way. */
  | { readonly kind: "done"; readonly delivered?: DeliveredEvent }
  /** A REP instruction has iterations left: one step was made, EIP stays. */
  | { readonly kind: "repeats" }
  /** The instruction faulted: registers are as before, but for CR2. `raise` delivers it. */
  | { readonly kind: "fault"; readonly fault: Fault }
  /** The instruction has no meaning in TypeScript; nothing was done. */
  | { readonly kind: "not-here"; readonly instruction: DecodedInstruction }
  /** The processor shuts down, as it was before. */
  | { readonly kind: "triple-fault" }
  /** Nothing was done: the guest needs something that is not there. */
  | { readonly kind: "unsupported"; readonly detail: string };

const DONE: Outcome = Object.freeze({ kind: "done" });
const REPEATS: Outcome = Object.freeze({ kind: "repeats" });
const TRIPLE_FAULT: Outcome = Object.freeze({ kind: "triple-fault" });

export class VirtualProcessor extends VirtualPort {
  /** What `execute` or `fetch` had to do with last; undefined where it could not be fetched. */
  instruction: DecodedInstruction | InvalidInstruction | undefined;

  // ---- instructions -----------------------------------------------------------------------------------------------

  /** The instruction at CS:EIP. Throws what fetching it raises. */
  fetch(): DecodedInstruction | InvalidInstruction {
    this.begin();
    this.instruction = undefined;
    this.instruction = this.#fetched();
    return this.instruction;
  }

  #fetched(): DecodedInstruction | InvalidInstruction {
    const { system, codeBits, eip } = this;
    const limit = codeBits === 64 ? Number.POSITIVE_INFINITY : system.segments.cs.limit;
    if (eip > limit) throw new Fault(VECTOR.GP, 0);
    const instruction = decode(this.codeHere, eip, codeBits);
    const { row, length } = instruction;
    if (eip + length - 1 > limit) return { row: undefined, eip, vector: VECTOR.GP, length };
    // What the model does not have is no instruction.
    return row === undefined || includes(system.model, row.needs)
      ? instruction
      : { row: undefined, eip, vector: VECTOR.UD, length };
  }

  /**
   * Executes the instruction at CS:EIP, if it is one that is executed in TypeScript: all privileged and sensitive ones are.
   *
   * @param known what stands there, where that was decoded already.
   */
  execute(known?: DecodedInstruction | InvalidInstruction): Outcome {
    const { shadow } = this;
    try {
      if (known !== undefined) {
        this.begin();
        this.instruction = known;
      }
      return this.#execute(known ?? this.fetch());
    } catch (thrown) {
      this.takeBack();
      this.shadow = shadow;
      return outcomeOf(thrown, this.eip);
    }
  }

  #execute(instruction: DecodedInstruction | InvalidInstruction): Outcome {
    const { row, length } = instruction;
    if (row === undefined) throw new Fault(instruction.vector, instruction.vector === VECTOR.GP ? 0 : undefined);
    const system = systemOf(row);
    if (system === undefined) return { kind: "not-here", instruction };
    const next = this.eip + length;
    this.nextEip = this.codeBits === 64 ? next : next >>> 0;
    const eflags = this.getEflags();
    const debugged = this.isDebugged;
    // RF and what keeps interrupts waiting last until an instruction has been executed.
    this.setEflags(eflags & ~FLAG.RF);
    this.shadow = "none";
    system(this, instruction);
    // An entry into one is taken back.
    this.refuseGuest();
    if (debugged) this.#wasDebugged(row.mnemonic, (eflags & FLAG.TF) !== 0);
    this.board.count();
    if (this.repeating) return REPEATS;
    this.eip = this.nextEip;
    return DONE;
  }

  /** Behind an instruction that began with TF set or a breakpoint. INT clears TF and does not trap; what loads TF itself does. */
  #wasDebugged(mnemonic: string, stepping: boolean): void {
    if (this.faultMet) {
      this.#forgetTrap();
      return;
    }
    const still = (this.getEflags() & FLAG.TF) !== 0;
    if (stepping && (still || mnemonic === "POPF" || mnemonic === "IRET")) this.trap(DR6.BS);
  }

  #forgetTrap(): void {
    if (this.pending.debug !== 0) this.changePending({ debug: 0 });
  }

  // ---- deliveries -------------------------------------------------------------------------------------------------

  /**
   * Delivers a fault of the instruction at CS:EIP, in its place; or what comes of it on the way, as #DF.
   *
   * @param linear the address of a #PF that was not met by `execute`: it becomes CR2.
   */
  raise(fault: Fault, linear?: number): Outcome {
    const debugged = this.isDebugged;
    const eflags = this.getEflags();
    const { shadow } = this;
    if (linear !== undefined) this.pageFaultAt(linear);
    this.shadow = "none";
    this.setEflags(eflags & ~FLAG.RF);
    const { vector, errorCode, rule } = fault;
    const dr6 = rule === "debug-registers-guarded" ? DR6.BD : 0;
    const outcome = this.#deliver(eventOf(vector, errorCode), dr6);
    if (outcome.kind === "unsupported") {
      this.shadow = shadow;
      this.setEflags(eflags);
    } else if (debugged) this.#forgetTrap();
    return outcome;
  }

  /** Delivers an event between two instructions: an interrupt, an NMI, or what somebody injects. It ends HLT. */
  deliver(event: DeliveredEvent, dr6 = 0): Outcome {
    const outcome = this.#deliver(event, dr6);
    if (outcome.kind !== "done") return outcome;
    this.halted = false;
    this.shadow = "none";
    return outcome;
  }

  #deliver(event: DeliveredEvent, dr6: number): Outcome {
    const { vector, errorCode, type, length = 0 } = event;
    this.nextEip = this.eip + length;
    this.dr6 = dr6;
    try {
      this.begin();
      // Spec: SDM Vol. 3B, "General-Detect Exception Condition": the handler finds BD set and GD clear.
      if (dr6 !== 0) this.setSystem({ debug: recorded(this.system, dr6) });
      deliver(this, vector, errorCode, type, this.nextEip, this.eip);
    } catch (thrown) {
      this.takeBack();
      const outcome = outcomeOf(thrown, this.eip);
      if (outcome.kind === "triple-fault") this.board.count();
      return outcome;
    }
    this.eip = this.nextEip;
    this.board.count();
    return { kind: "done", delivered: event };
  }

  #debugTrap(dr6: number): Outcome {
    const outcome = this.deliver(eventOf(VECTOR.DB), dr6);
    if (outcome.kind === "done") this.#forgetTrap();
    return outcome;
  }

  #nmi(): Outcome {
    const before = this.pending;
    this.changePending({ nmi: false, nmiBlocked: true });
    const outcome = this.deliver({ vector: VECTOR.NMI, type: "nmi" });
    if (outcome.kind !== "done") this.pending = before;
    return outcome;
  }

  #interrupt(): Outcome {
    const { board } = this;
    const before = board.devices;
    const outcome = this.deliver({ vector: board.acknowledge(), type: "interrupt" });
    // Nothing happened: the request is still there.
    if (outcome.kind === "unsupported") board.devices = before;
    return outcome;
  }

  // ---- instruction boundaries -------------------------------------------------------------------------------------

  /** A device's interrupt would be taken now. */
  get interruptible(): boolean {
    const { virtualization } = this.system;
    const letIn = virtualization?.kind !== "svm" || virtualization.gif;
    return letIn && this.shadow === "none" && (this.getEflags() & FLAG.IF) !== 0 && this.board.interruptWaits;
  }

  get #nmiWaits(): boolean {
    const { nmi, nmiBlocked } = this.pending;
    const { virtualization } = this.system;
    return nmi && !nmiBlocked && (virtualization?.kind !== "svm" || virtualization.gif);
  }

  /**
   * Delivers what comes before the instruction at CS:EIP: a debug trap, an NMI, a device's interrupt, a code breakpoint.
   * Undefined if nothing does. Spec: SDM Vol. 3A, "Priority Among Simultaneous Exceptions and Interrupts".
   */
  deliverWaiting(): Outcome | undefined {
    if (this.pending !== noEvents && this.shadow !== "mov-ss") {
      if (this.pending.debug !== 0) return this.#debugTrap(this.pending.debug);
      if (this.#nmiWaits) return this.#nmi();
    }
    if (this.interruptible) return this.#interrupt();
    if (this.halted) return undefined;
    const watched = (this.getEflags() & FLAG.RF) === 0 && anyBreakpoint(this.system);
    const dr6 = watched ? codeBreakpoints(this.system, this.linearEip) : 0;
    return dr6 === 0 ? undefined : this.#debugTrap(dr6);
  }

  /** Halted: the tick at which something ends that, now at the earliest; infinity if nothing does by itself. */
  get wakesAt(): number {
    const { board, pending } = this;
    if (pending.debug !== 0 || this.#nmiWaits) return board.now;
    return (this.getEflags() & FLAG.IF) === 0 ? Number.POSITIVE_INFINITY : board.nextInterrupt;
  }

  /**
   * One step, as a machine makes it: what devices do by now, then a delivery, or an instruction that is executed in
   * TypeScript, or the delivery of its fault. HLT's time goes by first; of one that nothing ends, nothing is done.
   */
  step(): Outcome | { readonly kind: "halted" } {
    const { board } = this;
    if (this.halted) {
      const tick = this.wakesAt;
      if (tick === Number.POSITIVE_INFINITY) return HALTED;
      board.advance(tick);
    } else board.advance(board.now);
    const delivered = this.deliverWaiting();
    if (delivered !== undefined) return delivered;
    const outcome = this.execute();
    return outcome.kind === "fault" ? this.raise(outcome.fault) : outcome;
  }
}

const HALTED = Object.freeze({ kind: "halted" } as const);

const eventOf = (vector: number, errorCode?: number): DeliveredEvent =>
  errorCode === undefined ? { vector, type: "exception" } : { vector, type: "exception", errorCode };

/** What was thrown in place of an end. */
function outcomeOf(thrown: unknown, eip: number): Outcome {
  if (thrown instanceof Fault) return { kind: "fault", fault: thrown };
  if (thrown instanceof TripleFault) return TRIPLE_FAULT;
  if (thrown instanceof Unsupported)
    return { kind: "unsupported", detail: `${thrown.detail} at EIP 0x${eip.toString(16)}` };
  throw thrown;
}
