/**
 * What is remembered of the last exception, at every delivery: kept in plain fields, because page faults are a kernel's
 * daily business, and made a record when somebody looks.
 */
import { type Fault, VECTOR } from "../cpu/processor.js";
import type { Mode } from "../cpu/state.js";
import type { DeliveredException, MetFault } from "../inspect/exception.js";
import type { CodeBits } from "../isa/instruction.js";

/** Where an exception was met. */
export interface ExceptionPlace {
  readonly eip: number;
  readonly cpl: number;
  readonly mode: Mode;
  readonly codeBits: CodeBits;
}

const LONGEST_INSTRUCTION = 15;

export class ExceptionLog {
  /** The bytes at EIP, put here by whoever reports the first fault, and how many of them could be read. */
  readonly bytes = new DataView(new ArrayBuffer(LONGEST_INSTRUCTION + 1));
  byteCount = 0;
  #eip = 0;
  #cs = 0;
  #cpl = 0;
  #mode: Mode = "protected";
  #codeBits: CodeBits = 32;
  #first: Fault | undefined;
  #cr2 = 0;
  #others: MetFault[] = [];
  /** The record these fields are, if they still are one. */
  #value: DeliveredException | undefined;
  /** The first fault of this delivery is known. */
  #open = false;

  open(value: DeliveredException | undefined): void {
    this.#value = value;
    this.#first = undefined;
    this.#open = false;
  }

  /** The next fault begins a chain of its own. */
  close(): void {
    this.#open = false;
  }

  /** Whether the next fault is the first of its chain: then it needs a place and bytes. */
  get closed(): boolean {
    return !this.#open;
  }

  begin(fault: Fault, cr2: number, cs: number, { eip, cpl, mode, codeBits }: ExceptionPlace): void {
    this.#open = true;
    this.#value = undefined;
    this.#first = fault;
    this.#cr2 = cr2;
    this.#eip = eip;
    this.#cs = cs;
    this.#cpl = cpl;
    this.#mode = mode;
    this.#codeBits = codeBits;
    if (this.#others.length > 0) this.#others = [];
  }

  /** A further fault, on the way to a handler. */
  add(fault: Fault, cr2: number): void {
    this.#value = undefined;
    this.#others.push(asMet(fault, cr2));
  }

  seal(): DeliveredException | undefined {
    if (this.#first === undefined) return this.#value;
    this.#value ??= {
      eip: this.#eip,
      cs: this.#cs,
      cpl: this.#cpl,
      mode: this.#mode,
      chain: [asMet(this.#first, this.#cr2), ...this.#others],
      instructionBytes: [...new Uint8Array(this.bytes.buffer, 0, Math.min(this.byteCount, LONGEST_INSTRUCTION))],
      codeBits: this.#codeBits,
    };
    return this.#value;
  }
}

function asMet({ vector, errorCode, rule }: Fault, cr2: number): MetFault {
  return {
    vector,
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(vector === VECTOR.PF ? { cr2 } : {}),
    ...(rule === undefined ? {} : { rule }),
  };
}
