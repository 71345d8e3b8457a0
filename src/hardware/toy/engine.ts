/**
 * The engine of toy machines: the same core as x86's, with a processor that is eight registers and a program counter.
 * A cache of one value, as that one is: what it remembers never shows in a value.
 */
import { Fault, type ProcessorPort } from "../cpu/processor.js";
import { flatProtectedMode } from "../cpu/state.js";
import type { Blocks } from "../engine/blocks.js";
import { Core } from "../engine/core.js";
import type { CodeMode } from "../engine/instruction-set.js";
import { EXIT, REGISTER_SIZE, REGISTERS, TLB_BASE, TLB_SUPERVISOR } from "../engine/layout.js";
import { NEXT_RECORD } from "../engine/slow-paths.js";
import type { DecodedInstruction } from "../isa/instruction.js";
import { TOY_MODE, toy } from "./instruction-set.js";
import { type ToyCpu, type ToyState, type ToyStop, toyRegisterNames } from "./state.js";
import type { ToyPort } from "./table.js";

export interface ToyRunOptions {
  /** Steps at the most. */
  readonly limit: number;
  /** Stop in front of the instruction at this address. */
  readonly untilPc?: number | undefined;
  /** Stop once this text was printed, a character a byte. */
  readonly untilOutput?: string | undefined;
  /** The place in the output from which that text counts: where it ends now unless given. */
  readonly outputFrom?: number | undefined;
}

/** Steps a call into the generated code runs at the most: V8 replaces a function by its optimized form between calls. */
const SLICE = 1_000_000;
/** Vector of the fault of an access where there is no memory; its address is in place of an error code. */
const NO_MEMORY = 14;

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
const slotOf = (number: number): number => (REGISTERS + REGISTER_SIZE * number) >> 2;

export class ToyEngine {
  readonly #core: Core<CodeMode>;
  readonly #blocks: Blocks<CodeMode>;
  readonly #words: Int32Array;
  readonly #port: ToyPort;

  // The open machine. `#value` is the value it equals, if it equals one.
  #value: ToyState | undefined;
  #memorySize = 0;
  #pc = 0;
  #halted = false;
  #output = "";
  #steps = 0;

  /** A run is under way: if it was left by an error, nothing remembered can be trusted. */
  #running = false;
  /** Steps that are left of the present budget, why to stop before its end, and what to wait for in the output. */
  #left = 0;
  #stop: ToyStop | undefined;
  #wanted: string | undefined;
  #printed = 0;

  /** `slotLimit` bounds how many page frames are held at a time; fewer than there are is for tests. */
  constructor(slotLimit?: number) {
    this.#core = new Core(toy, {
      slotLimit,
      leave: (exit) => this.#leave(exit),
      system: (record) => this.#system(record),
      pageFault: () => {},
    });
    const { space, blocks, buffer } = this.#core;
    this.#blocks = blocks;
    this.#words = new Int32Array(buffer);
    this.#words[TLB_BASE >> 2] = TLB_SUPERVISOR;
    // Translation is x86's with paging off: an address is a physical one.
    space.system = flatProtectedMode.system;
    space.absent = (physical) => new Fault(NO_MEMORY, physical);
    blocks.select(TOY_MODE, false);
    this.#port = {
      getRegister: (number) => this.#words[slotOf(number)]! >>> 0,
      portWrite: (_port, _size, value) => this.#print(value),
      halt: () => {
        this.#halted = true;
      },
    };
  }

  /** Makes `state` the open value. Free when it is the one that was sealed last. */
  open(state: ToyState): void {
    if (this.#value === state) return;
    if (this.#running) this.#core.space.recover();
    this.#running = false;
    this.#core.space.open(state.memory, state.memorySize, []);
    toyRegisterNames.forEach((name, number) => {
      this.#words[slotOf(number)] = state.cpu[name];
    });
    this.#memorySize = state.memorySize;
    this.#pc = state.cpu.pc >>> 0;
    this.#halted = state.cpu.halted;
    this.#output = state.output;
    this.#steps = state.steps;
    this.#value = state;
  }

  /** The open machine as a value. */
  seal(): ToyState {
    this.#value ??= {
      cpu: this.#sealCpu(),
      memorySize: this.#memorySize,
      memory: this.#core.space.seal(),
      output: this.#output,
      steps: this.#steps,
    };
    return this.#value;
  }

  #sealCpu(): ToyCpu {
    const word = (number: number): number => this.#words[slotOf(number)]!;
    const [r0, r1, r2, r3] = [word(0), word(1), word(2), word(3)];
    const [r4, r5, r6, r7] = [word(4), word(5), word(6), word(7)];
    return { r0, r1, r2, r3, r4, r5, r6, r7, pc: this.#pc | 0, halted: this.#halted };
  }

  /** Runs the open value. */
  run({ limit, untilPc, untilOutput, outputFrom }: ToyRunOptions): ToyStop {
    this.#running = true;
    this.#core.space.patching = limit === 1;
    this.#wanted = untilOutput;
    this.#printed = outputFrom ?? this.#output.length;
    const stop = this.#runUntil(this.#steps + limit, untilPc);
    this.#core.space.patching = false;
    this.#running = false;
    return stop;
  }

  #runUntil(end: number, untilPc: number | undefined): ToyStop {
    while (this.#steps < end) {
      if (this.#halted) return { reason: "halted" };
      const stop = this.#execute(untilPc === undefined ? Math.min(SLICE, end - this.#steps) : 1);
      if (stop !== undefined) return stop;
      if (this.#pc === untilPc && !this.#halted) return { reason: "until" };
    }
    return { reason: "limit" };
  }

  #execute(budget: number): ToyStop | undefined {
    const value = this.#value;
    this.#value = undefined;
    this.#left = budget;
    this.#stop = undefined;
    while (this.#goesOn) {
      const record = this.#proceed();
      if (record !== 0) this.#core.go(record, "flat");
    }
    // Nothing was done: it is still the same value.
    if (this.#left === budget) this.#value = value;
    this.#steps += budget - this.#left;
    return this.#stop;
  }

  get #goesOn(): boolean {
    return this.#left > 0 && this.#stop === undefined && !this.#halted;
  }

  /** The record to run from, its block charged; 0 when there is something else to do first. */
  #proceed(): number {
    if (!this.#goesOn) return 0;
    const { space } = this.#core;
    space.makeRoom();
    try {
      return this.#core.charge(this.#blocks.find(this.#pc, TOY_MODE, space), this.#left);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      this.#fault(thrown);
      return 0;
    }
  }

  /** What the generated code cannot do by itself; gives the record to go on from, as `proceed` does. */
  #leave(exit: number): number {
    const core = this.#core;
    core.space.single = false;
    this.#left = core.exitLeft(exit);
    this.#pc = core.exitAddress(exit);
    // Nothing leaves a guest here, as there are none.
    if (exit === EXIT.fault) this.#fault(core.takeFault() as Fault);
    else if (exit === EXIT.bail) core.bail();
    return this.#proceed();
  }

  #system(record: number): number {
    const { space } = this.#core;
    const instruction = this.#blocks.instruction(record);
    this.#left = this.#core.systemLeft(record);
    this.#pc = this.#blocks.eip(record);
    if (instruction.row === undefined) this.#exception(`the bytes at ${hex(this.#pc)} are no instruction`);
    else {
      this.#carryOut(instruction as DecodedInstruction);
      if (this.#goesOn && !space.single) return NEXT_RECORD;
    }
    space.single = false;
    return this.#proceed();
  }

  #carryOut(instruction: DecodedInstruction): void {
    // Everything in the toy's table is written against ToyPort.
    instruction.row.system!(this.#port as ProcessorPort, instruction);
    this.#left--;
    this.#pc = (this.#pc + instruction.length) >>> 0;
  }

  #print(byte: number): void {
    this.#output += String.fromCharCode(byte);
    const wanted = this.#wanted;
    if (wanted === undefined || this.#output.length - this.#printed < wanted.length) return;
    if (this.#output.endsWith(wanted)) this.#stop = { reason: "until" };
  }

  #fault({ vector, errorCode = 0 }: Fault): void {
    // The core itself raises another vector where an access reaches over the end of all addresses.
    const address = vector === NO_MEMORY ? hex(errorCode) : "0x100000000";
    this.#exception(`there is no memory at ${address} (instruction at ${hex(this.#pc)})`);
  }

  #exception(detail: string): void {
    this.#stop = { reason: "exception", detail };
  }
}
