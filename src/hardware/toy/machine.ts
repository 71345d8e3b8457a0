/**
 * A toy machine as a value: what `Machine` is for x86, for the instruction set of table.ts. All toy machines of a process
 * share one engine, which is made at the first step.
 */
import { produce } from "immer";
import { VirtlabError } from "../../state/error.js";
import { parseMemorySize } from "../../state/memory-size.js";
import { PersistentMap } from "../../state/persistent-map.js";
import { isBytes } from "../../state/plain-data.js";
import type { OnProgress } from "../../state/progress.js";
import {
  deepFreeze,
  differenceOf,
  hashOf,
  loadState,
  type MachineDifference,
  type MemoryReader,
  memoryReader,
  saveState,
  withBytes,
} from "../machine-content.js";
import { pieceOf, runInPieces } from "../run-in-pieces.js";
import { checkRun } from "../run-options.js";
import { assembleToy } from "./assembler.js";
import { ToyEngine } from "./engine.js";
import { type ToyRegisterName, type ToyState, type ToyStop, toyRegisterNames } from "./state.js";

export interface ToyCreateOptions {
  /** Memory: bytes, or text such as "64K". Default 64 KiB: all that a jump to an address reaches. */
  readonly memory?: number | string;
}

export interface ToyBootOptions extends ToyCreateOptions {
  /** The program as bytes, loaded at address 0. */
  readonly image?: Uint8Array;
  /** Or the program as text for `assembleToy`. */
  readonly program?: string;
  /** Name of the program, for messages. */
  readonly name?: string;
}

/** Run until this address, until a text was printed, or until a predicate holds after a step. */
export type ToyUntil = number | { readonly output: string } | ((machine: ToyMachine) => boolean);

export interface ToyMachineRunOptions {
  /** Instructions at the most. Default: no limit. */
  readonly maxInstructions?: number;
  readonly until?: ToyUntil;
  /**
   * Called at the start, every 2^20 steps (2^16 with an address, 2^12 with a predicate), and at the end, with the steps of
   * this run. What it throws ends the run. The result is the same with and without it.
   */
  readonly onProgress?: OnProgress;
}

/** Registers as unsigned 32-bit numbers. */
export interface ToyRegisters extends Readonly<Record<ToyRegisterName, number>> {
  readonly pc: number;
}

/** What `machine.edit` may change. */
export interface EditableToyMachine {
  registers: { -readonly [K in keyof ToyRegisters]: number };
}

const utf8 = new TextDecoder();
const asBytes = (text: string): string => String.fromCharCode(...new TextEncoder().encode(text));

let engine: ToyEngine | undefined;
const sharedEngine = (): ToyEngine => (engine ??= new ToyEngine());

const zeros = { r0: 0, r1: 0, r2: 0, r3: 0, r4: 0, r5: 0, r6: 0, r7: 0, pc: 0 } as const;

const createState = ({ memory = "64K" }: ToyCreateOptions): ToyState => ({
  cpu: { ...zeros, halted: false },
  memorySize: parseMemorySize(memory),
  memory: PersistentMap.empty(),
  output: "",
  steps: 0,
});

export class ToyMachine {
  readonly #state: ToyState;
  readonly #stop: ToyStop | undefined;
  #hash: string | undefined;

  private constructor(state: ToyState, stop?: ToyStop) {
    this.#state = state;
    this.#stop = deepFreeze(stop);
  }

  /** A machine with all zeros, which are no instruction. Throws a VirtlabError for a memory size that cannot be. */
  static create(options: ToyCreateOptions = {}): ToyMachine {
    return new ToyMachine(createState(options));
  }

  /**
   * A machine with a program at address 0.
   *
   * @throws VirtlabError where the program has a mistake or does not fit into memory.
   * @example
   * const machine = ToyMachine.boot({ program: "set r1, 'A'\nout r1\nhalt" }).run();
   * [machine.output, machine.steps, machine.stop?.reason] // => [ 'A', 3, 'halted' ]
   */
  static boot(options: ToyBootOptions): ToyMachine {
    const { image, program, name } = options;
    if ((image === undefined) === (program === undefined))
      throw new VirtlabError("boot: give either an image or a program (image, program)");
    const bytes = image ?? assembleToy(program!, name === undefined ? {} : { name }).bytes;
    if (!isBytes(bytes)) throw new VirtlabError(`${name ?? "image"}: expected a Uint8Array with a program`);
    const state = createState(options);
    if (bytes.length > state.memorySize)
      throw new VirtlabError(`${name ?? "image"}: ${bytes.length} bytes do not fit into ${state.memorySize} of memory`);
    return new ToyMachine(withBytes(state, 0, bytes));
  }

  /** The machine that `save` wrote. Throws a VirtlabError for bytes that are no save, or a damaged or newer one. */
  static load(bytes: Uint8Array, name?: string): ToyMachine {
    const model = createState({});
    return new ToyMachine(loadState(bytes, { kind: "virtlab toy machine", name, model, check: () => {} }));
  }

  /**
   * One instruction.
   *
   * @example
   * const before = ToyMachine.boot({ image: Uint8Array.of(0x10, 1, 7, 0) }); // set r1, 7
   * [before.registers.r1, before.step().registers.r1] // => [ 0, 7 ]
   */
  step(): ToyMachine {
    const shared = sharedEngine();
    shared.open(this.#state);
    const stop = shared.run({ limit: 1 });
    return this.#next(shared.seal(), stop.reason === "limit" ? undefined : stop);
  }

  /** Goes on until a limit, a condition, HALT, or what cannot be executed; `stop` of the result says which. */
  run(options: ToyMachineRunOptions = {}): ToyMachine {
    const { maxInstructions = Number.POSITIVE_INFINITY, until, onProgress } = options;
    checkRun(maxInstructions);
    const outputFrom = this.#state.output.length;
    if (onProgress === undefined) return this.#run(until, maxInstructions, outputFrom);
    return runInPieces<ToyMachine>(this, {
      limit: maxInstructions,
      every: pieceOf(until),
      onProgress,
      run: (machine, limit) => machine.#run(until, limit, outputFrom),
    });
  }

  #run(until: ToyUntil | undefined, limit: number, outputFrom: number): ToyMachine {
    if (typeof until === "function") return this.#runUntil(until, limit);
    const shared = sharedEngine();
    shared.open(this.#state);
    const stop = shared.run({
      limit,
      untilPc: typeof until === "number" ? until >>> 0 : undefined,
      untilOutput: typeof until === "object" ? asBytes(until.output) : undefined,
      outputFrom,
    });
    return this.#next(shared.seal(), stop);
  }

  #runUntil(until: (machine: ToyMachine) => boolean, limit: number): ToyMachine {
    let machine: ToyMachine = this;
    for (let steps = 0; steps < limit; steps++) {
      machine = machine.run({ maxInstructions: 1 });
      if (machine.#stop?.reason !== "limit") return machine;
      if (until(machine)) return new ToyMachine(machine.#state, { reason: "until" });
    }
    return new ToyMachine(machine.#state, { reason: "limit" });
  }

  #next(state: ToyState, stop: ToyStop | undefined): ToyMachine {
    return state === this.#state && stop === this.#stop ? this : new ToyMachine(state, stop);
  }

  /** The machine with bytes written at an address. */
  write(address: number, bytes: Uint8Array): ToyMachine {
    return new ToyMachine(withBytes(this.#state, address, bytes));
  }

  /** The machine with registers edited; memory is written with `write`. Throws a VirtlabError for what is no register or number. */
  edit(recipe: (draft: EditableToyMachine) => void): ToyMachine {
    const after = produce({ registers: this.registers }, (draft) => {
      recipe(draft as EditableToyMachine); // what it returns, as a short arrow function does, is not meant
    });
    const cpu = { ...this.#state.cpu };
    for (const [name, value] of Object.entries(after.registers)) {
      if (!(name in zeros)) throw new VirtlabError(`edit: there is no register "${name}"`);
      if (!Number.isInteger(value)) throw new VirtlabError(`edit: ${name} is not a whole number (${String(value)})`);
      cpu[name as keyof ToyRegisters] = value | 0;
    }
    return new ToyMachine({ ...this.#state, cpu });
  }

  /** Why the run that gave this machine ended; undefined after a plain step. Not part of the value: outside hash and diff. */
  get stop(): ToyStop | undefined {
    return this.#stop;
  }

  get registers(): ToyRegisters {
    const { cpu } = this.#state;
    const values: Record<string, number> = {};
    for (const name of toyRegisterNames) values[name] = cpu[name] >>> 0;
    values["pc"] = cpu.pc >>> 0;
    return Object.freeze(values) as unknown as ToyRegisters;
  }

  /** Memory: its size in bytes, and copies of its content. */
  get memory(): MemoryReader {
    return memoryReader(this.#state);
  }

  /** Instructions executed: how many `step()`s lead here. */
  get steps(): number {
    return this.#state.steps;
  }

  get halted(): boolean {
    return this.#state.cpu.halted;
  }

  /** Everything that was printed, decoded as UTF-8. */
  get output(): string {
    return utf8.decode(Uint8Array.from(this.#state.output, (character) => character.charCodeAt(0)));
  }

  /** SHA-256 of the whole content, in hexadecimal. Equal machines have equal hashes, however they came about. */
  get hash(): string {
    this.#hash ??= hashOf(this.#state);
    return this.#hash;
  }

  /** The machine as bytes, for `ToyMachine.load`. */
  save(): Uint8Array {
    return saveState("virtlab toy machine", this.#state, this.hash);
  }

  /** What differs between two toy machines, by name and by address. */
  static diff(a: ToyMachine, b: ToyMachine): MachineDifference {
    return differenceOf(a.#state, b.#state);
  }
}
