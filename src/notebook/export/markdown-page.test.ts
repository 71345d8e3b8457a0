import { describe, expect, it } from "vitest";
import { plot } from "../../index.js";
import type { NotebookCell } from "../document/notebook-document.js";
import { markdownPage } from "./markdown-page.js";

const code = (source: string, ...outputs: unknown[]): NotebookCell => ({
  id: source.slice(0, 3).replace(/\W/g, "x") + outputs.length,
  cell_type: "code",
  metadata: {},
  source,
  execution_count: 1,
  outputs,
});
const display = (data: object) => ({ output_type: "display_data", data, metadata: {} });
const pageOf = (...cells: NotebookCell[]) =>
  markdownPage({ cells, metadata: {} }, { name: "n.ipynb", pictures: "n #1_files" });
/** The page without its footer. */
const body = (...cells: NotebookCell[]) => pageOf(...cells).text.split("\n\n---\n\n")[0];

describe("a Markdown page", () => {
  it("has texts as they are, and code and what it printed in fences longer than any in them", () => {
    const text: NotebookCell = { id: "t", cell_type: "markdown", metadata: {}, source: "# T\n\n*a*\n" };
    const stream = { output_type: "stream", name: "stdout", text: ["````\n", "\u001b[31mred\u001b[0m\n"] };
    const error = { output_type: "error", ename: "E", evalue: "v", traceback: ["E: v", "    at [cell 1]:1"] };
    expect(body(text, code("const a = `b`;\n", stream, error))).toBe(
      "# T\n\n*a*\n\n```ts\nconst a = `b`;\n```\n\n`````text\n````\nred\n`````\n\n```text\nE: v\n    at [cell 1]:1\n```",
    );
  });

  it("has pictures as files beside it, with an address that is safe and words for who does not see them", () => {
    const { text, files } = pageOf(
      code("1", display({ "image/svg+xml": "<svg/>", "text/plain": "a [link](x) | <b>\nmore" })),
      code("2", display({ "image/png": "iVBORw==\n" }), display({ "text/html": "<b>x</b>", "text/plain": "x" })),
    );
    expect(text).toContain("![a \\[link\\](x) \\| \\<b\\>](n%20%231_files/cell-1-1.svg)");
    expect(text).toContain("![output of this cell](n%20%231_files/cell-2-1.png)\n\n```text\nx\n```");
    expect([...files]).toEqual([
      ["cell-1-1.svg", "<svg/>"],
      ["cell-2-1.png", Buffer.from("iVBORw==", "base64")],
    ]);
  });

  it("has pictures that a cell holds as files, too", () => {
    const attachments = { "a b.png": { "image/png": "iVBORw==" } };
    const cell: NotebookCell = {
      id: "t",
      cell_type: "markdown",
      metadata: {},
      source: "![p](attachment:a%20b.png)",
      attachments,
    };
    const { text, files } = pageOf(cell);
    expect(text).toContain("![p](n%20%231_files/cell-1-a-20b.png)");
    expect([...files.keys()]).toEqual(["cell-1-a-20b.png"]);
  });

  it("ends with the hashes of its figures", () => {
    const { data, layout, provenance } = plot([{ y: [1] }], { title: "One" });
    const { text } = pageOf(
      code("1", display({ "application/vnd.plotly.v1+json": { data, layout }, "text/plain": "One" })),
    );
    expect(text).toContain("| figure | cell | states | costs | data |\n|---|---|---|---|---|\n");
    expect(text).toContain(`| one | 1 |  |  | ${provenance.data.slice(0, 12)} |`);
    expect(text).toMatch(/\*run by versions not known; source [0-9a-f]{64}; displays 1, 1 of them figures\./);
  });
});
