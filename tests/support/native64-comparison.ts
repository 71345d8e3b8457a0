/** The host's processor as a judge of 64-bit code: builds native64-runner.c, gives it cases, and says what differs. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { disassemble } from "../../src/hardware/isa/disassembler.js";
import type { Figures } from "./native-comparison.js";
import { ARITHMETIC_FLAGS, DIRECTION_FLAG, flagEffect, undefinedBehind } from "./native-flags.js";
import { bytesOfParts, comparedMemory, floatDifferences, tellsFlags } from "./native-floating.js";
import { IMAGE_BYTES, maskedChanges } from "./native-floats.js";
import { background, CODE_BYTES, DATA, FILLER, WINDOW_BYTES } from "./native-layout.js";
import { bytesOfCase, type Case64, case64, startRip, stepAt64, XMM_COUNT } from "./native64-cases.js";
import { NativeMachine64, type Outcome64 } from "./native64-machine.js";
import { findPeer } from "./peers.js";
import { Random } from "./random.js";
import { packageRoot } from "./virtlab.js";
import { unlessByChance } from "./x87-comparison.js";

const options = [
  ...["-O1", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector", "-mgeneral-regs-only"],
  "-Wl,-Ttext-segment=0x10000000",
];
const HEAD = 19 * 8;
const CASE_BYTES = HEAD + CODE_BYTES + WINDOW_BYTES + IMAGE_BYTES;
const PAGE_FAULT = 14;
const FETCH = 0x10;

export interface Judge64 {
  run(cases: readonly Case64[]): Outcome64[];
  close(): void;
}

function encodeInput(cases: readonly Case64[]): Uint8Array {
  const input = new Uint8Array(background.length + cases.length * CASE_BYTES);
  const view = new DataView(input.buffer);
  input.set(background);
  cases.forEach((test, index) => {
    const at = background.length + index * CASE_BYTES;
    [...test.registers, startRip(test), BigInt(test.rflags), BigInt(test.start)].forEach((value, number) => {
      view.setBigUint64(at + 8 * number, value, true);
    });
    const code = new Uint8Array(CODE_BYTES).fill(FILLER);
    code.set(bytesOfCase(test));
    input.set(code, at + HEAD);
    input.set(test.window, at + HEAD + CODE_BYTES);
    input.set(test.floats, at + HEAD + CODE_BYTES + WINDOW_BYTES);
  });
  return input;
}

function decodeOutput(bytes: Buffer, cases: readonly Case64[]): Outcome64[] | undefined {
  const words = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  let at = 1;
  const take = (): number => words[at++] ?? 0;
  const takeWide = (): bigint => BigInt(take()) | (BigInt(take()) << 32n);
  const takeChanges = (): number[] => {
    const count = 2 * take();
    at += count;
    return [...words.subarray(at - count, at)];
  };
  const outcomes: Outcome64[] = [];
  while (at < words.length && outcomes.length < cases.length) {
    const vector = take();
    const error = take();
    const rip = takeWide();
    const cr2 = takeWide();
    const rflags = take();
    const registers = Array.from({ length: 16 }, takeWide);
    const changes = takeChanges();
    const floats = maskedChanges(cases[outcomes.length]!.floats, takeChanges(), XMM_COUNT);
    const isPageFault = vector === PAGE_FAULT;
    outcomes.push({
      ...{ vector, errorCode: isPageFault ? error & ~FETCH : error, rip, cr2: isPageFault ? cr2 : 0n },
      ...{ rflags, registers, changes, floats },
    });
  }
  return outcomes.length === cases.length && at === words.length ? outcomes : undefined;
}

/** The judge, or what is missing for it. */
export function openHost64(): Judge64 | string {
  const gcc = findPeer("gcc");
  if (gcc === undefined) return "gcc is not installed";
  const directory = mkdtempSync(join(tmpdir(), "virtlab-native64-"));
  const close = (): void => rmSync(directory, { recursive: true, force: true });
  const program = join(directory, "runner");
  const source = join(packageRoot, "tests", "support", "native64-runner.c");
  const built = spawnSync(gcc, [...options, "-o", program, source]);
  const run = (cases: readonly Case64[]): Outcome64[] | undefined => {
    const { stdout, status } = spawnSync(program, { input: encodeInput(cases), maxBuffer: 2 ** 30 });
    return status === 0 ? decodeOutput(stdout, cases) : undefined;
  };
  if (built.status !== 0 || run([]) === undefined) {
    close();
    return `gcc makes no program that runs here (${String(built.stderr).trim()})`;
  }
  return {
    close,
    run: (cases) => {
      const outcomes = run(cases);
      if (outcomes === undefined) throw new Error("the native program ended too early");
      return outcomes;
    },
  };
}

// ---- comparing ----------------------------------------------------------------------------------------------------------

const names = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  ...[8, 9, 10, 11, 12, 13, 14, 15].map((n) => `r${n}`),
];
const hex = (value: number | bigint): string => BigInt.asUintN(64, BigInt(value)).toString(16);

/** Flags whose value the manual leaves open where a case ended. */
function undefinedFlags(test: Case64, rip: bigint): number {
  const end = stepAt64(test, rip);
  const behind = rip === startRip(test) + BigInt(bytesOfCase(test).length);
  if (end < 0 && !behind) return test.steps.reduce((flags, step) => flags | flagEffect(step).leavesUndefined, 0);
  const executed = behind ? test.steps : test.steps.slice(0, end);
  const flags = executed.reduce((before, step) => undefinedBehind(before, flagEffect(step)), 0);
  return test.steps[end]?.choice.row.repeat === "repe" ? ARITHMETIC_FLAGS : flags;
}

/** Of several operands or bytes that all fault, which is reported; what of memory is written by then. */
const freeOrder = ["CMPS", "CALL", "ENTER", "MASKMOVQ", "MASKMOVDQU"];
const accessFaults = [12, 13, 14];

export function differences64(test: Case64, theirs: Outcome64, ours: Outcome64): string[] {
  const found: string[] = [];
  const compare = (name: string, their: number | bigint, our: number | bigint): void => {
    if (BigInt(their) !== BigInt(our)) found.push(`${name} ${hex(their)} is ${hex(our)} here`);
  };
  const row = test.steps[stepAt64(test, theirs.rip)]?.choice.row;
  const step = row?.mnemonic ?? "";
  const isFree = row !== undefined && (freeOrder.includes(step) || bytesOfParts(row) > 0);
  const free = isFree && accessFaults.includes(theirs.vector) && accessFaults.includes(ours.vector);
  compare("rip", theirs.rip, ours.rip);
  if (!free) {
    compare("vector", theirs.vector, ours.vector);
    compare("error code", theirs.errorCode, ours.errorCode);
    compare("cr2", theirs.cr2, ours.cr2);
  }
  names.forEach((name, number) => {
    compare(name, theirs.registers[number]!, ours.registers[number]!);
  });
  const rows = test.steps.map(({ choice: { row } }) => row);
  const told = tellsFlags(test.floats, theirs.floats, rows) ? ARITHMETIC_FLAGS : 0;
  const mask = (told | DIRECTION_FLAG) & ~undefinedFlags(test, theirs.rip);
  compare("flags", theirs.rflags & mask, ours.rflags & mask);
  const pairs = (changes: readonly number[], nameOf: (word: number) => string): string =>
    changes.flatMap((word, at) => (at % 2 ? [] : [`${nameOf(word)}=${hex(changes[at + 1]!)}`])).join(" ");
  // Some processors have loaded a part of it by then.
  if (!(free && step === "FRSTOR")) found.push(...floatDifferences(test.floats, theirs.floats, ours.floats, rows));
  const memory = (word: number): string => `[${hex(DATA + 4 * word)}]`;
  const [their, our] = comparedMemory(theirs.changes, ours.changes);
  if (!(free && step === "ENTER") && their.join() !== our.join())
    found.push(`memory ${pairs(their, memory)} is ${pairs(our, memory)} here`);
  return found;
}

/** Why a case is not compared; undefined if it is. */
function excluded({ vector, cr2, rip, rflags }: Outcome64): string | undefined {
  const isJudges = (cr2 >= 0x0ffff000n && cr2 < 0x10400000n) || cr2 >= 0x7e0000000000n;
  if (vector === PAGE_FAULT && isJudges) return "reaches the judge's own memory, or the kernel's";
  if (vector === PAGE_FAULT && cr2 === rip) return "leaves its code";
  if ((rflags & (1 << 18)) !== 0) return "has alignment checked, which no machine here does";
  return undefined;
}

const AT_ONCE = 20_000;

function describe(test: Case64, what: readonly string[], theirs: Outcome64): string {
  const bytes = Uint8Array.from(bytesOfCase(test));
  const rip = startRip(test);
  const code = disassemble(bytes, { bits: 64, address: Number(rip) }).map(
    ({ bytes: part, text }) => `  ${Buffer.from(part).toString("hex").padEnd(24)} ${text}`,
  );
  const registers = names.map((name, number) => `${name}=${hex(test.registers[number]!)}`);
  return [
    what.join("; "),
    `  at ${hex(rip)}, ended at ${hex(theirs.rip)} with vector ${theirs.vector}`,
    ...code,
    `  flags=${hex(test.rflags)} ${registers.join(" ")}`,
  ].join("\n");
}

/** Fewer steps, as long as the case still fails. */
function reduced(test: Case64, fails: (test: Case64) => boolean): Case64 {
  let current = test;
  for (let index = 0; index < current.steps.length; ) {
    const fewer = { ...current, steps: current.steps.filter((_step, at) => at !== index) };
    // What leads somewhere in the code must stay where it is.
    if (fewer.steps.length > 0 && fails(fewer)) current = fewer;
    else index++;
  }
  return current;
}

export interface Options64 {
  readonly judge: Judge64;
  readonly count: number;
  readonly seed: number;
  readonly most?: number;
  progress?(cases: number, differences: number): void;
}

/** Compares `count` cases of 64-bit code made from `seed`. */
export function compareCases64({ judge, count, seed, most = 10, progress }: Options64): Figures {
  const random = new Random(seed);
  const machine = new NativeMachine64();
  const figures: Figures = { cases: 0, differences: 0, reports: [], skipped: {}, ends: {} };
  const runHere = (test: Case64): Outcome64 | string => {
    const ours = machine.run(test);
    return typeof ours === "string" ? ours : (excluded(ours) ?? ours);
  };
  const problemsOf = (test: Case64): { what: string[]; theirs: Outcome64 } | undefined => {
    const ours = runHere(test);
    if (typeof ours === "string") return undefined;
    const [theirs] = judge.run([test]);
    return { what: differences64(test, theirs!, ours), theirs: theirs! };
  };
  for (let number = 0; figures.cases < count && figures.reports.length < most; ) {
    const runs: { test: Case64; ours: Outcome64 }[] = [];
    const length = Math.min(AT_ONCE, count - figures.cases);
    while (runs.length < length) {
      const test = case64(number++, random);
      const ours = runHere(test);
      if (typeof ours === "string") figures.skipped[ours] = (figures.skipped[ours] ?? 0) + 1;
      else runs.push({ test, ours });
    }
    const outcomes = judge.run(runs.map(({ test }) => test));
    runs.forEach(({ test, ours }, index) => {
      const theirs = outcomes[index]!;
      figures.ends[theirs.vector] = (figures.ends[theirs.vector] ?? 0) + 1;
      const found = unlessByChance(differences64(test, theirs, ours), () => problemsOf(test)?.what ?? []);
      if (found.length === 0) return;
      figures.differences++;
      if (figures.reports.length >= most) return;
      const small = reduced(test, (fewer) => (problemsOf(fewer)?.what.length ?? 0) > 0);
      const problems = problemsOf(small);
      figures.reports.push(describe(small, problems?.what ?? [], problems?.theirs ?? theirs));
    });
    figures.cases += length;
    progress?.(figures.cases, figures.differences);
  }
  return figures;
}
