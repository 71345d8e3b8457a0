/** Costs of real runs: what is counted agrees with the machine's own counters, and the nanobenchmarks beside the paper's. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  adamsAgesen2006,
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

/** What a machine does not count: the store goes to the APIC; the walk of the absent page reads two entries. */
const unseen: Partial<Record<Nanobenchmark, CostCounts>> = {
  cr8wr: { "device register access": 1 },
  pgfault: { "page-walk reference": 2 },
};
const sum = (...all: readonly (CostCounts | undefined)[]): CostCounts =>
  combined(all.map((counts) => [counts ?? {}, 1] as const));
const inGuest = (name: Nanobenchmark): CostCounts => sum(native[name], unseen[name]);

/** A few of what every emulation in a handler takes. */
const emulated: CostCounts = { "handler entry": 1, "handler memory access": 20 };
const exit: CostCounts = { "VM entry": 1, VMREAD: 5, VMWRITE: 2, ...emulated };
const delivered: CostCounts = { "exception delivery": 1, "interrupt return": 1 };

/** Of the order of what a hypervisor counts; the comparison is what is tested with them. */
const counts: NanobenchmarkCounts = {
  syscall: {
    native: inGuest("syscall"),
    translation: sum({ "fast ring crossing": 1, "interrupt return": 1, "translation look-up": 1 }, emulated, emulated),
    vmx: inGuest("syscall"),
  },
  in: { native: inGuest("in"), translation: emulated, vmx: sum(exit, { "VM exit by instruction": 1 }) },
  cr8wr: {
    native: inGuest("cr8wr"),
    translation: { "data transfer": 3, "control transfer": 1 },
    vmx: sum(exit, { "VM exit by exception": 1, "instruction decoded": 1 }),
  },
  callret: {
    native: inGuest("callret"),
    translation: { "data transfer": 2, "control transfer": 2, "translation look-up": 1 },
    vmx: inGuest("callret"),
  },
  pgfault: {
    native: inGuest("pgfault"),
    translation: sum(delivered, emulated, emulated, unseen.pgfault, { arithmetic: 2, "translation look-up": 2 }),
    vmx: sum(exit, inGuest("pgfault"), { "VM exit by exception": 1 }),
  },
  divzero: {
    native: inGuest("divzero"),
    translation: sum(delivered, emulated, emulated, { arithmetic: 1, "translation look-up": 2 }),
    vmx: inGuest("divzero"),
  },
  ptemod: {
    native: inGuest("ptemod"),
    translation: sum(emulated, { "instruction decoded": 1, INVLPG: 1 }),
    vmx: sum(exit, { "VM exit by exception": 1, "instruction decoded": 1, INVLPG: 1 }),
  },
};

describe("the nanobenchmarks by a table of primitives", () => {
  const table = costTables["pentium4-672"];
  const results = compareNanobenchmarks(counts, table);

  it("have the winners of the paper, whatever combination of uncertain figures is halved or doubled", () => {
    expect(Object.fromEntries(results.map(({ name, publishedWinner }) => [name, publishedWinner]))).toEqual({
      syscall: "vmx",
      in: "translation",
      cr8wr: "translation",
      callret: "vmx",
      pgfault: "translation",
      divzero: "vmx",
      ptemod: "translation",
    });
    for (const result of results) expect(result, result.name).toMatchObject({ agrees: true, flips: [], holds: true });
  });

  it("are within a factor of six of the paper natively, which nothing was fitted to", () => {
    for (const { name, predicted } of results) {
      const ratio = predicted.native / adamsAgesen2006[name].native.cycles;
      expect(ratio, name).toBeGreaterThan(1 / 6);
      expect(ratio, name).toBeLessThan(6);
    }
  });

  it("tell which figure turns a winner over, where one does", () => {
    const close = { ...counts, in: { ...counts.in, vmx: { INVLPG: 1 } } };
    const result = compareNanobenchmarks(close, table).find(({ name }) => name === "in")!;
    expect(result).toMatchObject({ winner: "translation", agrees: true, holds: false, margin: 120 });
    expect(result.flips).toEqual([{ primitive: "INVLPG", factor: 0.5 }]);
    expect(result.worstMargin).toBe(150 - 280);
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
