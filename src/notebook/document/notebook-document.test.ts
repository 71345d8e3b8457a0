import { describe, expect, it } from "vitest";
import { formatNotebook, parseNotebook } from "./notebook-document.js";

const code = { cell_type: "code", metadata: {}, source: ["1\n", "2"], outputs: [], execution_count: null };

function notebook(change: object): string {
  return JSON.stringify({ cells: [code], metadata: {}, nbformat: 4, nbformat_minor: 4, ...change });
}

describe("a notebook file", () => {
  it("is read with the lines of its cells joined", () => {
    expect(parseNotebook(notebook({}), "a.ipynb").cells[0]?.source).toBe("1\n2");
  });

  it("from before 4.5 gets cell ids that differ", () => {
    const cells = [{ ...code, id: "cell-2" }, code, { ...code, id: "not valid!" }];
    const ids = parseNotebook(notebook({ cells }), "a.ipynb").cells.map((cell) => cell.id);
    expect(ids).toEqual(["cell-2", "cell-2-", "cell-3"]);
  });

  it("keeps entries it does not know and is written as 4.5", () => {
    const cells = [{ ...code, id: "x", metadata: { collapsed: true } }];
    const text = formatNotebook(parseNotebook(notebook({ cells, metadata: { title: "T" } }), "a.ipynb"));
    expect(JSON.parse(text)).toEqual({ cells, metadata: { title: "T" }, nbformat: 4, nbformat_minor: 5 });
    expect(text.endsWith("}\n")).toBe(true);
  });

  it("splits text of outputs into lines and leaves JSON data whole", () => {
    const data = { "text/html": "<b>\n</b>", "image/png": "aaaa", "application/vnd.plotly.v1+json": { data: [] } };
    const outputs = [
      { output_type: "stream", name: "stdout", text: "a\nb\n" },
      { output_type: "display_data", data, metadata: {} },
    ];
    const document = parseNotebook(notebook({ cells: [{ ...code, outputs }] }), "a.ipynb");
    expect(JSON.parse(formatNotebook(document)).cells[0].outputs).toEqual([
      { output_type: "stream", name: "stdout", text: ["a\n", "b\n"] },
      { output_type: "display_data", data: { ...data, "text/html": ["<b>\n", "</b>"] }, metadata: {} },
    ]);
  });

  it.each([
    ["{", "a.ipynb: not JSON"],
    ["[]", "a.ipynb: not a notebook: no JSON object"],
    ["{}", "a.ipynb: not a notebook: it has no nbformat"],
    [notebook({ nbformat: 3 }), 'a.ipynb: nbformat 3, older than the 4 that can be run; "jupyter nbconvert'],
    [notebook({ nbformat: 5 }), "a.ipynb: nbformat 5, newer than the 4 that can be run"],
    [notebook({ cells: undefined }), "a.ipynb: not a notebook: cells is not a list"],
    [notebook({ metadata: 1 }), "a.ipynb: not a notebook: metadata is not an object"],
    [notebook({ cells: [code, 1] }), "a.ipynb: cell 2: not an object"],
    [notebook({ cells: [{ ...code, cell_type: "c" }] }), 'a.ipynb: cell 1: cell_type "c" is not one of'],
    [notebook({ cells: [{ ...code, source: [1] }] }), "a.ipynb: cell 1: source is not text"],
    [notebook({ metadata: { kernelspec: { name: "x", language: "python" } } }), "a.ipynb: a notebook in python"],
    [notebook({ metadata: { language_info: { name: "R" } } }), "a.ipynb: a notebook in R"],
    [notebook({ metadata: { kernelspec: { name: "python3" } } }), "a.ipynb: a notebook for the kernel python3"],
  ])("is refused in one line when it is bad: %s", (text, message) => {
    expect(() => parseNotebook(text, "a.ipynb")).toThrow(message);
  });

  it.each([
    {},
    { kernelspec: { name: "tslab", language: "typescript" } },
    { kernelspec: { name: "virtlab" } },
    { language_info: { name: "typescript" } },
  ])("in TypeScript is taken: %j", (metadata) => {
    expect(() => parseNotebook(notebook({ metadata }), "a.ipynb")).not.toThrow();
  });
});
