// What the kernel promises, over the hub's transports to @jupyterlab/services: one sentence for each promise.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { NotebookDocument } from "../src/notebook/document/notebook-document.js";
import { runNotebook } from "../src/notebook/document/run-notebook.js";

const folder = mkdtempSync(path.join(tmpdir(), "virtlab-kernel-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function document(...sources: string[]): NotebookDocument {
  const cells = sources.map((source, index) => ({
    id: `c${index}`,
    cell_type: "code" as const,
    metadata: {},
    source,
    execution_count: null,
    outputs: [],
  }));
  return { cells, metadata: {} };
}

async function outputsOf(...sources: string[]): Promise<(readonly unknown[] | undefined)[]> {
  const { notebook } = await runNotebook(document(...sources), { folder });
  return notebook.cells.map((cell) => cell.outputs);
}

describe("the hook for libraries", () => {
  it("displays, updates and clears at once, also out of a loop that never gives the event loop a turn", async () => {
    const outputs = await outputsOf(
      `const notebook = (globalThis as any)[Symbol.for("virtlab.notebook")];
       notebook.display({ "text/plain": "0 %" }, { id: "bar" });
       for (let percent = 1; percent <= 100; percent++) notebook.update({ "text/plain": percent + " %" }, { id: "bar" });`,
      'notebook.display({ "text/plain": "again" }, { id: "bar" }); notebook.update({ "image/png": Uint8Array.of(1, 2, 3) }, { id: "bar" });',
      'console.log("gone"); notebook.clear({ wait: true }); await notebook.show({ [Symbol.for("Jupyter.display")]: () => ({ "text/html": "<b>x</b>" }) });',
      'notebook.update({ "text/plain": "x" })',
    );
    const png = { output_type: "display_data", data: { "image/png": "AQID" } };
    expect(outputs).toMatchObject([
      [png],
      [png],
      [{ output_type: "display_data", data: { "text/html": "<b>x</b>" } }],
      [{ output_type: "error", ename: "TypeError", evalue: "update needs the id of what was displayed" }],
    ]);
  });
});
