import { describe, expect, it } from "vitest";
import { Machine, plot } from "../../index.js";
import { compareDisplays } from "./comparison.js";
import { fingerprints, sourceHash } from "./fingerprint.js";
import { formatNotebook, type NotebookCell, type NotebookDocument, parseNotebook } from "./notebook-document.js";

const machine = Machine.create({ memory: "1M" });
const other = machine.write(0, Uint8Array.of(1));
const notebook = (...outputs: unknown[][]): NotebookDocument => ({
  cells: outputs.map(
    (all, index): NotebookCell => ({
      id: `c${index}`,
      cell_type: "code",
      metadata: {},
      source: "1",
      outputs: all,
      execution_count: 1,
    }),
  ),
  metadata: {},
});
const stream = (text: unknown, name = "stdout") => ({ output_type: "stream", name, text });
const display = (data: object) => ({ output_type: "display_data", data, metadata: {} });
const figure = (options: { from?: Machine; costs?: string; y?: number; colour?: string; title?: string }) => {
  const { data, layout } = plot([{ y: [options.y ?? 1], line: { color: options.colour ?? "red" } }], {
    title: options.title ?? "F",
    ...(options.from && { from: options.from }),
    ...(options.costs && { costs: options.costs }),
  });
  return display({ "application/vnd.plotly.v1+json": { data, layout }, "text/plain": "f" });
};
const changes = (before: unknown, now: unknown) =>
  compareDisplays(fingerprints(notebook([before])), fingerprints(notebook([now]))).map((one) => [
    one.outcome,
    ...one.changes,
  ]);

describe("the hash of a notebook's source", () => {
  it("depends on what cells say, and not on their outputs, names or folds", () => {
    const { cells } = notebook([stream("a")]);
    const [cell] = cells;
    const hash = sourceHash({ cells, metadata: {} });
    expect(
      sourceHash({ cells: [{ ...cell!, id: "x", outputs: [], metadata: { collapsed: true } }], metadata: { a: 1 } }),
    ).toBe(hash);
    for (const change of [
      { source: "2" },
      { cell_type: "raw" as const },
      { metadata: { tags: ["t"] } },
      { attachments: { a: {} } },
    ])
      expect(sourceHash({ cells: [{ ...cell!, ...change }], metadata: {} })).not.toBe(hash);
  });
});

describe("two runs of a notebook", () => {
  it("are the same after being saved, with text as one string or as lines", () => {
    const run = notebook(
      [stream("a\nb\n"), figure({ from: machine })],
      [display({ "text/html": "<b>\n</b>", "text/plain": "x" })],
    );
    const saved = parseNotebook(formatNotebook(run), "n");
    expect(compareDisplays(fingerprints(run), fingerprints(saved)).map(({ outcome }) => outcome)).toEqual([
      "same",
      "same",
      "same",
    ]);
  });

  it("differ in a figure by its state, cost table, data or drawing, each by name", () => {
    const [one, two] = [machine.hash.slice(0, 12), other.hash.slice(0, 12)];
    expect(changes(figure({ from: machine }), figure({ from: other }))).toEqual([["changed", `state ${one} → ${two}`]]);
    const costs = ["a".repeat(64), "b".repeat(64)] as const;
    expect(changes(figure({ costs: costs[0] }), figure({ costs: costs[1] }))).toEqual([
      ["changed", "cost table aaaaaaaaaaaa → bbbbbbbbbbbb"],
    ]);
    expect(changes(figure({ y: 1 }), figure({ y: 2 }))[0]![1]).toMatch(/^data [0-9a-f]{12} → [0-9a-f]{12}$/);
    expect(changes(figure({ colour: "red" }), figure({ colour: "blue" }))).toEqual([
      ["changed", "same states and data, drawn differently (application/vnd.plotly.v1+json)"],
    ]);
    expect(changes(figure({ title: "F" }), figure({ title: "G" }))[0]).toContain("name f → g");
    expect(changes(figure({}), display({ "text/plain": "f" }))).toEqual([["changed", "figure → display"]]);
  });

  it("differ in other displays by the forms that are others", () => {
    const [before, now] = [
      { "text/plain": "a", "text/html": "<b>" },
      { "text/plain": "a", "text/html": "<i>", "image/png": "x" },
    ];
    expect(changes(display(before), display(now))).toEqual([["changed", "text/html", "image/png"]]);
    expect(changes(stream("a"), stream("b"))).toEqual([["changed", "stdout"]]);
    expect(changes(stream("a"), stream("a", "stderr"))).toEqual([["changed", "stdout", "stderr"]]);
  });

  it("differ by displays that are missing or new", () => {
    const [before, now] = [notebook([stream("a")], [stream("b")]), notebook([stream("a"), display({})], [])];
    expect(
      compareDisplays(fingerprints(before), fingerprints(now)).map(({ cell, outcome }) => [cell, outcome]),
    ).toEqual([
      [1, "same"],
      [1, "new"],
      [2, "missing"],
    ]);
  });
});
