/**
 * XD, SMEP and SMAP, as code in both rings meets them: what is let through, and the error code, address and EIP of what is
 * not. The same images run on QEMU.
 */
import { describe, expect, it } from "vitest";
import { testSeries } from "./support/cell-series.js";
import { type LongCellImage, longCellImage } from "./support/long-cell-image.js";
import { type LongRun, outcomeOf, runLongCells, runLongCellsOnQemu } from "./support/long-cells.js";
import { longPagingCells } from "./support/long-paging-cells.js";
import { pagingCells } from "./support/paging-cells.js";
import { peer } from "./support/peers.js";

describe("with PAE paging", () => testSeries(pagingCells, { model: "max", cpu: "max" }));

describe("with 4-level paging", () => {
  const cells = longPagingCells;
  const found = (image: LongCellImage, { records }: LongRun) =>
    cells.map(({ name }, cell) => {
      const record = records[cell];
      const faulted = record?.vector === 14n;
      const { r8, r9, r10, r11 } = record ?? {};
      return [name, outcomeOf(image, cell, record), faulted ? record.cr2 : undefined, [r8, r9, r10, r11]];
    });

  it("each access comes out as the manual has it, and the same on QEMU", (context) => {
    const image = longCellImage(peer(context, "nasm"), cells);
    const ours = runLongCells(image, cells.length, "max");
    const qemu = runLongCellsOnQemu(peer(context, "qemu-system-x86_64"), image, cells.length, "max");
    expect([ours.end, qemu.end]).toEqual(["debug-exit", "debug-exit"]);
    const outcomes = (run: LongRun) => found(image, run).map(([name, outcome]) => [name, outcome]);
    expect(outcomes(ours)).toEqual(cells.map(({ name, gives }) => [name, gives]));
    expect(outcomes(qemu)).toEqual(cells.map(({ name, gives, qemu: differing = gives }) => [name, differing]));
    const values = (run: LongRun) => found(image, run).map(([name, , ...rest]) => [name, ...rest]);
    expect(values(ours)).toEqual(values(qemu));
  });
});
