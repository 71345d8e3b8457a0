import { describe, expect, it } from "vitest";
import { tableOf } from "../../index.js";
import { compareRows } from "./changes.js";

const before = [
  { pid: 1, state: "runs" },
  { pid: 2, state: "waits" },
  { pid: 3, state: "waits" },
];
const after = [
  { pid: 1, state: "runs" },
  { pid: 3, state: "runs", cpu: 0 },
  { pid: 4, state: "ready" },
];

describe("two lists of records", () => {
  it("are compared row by row, by their key, with what is gone in its place", () => {
    expect(compareRows(before, after, "pid").map(({ change, row }) => [change, row["pid"]])).toEqual([
      ["same", 1],
      ["removed", 2],
      ["changed", 3],
      ["added", 4],
    ]);
    expect(compareRows(before, [], "pid").map(({ change }) => change)).toEqual(["removed", "removed", "removed"]);
    expect(compareRows(before, before, "pid").map(({ change }) => change)).toEqual(["same", "same", "same"]);
  });

  it("may have the same key twice", () => {
    const twice = [
      { a: 1, b: 1 },
      { a: 1, b: 2 },
    ];
    expect(compareRows(twice, twice.slice(0, 1), "a").map(({ change }) => change)).toEqual(["same", "removed"]);
  });
});

describe("a table of changes", () => {
  const { html, text } = tableOf(after, { since: before, caption: "Processes" });

  it("marks rows by signs and cells by what was before, so that no colour is needed", () => {
    expect(text.split("\n")).toEqual([
      "Processes: 1 changed, 1 added, 1 removed",
      "   pid  state         cpu",
      "   1    runs",
      "−  2    waits",
      "±  3    waits → runs   → 0",
      "+  4    ready",
    ]);
    expect(html).toContain('<b title="removed" aria-label="removed">−</b>');
    expect(html).toContain('<span class="was">waits →</span> <mark>runs</mark>');
    expect(html).toContain('<span class="dim">1 changed, 1 added, 1 removed</span>');
  });

  it("says so where nothing changed, and finds rows by the column it is told", () => {
    expect(tableOf(before, { since: before }).text.split("\n")[0]).toBe("no changes");
    expect(tableOf(after, { since: before, key: "state" }).text).toContain("2 added, 2 removed");
    expect(() => tableOf(after, { since: before, key: "name" })).toThrow('table: no record has a column "name"');
  });
});
