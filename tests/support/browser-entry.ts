/** What the browser test runs, in the browser and in Node: everything a machine does, told in plain values. */
import { diff } from "../../src/hardware/diff.js";
import { Machine } from "../../src/hardware/machine.js";
import { progress } from "../../src/notebook/progress/progress.js";
import { firstDivergence } from "../../src/state/divergence.js";
import { Timeline } from "../../src/state/timeline.js";

export interface Exercise {
  readonly hashes: readonly string[];
  readonly serial: string;
  readonly stop: unknown;
  readonly savedLength: number;
  readonly [name: string]: unknown;
}

/** Boots, steps, runs, goes back, compares, saves and loads. */
export function exercise(image: Uint8Array): Exercise {
  const start = Machine.boot({ image, memory: "16M" });
  const stepped = start.step().step();
  const some = stepped.run({ maxInstructions: 20_000 });
  const end = some.run({ maxInstructions: 2_000_000, observe: ["exception", "privilege"] });
  const saved = some.save();
  const loaded = Machine.load(saved);
  const timeline = new Timeline(some);
  timeline.forward(1000);
  timeline.back(10);
  // There is nowhere to show it here, or a terminal nobody looks at: it must not matter.
  const told = some.run({ maxInstructions: 10_000, onProgress: progress("told") });
  return {
    hashes: [start, stepped, some, loaded, loaded.run({ maxInstructions: 2_000_000 }), end, told].map(
      ({ hash }) => hash,
    ),
    serial: end.serial,
    stop: end.stop,
    savedLength: saved.length,
    exceptions: end.events.filter(({ kind }) => kind === "exception").length,
    changed: diff(start, stepped).state.map(({ path }) => path),
    divergence: String(firstDivergence(some, loaded)),
    position: timeline.position,
    current: timeline.current.hash,
  };
}
