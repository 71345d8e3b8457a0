/** Runs cases in the machine and before a judge, and says what differs of what the manual defines. */
import { type FuzzCase, fuzzCase, startEip } from "./native-cases.js";
import { bytesOf } from "./native-encode.js";
import { ARITHMETIC_FLAGS, DIRECTION_FLAG, flagEffect, undefinedBehind } from "./native-flags.js";
import type { Judge } from "./native-host.js";
import { CODE, CODE_PAGES, DATA, DATA_BYTES, segmentOf } from "./native-layout.js";
import { NativeMachine, type Outcome, stepAt } from "./native-machine.js";
import { Random } from "./random.js";

export const registerNames = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;

export interface Difference {
  readonly test: FuzzCase;
  readonly theirs: Outcome;
  readonly ours: Outcome;
  /** What differs, by name. */
  readonly what: readonly string[];
}

const hex = (value: number): string => (value >>> 0).toString(16);

/** Flags whose value the manual leaves open where a case ended. */
function undefinedFlags(test: FuzzCase, eip: number): number {
  const end = stepAt(test, eip);
  const behind = eip >>> 0 === (startEip(test) + test.steps.flatMap(({ choice }) => bytesOf(choice)).length) >>> 0;
  // Jumped elsewhere: some instructions were executed and some were not.
  if (end < 0 && !behind) return test.steps.reduce((flags, step) => flags | flagEffect(step).leavesUndefined, 0);
  const executed = behind ? test.steps : test.steps.slice(0, end);
  const flags = executed.reduce((before, step) => undefinedBehind(before, flagEffect(step)), 0);
  // A fault in the middle of REPE CMPS or SCAS: the flags of the iterations so far may be there or not.
  // Spec: SDM Vol. 2B, "REP/REPE/REPZ/REPNE/REPNZ—Repeat String Operation Prefix".
  return test.steps[end]?.choice.row.repeat === "repe" ? ARITHMETIC_FLAGS : flags;
}

export function differences(test: FuzzCase, theirs: Outcome, ours: Outcome): string[] {
  const found: string[] = [];
  const compare = (name: string, their: number, our: number): void => {
    if (their >>> 0 !== our >>> 0) found.push(`${name} ${hex(their)} is ${hex(our)} here`);
  };
  compare("vector", theirs.vector, ours.vector);
  compare("error code", theirs.errorCode, ours.errorCode);
  compare("eip", theirs.eip, ours.eip);
  compare("cr2", theirs.cr2, ours.cr2);
  registerNames.forEach((name, index) => {
    compare(name, theirs.registers[index]!, ours.registers[index]!);
  });
  const mask = (ARITHMETIC_FLAGS | DIRECTION_FLAG) & ~undefinedFlags(test, theirs.eip);
  compare("flags", theirs.eflags & mask, ours.eflags & mask);
  if (theirs.changes.join() !== ours.changes.join()) found.push(memoryDifference(theirs.changes, ours.changes));
  return found;
}

function memoryDifference(theirs: readonly number[], ours: readonly number[]): string {
  const text = (changes: readonly number[]): string =>
    changes.flatMap((word, at) => (at % 2 ? [] : `[${hex(DATA + 4 * word)}]=${hex(changes[at + 1]!)}`)).join(" ");
  return `memory ${text(theirs) || "unchanged"} is ${text(ours) || "unchanged"} here`;
}

/** Addresses at which the judging process itself lies, or may. */
const isJudges = (address: number): boolean =>
  (address >= 0x08000000 && address < 0x09000000) || address >= 0xf0000000 - 16;

/** Why a case cannot be compared, from how it ended here; undefined if it can. */
function excluded(test: FuzzCase, ours: Outcome): string | undefined {
  if (ours.vector === 14 && isJudges(ours.cr2)) return "reaches the judge's own memory";
  const linear = (ours.eip + segmentOf(test.selectors[1]!)!.base) >>> 0;
  const inCode = linear >= CODE && linear < CODE + CODE_PAGES * 4096;
  if (!inCode && linear - DATA >= 0 && linear - DATA < DATA_BYTES) return "executes data, which the host forbids";
  return undefined;
}

export interface Figures {
  cases: number;
  /** By reason. */
  skipped: Record<string, number>;
  /** By vector. */
  ends: Record<string, number>;
}

export interface ComparisonOptions {
  readonly judge: Judge;
  readonly count: number;
  readonly seed: number;
  /** Stop after so many differences. */
  readonly most?: number;
  progress?(cases: number, differences: number): void;
}

/** Cases that are held in memory at a time. */
const AT_ONCE = 20_000;

/** Compares `count` cases that can be compared, made from `seed`. */
export function compareCases(options: ComparisonOptions): { figures: Figures; found: Difference[] } {
  const { judge, count, seed, most = 20, progress } = options;
  const random = new Random(seed);
  const machine = new NativeMachine();
  const figures: Figures = { cases: 0, skipped: {}, ends: {} };
  const found: Difference[] = [];
  for (let number = 0; figures.cases < count && found.length < most; ) {
    const tests: FuzzCase[] = [];
    const outcomes: Outcome[] = [];
    const length = Math.min(AT_ONCE, count - figures.cases);
    while (tests.length < length) {
      const test = fuzzCase(number++, random, judge);
      const ours = machine.run(test);
      const reason = typeof ours === "string" ? ours : excluded(test, ours);
      if (reason !== undefined) figures.skipped[reason] = (figures.skipped[reason] ?? 0) + 1;
      if (reason !== undefined || typeof ours === "string") continue;
      tests.push(test);
      outcomes.push(ours);
    }
    judge.run(tests).forEach((theirs, index) => {
      const [test, ours] = [tests[index]!, outcomes[index]!];
      figures.ends[theirs.vector] = (figures.ends[theirs.vector] ?? 0) + 1;
      const what = differences(test, theirs, ours);
      if (what.length > 0) found.push({ test, theirs, ours, what });
    });
    figures.cases += length;
    progress?.(figures.cases, found.length);
  }
  return { figures, found };
}
