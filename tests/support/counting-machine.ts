/** A machine that only counts, for tests of what knows nothing of machines; it tells how many steps were executed. */

/** How much was executed by all machines that share it. */
export interface Work {
  steps: number;
  runs: number;
}

/** What a machine does, besides counting. */
export interface CountingProgram {
  /** Steps after which it stops by itself, but can be run on; only as long as nothing was typed. */
  readonly breaks?: readonly number[];
  /** The step after which it cannot go on. */
  readonly last?: number;
  /** The value of `register` after a step; kept as it was where undefined. */
  readonly writes?: (step: number, register: number) => number | undefined;
}

/** A counter with one register and typed input. */
export class CountingMachine {
  readonly hash: string;

  private constructor(
    readonly steps: number,
    readonly register: number,
    readonly typed: string,
    readonly stop: { readonly reason: string } | undefined,
    private readonly program: CountingProgram,
    private readonly work: Work,
  ) {
    this.hash = JSON.stringify([steps, register, typed]);
  }

  static create(program: CountingProgram = {}, work: Work = { steps: 0, runs: 0 }, steps = 0): CountingMachine {
    return new CountingMachine(steps, 0, "", undefined, program, work);
  }

  type(text: string): CountingMachine {
    return new CountingMachine(this.steps, this.register, this.typed + text, undefined, this.program, this.work);
  }

  run({ maxInstructions }: { maxInstructions: number }): CountingMachine {
    const { breaks = [], last = Number.POSITIVE_INFINITY, writes } = this.program;
    const limit = Math.min(this.steps + maxInstructions, last);
    const stop = (this.typed === "" ? breaks : []).find((step) => step > this.steps && step <= limit);
    const end = stop ?? limit;
    let register = this.register;
    if (writes) for (let step = this.steps + 1; step <= end; step++) register = writes(step, register) ?? register;
    this.work.steps += end - this.steps;
    this.work.runs++;
    const reason = stop !== undefined ? "debug-exit" : end < this.steps + maxInstructions ? "halted" : "limit";
    return new CountingMachine(end, register, this.typed, { reason }, this.program, this.work);
  }
}
