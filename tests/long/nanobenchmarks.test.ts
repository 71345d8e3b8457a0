/**
 * The seven nanobenchmarks of Adams & Agesen 2006, measured under three ways of running them: exits by their exact numbers, and the
 * winners by a table in which nothing is fitted to them.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  adamsAgesen2006,
  costTables,
  cycles,
  type NanobenchmarkMeasure,
  type NanobenchmarkReport,
  nanobenchmarks,
  perturbed,
} from "../../src/index.js";
import { images } from "../support/guests.js";

const image = readFileSync(join(images, "nanobench.elf"));
const table = costTables["pentium4-672"];
const reports = nanobenchmarks({ image });

const exitsOf = ({ ledger }: NanobenchmarkMeasure): readonly string[] =>
  ledger.map(({ reason, instruction, effect, count }) => `${count} x ${reason}, ${instruction}: ${effect}`).sort();
const waysOf = ({ measured }: NanobenchmarkReport): readonly NanobenchmarkMeasure[] => Object.values(measured);

describe("the nanobenchmarks, measured", () => {
  it("leave their guests exactly so often for a repetition", () => {
    const exits = reports.map(({ name, measured: { translation, vmx } }) => [name, exitsOf(translation), exitsOf(vmx)]);
    const exception = "Exception or non-maskable interrupt (NMI)";
    expect(exits).toEqual([
      ["syscall", ["1 x call-out: emulate, SYSEXIT: emulated", "1 x exception #GP, SYSENTER: emulated"], []],
      ["in", ["1 x call-out: emulate, IN: emulated"], ["1 x I/O instruction, IN: device access"]],
      ["cr8wr", ["1 x exception #GP, MOV: simulated"], [`1 x ${exception}, MOV: simulated`]],
      ["callret", [], []],
      [
        "pgfault",
        ["1 x call-out: emulate, IRET: emulated", "1 x exception #PF, : #PF injected"],
        [`1 x ${exception}, : #PF injected`],
      ],
      ["divzero", ["1 x call-out: emulate, IRET: emulated", "1 x exception #DE, DIV: simulated"], []],
      ["ptemod", ["1 x exception #PF, XOR: traced store"], [`1 x ${exception}, XOR: traced store`]],
    ]);
    for (const { name, measured } of reports) expect([name, measured.native.exits]).toEqual([name, 0]);
  });

  it("take as many steps of the guest in every way, and whole numbers of everything", () => {
    for (const report of reports) {
      const { name, measured } = report;
      for (const measure of waysOf(report)) {
        expect([name, measure.steps]).toEqual([name, measured.native.steps]);
        expect(measure.shadowFaults).toBe(0);
        const numbers = [measure.exits, measure.beyond, ...Object.values(measure.counts)];
        expect([name, numbers.every((count) => Number.isInteger(count) && count >= 0)]).toEqual([name, true]);
      }
    }
  });

  it("come to the same for any number of repetitions", () => {
    const others = nanobenchmarks({ image, rounds: 77 });
    expect(others).toEqual(reports);
  });

  it("have the winners of the paper, whatever combination of uncertain figures is halved or doubled", () => {
    expect(Object.fromEntries(reports.map(({ name, publishedWinner }) => [name, publishedWinner]))).toEqual({
      syscall: "vmx",
      in: "translation",
      cr8wr: "translation",
      callret: "vmx",
      pgfault: "translation",
      divzero: "vmx",
      ptemod: "translation",
    });
    for (const report of reports) expect(report, report.name).toMatchObject({ agrees: true, flips: [], holds: true });
  });

  it("have them by each table in which one figure is another, too", () => {
    for (const { table: other } of perturbed(table)) {
      for (const { name, measured, publishedWinner } of reports) {
        const winner =
          cycles(measured.vmx.counts, other) < cycles(measured.translation.counts, other) ? "vmx" : "translation";
        expect([other.name, name, winner]).toEqual([other.name, name, publishedWinner]);
      }
    }
  });

  it("are within a factor of six of the paper natively, which nothing was fitted to", () => {
    for (const { name, predicted } of reports) {
      const ratio = predicted.native / adamsAgesen2006[name].native.cycles;
      expect(ratio, name).toBeGreaterThan(1 / 6);
      expect(ratio, name).toBeLessThan(6);
    }
  });

  it("are not measured with another guest", () => {
    const hello = readFileSync(join(images, "hello.elf"));
    expect(() => nanobenchmarks({ image: hello })).toThrow("is this the guest nanobench?");
  });
});
