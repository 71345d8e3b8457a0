/** Deliveries of exceptions and interrupts to their handlers, and what is remembered and told of the exceptions. */
import { DR6, recorded } from "../cpu/debug.js";
import { deliver, type EventSource } from "../cpu/exceptions.js";
import { Fault, VECTOR, vectorNames } from "../cpu/processor.js";
import type { RuleName } from "../cpu/rules.js";
import type { DeliveredException } from "../inspect/exception.js";
import type { AddressSpace } from "./address-space.js";
import { asFault } from "./core.js";
import { ExceptionLog } from "./exception-log.js";
import { LOG_BYTES, LOG_EIP, LOG_ERROR_CODE, LOG_PLACE, LOG_VECTOR } from "./layout.js";
import type { Processor } from "./processor.js";
import type { Ways } from "./ways.js";

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

  /** Delivers an event to its handler; throws TripleFault or Unsupported with nothing done. */
  deliver(vector: number, errorCode: number | undefined, source: EventSource, rule?: RuleName): void {
    const processor = this.#processor;
    processor.nextEip = processor.eip;
    this.#space.settle();
    processor.checkpoint();
    if (source === "exception") this.#met(new Fault(vector, errorCode, rule));
    // Spec: SDM Vol. 3B, "General-Detect Exception Condition": the handler finds BD set and GD clear.
    if (rule === "debug-registers-guarded") processor.setSystem({ debug: recorded(processor.system, DR6.BD) });
    try {
      deliver(processor, vector, errorCode, source, processor.eip);
    } catch (thrown) {
      processor.restore();
      throw thrown;
    } finally {
      this.#space.settle();
    }
    processor.eip = processor.nextEip;
  }

  /** #DB, with these bits in DR6. */
  deliverDebug(bits: number): void {
    const processor = this.#processor;
    const { debug } = processor.system;
    processor.setSystem({ debug: recorded(processor.system, bits) });
    try {
      this.deliver(VECTOR.DB, undefined, "exception");
    } catch (thrown) {
      processor.setSystem({ debug });
      throw thrown;
    }
    processor.waiting.debug = 0;
  }

  /** The NMI that waits. */
  deliverNmi(): void {
    const processor = this.#processor;
    const before = processor.pending;
    processor.waiting.change({ nmi: false, nmiBlocked: true });
    try {
      this.deliver(VECTOR.NMI, undefined, "interrupt");
    } catch (thrown) {
      processor.pending = before;
      throw thrown;
    }
    processor.halted = false;
  }
}
