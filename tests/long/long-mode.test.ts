/**
 * Long mode against what the manual says of it, and against QEMU: gates, returns, far transfers, system registers, tables,
 * segments, fast system calls and privileged instructions in 64-bit code and compatibility mode (support/long-*-cells.ts).
 */
import { describe, expect, it, type TestContext } from "vitest";
import { firstWith, includes, type ModelName } from "../../src/hardware/cpu/model.js";
import { decode } from "../../src/hardware/isa/decoder.js";
import type { Row } from "../../src/hardware/isa/instruction.js";
import { rows } from "../../src/hardware/isa/table/index.js";
import { type LongCell, type LongCellImage, longCellImage } from "../support/long-cell-image.js";
import { type Field, fields, IMAGE } from "../support/long-cell-tables.js";
import { type LongRecord, type LongRun, outcomeOf, runLongCells, runLongCellsOnQemu } from "../support/long-cells.js";
import { longGateCells } from "../support/long-gate-cells.js";
import { amdCells, longInstructionCells, newCells } from "../support/long-instruction-cells.js";
import { longReturnCells } from "../support/long-return-cells.js";
import { longSystemCells } from "../support/long-system-cells.js";
import { longTransferCells } from "../support/long-transfer-cells.js";
import { peer } from "../support/peers.js";

interface Series {
  readonly name: string;
  readonly cells: readonly LongCell[];
  readonly model: ModelName;
  /** The same of QEMU. */
  readonly cpu: string;
}

const series: readonly Series[] = [
  { name: "interrupts and exceptions", cells: longGateCells, model: "core2", cpu: "core2duo" },
  { name: "returns", cells: longReturnCells, model: "core2", cpu: "core2duo" },
  { name: "far transfers", cells: longTransferCells, model: "core2", cpu: "core2duo" },
  { name: "system registers, tables and segments", cells: longSystemCells, model: "core2", cpu: "core2duo" },
  { name: "instructions", cells: longInstructionCells, model: "core2", cpu: "core2duo" },
  { name: "what is another on parts of AMD", cells: amdCells, model: "phenom", cpu: "phenom" },
  { name: "what the newest parts have", cells: newCells, model: "max", cpu: "max,vendor=GenuineIntel" },
];

const images = new Map<string, LongCellImage>();
const runs = new Map<string, LongRun>();

function imageOf(context: TestContext, { name, cells }: Series): LongCellImage {
  const image = images.get(name) ?? longCellImage(peer(context, "nasm"), cells);
  images.set(name, image);
  return image;
}

function ours(context: TestContext, one: Series): LongRun {
  const run = runs.get(one.name) ?? runLongCells(imageOf(context, one), one.cells.length, one.model);
  runs.set(one.name, run);
  return run;
}

/** QEMU's TCG saves no RF behind a fault. */
const RF = 1 << 16;
/** What a 32-bit instruction leaves above its registers is undefined in compatibility mode. */
const GENERAL = /^r(?!ip|flags)/;

function maskOf({ bits }: LongCell, field: Field): bigint {
  if (field === "rflags") return ~BigInt(RF);
  return bits === 32 && GENERAL.test(field) ? 0xffff_ffffn : -1n;
}

/** Fields in which two records differ, as text. */
function differences(cell: LongCell, a: LongRecord, b: LongRecord): string {
  return fields
    .filter((field) => !cell.differs?.includes(field))
    .filter((field) => ((a[field] ^ b[field]) & maskOf(cell, field)) !== 0n)
    .map((field) => `${field} 0x${a[field].toString(16)}, QEMU 0x${b[field].toString(16)}`)
    .join("; ");
}

/** The instruction at `.at` of a cell. */
function rowAt({ bytes, at }: LongCellImage, { bits = 64 }: LongCell, cell: number): Row | undefined {
  const start = at[cell]!;
  return start === 0 ? undefined : decode((index) => bytes[start - IMAGE + index] ?? 0, start, bits).row;
}

describe("long mode", () => {
  for (const one of series) {
    describe(one.name, () => {
      const { cells, cpu } = one;

      it("is what the manual says", (context) => {
        const { records, end } = ours(context, one);
        const image = imageOf(context, one);
        const wrong = cells.flatMap(({ name, gives }, cell) => {
          const outcome = outcomeOf(image, cell, records[cell]);
          return outcome === gives ? [] : [`${name}: ${outcome}, but ${gives}`];
        });
        expect(wrong).toEqual([]);
        expect(end).toBe("debug-exit");
      }, 60_000);

      it("is what QEMU does, but where QEMU does something else", (context) => {
        const qemu = peer(context, "qemu-system-x86_64");
        const theirs = longCellImage(peer(context, "nasm"), cells, (cell) => cell.qemu === "not run");
        const { records } = runLongCellsOnQemu(qemu, theirs, cells.length, cpu);
        const { records: own } = ours(context, one);
        const wrong = cells.flatMap((cell, number) => {
          const [a, b] = [own[number], records[number]];
          const outcome = outcomeOf(theirs, number, b);
          if (cell.qemu === "not run") return [];
          if (cell.qemu === "differs") return outcome === cell.gives ? [`${cell.name}: QEMU does the same`] : [];
          if (cell.qemu !== undefined) return outcome === cell.qemu ? [] : [`${cell.name}: QEMU ${outcome}`];
          if (outcome !== cell.gives) return [`${cell.name}: QEMU ${outcome}`];
          const text = a === undefined || b === undefined ? "" : differences(cell, a, b);
          return text === "" ? [] : [`${cell.name}: ${text}`];
        });
        expect(wrong).toEqual([]);
      }, 240_000);
    });
  }

  it("has a cell for each system instruction of 64-bit code that TypeScript executes", (context) => {
    const tested = new Set(
      series.flatMap((one) => one.cells.map((cell, number) => rowAt(imageOf(context, one), cell, number))),
    );
    const missing = rows.filter(
      (row) =>
        (row.group === "system" || !includes("pentium2", row.needs)) &&
        row.system !== undefined &&
        row.unit === undefined &&
        !row.mnemonic.endsWith("MXCSR") &&
        // Virtualization has tests of its own: QEMU has no VT-x by itself.
        !["VMX", "SVM"].includes(String(row.needs)) &&
        row.where !== "not64" &&
        row.needs !== undefined &&
        firstWith(row.needs) !== undefined &&
        !tested.has(row),
    );
    expect(missing.map(({ mnemonic, opcode }) => `${mnemonic} ${opcode}`)).toEqual([]);
  });
});
