/** Runs cases in the machine and before a judge, and says what differs of what the manual defines. */
import { FLAG, generalNames, segmentNames } from "../../src/hardware/cpu/state.js";
import { type FuzzCase, fuzzCase, startEip } from "./native-cases.js";
import { bytesOf } from "./native-encode.js";
import { ARITHMETIC_FLAGS, DIRECTION_FLAG, flagEffect, undefinedBehind } from "./native-flags.js";
import { bytesOfParts, comparedMemory, floatDifferences, tellsFlags } from "./native-floating.js";
import type { Judge } from "./native-host.js";
import { CODE, CODE_PAGES, DATA, DATA_BYTES, isReal, NULL_SELECTOR, segmentOf } from "./native-layout.js";
import { NativeMachine, type Outcome, stepAt } from "./native-machine.js";
import { Random } from "./random.js";
import { describeDifference, reduce } from "./reduce.js";
import { excludedInUnicorn } from "./unicorn-judge.js";
import { unlessByChance } from "./x87-comparison.js";

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

/** What the manual leaves open when an instruction faults, beside flags. */
interface Freedom {
  /** Which of several operands that all fault is the one reported. */
  readonly order?: true;
  /** Registers other than ESP may be loaded already: they are loaded again when the instruction is restarted. */
  readonly registers?: true;
  /** The part of the stack that can be written may have been written. */
  readonly memory?: true;
  /** The x87 registers may be loaded in part. */
  readonly floats?: true;
  /** Whether it faults at all. */
  readonly mayFault?: true;
}
const freedoms: Readonly<Record<string, Freedom>> = {
  CMPS: { order: true },
  FRSTOR: { floats: true },
  // The limits of code and stack.
  CALL: { order: true },
  // The manual skips the slot of ESP; AMD's processors read it.
  POPA: { registers: true, order: true, mayFault: true },
  PUSHA: { memory: true },
  ENTER: { memory: true },
};
const accessFaults = [12, 13, 14];
const ESP = 4;

/** The host has refused to execute data, which the machine does: there is no NX here. */
const refusesData = ({ vector, cr2, eip }: Outcome, test: FuzzCase): boolean =>
  vector === 14 &&
  cr2 === (eip + segmentOf(test.selectors[1]!)!.base) >>> 0 &&
  cr2 >= DATA &&
  cr2 < DATA + DATA_BYTES &&
  !isReal(test);

export function differences(test: FuzzCase, theirs: Outcome, ours: Outcome): string[] {
  if (refusesData(theirs, test)) return [];
  const found: string[] = [];
  const row = test.steps[stepAt(test, theirs.eip)]?.choice.row;
  const free: Freedom = {
    ...freedoms[row?.mnemonic ?? ""],
    ...(row !== undefined && bytesOfParts(row) > 0 ? { order: true } : {}),
  };
  const compare = (name: string, their: number, our: number): void => {
    if (their >>> 0 !== our >>> 0) found.push(`${name} ${hex(their)} is ${hex(our)} here`);
  };
  if (free.mayFault && accessFaults.includes(theirs.vector) && theirs.eip !== ours.eip) return [];
  compare("eip", theirs.eip, ours.eip);
  if (!(free.order && accessFaults.includes(theirs.vector) && accessFaults.includes(ours.vector))) {
    compare("vector", theirs.vector, ours.vector);
    compare("error code", theirs.errorCode, ours.errorCode);
    compare("cr2", theirs.cr2, ours.cr2);
  }
  generalNames.forEach((name, index) => {
    if (!free.registers || index === ESP) compare(name, theirs.registers[index]!, ours.registers[index]!);
  });
  theirs.selectors?.forEach((selector, index) => {
    compare(segmentNames[index]!, selector, ours.selectors?.[index] ?? selector);
  });
  const system = isReal(test) ? FLAG.IF | FLAG.IOPL : 0;
  const rows = test.steps.map(({ choice: { row } }) => row);
  const told = theirs.floats === undefined || tellsFlags(test.floats, theirs.floats, rows) ? ARITHMETIC_FLAGS : 0;
  const mask = (told | DIRECTION_FLAG | system) & ~undefinedFlags(test, theirs.eip);
  compare("flags", theirs.eflags & mask, ours.eflags & mask);
  const loadedInPart = free.floats && accessFaults.includes(theirs.vector);
  if (theirs.floats !== undefined && ours.floats !== undefined && !loadedInPart)
    found.push(...floatDifferences(test.floats, theirs.floats, ours.floats, rows));
  const [their, our] = comparedMemory(theirs.changes, ours.changes);
  if (!free.memory && their.join() !== our.join()) found.push(memoryDifference(their, our));
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

/** POP to an address from ESP: the decoder adds to the displacement what the pop adds to ESP, where SP wraps. */
const popsAtWrap = ({ steps, selectors }: FuzzCase): boolean =>
  !segmentOf(selectors[2]!)!.big &&
  steps.some(({ choice: { row, target } }) => {
    return row.popsBeforeAddress && typeof target === "object" && "base" in target && target.base === ESP;
  });

/** Why a case cannot be compared, from how it ended here; undefined if it can. */
function excluded(test: FuzzCase, ours: Outcome): string | undefined {
  if (popsAtWrap(test)) return "pops to an address from ESP on a 16-bit stack, whose wrap is not done";
  return isReal(test) ? excludedInUnicorn(test, ours) : excludedOnHost(test, ours);
}

function excludedOnHost(test: FuzzCase, ours: Outcome): string | undefined {
  const stores = test.steps.some(({ choice }) => choice.row.operands.some(({ method }) => method === "S"));
  if (stores && test.selectors.includes(NULL_SELECTOR)) return "stores a null selector, which some kernels give an RPL";
  if ((ours.eflags & FLAG.AC) !== 0) return "has alignment checked, which no machine here does";
  if (ours.vector === 14 && isJudges(ours.cr2)) return "reaches the judge's own memory";
  const linear = (ours.eip + segmentOf(test.selectors[1]!)!.base) >>> 0;
  const inCode = linear >= CODE && linear < CODE + CODE_PAGES * 4096;
  if (!inCode && linear - DATA >= 0 && linear - DATA < DATA_BYTES) return "executes data, which the host forbids";
  return undefined;
}

export interface Figures {
  cases: number;
  differences: number;
  /** The first differences, each as text. */
  readonly reports: string[];
  /** Cases that were not compared, by reason. */
  readonly skipped: Record<string, number>;
  /** Cases by the exception that ended them; 13 is the HLT behind each, too. */
  readonly ends: Record<string, number>;
}

export interface ComparisonOptions {
  readonly judge: Judge;
  readonly count: number;
  readonly seed: number;
  /** Differences that are reported; then it ends. */
  readonly most?: number;
  progress?(cases: number, differences: number): void;
}

/** Cases that are held in memory at a time. */
const AT_ONCE = 20_000;

interface Run {
  readonly test: FuzzCase;
  readonly ours: Outcome;
}

/** Runs a case here; gives why it is no comparison if it is none. */
function runHere(machine: NativeMachine, test: FuzzCase): Run | string {
  const ours = machine.run(test);
  return typeof ours === "string" ? ours : (excluded(test, ours) ?? { test, ours });
}

function judged(judge: Judge, runs: readonly Run[]): (Difference | undefined)[] {
  if (runs.length === 0) return [];
  return judge.run(runs.map(({ test }) => test)).map((theirs, index) => {
    const { test, ours } = runs[index]!;
    const what = unlessByChance(differences(test, theirs, ours), () => {
      const [again] = judge.run([test]);
      return differences(test, again!, ours);
    });
    return what.length === 0 ? undefined : { test, theirs, ours, what };
  });
}

/** Compares `count` cases that can be compared, made from `seed`; what differs comes reduced and as text. */
export function compareCases(options: ComparisonOptions): Figures {
  const { judge, count, seed, most = 10, progress } = options;
  const random = new Random(seed);
  const machine = new NativeMachine();
  const figures: Figures = { cases: 0, differences: 0, reports: [], skipped: {}, ends: {} };
  const judgement = (tests: readonly FuzzCase[]): (Difference | undefined)[] =>
    judged(
      judge,
      tests.map((test) => runHere(machine, test)).filter((run): run is Run => typeof run !== "string"),
    );
  for (let number = 0; figures.cases < count && figures.reports.length < most; ) {
    const runs: Run[] = [];
    const length = Math.min(AT_ONCE, count - figures.cases);
    while (runs.length < length) {
      const run = runHere(machine, fuzzCase(number++, random, judge.world));
      if (typeof run === "string") figures.skipped[run] = (figures.skipped[run] ?? 0) + 1;
      else runs.push(run);
    }
    for (const { ours } of runs) figures.ends[ours.vector] = (figures.ends[ours.vector] ?? 0) + 1;
    for (const difference of judged(judge, runs)) {
      if (difference === undefined) continue;
      figures.differences++;
      if (figures.reports.length < most)
        figures.reports.push(describeDifference(reduce(difference, judgement), judge.name, seed));
    }
    figures.cases += length;
    progress?.(figures.cases, figures.differences);
  }
  return figures;
}
