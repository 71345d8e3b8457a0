/** Tests of a list of cells with expectations: each here, and all of them on QEMU. */
import { afterAll, expect, it } from "vitest";
import type { ModelName } from "../../src/hardware/cpu/model.js";
import { FLAG } from "../../src/hardware/cpu/state.js";
import { type Cell, cellImage } from "./cell-image.js";
import { type CellRun, outcomeOf, runCells, runCellsOnQemu } from "./cells.js";
import type { ExceptionCell } from "./exception-cells.js";
import { recordCells } from "./isa-coverage.js";
import { peer } from "./peers.js";

export interface SeriesOptions {
  /** The model here, and QEMU's name of a processor that has the same. */
  readonly model?: ModelName;
  readonly cpu?: string;
  /** Cells that QEMU does not run as the manual has it, by their names, and why. */
  readonly qemuDiffers?: readonly (readonly [RegExp, string])[];
}

interface Series {
  readonly cells: readonly ExceptionCell[];
  readonly image: ReturnType<typeof cellImage>;
  readonly ours: () => CellRun;
}

function series(cells: readonly ExceptionCell[], model?: ModelName): Series {
  const image = cellImage(cells);
  let ran: CellRun | undefined;
  return { cells, image, ours: () => (ran ??= runCells(image, cells, model)) };
}

/** What a cell gave, in the words of its expectation. `rf` is left out where the peer does not have it. */
function found({ cells, image }: Series, { records }: CellRun, number: number, rf = true): unknown {
  const { expected } = cells[number]!;
  return records[number]!.map((record, index) => {
    const more = expected[index]?.[1] ?? {};
    const values = Object.keys(more).flatMap((name): [string, number][] => {
      if (name === "rf") return rf ? [["rf", (record.eflags & FLAG.RF) === 0 ? 0 : 1]] : [];
      return [[name, record[name as "cr2" | "dr6"]]];
    });
    return [outcomeOf(image, number, record), Object.fromEntries(values)];
  });
}

const wanted = ({ expected }: ExceptionCell, withRf = true): unknown =>
  expected.map(([outcome, { rf, ...more } = {}]) => [outcome, rf === undefined || !withRf ? more : { rf, ...more }]);

/** One test a cell, and one for all of them on QEMU. */
export function testSeries(cells: readonly ExceptionCell[], { model, cpu, qemuDiffers = [] }: SeriesOptions): void {
  const runsOnQemu = ({ name }: Cell): boolean => !qemuDiffers.some(([pattern]) => pattern.test(name));
  const here = series(cells, model);
  const right = new Set<ExceptionCell>();
  cells.forEach((cell, number) => {
    it(cell.name, () => {
      expect(found(here, here.ours(), number)).toEqual(wanted(cell));
      right.add(cell);
    });
  });

  afterAll(() => recordCells("M", here.image, cells, (cell) => right.has(cell)));

  it("they all come out the same on QEMU, where it does what the manual says", (context) => {
    const theirs = series(cells.filter(runsOnQemu));
    const run = runCellsOnQemu(peer(context, "qemu-system-i386"), theirs.image, theirs.cells, cpu);
    const differing = theirs.cells.flatMap((cell, number) => {
      const text = JSON.stringify(found(theirs, run, number, false));
      return text === JSON.stringify(wanted(cell, false)) ? [] : [`${cell.name}: ${text}`];
    });
    expect([run.end, differing]).toEqual(["debug-exit", []]);
    recordCells("Q", theirs.image, theirs.cells);
  });
}
