/**
 * Every privileged, IOPL-sensitive or mode-dependent instruction in every mode and privilege, against what the manual
 * says of it (support/privilege-table.ts). The same image runs on QEMU.
 */
import { describe, expect, it } from "vitest";
import { includes } from "../src/hardware/cpu/model.js";
import type { Row } from "../src/hardware/isa/instruction.js";
import { rows } from "../src/hardware/isa/table/index.js";
import { cellImage } from "./support/cell-image.js";
import { type CellRecord, type CellRun, outcomeOf, rowOfCell, runCells, runCellsOnQemu } from "./support/cells.js";
import { recordCells } from "./support/isa-coverage.js";
import { peer } from "./support/peers.js";
import { modeName, modes, privilegeCells } from "./support/privilege-cells.js";

/** Where QEMU 7.2 does not do what the manual says, and why. */
const qemuDiffers: Readonly<Record<string, string>> = {
  RDPMC: "QEMU has no performance counters at all and raises #UD",
  INT1: "QEMU takes it for a breakpoint of its debugger",
  "LOCK CLI": "QEMU does not look at LOCK in front of instructions without a memory operand",
};

const cells = privilegeCells();
const image = cellImage(cells);
let ran: CellRun | undefined;
/** The run on the machine, made by the first test. */
const ours = (): CellRun => (ran ??= runCells(image, cells));

function textOf(record: CellRecord | undefined, cell: number): string {
  const outcome = outcomeOf(image, cell, record);
  if (!cells[cell]!.form.flags || outcome !== "runs" || !record) return outcome;
  return `${outcome}, IF ${(record.eflags >> 9) & 1}, IOPL ${(record.eflags >> 12) & 3}`;
}

/** Lines for the cells of a mode that do not come out as the manual has it. */
function unexpected(mode: string, { records }: CellRun, skipped: Readonly<Record<string, string>> = {}): string[] {
  return cells.flatMap(({ name, mode: own, form, expected }, cell) => {
    if (modeName(own) !== mode || name in skipped) return [];
    const text = textOf(records[cell]![0], cell);
    return text === expected ? [] : [`${name}: ${text}, but ${expected} (${form.spec})`];
  });
}

/** Of the model the cells run on: what came later, and 64-bit code, is in long/long-mode.test.ts; floating point elsewhere. */
const isSensitive = ({ system, mnemonic, needs, where, unit }: Row): boolean =>
  (system !== undefined || mnemonic === "PUSHF") &&
  includes("pentium2", needs) &&
  where !== "only64" &&
  unit === undefined &&
  mnemonic !== "PAUSE";

describe("instructions with privilege", () => {
  it("are all in the table: every row that is executed through the processor port, and PUSHF", () => {
    const tested = new Set(cells.map((_, number) => rowOfCell(image, cells, number)));
    const missing = rows.filter((row) => isSensitive(row) && !tested.has(row));
    expect(missing.map(({ mnemonic, opcode }) => `${mnemonic} ${opcode}`)).toEqual([]);
  });

  it("are all run to the end", () => {
    expect(ours().end).toBe("debug-exit");
  });

  for (const mode of modes.map(modeName)) {
    it(`do in ${mode} what the manual says`, () => {
      expect(unexpected(mode, ours())).toEqual([]);
      recordCells("M", image, cells, (cell) => modeName(cell.mode) === mode);
    });
  }

  it("do the same on QEMU, where it does what the manual says", (context) => {
    const theirs = runCellsOnQemu(peer(context, "qemu-system-i386"), image, cells);
    expect(theirs.end).toBe("debug-exit");
    expect(modes.map(modeName).flatMap((mode) => unexpected(mode, theirs, qemuDiffers))).toEqual([]);
    recordCells("Q", image, cells, ({ name }) => !(name in qemuDiffers));
  });
});
