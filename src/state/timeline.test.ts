import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { CountingMachine, type CountingProgram, type Work } from "../../tests/support/counting-machine.js";
import { VirtlabError } from "./error.js";
import { Timeline } from "./timeline.js";

let work: Work;
beforeEach(() => {
  work = { steps: 0, runs: 0 };
});

function timelineOf(program: CountingProgram = {}, steps = 0): Timeline<CountingMachine> {
  return new Timeline(CountingMachine.create(program, work, steps));
}

/** Steps executed by `action`. */
function stepsOf(action: () => unknown): number {
  const before = work.steps;
  action();
  return work.steps - before;
}

/** Every write makes the register differ from all earlier values. */
const ALWAYS_WRITES = { writes: (step: number, register: number) => register * 7 + step };

describe("Moving", () => {
  it("forward and back gives the very values a machine gives when run to that step", () => {
    const moves = fc.array(fc.tuple(fc.constantFrom("forward", "back", "goto"), fc.nat(3000)), { maxLength: 25 });
    fc.assert(
      fc.property(moves, (list) => {
        const timeline = timelineOf(ALWAYS_WRITES);
        for (const [move, count] of list) {
          const value = timeline[move as "forward" | "back" | "goto"](count);
          expect(value).toBe(timeline.current);
          expect(value.hash).toBe(CountingMachine.create(ALWAYS_WRITES).run({ maxInstructions: value.steps }).hash);
        }
      }),
      { seed: 20267, numRuns: 60 },
    );
  });

  it("back ends at the start, also if that is not step 0", () => {
    const timeline = timelineOf({}, 100);
    timeline.forward(5);
    expect(timeline.back(2).steps).toBe(103);
    expect(timeline.back(1000).steps).toBe(100);
    expect([timeline.start, timeline.end, timeline.length, timeline.position]).toEqual([100, 105, 5, 100]);
  });

  it("to a step before the start, or to something that is no step, is refused", () => {
    const timeline = timelineOf({}, 100);
    expect(() => timeline.goto(99)).toThrow(VirtlabError);
    for (const count of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => timeline.forward(count)).toThrow(VirtlabError);
      expect(() => timeline.back(count)).toThrow(VirtlabError);
      expect(() => timeline.goto(count)).toThrow(VirtlabError);
    }
    expect(timeline.position).toBe(100);
  });

  it("forward by one step executes one step", () => {
    const timeline = timelineOf();
    for (let count = 0; count < 300; count++) expect(stepsOf(() => timeline.forward())).toBe(1);
  });

  it("forward ends where the machine stops by itself and goes on from there when called again", () => {
    const timeline = timelineOf({ breaks: [40, 1_000_000], last: 2_000_000 });
    expect(timeline.forward(10_000_000).steps).toBe(40);
    expect(timeline.current.stop).toEqual({ reason: "debug-exit" });
    expect(timeline.forward(10_000_000).steps).toBe(1_000_000);
    expect(timeline.forward(10_000_000).steps).toBe(2_000_000);
    expect(timeline.forward(10).steps).toBe(2_000_000);
    expect(timeline.current.stop).toEqual({ reason: "halted" });
  });

  it("forward ends at the same stops after going back, wherever values are kept", () => {
    const timeline = timelineOf({ breaks: [400], last: 1000 });
    timeline.goto(1000);
    for (const from of [0, 100, 399]) {
      timeline.goto(from);
      expect(timeline.forward(900).steps).toBe(400);
      expect(timeline.forward(900).steps).toBe(1000);
    }
    expect(timeline.goto(500).steps).toBe(500);
    expect(timeline.goto(5000).steps).toBe(1000);
  });

  it("says so if the machine does not reach again what it reached before", () => {
    const program: { last?: number } = {};
    const timeline = timelineOf(program);
    timeline.forward(1_000_003);
    program.last = 10;
    timeline.goto(0);
    expect(() => timeline.goto(700_001)).toThrow(/^step \d+: the machine stopped on the way to step 700001/);
    expect(timeline.position).toBe(0);
  });
});

describe("Kept values", () => {
  it("let back() at 10 million steps, and from any step on the way, execute at most 2^18 steps", () => {
    const timeline = timelineOf();
    timeline.forward(10_000_000);
    expect(stepsOf(() => timeline.back())).toBeLessThan(20);
    for (const steps of [9_999_000, 9_437_183, 5_000_001, 262_143, 77]) {
      expect(stepsOf(() => timeline.goto(steps))).toBeLessThanOrEqual(2 ** 18);
      expect(stepsOf(() => timeline.back())).toBeLessThan(20);
    }
  });

  it("make going back step by step cheap: 1,000 times back executes a few steps each", () => {
    const timeline = timelineOf();
    timeline.forward(10_000_000);
    const runs = work.runs;
    const steps = stepsOf(() => {
      for (let count = 0; count < 1000; count++) timeline.back();
    });
    expect(timeline.position).toBe(9_999_000);
    expect(steps).toBeLessThan(20_000);
    expect(work.runs - runs).toBeLessThan(20_000);
  });

  it("are at most 2^18 steps apart in the 10 million before a stop that nobody foresaw", () => {
    const timeline = timelineOf({ last: 123_456_789 });
    timeline.forward(1_000_000_000);
    const recent = timeline.kept.filter((steps) => steps > timeline.position - 10_000_000);
    const gaps = recent.slice(1).map((steps, index) => steps - recent[index]!);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2 ** 18);
    expect(recent[0]! - (timeline.position - 10_000_000)).toBeLessThanOrEqual(2 ** 18);
  });

  it("stay few, however far and in however small steps the cursor goes", () => {
    const timeline = timelineOf();
    timeline.forward(2_000_000_000);
    expect(timeline.kept.length).toBeLessThan(1500);
    for (let count = 0; count < 5000; count++) timeline.forward();
    for (let count = 0; count < 3000; count++) timeline.back();
    expect(timeline.kept.length).toBeLessThan(1500);
    expect(timeline.kept[0]).toBe(0);
  });

  it("include the start, whatever its step", () => {
    const timeline = timelineOf({}, 12_345);
    timeline.forward(100_000_000);
    expect(timeline.kept[0]).toBe(12_345);
    expect(stepsOf(() => timeline.goto(12_345))).toBe(0);
  });

  it("are reached again from the start in intervals of at most 2^18 steps", () => {
    const timeline = timelineOf();
    timeline.forward(200_000_000);
    timeline.goto(0);
    expect(stepsOf(() => timeline.goto(200_000_000))).toBeLessThan(4_000_000);
    expect(stepsOf(() => timeline.back())).toBeLessThan(20);
  });
});

describe("An edit", () => {
  it("forgets the stops beyond it, which need not come again", () => {
    const timeline = timelineOf({ breaks: [500] });
    timeline.forward(900);
    timeline.goto(300);
    timeline.edit((machine) => machine.type("x"));
    expect(timeline.forward(900).steps).toBe(1200);
  });

  it("is the value at its step from then on, also after going back and forward again", () => {
    const timeline = timelineOf();
    timeline.forward(1000);
    const edited = timeline.edit((machine) => machine.type("x"));
    expect(timeline.current).toBe(edited);
    expect(timeline.forward(500).typed).toBe("x");
    expect(timeline.goto(999).typed).toBe("");
    expect(timeline.forward(1)).toBe(edited);
    timeline.goto(0);
    expect(timeline.forward(1200).typed).toBe("x");
    expect(timeline.edits).toEqual([1000]);
  });

  it("at an earlier step drops the later ones and what was run beyond", () => {
    const timeline = timelineOf();
    for (const steps of [1000, 2000]) {
      timeline.goto(steps);
      timeline.edit((machine) => machine.type(String(steps)));
    }
    timeline.goto(3000);
    timeline.goto(1500);
    timeline.edit((machine) => machine.type("!"));
    expect([timeline.end, timeline.edits, timeline.kept.at(-1)]).toEqual([1500, [1000, 1500], 1500]);
    expect(timeline.goto(3000).typed).toBe("1000!");
  });

  it("is added to an edit at the same step", () => {
    const timeline = timelineOf();
    timeline.edit((machine) => machine.type("a"));
    timeline.edit((machine) => machine.type("b"));
    timeline.forward(50);
    expect(timeline.goto(0).typed).toBe("ab");
    expect(timeline.edits).toEqual([0]);
  });

  it("that changes nothing leaves what was run beyond", () => {
    const timeline = timelineOf();
    timeline.forward(100);
    timeline.back(50);
    timeline.edit((machine) => machine);
    expect([timeline.end, timeline.edits]).toEqual([100, []]);
  });

  it("that runs the machine or fails is refused, and nothing has changed", () => {
    const timeline = timelineOf();
    timeline.forward(10);
    expect(() => timeline.edit((machine) => machine.run({ maxInstructions: 1 }))).toThrow(VirtlabError);
    const fail = () => {
      throw new VirtlabError("no");
    };
    expect(() => timeline.edit(fail)).toThrow("no");
    expect([timeline.position, timeline.end, timeline.edits]).toEqual([10, 10, []]);
  });

  it("is replayed with every other input at its step, wherever the cursor goes", () => {
    const action = fc.oneof(
      fc.record({ goto: fc.nat(2000) }),
      fc.record({ text: fc.string({ minLength: 1, maxLength: 2 }) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
        const timeline = timelineOf(ALWAYS_WRITES);
        let inputs: { steps: number; text: string }[] = [];
        for (const step of actions) {
          if ("goto" in step) timeline.goto(step.goto);
          else {
            inputs = [...inputs.filter(({ steps }) => steps <= timeline.position)];
            inputs.push({ steps: timeline.position, text: step.text });
            timeline.edit((machine) => machine.type(step.text));
          }
          let replay = CountingMachine.create(ALWAYS_WRITES);
          for (const { steps, text } of inputs.filter(({ steps }) => steps <= timeline.position)) {
            replay = replay.run({ maxInstructions: steps - replay.steps }).type(text);
          }
          replay = replay.run({ maxInstructions: timeline.position - replay.steps });
          expect(timeline.current.hash).toBe(replay.hash);
        }
      }),
      { seed: 20268, numRuns: 60 },
    );
  });
});

describe("A branch", () => {
  it("has the same past, and neither sees what the other does afterwards", () => {
    const timeline = timelineOf();
    timeline.forward(500);
    timeline.edit((machine) => machine.type("a"));
    timeline.forward(500);
    timeline.back(200);
    const branch = timeline.branch();
    expect(branch.current).toBe(timeline.current);
    expect([branch.start, branch.end, branch.edits]).toEqual([0, 800, [500]]);
    branch.edit((machine) => machine.type("b"));
    expect(branch.forward(300).typed).toBe("ab");
    expect([timeline.end, timeline.edits]).toEqual([1000, [500]]);
    expect(timeline.forward(300).typed).toBe("a");
    timeline.goto(100);
    timeline.edit((machine) => machine.type("z"));
    expect(branch.goto(600).typed).toBe("a");
  });

  it("ends moving forward at the stops of its past", () => {
    const timeline = timelineOf({ breaks: [400] });
    timeline.goto(1000);
    const branch = timeline.branch();
    branch.goto(100);
    expect(branch.forward(900).steps).toBe(400);
  });

  it("takes no run to make", () => {
    const timeline = timelineOf();
    timeline.forward(5_000_000);
    expect(stepsOf(() => timeline.branch())).toBe(0);
  });
});

describe("find", () => {
  const program = { writes: (step: number) => (step % 1000 === 7 ? step : undefined) };

  it("gives the last step that holds, searched from the cursor backwards, and leaves the cursor", () => {
    const timeline = timelineOf(program);
    timeline.forward(20_000);
    timeline.back(500);
    expect(timeline.find((machine) => machine.steps === 12_345)).toBe(12_345);
    expect(timeline.find((machine) => machine.register === 9007)).toBe(10_006);
    expect(timeline.find((machine) => machine.steps > 19_500)).toBeUndefined();
    expect(timeline.find((machine) => machine.register === 9007, { to: 9500 })).toBe(9500);
    expect(timeline.find((machine) => machine.register === 9007, { from: 10_007 })).toBeUndefined();
    expect(timeline.position).toBe(19_500);
  });

  it("gives the first step that holds when searching forward, up to the end", () => {
    const timeline = timelineOf(program);
    timeline.forward(20_000);
    timeline.goto(5000);
    expect(timeline.find((machine) => machine.register === 9007, { direction: "forward" })).toBe(9007);
    expect(timeline.find((machine) => machine.register === 7, { direction: "forward", from: 0 })).toBe(7);
    expect(timeline.find((machine) => machine.register === 7, { direction: "forward" })).toBeUndefined();
    expect(timeline.find((machine) => machine.register > 0, { direction: "forward", to: 5000 })).toBe(5000);
  });

  it("sees edits in both directions", () => {
    const timeline = timelineOf();
    timeline.forward(300);
    timeline.edit((machine) => machine.type("x"));
    timeline.forward(300);
    expect(timeline.find((machine) => machine.typed === "")).toBe(299);
    expect(timeline.find((machine) => machine.typed === "x", { direction: "forward", from: 0 })).toBe(300);
  });

  it("agrees with looking at every value", () => {
    const range = fc.tuple(fc.nat(700), fc.nat(700)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
    fc.assert(
      fc.property(range, fc.integer({ min: 2, max: 400 }), fc.nat(700), ([from, to], divisor, cursor) => {
        const timeline = timelineOf();
        timeline.forward(700);
        timeline.goto(cursor);
        const holds = (machine: CountingMachine) => machine.steps % divisor === 1;
        const all = Array.from({ length: to - from + 1 }, (_, index) => from + index).filter((s) => s % divisor === 1);
        expect(timeline.find(holds, { from, to })).toBe(all.at(-1));
        expect(timeline.find(holds, { from, to, direction: "forward" })).toBe(all[0]);
      }),
      { seed: 20269, numRuns: 60 },
    );
  });

  it("refuses a range that was not run or is out of order", () => {
    const timeline = timelineOf();
    timeline.forward(10);
    for (const range of [{ to: 11 }, { from: 5, to: 4 }, { from: -1 }, { from: 0.5 }]) {
      expect(() => timeline.find(() => true, range)).toThrow(VirtlabError);
    }
  });
});

describe("lastChange", () => {
  it("gives the last step that changed the selection, with the values around it", () => {
    const timeline = timelineOf({ writes: (step) => (step === 700 || step === 90_001 ? step : undefined) });
    timeline.forward(100_000);
    const change = timeline.lastChange((machine) => machine.register)!;
    expect([change.steps, change.before.steps, change.after.steps, change.edited]).toEqual([
      90_001,
      90_000,
      90_001,
      false,
    ]);
    expect([change.before.register, change.after.register]).toEqual([700, 90_001]);
    expect(timeline.position).toBe(100_000);
    expect(stepsOf(() => timeline.goto(change.steps))).toBe(0);
    expect(timeline.lastChange((machine) => machine.register)?.steps).toBe(90_001);
    timeline.back();
    expect(timeline.lastChange((machine) => machine.register)?.steps).toBe(700);
    timeline.goto(699);
    expect(timeline.lastChange((machine) => machine.register)).toBeUndefined();
  });

  it("finds a change that was changed back between two kept values", () => {
    const timeline = timelineOf({ writes: (step) => (step === 50_001 ? 5 : step === 50_002 ? 0 : undefined) });
    timeline.forward(100_000);
    expect(timeline.lastChange((machine) => machine.register, { exact: false })).toBeUndefined();
    expect(timeline.lastChange((machine) => machine.register)?.steps).toBe(50_002);
  });

  it("takes some 20 runs when it need not be exact", () => {
    const timeline = timelineOf({ writes: (step) => (step === 150_001 ? 5 : undefined) });
    timeline.forward(1_000_000);
    const runs = work.runs;
    expect(timeline.lastChange((machine) => machine.register, { exact: false })?.steps).toBe(150_001);
    expect(work.runs - runs).toBeLessThan(25);
  });

  it("compares bytes and records by content", () => {
    const timeline = timelineOf({ writes: (step) => (step === 20 ? 1 : undefined) });
    timeline.forward(100);
    const select = (machine: CountingMachine) => ({ bytes: Uint8Array.of(machine.register), list: [machine.typed] });
    expect(timeline.lastChange(select)?.steps).toBe(20);
  });

  it("says whether an edit or the machine made the change at the step of an edit", () => {
    const timeline = timelineOf({ writes: (step) => (step === 300 ? 1 : undefined) });
    timeline.forward(300);
    timeline.edit((machine) => machine.type("x"));
    timeline.forward(300);
    const typed = timeline.lastChange((machine) => machine.typed)!;
    expect([typed.steps, typed.edited, typed.before.steps, typed.before.typed]).toEqual([300, true, 300, ""]);
    const register = timeline.lastChange((machine) => machine.register)!;
    expect([register.steps, register.edited, register.before.steps]).toEqual([300, false, 299]);
  });

  it("takes several edits at one step for one", () => {
    const timeline = timelineOf();
    timeline.forward(10);
    timeline.edit((machine) => machine.type("a"));
    timeline.edit((machine) => machine.type("b"));
    const change = timeline.lastChange((machine) => machine.typed)!;
    expect([change.before.typed, change.after.typed]).toEqual(["", "ab"]);
  });

  it("agrees with comparing every value with the one before it", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(900), fc.nat(2))), fc.nat(900), (writes, cursor) => {
        const table = new Map(writes);
        const program = { writes: (step: number) => table.get(step) };
        const timeline = timelineOf(program);
        timeline.forward(900);
        timeline.goto(cursor);
        let expected: number | undefined;
        for (let value = CountingMachine.create(program); value.steps < cursor; ) {
          const next = value.run({ maxInstructions: 1 });
          if (next.register !== value.register) expected = next.steps;
          value = next;
        }
        expect(timeline.lastChange((machine) => machine.register)?.steps).toBe(expected);
      }),
      { seed: 20270, numRuns: 60 },
    );
  });
});
