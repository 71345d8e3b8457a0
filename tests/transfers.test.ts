/**
 * Far transfers as programs: call and interrupt gates of both sizes, stack switches, conforming code, returns to outer
 * rings, virtual-8086 mode and its monitor, task switches, and segments that end. The same image runs on QEMU.
 */
import { afterAll, describe, expect, it } from "vitest";
import { cellImage } from "./support/cell-image.js";
import { type CellRecord, type CellRun, outcomeOf, runCells, runCellsOnQemu } from "./support/cells.js";
import { recordCells } from "./support/isa-coverage.js";
import { peer } from "./support/peers.js";
import { more, moreLow, type TransferCell, transferCells } from "./support/transfer-cells.js";

/** Cells QEMU 7.2 (TCG) does not run as the manual has it, and why. */
const qemuDiffers: readonly (readonly [RegExp, string])[] = [
  [/call gate to conforming code/, "it switches the stack there"],
  [
    /without room|offset beyond|fetch beyond|beyond 64 KiB|expand-down segment ends|B clear ends/,
    "it does not check limits",
  ],
  [/handler of ring 1/, "it lets any ring handle what happens in virtual-8086 mode"],
  [/in the new task$/, "it saves the old task's EIP with the fault in the new one"],
  [/T flag/, "it does not look at the T flag"],
];

type Image = ReturnType<typeof cellImage>;
const build = (cells: readonly TransferCell[]): Image => cellImage(cells, more, moreLow);

/** "@end" is the cell's own label, "%task_entry" one of all the image. */
const labelOf = (image: Image, number: number, text: string): number | undefined =>
  text.startsWith("@") ? image.label(number, text.slice(1)) : image.high.symbols[text.replace(/^%/, "")];

/** A record in the words of an expectation. */
function textOf(image: Image, number: number, expected: string, record: CellRecord | undefined): string {
  if (record === undefined) return "nothing";
  const fields = expected.matchAll(/ (\w+)=([@%]?\w+)/g);
  const texts = [...fields].map(([, name, value]) => {
    const found = /^n\d$/.test(name!) ? record.notes[Number(name![1])]! : Number(record[name as keyof CellRecord]);
    const label = labelOf(image, number, value!);
    return `${name}=${label !== undefined && label === found ? value : found.toString(16)}`;
  });
  return [outcomeOf(image, number, record), ...texts].join(" ");
}

const found = (image: Image, { records }: CellRun, { expected }: TransferCell, number: number): string[] =>
  expected.map((text, index) => textOf(image, number, text, records[number]![index]));

describe("a far transfer", () => {
  const image = build(transferCells);
  const right = new Set<TransferCell>();
  let ran: CellRun | undefined;
  const ours = (): CellRun => (ran ??= runCells(image, transferCells));

  transferCells.forEach((cell, number) => {
    it(cell.name, () => {
      expect(found(image, ours(), cell, number)).toEqual(cell.expected);
      right.add(cell);
    });
  });

  afterAll(() => recordCells("M", image, transferCells, (cell) => right.has(cell)));

  it("comes out the same on QEMU, where it does what the manual says", (context) => {
    const cells = transferCells.filter(({ name }) => !qemuDiffers.some(([pattern]) => pattern.test(name)));
    const theirs = build(cells);
    const run = runCellsOnQemu(peer(context, "qemu-system-i386"), theirs, cells);
    const differing = cells.flatMap((cell, number) => {
      const texts = found(theirs, run, cell, number).join("; ");
      return texts === cell.expected.join("; ") ? [] : [`${cell.name}: ${texts}, not ${cell.expected.join("; ")}`];
    });
    expect([run.end, differing]).toEqual(["debug-exit", []]);
    recordCells("Q", theirs, cells);
  });
});
