/** Makes a failing case smaller while it still fails, and prints it as assembly with the states around it. */
import { generalNames } from "../../src/hardware/cpu/state.js";
import { disassemble } from "../../src/hardware/isa/disassembler.js";
import { type FuzzCase, type Step, startEip } from "./native-cases.js";
import type { Difference } from "./native-comparison.js";
import { bytesOf, type Choice, type Target } from "./native-encode.js";
import {
  CODE_BYTES,
  CODE_PAGES,
  codePlaces,
  isReal,
  REAL,
  segmentOf,
  USER_CODE,
  USER_DATA,
  WINDOW,
} from "./native-layout.js";
import type { Outcome } from "./native-machine.js";

/** Whether cases still fail; each comes back as it does, or undefined. */
export type Judgement = (tests: readonly FuzzCase[]) => readonly (Difference | undefined)[];

const replaced = <T>(list: readonly T[], index: number, value: T): T[] =>
  list.map((old, at) => (at === index ? value : old));

/** Simpler values for a number: none for the simplest. */
const simplerNumbers = (value: number): number[] => (value === 0 ? [] : value === 1 ? [0] : [0, 1]);

function simplerTargets(target: Target, registers: readonly number[]): Target[] {
  if (typeof target === "number") return target === 0 ? [] : [0];
  if ("rm" in target) return target.absolute ? [] : [{ ...target, absolute: true, displacementBytes: 2 }];
  const { base, index, scale, displacement } = target;
  if (base < 0 && index < 0) return [];
  const of = (number: number): number => (number < 0 ? 0 : registers[number]!);
  const absolute = (of(base) + (of(index) << scale) + displacement) | 0;
  return [{ base: -1, index: -1, scale: 0, displacement: absolute, short: false }];
}

function simplerChoices(choice: Choice, registers: readonly number[]): Choice[] {
  const { prefixes, immediates, target, register } = choice;
  return [
    ...prefixes.map((_, index) => ({ ...choice, prefixes: prefixes.filter((_byte, at) => at !== index) })),
    ...immediates.flatMap((value, index) =>
      simplerNumbers(value).map((simple) => ({ ...choice, immediates: replaced(immediates, index, simple) })),
    ),
    ...simplerTargets(target, registers).map((simple) => ({ ...choice, target: simple })),
    ...(register === 0 ? [] : [{ ...choice, register: 0 }]),
  ];
}

function simplerSelectors(test: FuzzCase): FuzzCase[] {
  const { selectors, steps } = test;
  if (isReal(test)) return [];
  const plain = test.selectors.flatMap((selector, index) => {
    if (index === 1 || selector === USER_DATA) return [];
    return [{ ...test, selectors: replaced(selectors, index, USER_DATA) }];
  });
  if (selectors[1] === USER_CODE) return plain;
  const wide = steps.map((step): Step => ({ ...step, choice: { ...step.choice, codeBits: 32 } }));
  return [...plain, { ...test, selectors: replaced(selectors, 1, USER_CODE), steps: wide }];
}

/** Everything that is one step simpler than a case; the greatest simplifications first. */
function simpler(test: FuzzCase): FuzzCase[] {
  const { steps, registers, eflags, window, start } = test;
  const zeros = new Uint8Array(window.length);
  const words = Array.from({ length: window.length / 4 }, (_, word) => word * 4);
  const flags = Array.from({ length: 12 }, (_, bit) => 1 << bit).filter((bit) => (eflags & bit & ~0x202) !== 0);
  return [
    ...(steps.length === 1
      ? []
      : steps.map((_, index) => ({ ...test, steps: steps.filter((_step, at) => at !== index) }))),
    ...simplerSelectors(test),
    ...(start === codePlaces[0] ? [] : [{ ...test, start: codePlaces[0] }]),
    ...(window.some((byte) => byte !== 0) ? [{ ...test, window: zeros }] : []),
    ...steps.flatMap((step, index) =>
      simplerChoices(step.choice, registers).map((choice) => ({
        ...test,
        steps: replaced(steps, index, { ...step, choice }),
      })),
    ),
    ...registers.flatMap((value, index) =>
      simplerNumbers(value).map((simple) => ({ ...test, registers: replaced(registers, index, simple) })),
    ),
    ...flags.map((bit) => ({ ...test, eflags: eflags & ~bit })),
    ...words
      .filter((at) => window.subarray(at, at + 4).some((byte) => byte !== 0))
      .map((at) => {
        const cleared = window.slice();
        cleared.fill(0, at, at + 4);
        return { ...test, window: cleared };
      }),
  ];
}

/** A count in an immediate decides which flags are defined, so it follows the immediate. */
const withCounts = (test: FuzzCase): FuzzCase => ({
  ...test,
  steps: test.steps.map((step) => {
    const { row, immediates } = step.choice;
    const byImmediate = row.operands.some(({ method, type }) => method === "I" && type === "b");
    return step.count !== 0 && byImmediate ? { ...step, count: immediates[0]! } : step;
  }),
});

/** CL is a count, too: while a case has steps that shift by it, ECX stays as it is. */
const usesCount = ({ choice: { row } }: Step): boolean => row.operands.some(({ name }) => name === "CL");

/** The simplest case that can be had from a failing one, a step at a time, and that fails. */
export function reduce(difference: Difference, judge: Judgement): Difference {
  let current = difference;
  for (let round = 0; round < 200; round++) {
    const { registers } = current.test;
    const candidates = simpler(current.test)
      .filter(({ steps, registers: changed }) => changed[1] === registers[1] || !steps.some(usesCount))
      .map(withCounts)
      .filter(({ steps, start }) => {
        const length = steps.reduce((sum, { choice }) => sum + bytesOf(choice).length, 0);
        return length <= Math.min(CODE_BYTES, CODE_PAGES * 4096 - start);
      });
    const next = judge(candidates).find((result) => result !== undefined);
    if (next === undefined) return current;
    current = next;
  }
  return current;
}

const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");

function assembly(test: FuzzCase): string[] {
  let eip = startEip(test);
  return test.steps.map(({ choice }) => {
    const bytes = bytesOf(choice);
    // The disassembler reads 32-bit code; the same instruction has other size prefixes there.
    const [line] = disassemble(Uint8Array.from(bytesOf({ ...choice, codeBits: 32 })), { address: eip, count: 1 });
    const text = `  ${hex(eip)}  ${Buffer.from(bytes).toString("hex").padEnd(24)} ${line?.text ?? "(bad)"}`;
    eip += bytes.length;
    return text;
  });
}

const registersText = (registers: readonly number[]): string =>
  generalNames.map((name, index) => `${name}=${hex(registers[index]!)}`).join(" ");

const outcomeText = ({ vector, errorCode, eip, cr2, eflags, registers }: Outcome): string =>
  `vector ${vector} error ${hex(errorCode)} eip=${hex(eip)} cr2=${hex(cr2)} eflags=${hex(eflags)}\n          ${registersText(registers)}`;

function segmentsText({ selectors }: FuzzCase): string {
  const names = ["es", "cs", "ss", "ds", "fs", "gs"];
  const text = (selector: number): string =>
    selector >= REAL ? (selector - REAL).toString(16) : (segmentOf(selector)?.name ?? "null");
  return selectors.map((selector, index) => `${names[index]}=${text(selector)}`).join(", ");
}

/** A failing case for people: assembly, the state before, both states after, and how to get it again. */
export function describeDifference({ test, theirs, ours, what }: Difference, judge: string, seed: number): string {
  return [
    `${what.join("; ")}`,
    ...assembly(test),
    `  before: eflags=${hex(test.eflags)} ${segmentsText(test)}`,
    `          ${registersText(test.registers)}`,
    `          [${hex(WINDOW)}] ${Buffer.from(test.window).toString("hex")}`,
    `  ${judge}: ${outcomeText(theirs)}`,
    `  virtlab: ${outcomeText(ours)}`,
    `  seed ${seed}`,
  ].join("\n");
}
