/** Costs of real runs: what is counted agrees with the machine's own counters, and nanobenchmarks are compared by tables. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nanobenchmarkNames } from "../src/hardware/cost/nanobenchmarks.js";
import {
  type CostCounts,
  combined,
  compareNanobenchmarks,
  costTables,
  countRun,
  countsBetween,
  cycles,
  Machine,
  type Nanobenchmark,
  type NanobenchmarkCounts,
  type Progress,
  perturbed,
} from "../src/index.js";
import { images } from "./support/guests.js";
import { multibootDisk } from "./support/multiboot-disk.js";

const boot = (name: string, options: object = {}) =>
  Machine.boot({ image: readFileSync(join(images, `${name}.elf`)), memory: "16M", ...options });
const NOT_INSTRUCTIONS = ["exception delivery", "interrupt delivery"];
const total = (counts: CostCounts): number =>
  Object.entries(counts).reduce((sum, [name, count]) => sum + (NOT_INSTRUCTIONS.includes(name) ? 0 : count), 0);

describe("countRun", () => {
  it.each(["rings", "faults", "memory", "sensitive"])(
    "counts every instruction of %s once, and ends where a run does",
    (name) => {
      const start = boot(name);
      const told: Progress[] = [];
      const { machine, counts } = countRun(start, { maxInstructions: 100_000, onProgress: (done) => told.push(done) });
      expect(machine.hash).toBe(start.run({ maxInstructions: 100_000 }).hash);
      expect(total(counts)).toBe(machine.counters.instructions + machine.counters.repeats);
      expect(counts["exception delivery"] ?? 0).toBe(machine.counters.exceptions);
      expect(counts["interrupt delivery"] ?? 0).toBe(machine.counters.interrupts);
      expect(counts["port access"]).toBe(machine.counters.portReads + machine.counters.portWrites);
      expect(told.at(-1)).toMatchObject({ done: machine.steps - start.steps, finished: true });
      const rough = countsBetween(start, machine);
      expect(rough.instruction).toBe(total(counts));
      expect(rough["port access"]).toBe(counts["port access"]);
    },
  );

  it("counts the services of a BIOS as handlers entered", () => {
    const start = Machine.boot({ disks: [multibootDisk("kernel.elf")], memory: "16M" });
    const { counts } = countRun(start, { maxInstructions: 50_000 });
    expect(counts["software interrupt"]).toBeGreaterThan(10);
    expect(counts["handler entry"]).toBeGreaterThanOrEqual(counts["software interrupt"]!);
  });

  it("goes on from where a machine is, and counts add up", () => {
    const start = boot("rings");
    const whole = countRun(start, { maxInstructions: 90_000 });
    const half = countRun(start, { maxInstructions: 70_001 });
    const other = countRun(half.machine, { maxInstructions: 19_999 });
    expect(
      combined([
        [half.counts, 1],
        [other.counts, 1],
      ]),
    ).toEqual(whole.counts);
    expect(() => countsBetween(half.machine, start)).toThrow("not a later value");
  });
});

const ROUNDS = 100;

function repetition(name: string): CostCounts {
  const loop = (benchmark: string, rounds: number): CostCounts => {
    const start = boot("nanobench", { machine: "pc", append: `${benchmark} rounds=${rounds}` });
    const begun = start.run({ until: { serial: `${benchmark} ${rounds}\n` }, maxInstructions: 1_000_000 });
    return countRun(begun, { until: { serial: "done\n" }, maxInstructions: 1_000_000 }).counts;
  };
  const own = (benchmark: string) =>
    combined([
      [loop(benchmark, ROUNDS), 1],
      [loop(benchmark, 0), -1],
    ]);
  return combined([
    [own(name), 1 / ROUNDS],
    [own("empty"), -1 / ROUNDS],
  ]);
}

const native: Readonly<Record<Nanobenchmark, CostCounts>> = {
  syscall: { "fast ring crossing": 2 },
  in: { "port access": 1 },
  cr8wr: { "data transfer": 1 },
  callret: { "control transfer": 2 },
  pgfault: { arithmetic: 2, "interrupt return": 1, "exception delivery": 1 },
  divzero: { arithmetic: 1, "interrupt return": 1, "exception delivery": 1 },
  ptemod: { logic: 1 },
};

describe("a repetition of the nanobenchmarks, without the loop", () => {
  it.each(Object.entries(native))("of %s is %o", (name, counts) => {
    expect(repetition(name)).toEqual(counts);
  });
});

/** What is compared here is the comparison: the counts themselves are measured in `long/nanobenchmarks.test.ts`. */
const ways = { native: { logic: 1 }, translation: { logic: 2 }, vmx: { INVLPG: 1 } };
const counts = Object.fromEntries(nanobenchmarkNames.map((name) => [name, ways])) as NanobenchmarkCounts;
const table = costTables["pentium4-672"];

describe("nanobenchmarks that are compared", () => {
  it("tell which figure turns a winner over, where one does", () => {
    const close = { ...ways, translation: { logic: 280 } };
    const result = compareNanobenchmarks({ ...counts, in: close }, table).find(({ name }) => name === "in")!;
    expect(result).toMatchObject({ winner: "translation", agrees: true, holds: false, margin: 20 });
    expect(result.flips).toEqual([
      { primitive: "logic", factor: 2 },
      { primitive: "INVLPG", factor: 0.5 },
    ]);
    expect(result.worstMargin).toBe(150 - 560);
  });

  it("cost what their counts do, by any table, and the counts are the same", () => {
    for (const other of [costTables.merom, ...perturbed(table).map((change) => change.table)]) {
      for (const { name, predicted } of compareNanobenchmarks(counts, other, { factors: [] }))
        expect(predicted.vmx).toBe(cycles(counts[name].vmx, other));
    }
  });

  it("cannot be compared where one of them is missing", () => {
    const { ptemod: _, ...six } = counts;
    expect(() => compareNanobenchmarks(six as NanobenchmarkCounts, table)).toThrow('there are no counts of "ptemod"');
  });
});
