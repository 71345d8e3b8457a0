/** Deliveries of exceptions and interrupts to their handlers, and what is remembered and told of the exceptions. */
import { DR6, recorded } from "../cpu/debug.js";
import { deliver, type EventSource } from "../cpu/exceptions.js";
import { VmExit } from "../cpu/guest-operation.js";
import { Fault, VECTOR, vectorNames } from "../cpu/processor.js";
import type { RuleName } from "../cpu/rules.js";
import type { DeliveredException } from "../inspect/exception.js";
import type { AddressSpace } from "./address-space.js";
import { asFault } from "./core.js";
import { ExceptionLog } from "./exception-log.js";
import { LOG_BYTES, LOG_EIP, LOG_ERROR_CODE, LOG_PLACE, LOG_VECTOR } from "./layout.js";
import type { Processor } from "./processor.js";
import type { Ways } from "./ways.js";

/** What is known of an event beside vector and code. */
interface About {
  /** The check that failed. */
  readonly rule?: RuleName | undefined;
  /** DR6 bits that a #DB records. */
  readonly dr6?: number;
  /** Bytes of the instruction behind which an injected event returns. */
  readonly length?: number;
  /** An entry into a guest delivers it. */
  readonly injected?: boolean;
}

export class Deliveries {
  readonly #processor: Processor;
  readonly #space: AddressSpace;
  readonly #i32: Int32Array;
  readonly #log = new ExceptionLog();

  constructor(processor: Processor, buffer: ArrayBuffer, space: AddressSpace) {
    this.#processor = processor;
    this.#space = space;
    this.#i32 = new Int32Array(buffer);
  }

  // ---- what is remembered -----------------------------------------------------------------------------------------

  /** What is known of the last exception. */
  get last(): DeliveredException | undefined {
    return this.#log.seal();
  }

  open(last: DeliveredException | undefined): void {
    this.#log.open(last);
  }

  /** The next fault begins a chain of its own. */
  begin(): void {
    this.#log.close();
  }

  /** Generated code has been at work: sees the exception it delivered last. */
  catchUp(ways: Ways): void {
    if (this.#i32[LOG_PLACE >> 2] !== 0) this.#readLog(ways);
  }

  /** After a run that was left by an error. */
  recover(): void {
    this.#i32[LOG_PLACE >> 2] = 0;
  }

  #readLog(ways: Ways): void {
    const i32 = this.#i32;
    const { cs, mode, user } = ways.placeOf(i32[LOG_PLACE >> 2]!)!;
    i32[LOG_PLACE >> 2] = 0;
    const log = this.#log;
    for (let offset = 0; offset < log.bytes.byteLength; offset += 4)
      log.bytes.setInt32(offset, i32[(LOG_BYTES + offset) >> 2]!, true);
    log.byteCount = log.bytes.byteLength;
    const fault = asFault(i32[LOG_VECTOR >> 2]!, i32[LOG_ERROR_CODE >> 2]!);
    const eip = i32[LOG_EIP >> 2]! >>> 0;
    const place = { eip, cpl: user ? 3 : cs.selector & 3, mode: "protected", codeBits: mode.bits } as const;
    log.begin(fault, this.#processor.faultAddress, cs.selector, place);
  }

  #met(fault: Fault): void {
    const processor = this.#processor;
    const log = this.#log;
    if (!log.closed) {
      log.add(fault, processor.faultAddress);
      return;
    }
    log.byteCount = this.#space.copyCode(processor.linearEip, processor.cpl === 3, log.bytes);
    log.begin(fault, processor.faultAddress, processor.system.segments.cs.selector, processor);
  }

  /** A fault was met on the way to a handler. */
  faulted(fault: Fault): void {
    this.#met(fault);
    this.observe(fault);
  }

  /** Tells whoever observes exceptions. */
  observe({ vector, errorCode }: Fault): void {
    const processor = this.#processor;
    if (!processor.observe?.has("exception")) return;
    const { now: tick, eip, cpl } = processor;
    processor.events.push({
      kind: "exception",
      tick,
      eip,
      cpl,
      vector,
      name: vectorNames[vector] ?? `vector ${vector}`,
      ...(errorCode === undefined ? {} : { errorCode }),
      ...(vector === VECTOR.PF ? { cr2: processor.faultAddress } : {}),
    });
  }

  // ---- deliveries -------------------------------------------------------------------------------------------------

  /** DR6 bits of the #DB that is being delivered. */
  dr6 = 0;

  /**
   * Delivers an event to its handler. One that leaves a guest instead, for its host to see, gives false. Throws TripleFault or
   * Unsupported with nothing done.
   */
  deliver(vector: number, errorCode: number | undefined, source: EventSource, about: About = {}): boolean {
    const processor = this.#processor;
    const { rule, length = 0, dr6 = rule === "debug-registers-guarded" ? DR6.BD : 0 } = about;
    processor.nextEip = processor.eip + length;
    this.#space.settle();
    processor.checkpoint();
    if (source === "exception") this.#met(new Fault(vector, errorCode, rule));
    this.dr6 = dr6;
    // Spec: SDM Vol. 3B, "General-Detect Exception Condition": the handler finds BD set and GD clear.
    if (dr6 !== 0) processor.setSystem({ debug: recorded(processor.system, dr6) });
    try {
      deliver(processor, vector, errorCode, source, processor.nextEip, processor.eip, about.injected);
    } catch (thrown) {
      processor.restore();
      if (!(thrown instanceof VmExit)) throw thrown;
      processor.guestMode.leave(thrown, length);
      return false;
    } finally {
      this.#space.settle();
    }
    processor.eip = processor.nextEip;
    return true;
  }

  /** #DB, with these bits in DR6. */
  deliverDebug(bits: number): void {
    if (this.deliver(VECTOR.DB, undefined, "exception", { dr6: bits })) this.#processor.waiting.debug = 0;
  }

  /** The NMI that waits. */
  deliverNmi(): void {
    const processor = this.#processor;
    const before = processor.pending;
    processor.waiting.change({ nmi: false });
    if (processor.guestMode.isLeftFor({ kind: "nmi" })) return;
    processor.waiting.change({ nmiBlocked: true });
    try {
      this.deliver(VECTOR.NMI, undefined, "nmi");
    } catch (thrown) {
      processor.pending = before;
      throw thrown;
    }
    processor.halted = false;
  }
}
