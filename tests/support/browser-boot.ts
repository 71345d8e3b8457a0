/** What the test of a boot in a browser runs, there in a worker and here in Node: hashes on the way to a prompt and behind it. */
import type { BootOptions } from "../../src/hardware/boot/start.js";
import { Machine } from "../../src/hardware/machine.js";

export interface Station {
  readonly steps: number;
  readonly hash: string;
  readonly stop: string | undefined;
}

export interface Boot {
  readonly stations: readonly Station[];
  readonly serial: string;
}

const EARLY = [1_000_000, 100_000_000];
const MOST_STEPS = 6e9;

/** Boots to the prompt, types a line there, and goes on to the next prompt. */
export function bootAndAsk(options: BootOptions, prompt: string, line: string): Boot {
  const start = Machine.boot(options);
  const machines = [start];
  let machine = start;
  for (const steps of EARLY) {
    machine = machine.run({ maxInstructions: steps - machine.steps });
    machines.push(machine);
  }
  const ready = machine.run({ until: { serial: prompt }, maxInstructions: MOST_STEPS });
  const answered = ready.type(`${line}\n`).run({ until: { serial: prompt }, maxInstructions: MOST_STEPS });
  return {
    stations: [...machines, ready, answered].map(({ steps, hash, stop }) => ({ steps, hash, stop: stop?.reason })),
    serial: answered.serial,
  };
}
