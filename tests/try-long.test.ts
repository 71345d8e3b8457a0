import { it } from "vitest";
import { longCellImage, fields, type LongCell } from "./support/long-cell-image.js";
import { runLongCells, runLongCellsOnQemu, outcomeOf } from "./support/long-cells.js";
const which = process.env["CELLS"] ?? "long-gate-cells:longGateCells:core2:core2duo";
it("x", async () => {
  const [file, name, model, cpu] = which.split(":") as [string, string, any, string];
  const only = process.env["ONLY"];
  const all = (await import(`./support/${file}.ts`))[name] as readonly LongCell[];
  const cells = only === undefined ? all : all.filter((c) => c.name.includes(only));
  const image = longCellImage("nasm", cells);
  const other = longCellImage("nasm", cells.map((c) => c.qemu === "not run" ? { ...c, code: "", prepare: "" } : c));
  const a = runLongCells(image, cells.length, model);
  const b = runLongCellsOnQemu("qemu-system-x86_64", other, cells.length, cpu);
  console.log(a.end, b.end, cells.length);
  const RF = 0x10000n;
  cells.forEach((c, i) => {
    const [x, y] = [outcomeOf(image, i, a.records[i]), outcomeOf(other, i, b.records[i])];
    const diffs: string[] = [];
    if (a.records[i] && b.records[i]) for (const f of fields) {
      const m = c.bits === 32 && /^r(?!ip|fl)/.test(f) ? 0xffffffffn : -1n;
      const [p, q] = [a.records[i]![f] & m, b.records[i]![f] & m];
      if (p === q || c.differs?.includes(f) || (f === "rflags" && (p | RF) === (q | RF))) continue;
      diffs.push(`${f} ${p.toString(16)} ${q.toString(16)}`);
    }
    if (y === "nothing") console.log("nothing", c.name);
    if (c.qemu === "not run" && x === c.gives) return;
    if (x !== c.gives || (c.qemu === "differs" ? y === c.gives : y !== (c.qemu ?? c.gives)) || (x === y && diffs.length)) console.log(`${i} ${c.name}: expected ${c.gives} | ours ${x} | qemu ${y} ${x === y ? diffs.join("; ") : ""}`);
  });
}, 1000000);
