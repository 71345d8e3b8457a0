// The parts of the package, `virtlab/plot` and `virtlab/view`, from a cell: with their types, whatever folder it is run in.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { runNotebook } from "../src/notebook/document/run-notebook.js";

const folder = mkdtempSync(join(tmpdir(), "virtlab-parts-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("a cell can import the parts of the package, and its compiler knows their types", async () => {
  const sources = [
    `import { Figure, Machine } from "virtlab";\nimport { axis, lines } from "virtlab/plot";\nimport { tableOf } from "virtlab/view";
    const machine = Machine.create({ memory: "1M" });
    const figure = lines([3, 1, 2], { x: axis("time", "ticks"), y: "queue", title: "Queue", from: machine });
    if (!(figure instanceof Figure) || figure.provenance.states[0] !== machine.hash) throw new Error("another figure");
    figure`,
    "const wrong: number = tableOf([]).text;",
  ];
  const cells = sources.map((source, index) => ({
    ...{ id: `c${index}`, cell_type: "code" as const, metadata: {}, execution_count: null, outputs: [] },
    source,
  }));
  const { notebook } = await runNotebook({ cells, metadata: {} }, { folder });
  const [[first], [second]] = notebook.cells.map(({ outputs = [] }) => outputs) as [object[], object[]];
  expect(first).toMatchObject({
    output_type: "execute_result",
    data: { "image/svg+xml": expect.anything(), "text/plain": expect.anything() },
  });
  expect(second).toMatchObject({ output_type: "error", evalue: "Type 'string' is not assignable to type 'number'." });
});
