/**
 * Who looks at single instructions: programs, by the flags TF and RF and by code breakpoints, and people, who observe or watch
 * a run.
 */
import { anyBreakpoint, codeBreakpoints, DR6 } from "../cpu/debug.js";
import { FLAG } from "../cpu/state.js";
import { RESUME, RESUME_LEFT } from "./layout.js";
import type { Processor } from "./processor.js";

export class Debugging {
  readonly #processor: Processor;
  readonly #i32: Int32Array;
  /** Privilege when it was last looked at. */
  #cpl = 0;

  constructor(processor: Processor, buffer: ArrayBuffer) {
    this.#processor = processor;
    this.#i32 = new Int32Array(buffer);
  }

  /** One instruction at a time: TF or a breakpoint wants to know of each. */
  get isOn(): boolean {
    const { registers, system } = this.#processor;
    return (registers.rest & FLAG.TF) !== 0 || anyBreakpoint(system);
  }

  /** DR6 bits of breakpoints on the instruction at EIP. */
  get breakpointsHere(): number {
    const { registers, system, linearEip } = this.#processor;
    if ((registers.rest & FLAG.RF) !== 0 || !anyBreakpoint(system)) return 0;
    return codeBreakpoints(system, linearEip);
  }

  /** Behind an instruction that began with TF set. INT clears TF and does not trap; what loads TF itself does. */
  singleStepped(mnemonic: string | undefined): void {
    const still = (this.#processor.registers.rest & FLAG.TF) !== 0;
    if (still || mnemonic === "POPF" || mnemonic === "IRET") this.#processor.trap(DR6.BS);
  }

  /** RF lasts until an instruction has been executed: the next one may be it. */
  takeResumeFlag(): void {
    const { registers, left } = this.#processor;
    const { rest } = registers;
    this.#i32[RESUME >> 2] = rest & FLAG.RF;
    if ((rest & FLAG.RF) === 0) return;
    registers.rest = rest & ~FLAG.RF;
    this.#i32[RESUME_LEFT >> 2] = left;
  }

  /** None has been executed. */
  giveBackResumeFlag(): void {
    const { registers, left } = this.#processor;
    if (this.#i32[RESUME >> 2] !== 0 && this.#i32[RESUME_LEFT >> 2] === left) registers.rest |= FLAG.RF;
  }

  // ---- for who observes -------------------------------------------------------------------------------------------

  /** Somebody begins or ceases to watch: what nobody sees is done in generated code. */
  watched(): void {
    this.#processor.devicePort.forgetPorts();
    this.#processor.present.forget();
  }

  /** Whether generated code may repeat deliveries. */
  set repeats(repeats: boolean) {
    const { present } = this.#processor;
    if (repeats === present.repeats) return;
    present.repeats = repeats;
    this.watched();
  }

  /** Sees a privilege other than at the last look. */
  notePrivilege(): void {
    const processor = this.#processor;
    const from = this.#cpl;
    const to = processor.cpl;
    this.#cpl = to;
    if (from === to || !processor.observe?.has("privilege")) return;
    processor.events.push({ kind: "privilege", tick: processor.now, eip: processor.eip, from, to });
  }

  /** Privilege changes are seen from here on. */
  watchPrivilege(): void {
    this.#cpl = this.#processor.cpl;
  }
}
