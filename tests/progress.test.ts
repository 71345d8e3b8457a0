/** Runs that tell how far they are: they do what runs do that tell nothing, whoever listens and whatever he does. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Machine, type RunOptions, type Until } from "../src/hardware/machine.js";
import { eventKinds } from "../src/hardware/state.js";
import { ToyMachine, type ToyUntil } from "../src/hardware/toy/machine.js";
import { firstDivergence } from "../src/state/divergence.js";
import type { Progress } from "../src/state/progress.js";
import { Timeline } from "../src/state/timeline.js";
import { profileRun } from "../src/view/plot/run-profile.js";
import { images } from "./support/guests.js";

/** Steps of a piece: so few that the ends of pieces lie everywhere. Undefined: as they are. */
const piece = vi.hoisted(() => {
  // Other files of this process have loaded what is replaced here.
  vi.resetModules();
  return { steps: undefined as number | undefined };
});
vi.mock("../src/hardware/run-in-pieces.js", async (load) => {
  const original = await load<typeof import("../src/hardware/run-in-pieces.js")>();
  return {
    ...original,
    pieceOf: (...given: Parameters<typeof original.pieceOf>) => piece.steps ?? original.pieceOf(...given),
  };
});
beforeEach(() => {
  piece.steps = undefined;
});
afterAll(() => {
  vi.resetModules();
});

const seed = 20261122;
const boot = (name: string): Machine =>
  Machine.boot({ image: new Uint8Array(readFileSync(join(images, `${name}.elf`))), memory: "16M" });
const guests = ["rings", "memory", "faults"].map((name) => ({ machine: boot(name), length: boot(name).run().steps }));
const rings = guests[0]!.machine;
const echo = boot("echo");
const counting = ToyMachine.boot({
  program: "set r1, 'a'\nset r2, 1\nset r3, 'k'\nnext: out r1\nadd r1, r1, r2\nsub r4, r1, r3\njn r4, next\nhalt",
});

const somewhere = fc
  .tuple(fc.constantFrom(...guests), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([{ machine, length }, part]) => machine.run({ maxInstructions: Math.floor(part * length) }));
const pieceSteps = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 3000 }));

/** Everything of a result that a caller sees. */
function seen({ hash, stop, events, ticks, steps, counters, lastException }: Machine): unknown {
  return { hash, stop, events, ticks, steps, counters, lastException };
}

/** Runs and notes what is told. */
function told<T>(run: (onProgress: (progress: Progress) => void) => T): { result: T; words: readonly Progress[] } {
  const words: Progress[] = [];
  return { result: run((word) => words.push(word)), words };
}

/** What holds of all words on any work. */
function expectInOrder(words: readonly Progress[]): void {
  expect(words[0]).toMatchObject({ done: 0, finished: false });
  expect(words.filter(({ finished }) => finished)).toEqual(words.slice(-1));
  expect(words.length).toBeGreaterThanOrEqual(2);
  for (const [index, { done, total }] of words.entries()) {
    expect(done).toBeGreaterThanOrEqual(words[index - 1]?.done ?? 0);
    expect(done).toBeLessThanOrEqual(total ?? Number.POSITIVE_INFINITY);
  }
}

describe("a run that tells how far it is", () => {
  it("gives what one in a single go gives, wherever its pieces end", () => {
    const until = fc.oneof(
      fc.constant<((machine: Machine) => Until) | undefined>(undefined),
      fc.nat(400).map((count) => (machine: Machine) => machine.run({ maxInstructions: count }).registers.eip),
      fc.constantFrom("hello", "kernel", "ring 3", "\n", "never").map((serial) => () => ({ serial })),
      fc.nat(400).map((count) => (machine: Machine) => {
        const end = machine.steps + count;
        return ({ steps }: Machine) => steps >= end;
      }),
    );
    const count = fc.oneof(fc.integer({ min: 0, max: 600 }), fc.integer({ min: 0, max: 20_000 }));
    fc.assert(
      fc.property(somewhere, count, until, fc.subarray([...eventKinds]), pieceSteps, (...given) => {
        const [machine, maxInstructions, untilOf, observe, steps] = given;
        const options: RunOptions = { maxInstructions, observe, ...(untilOf ? { until: untilOf(machine) } : {}) };
        const whole = machine.run(options);
        piece.steps = steps;
        const { result, words } = told((onProgress) => machine.run({ ...options, onProgress }));
        expect(seen(result)).toEqual(seen(whole));
        expectInOrder(words);
        const [done, ticks] = [whole.steps - machine.steps, whole.ticks - machine.ticks];
        expect(words.at(-1)).toEqual({ done, ticks, total: maxInstructions, unit: "steps", finished: true });
      }),
      { seed, numRuns: 100 },
    );
  });

  it("finds a text whose letters come in several pieces, and none that begins before the run", () => {
    const ready = echo.run();
    const typed = ready.type("abc\n");
    const until = { serial: "ABC" };
    piece.steps = 7;
    const { result } = told((onProgress) => typed.run({ until, onProgress }));
    expect([result.stop, result.hash]).toEqual([{ reason: "until" }, typed.run({ until }).hash]);
    const later = result.run({ maxInstructions: 2000, until, onProgress: () => {} });
    expect(later.stop).toEqual(result.run({ maxInstructions: 2000, until }).stop);
    expect(later.stop?.reason).not.toBe("until");
  });

  it("does not know its length without a limit, and says when it is over", () => {
    const { result, words } = told((onProgress) => rings.run({ onProgress }));
    expect(words.map(({ done, total }) => [done, total])).toEqual([
      [0, undefined],
      [result.steps, undefined],
    ]);
    expect(result.stop?.reason).toBe("debug-exit");
  });

  it("tells by amounts of work: every 2^20 steps, 2^16 one by one, 2^12 with a predicate", () => {
    const loop = Machine.boot({ image: Uint8Array.of(0xeb, 0xfe) }); // jmp $
    const lengths = (options: RunOptions): number[] => {
      const { words } = told((onProgress) => loop.run({ ...options, onProgress }));
      return words.map(({ done }) => done);
    };
    expect(lengths({ maxInstructions: 3_000_000 })).toEqual([0, 2 ** 20, 2 ** 21, 3_000_000]);
    expect(lengths({ maxInstructions: 100_000, until: 5 })).toEqual([0, 100_000]);
    expect(lengths({ maxInstructions: 70_000, observe: ["instruction"] })).toEqual([0, 2 ** 16, 70_000]);
    expect(lengths({ maxInstructions: 10_000, until: () => false })).toEqual([0, 2 ** 12, 2 ** 13, 10_000]);
    expect(lengths({ maxInstructions: 0 })).toEqual([0, 0]);
  });

  it("ends with what the listener throws, and the machine does afterwards what it always did", () => {
    piece.steps = 1000;
    const whole = rings.run();
    for (const last of [0, 1000, 50_000]) {
      const stop = new Error("enough");
      const run = () =>
        rings.run({
          onProgress: ({ done }) => {
            if (done >= last) throw stop;
          },
        });
      expect(run).toThrow(stop);
      expect(rings.steps).toBe(0);
    }
    expect(rings.run().hash).toBe(whole.hash);
  });

  it("is not disturbed by a listener that runs other machines, or the same", () => {
    piece.steps = 20_000;
    const onProgress = (): void => {
      echo.run({ maxInstructions: 100 });
      rings.step();
    };
    expect(rings.run({ onProgress }).hash).toBe(rings.run().hash);
  });

  it("is the same on the toy machine, whatever it runs until", () => {
    const whole = counting.run();
    const untils: (ToyUntil | undefined)[] = [undefined, { output: "cdef" }, 12, ({ steps }) => steps === 17];
    for (const until of untils) {
      const options = until === undefined ? {} : { until };
      const { hash, stop, steps } = counting.run(options);
      for (piece.steps = 1; piece.steps < 40; piece.steps += 3) {
        const { result, words } = told((onProgress) => counting.run({ ...options, onProgress }));
        expect([result.hash, result.stop]).toEqual([hash, stop]);
        expectInOrder(words);
        expect(words.at(-1)).toEqual({ done: steps, total: undefined, unit: "steps", finished: true });
      }
    }
    expect(whole.output).toBe("abcdefghij");
  });
});

describe("a timeline that tells how far it is", () => {
  it("goes where it goes without, and tells the steps that are run", () => {
    const timeline = new Timeline(rings);
    const there = told((onProgress) => timeline.goto(200_000, { onProgress }));
    expect(there.result.hash).toBe(rings.run({ maxInstructions: 200_000 }).hash);
    expectInOrder(there.words);
    expect(there.words[0]?.total).toBe(200_000);
    const beyond = told((onProgress) => timeline.forward(10_000_000, { onProgress }));
    expect(beyond.words.at(-1)?.done).toBe(rings.run().steps - 200_000);
    const back = told((onProgress) => timeline.back(3, { onProgress }));
    expect(back.result.steps).toBe(rings.run().steps - 3);
    expectInOrder(back.words);
  });

  it("finds what it finds without, and tells the steps that are searched", () => {
    const timeline = new Timeline(rings);
    timeline.goto(30_000);
    const esp = (machine: Machine): number => machine.registers.esp;
    for (const exact of [true, false]) {
      const { result, words } = told((onProgress) => timeline.lastChange(esp, { exact, onProgress }));
      expect(result?.steps).toBe(timeline.lastChange(esp, { exact })?.steps);
      expectInOrder(words);
    }
    const never = told((onProgress) => timeline.lastChange(() => 0, { onProgress }));
    expect([never.result, never.words.at(-1)?.done]).toEqual([undefined, 30_000]);
    expect(never.words.length).toBeGreaterThan(5);
    for (const direction of ["backward", "forward"] as const) {
      const { result, words } = told((onProgress) =>
        timeline.find(({ cpl }) => cpl === 3, { direction, from: 0, onProgress }),
      );
      expect(result).toBe(timeline.find(({ cpl }) => cpl === 3, { direction, from: 0 }));
      expectInOrder(words);
    }
  });

  it("stays where it is when the listener throws", () => {
    const timeline = new Timeline(rings);
    timeline.goto(1000);
    const onProgress = ({ done }: Progress): void => {
      if (done > 5000) throw new Error("enough");
    };
    expect(() => timeline.goto(300_000, { onProgress })).toThrow("enough");
    expect(timeline.position).toBe(1000);
    expect(timeline.goto(300_000).hash).toBe(rings.run({ maxInstructions: 300_000 }).hash);
  });
});

describe("what else may take long", () => {
  it("tells how far it is: a search for a divergence, and the profile of a run", () => {
    const other = rings.write(0x2000, Uint8Array.of(1));
    const same = (a: Machine, b: Machine): boolean => a.serial === b.serial;
    const search = told((onProgress) => firstDivergence(rings, other, { same, maxInstructions: 100_000, onProgress }));
    expect(search.result).toBeUndefined();
    expectInOrder(search.words);
    expect(search.words.at(-1)).toEqual({ done: 100_000, total: 100_000, unit: "steps", finished: true });
    expect(told((onProgress) => firstDivergence(rings, rings, { onProgress })).words).toHaveLength(2);

    piece.steps = 300;
    const profile = told((onProgress) => profileRun(rings, { steps: 5000, windows: 4, onProgress }));
    expect(profile.result).toEqual(profileRun(rings, { steps: 5000, windows: 4 }));
    expectInOrder(profile.words);
    expect(profile.words.length).toBeGreaterThan(16);
    expect(profile.words.at(-1)).toMatchObject({ done: 5000, total: 5000, finished: true });
  });
});
