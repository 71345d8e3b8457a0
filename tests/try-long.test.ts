import { it } from "vitest";
import { longCellImage, fields } from "./support/long-cell-image.js";
import { runLongCells, runLongCellsOnQemu, outcomeOf } from "./support/long-cells.js";
it("x", () => {
  const cells = [
    { name: "ud2", code: ".at:\n  nop\n" },
    { name: "int 0x30", code: ".at:\n  int 0x30\n" },
    { name: "int 0x30 user", cpl: 3, code: ".at:\n  int 0x30\n" },
    { name: "compat", bits: 32, cpl: 3, code: ".at:\n  int 0x30\n" },
    { name: "hlt user", cpl: 3, code: ".at:\n  hlt\n" },
    { name: "syscall", cpl: 3, code: ".at:\n  syscall\n" },
  ] as const;
  const image = longCellImage("nasm", cells);
  const a = runLongCells(image, cells.length, "core2");
  const b = runLongCellsOnQemu("qemu-system-x86_64", image, cells.length, "core2duo");
  console.log(a.end, b.end);
  cells.forEach((c, i) => {
    console.log(c.name, outcomeOf(image, i, a.records[i]), "|", outcomeOf(image, i, b.records[i]));
    if (a.records[i] && b.records[i]) for (const f of fields) if (a.records[i]![f] !== b.records[i]![f]) console.log("   ", f, a.records[i]![f].toString(16), b.records[i]![f].toString(16));
  });
});
