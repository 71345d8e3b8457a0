import { it } from "vitest";
import { longCellImage, fields, type LongCell } from "./support/long-cell-image.js";
import { runLongCells, runLongCellsOnQemu, outcomeOf } from "./support/long-cells.js";
const which = process.env["CELLS"] ?? "long-gate-cells:longGateCells:core2:core2duo";
it("x", async () => {
  const [file, name, model, cpu] = which.split(":") as [string, string, any, string];
  const cells = (await import(`./support/${file}.ts`))[name] as readonly LongCell[];
  const image = longCellImage("nasm", cells);
  const a = runLongCells(image, cells.length, model);
  const b = runLongCellsOnQemu("qemu-system-x86_64", image, cells.length, cpu);
  console.log(a.end, b.end, cells.length);
  const RF = 0x10000n;
  cells.forEach((c, i) => {
    const [x, y] = [outcomeOf(image, i, a.records[i]), outcomeOf(image, i, b.records[i])];
    const diffs: string[] = [];
    if (a.records[i] && b.records[i]) for (const f of fields) {
      const [p, q] = [a.records[i]![f], b.records[i]![f]];
      if (p === q || (f === "rflags" && (p | RF) === (q | RF))) continue;
      diffs.push(`${f} ${p.toString(16)} ${q.toString(16)}`);
    }
    if (x !== c.gives || y !== (c.qemu ?? c.gives) || (x === y && diffs.length)) console.log(`${i} ${c.name}: expected ${c.gives} | ours ${x} | qemu ${y} ${x === y ? diffs.join("; ") : ""}`);
  });
}, 100000);
