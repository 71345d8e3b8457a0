/**
 * Compares virtlab with the machine's own processor: builds native-runner.c, gives it cases of native-cases.ts, and runs
 * the same in machines.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, type TestContext } from "vitest";
import { Machine } from "../../src/hardware/machine.js";
import {
  ARITHMETIC_FLAGS,
  CODE,
  CODE_BYTES,
  type NativeCase,
  nativeCase,
  nativeForms,
  WINDOW,
  WINDOW_BYTES,
} from "./native-cases.js";
import { missing, peer } from "./peers.js";
import { Random } from "./random.js";
import { packageRoot } from "./virtlab.js";

const names = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
const DIRECTION_FLAG = 0x400;
/** Cases that are held in memory at a time. */
const AT_ONCE = 50_000;
const INPUT_BYTES = CODE_BYTES + 36 + WINDOW_BYTES;
const OUTPUT_BYTES = 4 + 36 + WINDOW_BYTES;

/** Linux's signals for the exceptions that user code raises here. */
const signals: Readonly<Record<number, number>> = { 0: 8, 4: 11, 5: 11, 6: 4, 12: 7, 13: 11, 14: 11 };

interface Outcome {
  /** 0, or the signal that the exception is to a program. */
  readonly signal: number;
  readonly registers: readonly number[];
  readonly eflags: number;
  readonly window: Uint8Array;
}

function runNatively(program: string, cases: readonly NativeCase[]): Outcome[] | undefined {
  const input = new Uint8Array(4 + cases.length * INPUT_BYTES);
  const view = new DataView(input.buffer);
  view.setUint32(0, cases.length, true);
  cases.forEach(({ code, registers, eflags, window }, index) => {
    const at = 4 + index * INPUT_BYTES;
    input.set(code, at);
    [...registers, eflags].forEach((value, number) => {
      view.setUint32(at + CODE_BYTES + 4 * number, value, true);
    });
    input.set(window, at + CODE_BYTES + 36);
  });
  const { stdout, status } = spawnSync(program, { input, maxBuffer: 2 ** 28 });
  if (status !== 0 || stdout.length !== cases.length * OUTPUT_BYTES) return undefined;
  const output = new DataView(stdout.buffer, stdout.byteOffset);
  return cases.map((_, index) => {
    const at = index * OUTPUT_BYTES;
    return {
      signal: output.getUint32(at, true),
      registers: names.map((_name, number) => output.getUint32(at + 4 + 4 * number, true)),
      eflags: output.getUint32(at + 36, true),
      window: new Uint8Array(stdout.subarray(at + 40, at + OUTPUT_BYTES)),
    };
  });
}

const HLT = 0xf4;
const blank = Machine.create({ memory: "16M" }).write(CODE + CODE_BYTES, Uint8Array.of(HLT));

function prepare({ code, registers, eflags, window }: NativeCase): Machine {
  return blank
    .write(CODE, code)
    .write(WINDOW, window)
    .edit((draft) => {
      names.forEach((name, number) => {
        draft.registers[name] = registers[number]!;
      });
      draft.registers.eip = CODE;
      draft.registers.eflags = eflags;
    });
}

function runInMachine(test: NativeCase): Outcome {
  const end = prepare(test).run({ maxInstructions: 200, observe: ["exception"] });
  const [fault] = end.events;
  // INTO calls its handler as a software interrupt does, which is no exception to observe.
  const trapped = fault === undefined && test.form.row.mnemonic === "INTO" && end.stop?.reason === "triple-fault";
  if (end.stop?.reason !== "halted" && fault === undefined && !trapped)
    throw new Error(`ended with ${JSON.stringify(end.stop)}`);
  return {
    signal: trapped ? signals[4]! : fault?.kind === "exception" ? (signals[fault.vector] ?? -1) : 0,
    registers: names.map((name) => end.registers[name]),
    eflags: end.registers.eflags,
    window: end.memory.read(WINDOW, WINDOW_BYTES),
  };
}

const hex = (value: number): string => (value >>> 0).toString(16);
const digits = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** What differs, in words; undefined if nothing that the manual defines does. */
function difference(test: NativeCase, native: Outcome, ours: Outcome): string | undefined {
  const differences: string[] = [];
  if (native.signal !== ours.signal) differences.push(`signal ${native.signal} is ${ours.signal} here`);
  else if (native.signal === 0) {
    names.forEach((name, number) => {
      const [theirs, own] = [native.registers[number]!, ours.registers[number]!];
      if (theirs !== own) differences.push(`${name} ${hex(theirs)} is ${hex(own)} here`);
    });
    const mask = (ARITHMETIC_FLAGS | DIRECTION_FLAG) & ~test.undefinedFlags;
    const flags = (native.eflags ^ ours.eflags) & mask;
    if (flags !== 0) differences.push(`flags ${hex(native.eflags & mask)} are ${hex(ours.eflags & mask)} here`);
    if (digits(native.window) !== digits(ours.window)) {
      differences.push(`memory ${digits(native.window)} is ${digits(ours.window)} here`);
    }
  }
  if (differences.length === 0) return undefined;
  const { row, size } = test.form;
  const inputs = names.map((name, number) => `${name}=${hex(test.registers[number]!)}`).join(" ");
  const code = digits(test.code.subarray(0, 16));
  return `${row.mnemonic} ${row.opcode} (${size} bits), code ${code}, ${inputs} eflags=${hex(test.eflags)}: ${differences.join("; ")}`;
}

/** Runs `count` cases on both and expects registers, memory and all defined flags to be the same. */
export function compareWithHost(context: TestContext, count: number, seed: number): void {
  const options = ["-m32", "-O1", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector"];
  const gcc = peer(context, "gcc", [...options, "-x", "c", "-o", "/dev/null", "-"]);
  const directory = mkdtempSync(join(tmpdir(), "virtlab-native-"));
  try {
    const program = join(directory, "runner");
    const source = join(packageRoot, "tests", "support", "native-runner.c");
    const built = spawnSync(gcc, [...options, "-o", program, source]);
    expect(built.status, String(built.stderr)).toBe(0);
    if (runNatively(program, []) === undefined) missing(context, "the system does not run 32-bit programs");
    const random = new Random(seed);
    const forms = nativeForms();
    for (let from = 0; from < count; from += AT_ONCE) {
      const length = Math.min(AT_ONCE, count - from);
      const cases = Array.from({ length }, (_, index) => nativeCase(forms[(from + index) % forms.length]!, random));
      const native = runNatively(program, cases);
      if (native === undefined) throw new Error("the native program ended too early");
      const differences = cases.flatMap((test, index) => difference(test, native[index]!, runInMachine(test)) ?? []);
      expect(differences.slice(0, 20), `${differences.length} of ${length} differ`).toEqual([]);
      // The comparison is of instructions that ran, not of faults.
      expect(native.filter(({ signal }) => signal !== 0).length).toBeLessThan(length / 8);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
