/**
 * The machine's own processor as the judge of 64-bit code: rows of the instruction table, one to four in a row, on sixteen
 * registers of 64 bits, with code and data below 4 GiB and far above, MMX and SSE among them.
 */
import { expect, it } from "vitest";
import { rows } from "../src/hardware/isa/table/index.js";
import { DATA, READ_ONLY } from "./support/native-layout.js";
import { compareWith64 } from "./support/native-test.js";
import { judged64, relativeTo, step64, test64 } from "./support/native64-directed.js";

const CASES = 8_000;

it(`${CASES} random cases of 64-bit instructions do what the host's processor does`, (context) => {
  const { ends, skipped } = compareWith64(context, CASES, 0x64);
  expect(ends[13]).toBeGreaterThan(CASES / 2);
  expect(Object.values(skipped).reduce((sum, count) => sum + count, 0)).toBeLessThan(CASES / 10);
});

it("what of an operand cannot be reached is found whatever an instruction needs of it", (context) => {
  const row = (name: string) => rows.find(({ mnemonic }) => mnemonic === name)!;
  const stack = (pointer: bigint): bigint[] => Array.from({ length: 16 }, (_, number) => (number === 4 ? pointer : 0n));
  // The slot's upper half lies behind the last page.
  const behind = BigInt(READ_ONLY + 0x1000);
  const [pop, exchange] = judged64(context, [
    test64([step64(row("POPF"), { size: 64 })], { registers: stack(behind - 6n) }),
    // Not aligned, and canonical in its first half.
    test64(
      [
        step64(row("CMPXCHG8B"), {
          size: 64,
          target: { ...relativeTo(0n), base: 4, relative: false, displacement: 4 },
        }),
      ],
      { registers: stack((1n << 47n) - 16n) },
    ),
    test64([step64(row("CMPXCHG8B"), { size: 64, target: relativeTo(BigInt(DATA + 8)) })]),
  ]);
  expect([pop!.vector, pop!.cr2]).toEqual([14, behind]);
  expect(exchange!.vector).toBe(13);
});
