/** What differs between a judge and the machine after one x87 instruction, of what the manual defines. */
import { STATUS } from "../../src/hardware/cpu/floating.js";
import type { Row } from "../../src/hardware/isa/instruction.js";
import { Random } from "./random.js";
import { comparedX87Rows, type X87Case, x87Case } from "./x87-cases.js";
import { type X87Judge, X87Machine, type X87Outcome } from "./x87-judge.js";

export const isComparison = ({ mnemonic }: Row): boolean => /^(FU?COM|FICOM|FTST)/.test(mnemonic);
export const isTranscendental = ({ mnemonic }: Row): boolean => /^(F2XM1|FYL2X|FPATAN|FPTAN|FSIN|FCOS)/.test(mnemonic);

/** Whether ST(i) behind a row may be 1 ulp off. What FPTAN pushes is 1, or what was there. */
export const mayBeOff = (row: Row, index: number): boolean =>
  isTranscendental(row) && (row.mnemonic !== "FPTAN" || index !== 0);

const CONDITIONS: number = STATUS.C0 | STATUS.C1 | STATUS.C2 | STATUS.C3;

/** Bits of the status word that are the manufacturer's choice. */
export function freeStatus(row: Row, status: number): number {
  // Intel leaves the condition codes where an unmasked exception keeps a comparison from being done; AMD sets them.
  if (isComparison(row)) {
    if ((status & STATUS.SUMMARY) !== 0) return CONDITIONS;
    // Those that set EFLAGS clear C1 on Intel's processors, and leave it on AMD's.
    return /IP?$/.test(row.mnemonic) ? STATUS.C1 : 0;
  }
  return isTranscendental(row) ? STATUS.C1 : 0;
}

const MAGNITUDE = (1n << 79n) - 1n;
/** A place in the order of extended numbers: of neighbours it is one apart, over powers of two as well. */
function place(bits: bigint): bigint {
  const magnitude = bits & MAGNITUDE;
  const ordered = ((magnitude >> 64n) << 63n) | (magnitude & 0x7fffffffffffffffn);
  return bits > MAGNITUDE ? -ordered : ordered;
}

/** Whether two numbers are the same or neighbours: 1 ulp apart. */
export function isNear(a: bigint, b: bigint): boolean {
  const distance = place(a) - place(b);
  return distance >= -1n && distance <= 1n;
}

export function x87Differences({ row }: X87Case, theirs: X87Outcome, ours: X87Outcome): string[] {
  const found: string[] = [];
  const note = (name: string, their: number | bigint, our: number | bigint): void => {
    found.push(`${name} ${their.toString(16)} is ${our.toString(16)} here`);
  };
  const free = freeStatus(row, theirs.status);
  if (((theirs.status ^ ours.status) & ~free) !== 0) note("status", theirs.status, ours.status);
  const names = ["vector", "control", "tags", "operand", "eax", "instructionPointer", "dataPointer", "opcode"] as const;
  for (const name of names) if (theirs[name] !== ours[name]) note(name, theirs[name], ours[name]);
  const toldFlags = !isComparison(row) || (theirs.status & STATUS.SUMMARY) === 0;
  if (toldFlags && theirs.eflags !== ours.eflags) note("eflags", theirs.eflags, ours.eflags);
  theirs.stack.forEach((bits, index) => {
    const same = mayBeOff(row, index) ? isNear(bits, ours.stack[index]!) : bits === ours.stack[index];
    if (!same) note(`st${index}`, bits, ours.stack[index]!);
  });
  return found;
}

const describeCase = ({ row, code, control, status, tags, stack, operand }: X87Case): string =>
  [
    `${row.mnemonic} (${code.map((byte) => byte.toString(16).padStart(2, "0")).join(" ")})`,
    `control ${control.toString(16)} status ${status.toString(16)} tags ${tags.toString(16)}`,
    `st ${stack.map((bits) => bits.toString(16)).join(" ")} operand ${operand.toString(16)}`,
  ].join(", ");

/** Cases that are held in memory at a time. */
const AT_ONCE = 20_000;

/**
 * What differs, unless it does not differ again. Where an operating system runs something else behind an instruction,
 * AMD's processors lose the addresses of that instruction and its operand.
 */
export function unlessByChance(found: string[], again: () => string[]): string[] {
  for (let times = 0; times < 3 && found.length > 0; times++) found = again();
  return found;
}

export interface X87Figures {
  cases: number;
  differences: number;
  /** The first differences, each as text. */
  readonly reports: string[];
  /** As the other comparisons have it: every case is compared. */
  readonly skipped: Readonly<Record<string, number>>;
}

export interface X87Options {
  readonly judge: X87Judge;
  readonly count: number;
  readonly seed: number;
  /** Differences that are reported. */
  readonly most?: number;
  progress?(cases: number, differences: number): void;
}

/** Compares `count` cases made from `seed`, in which the rows take turns. */
export function compareX87({ judge, count, seed, most = 10, progress }: X87Options): X87Figures {
  const rows = comparedX87Rows;
  const random = new Random(seed);
  const machine = new X87Machine();
  const figures: X87Figures = { cases: 0, differences: 0, reports: [], skipped: {} };
  for (let from = 0; from < count; from += AT_ONCE) {
    const length = Math.min(AT_ONCE, count - from);
    const cases = Array.from({ length }, (_, index) => x87Case(rows[(from + index) % rows.length]!, random));
    const outcomes = judge.run(cases);
    cases.forEach((test, index) => {
      const ours = machine.run(test);
      const compare = (theirs: X87Outcome): string[] => x87Differences(test, theirs, ours);
      const found = unlessByChance(compare(outcomes[index]!), () => compare(judge.run([test])[0]!));
      if (found.length === 0) return;
      figures.differences++;
      if (figures.reports.length < most) figures.reports.push(`${describeCase(test)}: ${found.join("; ")}`);
    });
    figures.cases += length;
    progress?.(figures.cases, figures.differences);
  }
  return figures;
}
