/**
 * The image that runs cells of long mode: small pieces of code in 64-bit or compatibility mode, one after the other, with
 * every exception recorded. It is a multiboot kernel without a file format, assembled by NASM, that QEMU loads too.
 *
 * For each cell a monitor in ring 0 puts all tables and registers back, runs the cell's `prepare`, enters its mode with
 * IRETQ, and takes down what the handler finds. A cell ends with its first exception: UD2 at `.end`, if nothing comes
 * before.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { macros, monitor } from "./long-cell-monitor.js";
import { type Field, IMAGE, places, selectors, tables, VECTORS } from "./long-cell-tables.js";

const equs = (names: Readonly<Record<string, number>>): string =>
  Object.entries(names)
    .map(([name, value]) => `${name} equ 0x${value.toString(16)}`)
    .join("\n");

export interface LongCell {
  readonly name: string;
  /** Bits of its code; privilege; IOPL. */
  readonly bits?: 64 | 32;
  readonly cpl?: 0 | 1 | 3;
  readonly iopl?: 0 | 3;
  /** `.at:` stands in front of the instruction tested; `.end:`, with UD2, is added behind. */
  readonly code: string;
  /** 64-bit code in ring 0, executed before; ends without RET. `@.at` is the cell's own label. */
  readonly prepare?: string;
  /** More RFLAGS bits to enter with. */
  readonly rflags?: number;
  /** The exception pushes no error code although the one of that number does: INT n. */
  readonly noErrorCode?: boolean;
  /** What it gives by the manual: "runs", "#GP(0)", "INT 0x30 behind", "#UD at target". */
  readonly gives: string;
  /** What QEMU gives, where that is something else; "differs": anything else; "not run": no end. */
  readonly qemu?: string;
  /** Fields that QEMU fills in another way, with the reason. */
  readonly differs?: readonly Field[];
}

/** A cell of one instruction, or of code that says where it is. */
export const longCell = (name: string, code: string, gives: string, more: Partial<LongCell> = {}): LongCell => ({
  name,
  code: code.includes(".at:") ? code : `.at:\n  ${code}`,
  gives,
  ...more,
});
/** Other places to execute it from than 64-bit code in ring 0. */
export const user = { cpl: 3 } as const;
export const compat = { bits: 32 } as const;

const codeSelector = ({ bits = 64, cpl = 0 }: LongCell): string => {
  if (bits === 32) return cpl === 3 ? "user32 | 3" : "compat0";
  return cpl === 0 ? "code0" : `code${cpl} | ${cpl}`;
};

const stackSelector = ({ cpl = 0 }: LongCell): string => (cpl === 0 ? "data0" : `data${cpl} | ${cpl}`);

const flagsOf = ({ iopl = 0, rflags = 0 }: LongCell): number => 2 | rflags | (iopl << 12);

/** Words of a cell: entry, CS, flags, no_error, at, prepare, SS, RSP, end. */
const cellRow = (cell: LongCell, number: number, skipped: boolean): string =>
  `  dq ${[
    skipped ? `cell_${number}.end` : `cell_${number}`,
    ...[codeSelector(cell), flagsOf(cell), cell.noErrorCode ? 1 : 0],
    ...[cell.code.includes(".at:") ? `cell_${number}.at` : 0],
    ...[cell.prepare === undefined || skipped ? "nothing" : `prepare_${number}`, stackSelector(cell), "user_stack"],
    `cell_${number}.end`,
  ].join(", ")}`;

export interface LongCellImage {
  readonly bytes: Uint8Array;
  /** A place in a cell by name, as an address. */
  readonly at: readonly number[];
  readonly end: readonly number[];
  readonly target: number;
  readonly target32: number;
  /** The same image beginning with a later cell. */
  from(cell: number): Uint8Array;
}

const HEADER = 0x30;
const FIRST = HEADER + 24;

/** Builds the image of some cells; those of `skipped` end at once. */
export function longCellImage(
  nasm: string,
  cells: readonly LongCell[],
  skipped: (cell: LongCell) => boolean = () => false,
): LongCellImage {
  const text = [
    macros,
    `org 0x${IMAGE.toString(16)}`,
    "default abs",
    equs({ ...selectors, ...places }),
    "image:",
    "bits 32",
    "  dd 0x1badb002, 0x10000, 0xe4514ffe, image, image, 0, 0, start",
    `  times 0x${HEADER.toString(16)} - ($ - image) db 0`,
    "  dq cells, target, target32",
    "first:",
    "  dq 0",
    "  times 0x80 - ($ - image) db 0",
    "bits 64",
    ...Array.from({ length: VECTORS }, (_, vector) => `stub_${vector}:\n  push qword ${vector}\n  jmp near handle`),
    monitor(cells.length),
    ...cells.flatMap((cell, number) => [
      ...(cell.prepare === undefined
        ? []
        : ["bits 64", `prepare_${number}:`, cell.prepare.replaceAll("@.", `cell_${number}.`), "  ret"]),
      `bits ${cell.bits ?? 64}`,
      `cell_${number}:`,
      cell.code,
      ".end:",
      "  ud2",
    ]),
    "bits 64",
    "align 16",
    "cells:",
    ...cells.map((cell, number) => cellRow(cell, number, skipped(cell))),
    tables,
  ].join("\n");
  const bytes = assembleWithNasm(nasm, text);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const word = (address: number): number => Number(view.getBigUint64(address - IMAGE, true));
  const rows = word(IMAGE + HEADER);
  return {
    bytes,
    at: cells.map((_, number) => word(rows + 72 * number + 32)),
    end: cells.map((_, number) => word(rows + 72 * number + 64)),
    target: word(IMAGE + HEADER + 8),
    target32: word(IMAGE + HEADER + 16),
    from: (cell) => {
      const later = Uint8Array.from(bytes);
      new DataView(later.buffer).setUint32(FIRST, cell, true);
      return later;
    },
  };
}

function assembleWithNasm(nasm: string, text: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "virtlab-long-"));
  try {
    const source = join(folder, "cells.asm");
    const output = join(folder, "cells.bin");
    writeFileSync(source, text);
    const { status, stderr } = spawnSync(nasm, ["-f", "bin", "-O0", "-w-all", "-o", output, source], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(stderr.split("\n").slice(0, 20).join("\n"));
    return new Uint8Array(readFileSync(output));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
