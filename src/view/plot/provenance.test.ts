import { describe, expect, it } from "vitest";
import { costTable, Machine, plot, provenanceOf, VirtlabError } from "../../index.js";
import { provenance, stampText } from "./provenance.js";

const machine = Machine.create({ memory: "1M" });
const other = machine.write(0, Uint8Array.of(1));
const trace = { type: "scatter", name: "a", x: [1, 2], y: [3, Number.NaN], line: { color: "red", width: 2 } };
const stampOf = (...traces: Record<string, unknown>[]) => provenance(traces, "Some title", {});

describe("a figure's stamp", () => {
  it("has the hashes of all machines in their order, and of the cost table", () => {
    const costs = { hash: "c".repeat(64) };
    const { provenance: stamp, caption } = plot([trace], { title: "A & <b>B</b>", from: [machine, other], costs });
    expect(stamp).toMatchObject({ figure: "a-b", states: [machine.hash, other.hash], costs: costs.hash });
    expect(caption).toBe(
      `states ${machine.hash.slice(0, 12)} ${other.hash.slice(0, 12)}, costs cccccccccccc, data ${stamp.data.slice(0, 12)}`,
    );
    const many = provenance([], "", { from: Array(5).fill(machine) });
    expect(stampText(many)).toMatch(/^states (\w{12} ){3}and 2 more, data/);
    expect(many.figure).toBe("figure");
  });

  it("names a cost table and tells how many of its figures are assumed, in every form", async () => {
    const entries = {
      logic: { cycles: 1, mark: "assumed", source: "one each" },
      string: { cycles: 2, mark: "found", source: "a manual" },
    } as const;
    const costs = costTable({ name: "mine <b>", part: "a toy", entries });
    const figure = plot([trace], { title: "T", costs });
    expect(figure.provenance).toMatchObject({ costs: costs.hash, costTable: "mine <b>, 1 of 2 assumed" });
    expect(figure.caption).toContain(`costs ${costs.hash.slice(0, 12)} (mine <b>, 1 of 2 assumed), data`);
    const { data, layout } = figure;
    expect(provenanceOf(JSON.parse(JSON.stringify({ "application/vnd.plotly.v1+json": { data, layout } })))).toEqual(
      figure.provenance,
    );
    const svg = (await figure.svg())!;
    expect(provenanceOf({ "image/svg+xml": svg })).toEqual(figure.provenance);
    expect(svg).not.toContain("mine <b>");
  });

  it("changes with numbers, names and what colours say, and not with looks", () => {
    const { data } = stampOf(trace);
    expect(stampOf({ ...trace, line: { color: "blue" }, fill: "tozeroy", mode: "lines" }).data).toBe(data);
    for (const change of [{ y: [3, 4] }, { name: "b" }, { type: "bar" }, { marker: { color: [1, 2] } }, { z: [1] }])
      expect(stampOf({ ...trace, ...change }).data).not.toBe(data);
    expect(stampOf(trace, trace).data).not.toBe(data);
    expect(plot([{ ...trace, x: Float64Array.of(1, 2) }]).provenance.data).toBe(data);
  });

  it("refuses a source that has no content hash", () => {
    expect(() => plot([], { from: "rings" })).toThrow(VirtlabError);
    expect(() => plot([], { from: "rings" })).toThrow('"rings" is no content hash');
  });

  it("is read back from saved forms, and from nothing that only looks like one", async () => {
    const figure = plot([trace], { title: "T</metadata><script>", from: machine });
    const { data, layout, provenance: stamp } = figure;
    const saved = JSON.parse(JSON.stringify({ "application/vnd.plotly.v1+json": { data, layout } }));
    expect(provenanceOf(saved)).toEqual(stamp);
    const svg = (await figure.svg())!;
    expect(provenanceOf({ "image/svg+xml": svg })).toEqual(stamp);
    expect(svg).not.toMatch(/<script/);
    for (const virtlab of [
      null,
      1,
      {},
      { ...stamp, data: "x" },
      { ...stamp, states: ["<b>"] },
      { ...stamp, figure: 1 },
    ])
      expect(provenanceOf({ "application/vnd.plotly.v1+json": { layout: { meta: { virtlab } } } })).toBeUndefined();
    for (const text of ["", "<metadata>{</metadata>", "<metadata>[]</metadata>", 7, null])
      expect(provenanceOf({ "image/svg+xml": text })).toBeUndefined();
  });
});
