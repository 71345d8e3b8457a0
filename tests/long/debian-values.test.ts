/** A booting Debian is a value as every machine is: in odd pieces, through forks, saves and engines that forget, the same hash. */
import { describe, expect, it, type TestContext } from "vitest";
import { bootState } from "../../src/hardware/boot/start.js";
import { Engine } from "../../src/hardware/engine/engine.js";
import { Machine } from "../../src/hardware/machine.js";
import { hashOf } from "../../src/hardware/machine-content.js";
import { debianBootOptions, debianCases, debianMachine } from "../support/debian.js";
import { Random } from "../support/random.js";

const [isapc] = debianCases;
/** Until the kernel has started process 1 and that is about to report. */
const STEPS = 380_000_000;

let known: Machine | undefined;
const atOnce = (context: TestContext): Machine =>
  (known ??= debianMachine(context, isapc!).run({ maxInstructions: STEPS }));

describe("Debian's boot", () => {
  it("is the same in odd pieces", (context) => {
    const random = new Random(5);
    let machine = debianMachine(context, isapc!);
    while (machine.steps < STEPS) {
      // Mostly long ones, and some of a few steps.
      const piece = 1 + (random.below(3) === 0 ? random.below(100) : random.below(9_000_000));
      machine = machine.run({ maxInstructions: Math.min(piece, STEPS - machine.steps) });
    }
    expect(machine.hash).toBe(atOnce(context).hash);
  });

  it("is the same with forks that are left again, and through saves", (context) => {
    let machine = debianMachine(context, isapc!);
    for (let piece = 1; machine.steps < STEPS; piece++) {
      const fork = machine.type("fork\n").run({ maxInstructions: 1_000_000 });
      expect(fork.steps).toBe(machine.steps + 1_000_000);
      machine = machine.run({ maxInstructions: Math.min(37_000_001, STEPS - machine.steps) });
      if (piece % 4 === 0) machine = Machine.load(machine.save());
    }
    expect(machine.hash).toBe(atOnce(context).hash);
  });

  it("is the same in engines that hold few pages and go away", (context) => {
    let state = bootState(debianBootOptions(context, isapc!));
    const end = atOnce(context);
    for (const slots of [700, 3000, 1200]) {
      const engine = new Engine(slots);
      engine.open(state);
      const limit = slots === 1200 ? STEPS - state.steps : 40_000_000;
      expect(engine.run({ limit }).stop).toEqual({ reason: "limit" });
      state = engine.seal();
    }
    expect(hashOf(state)).toBe(end.hash);
  });
});
