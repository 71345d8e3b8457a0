/**
 * Which rows of the instruction table tests have executed, in which mode and before which judge. Tests record what they
 * ran when VIRTLAB_ISA_COVERAGE names a folder; `npm run coverage:isa` sets it and makes a table of what it finds there.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Row } from "../../src/hardware/isa/instruction.js";
import { rows } from "../../src/hardware/isa/table/index.js";
import type { Cell, CellImage, CellMode } from "./cell-image.js";
import { rowOfCell } from "./cells.js";
import { codeBits, type FuzzCase } from "./native-cases.js";
import type { Judge } from "./native-host.js";
import { stepAt } from "./native-machine.js";

/** Who says that a result is right, strongest first; the letter stands for it in the table. */
export const judges = {
  H: "the host's processor, random cases",
  U: "Unicorn, random cases",
  Q: "QEMU, the same program",
  M: "the manual, written down in a test",
  G: "a guest that prints what it must",
} as const;
export type JudgeLetter = keyof typeof judges;
export const executionModes = ["real", "virtual-8086", "16 bits", "32 bits"] as const;
export type ExecutionMode = (typeof executionModes)[number];

export const rowName = ({ mnemonic, opcode, operands }: Row): string =>
  [mnemonic, opcode, ...operands.map(({ method, type, name }) => name ?? method + type)].join(" ");

/** A row by name, and a mode. */
type Ran = readonly [row: string, mode: ExecutionMode];

const folder = process.env["VIRTLAB_ISA_COVERAGE"];
let files = 0;

/** Keeps what a test has executed, after it has been found right. */
export function recordRows(
  judge: JudgeLetter,
  ran: Iterable<readonly [row: Row | undefined, mode: ExecutionMode]>,
): void {
  if (folder === undefined) return;
  const names = new Set<string>();
  for (const [row, mode] of ran) if (row) names.add(JSON.stringify([rowName(row), mode]));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${judge}-${process.pid}-${files++}.json`), `[${[...names].join(",")}]`);
}

const modeOfCell = (mode: CellMode): ExecutionMode =>
  mode.kind === "protected" ? (mode.bits === 16 ? "16 bits" : "32 bits") : mode.kind;

/** Keeps the instructions at `.at` of those cells that count. */
export function recordCells<T extends Cell>(
  judge: JudgeLetter,
  image: CellImage,
  cells: readonly T[],
  counts: (cell: T) => boolean = () => true,
): void {
  const ran = cells.map((cell, number) =>
    counts(cell) ? ([rowOfCell(image, cells, number), modeOfCell(cell.mode)] as const) : undefined,
  );
  recordRows(
    judge,
    ran.filter((one) => one !== undefined),
  );
}

/** A judge that remembers what it judged; `record` keeps it. */
export function recordingJudge(judge: Judge): Judge & { readonly record: () => void } {
  const ran: (readonly [Row, ExecutionMode])[] = [];
  const seen = new Set<string>();
  const note = (test: FuzzCase, eip: number): void => {
    const mode = judge.world === "real" ? "real" : codeBits(test) === 16 ? "16 bits" : "32 bits";
    const end = stepAt(test, eip);
    for (const { choice } of end < 0 ? test.steps : test.steps.slice(0, end + 1)) {
      const key = `${mode} ${rows.indexOf(choice.row)}`;
      if (seen.has(key)) continue;
      seen.add(key);
      ran.push([choice.row, mode]);
    }
  };
  return {
    ...judge,
    run: (cases) => {
      const outcomes = judge.run(cases);
      if (folder !== undefined) for (const [index, { eip }] of outcomes.entries()) note(cases[index]!, eip);
      return outcomes;
    },
    record: () => recordRows(judge.world === "real" ? "U" : "H", ran),
  };
}

export interface RowCoverage {
  readonly row: string;
  /** By mode, the letters of the judges. */
  readonly modes: Readonly<Record<ExecutionMode, string>>;
}

/** What the tests of a run have left in a folder, for every row. */
export function readCoverage(from: string): RowCoverage[] {
  const letters = new Map<string, Set<string>>();
  for (const file of readdirSync(from)) {
    for (const [row, mode] of JSON.parse(readFileSync(join(from, file), "utf8")) as Ran[]) {
      const key = JSON.stringify([row, mode]);
      letters.set(key, (letters.get(key) ?? new Set()).add(file[0]!));
    }
  }
  return rows.map((row) => {
    const name = rowName(row);
    const inMode = (mode: ExecutionMode): string =>
      Object.keys(judges)
        .filter((letter) => letters.get(JSON.stringify([name, mode]))?.has(letter))
        .join("");
    return {
      row: name,
      modes: Object.fromEntries(executionModes.map((mode) => [mode, inMode(mode)])) as RowCoverage["modes"],
    };
  });
}

const all = ({ modes }: RowCoverage): string => Object.values(modes).join("");
export const isUntested = (row: RowCoverage): boolean => all(row) === "";

/** The table as text, with a summary and the rows that no test ran. */
export function coverageTable(coverage: readonly RowCoverage[]): string {
  const widths = [42, ...executionModes.map(() => 13)];
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, at) => text.padEnd(widths[at]!))
      .join("")
      .trimEnd();
  const count = (test: (row: RowCoverage) => boolean): string =>
    `${coverage.filter(test).length} of ${coverage.length}`;
  const untested = coverage.filter(isUntested);
  return [
    line(["form", ...executionModes]),
    ...coverage.map(({ row, modes }) => line([row, ...executionModes.map((mode) => modes[mode] || "-")])),
    "",
    ...Object.entries(judges).map(
      ([letter, name]) => `${letter}  ${count((row) => all(row).includes(letter))}: ${name}`,
    ),
    `   ${count((row) => /[HUQ]/.test(all(row)))}: before a judge from outside`,
    ...executionModes.map((mode) => `   ${count(({ modes }) => modes[mode] !== "")}: in ${mode} mode`),
    ...(untested.length === 0 ? [] : ["", "run by no test:", ...untested.map(({ row }) => `  ${row}`)]),
  ]
    .join("\n")
    .replace("in 16 bits mode", "in protected mode, 16 bits")
    .replace("in 32 bits mode", "in protected mode, 32 bits");
}
