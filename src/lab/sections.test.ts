import { describe, expect, it } from "vitest";
import { type CellFacts, factsOfFile, headingsOf, isFinished, summarize } from "./sections.js";

const text = (source: string): CellFacts => ({
  id: "",
  type: "markdown",
  source,
  ran: false,
  failed: false,
  running: false,
});
const code = (ran: boolean, failed = false, source = "1"): CellFacts => ({
  id: "",
  type: "code",
  source,
  ran,
  failed,
  running: false,
});

describe("headings", () => {
  it("are plain text, and code that is quoted has none", () => {
    const source = "# What if `a` were **b**?\n\n```sh\n# no heading\n```\n## [Link](x) *now* ##\n#hash";
    expect(headingsOf(source)).toEqual([
      { level: 1, text: "What if a were b?" },
      { level: 2, text: "Link now" },
    ]);
  });
});

describe("a notebook's summary", () => {
  const cells = [
    text("# Title"),
    code(true),
    text("## One"),
    code(true),
    code(false),
    text("## Two"),
    code(true, true),
    code(false, false, " "),
  ];

  it("has the title and, for each section, its cells up to the next", () => {
    const { title, sections } = summarize(cells);
    expect(title).toBe("Title");
    expect(sections).toEqual([
      { title: "One", cell: 2, total: 2, ran: 1, failed: 0, running: 0 },
      { title: "Two", cell: 5, total: 1, ran: 0, failed: 1, running: 0 },
    ]);
  });

  it("counts a failed cell as not done, and an empty one not at all", () => {
    const summary = summarize(cells);
    expect([summary.total, summary.ran, summary.failed]).toEqual([4, 2, 1]);
    expect(isFinished(summary)).toBe(false);
    expect(isFinished(summarize([text("# T"), code(true)]))).toBe(true);
    expect(isFinished(summarize([text("# T")]))).toBe(false);
  });

  it("is made from a file's cells, with sources as lines and errors among the outputs", () => {
    const cell = { cell_type: "code", source: ["a\n", "b"], execution_count: 3, outputs: [{ output_type: "error" }] };
    expect(factsOfFile(cell)).toMatchObject({ source: "a\nb", ran: true, failed: true });
    expect(factsOfFile({ cell_type: "code", source: "a", execution_count: null, outputs: [] }).ran).toBe(false);
  });
});
