import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { notebookText, readNotebook } from "./notebook-file.js";

const NOTEBOOKS = path.resolve(__dirname, "../../../notebooks");

const text = fc.string({ unit: fc.constantFrom("a", "\n", "\r", "ü", "\u2028", " ") });
const bundle = fc.dictionary(fc.constantFrom("text/plain", "text/html", "image/svg+xml", "image/png"), text);
const outputs = fc.array(
  fc.oneof(
    fc.record({ output_type: fc.constant("stream"), name: fc.constant("stdout"), text }),
    fc.record({ output_type: fc.constant("display_data"), data: bundle, metadata: fc.constant({}) }),
    fc.record({ output_type: fc.constant("error"), ename: text, evalue: text, traceback: fc.array(text) }),
  ),
);
const cells = fc.array(
  fc.oneof(
    fc.record({ cell_type: fc.constant("code"), metadata: fc.constant({ tags: ["b", "a"] }), source: text, outputs }),
    fc.record({
      cell_type: fc.constant("markdown"),
      metadata: fc.constant({}),
      source: text,
      attachments: fc.dictionary(fc.constantFrom("a.png", "b.svg"), bundle),
    }),
  ),
);

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("a notebook's file", () => {
  it("gives back the notebook that was saved, and the same file when that is saved again", () => {
    fc.assert(
      fc.property(cells, (list) => {
        const notebook = { cells: list, metadata: { z: 1, a: { c: [2], b: null } }, nbformat: 4, nbformat_minor: 5 };
        const file = notebookText(notebook, "n.ipynb");
        expect(plain(readNotebook(file, "n.ipynb"))).toEqual(plain(notebook));
        expect(notebookText(readNotebook(file, "n.ipynb"), "n.ipynb")).toBe(file);
      }),
    );
  });

  it("keeps what it does not know: other languages, JSON and list outputs, fields of newer versions", () => {
    const data = { "application/json": ["a\n", "b"], "application/vnd.plotly.v1+json": { data: ["x", "y"] } };
    const cell = { cell_type: "code", source: "", outputs: [{ output_type: "display_data", data }], new: { a: ["b"] } };
    const notebook = {
      cells: [cell],
      metadata: { kernelspec: { name: "ir" } },
      nbformat: 4,
      nbformat_minor: 9,
      new: 1,
    };
    expect(readNotebook(JSON.stringify(notebook), "n.ipynb")).toEqual(notebook);
    expect(JSON.parse(notebookText(notebook, "n.ipynb"))).toEqual({
      ...notebook,
      cells: [{ ...cell, source: [] }],
    });
  });

  it.each(readdirSync(NOTEBOOKS).filter((name) => name.endsWith(".ipynb")))(
    "of this package is as it would be saved: %s",
    (name) => {
      const file = readFileSync(path.join(NOTEBOOKS, name), "utf8");
      expect(JSON.parse(notebookText(readNotebook(file, name), name))).toEqual(JSON.parse(file));
    },
  );

  it.each([
    ["no JSON", "{", "n.ipynb: not a notebook: it is not JSON"],
    ["a list", "[]", "n.ipynb: not a notebook: it is not a JSON object"],
    ["some other JSON", "{}", "n.ipynb: not a notebook: it has no nbformat"],
    ["a notebook of format 3", '{"nbformat":3}', "n.ipynb: a notebook of format 3; only format 4 can be opened"],
    ["a notebook without cells", '{"nbformat":4}', "n.ipynb: not a notebook: it has no list of cells"],
  ])("is refused when it is %s", (_, file, why) => {
    expect(() => readNotebook(file, "n.ipynb")).toThrow(why);
  });
});
