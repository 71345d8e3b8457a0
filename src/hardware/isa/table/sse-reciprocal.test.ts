// RCPPS, RSQRTPS and kin are approximations, and each processor has its own: the manual bounds the relative error.
import { describe, expect, it } from "vitest";
import { Machine } from "../../machine.js";
import { assemble } from "../assembler/assembler.js";

const CODE = 0x10000;
const SOURCE = 0x3000;
/** SDM Vol. 2B, RCPPS, RSQRTPS: |relative error| <= 1.5 * 2^-12. */
const LARGEST_ERROR = 1.5 * 2 ** -12;

/** What is in XMM0 after `instruction xmm0, [SOURCE]`, as single-precision numbers. */
function results(instruction: string, numbers: readonly number[]): readonly number[] {
  const text = `mov eax, cr4\n or eax, 0x600\n mov cr4, eax\n ${instruction} xmm0, [${SOURCE}]\n movups [0x3100], xmm0\n hlt`;
  const machine = Machine.create({ memory: "1M", model: "max" })
    .write(CODE, assemble(text, { bits: 32, address: CODE }).bytes)
    .write(SOURCE, new Uint8Array(Float32Array.from(numbers).buffer))
    .edit((draft) => {
      draft.registers.eip = CODE;
    })
    .run({ maxInstructions: 10 });
  return [...new Float32Array(machine.memory.read(0x3100, 16).buffer)];
}

const numbers = [2, 3, 0.1, 12345.678];
const errorOf = (actual: number, exact: number): number => Math.abs(actual / exact - 1);

describe("approximations of SSE", () => {
  it.each([
    ["rcpps", (x: number) => 1 / x],
    ["rsqrtps", (x: number) => 1 / Math.sqrt(x)],
  ] as const)("%s are within the manual's bound in each of four numbers", (instruction, exact) => {
    const errors = results(instruction, numbers).map((actual, index) =>
      errorOf(actual, exact(Math.fround(numbers[index]!))),
    );
    expect(Math.max(...errors)).toBeLessThanOrEqual(LARGEST_ERROR);
  });

  it.each([
    ["rcpss", 1 / 3],
    ["rsqrtss", 1 / Math.sqrt(3)],
  ] as const)("%s change the lowest number alone", (instruction, exact) => {
    const [first, ...others] = results(instruction, [3, 5, 7, 9]);
    expect(errorOf(first!, exact)).toBeLessThanOrEqual(LARGEST_ERROR);
    expect(others).toEqual([0, 0, 0]);
  });

  it("keep infinities and zeros: the reciprocal of one is the other", () => {
    expect(results("rcpps", [Infinity, 0, -0, -Infinity])).toEqual([0, Infinity, -Infinity, -0]);
  });
});
