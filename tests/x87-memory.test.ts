/**
 * x87 operands in memory that random cases meet now and then, each of them here, in 64-bit code before the host's processor:
 * images of FXSAVE with pointers of 32 and 64 bits, addresses relative to RIP, and stores that meet two exceptions at once.
 */

import { describe, expect, it } from "vitest";
import { resetFloating } from "../src/hardware/cpu/floating.js";
import type { Row } from "../src/hardware/isa/instruction.js";
import { rows } from "../src/hardware/isa/table/index.js";
import { imageOf, randomFloats } from "./support/native-floats.js";
import { DATA, READ_ONLY, WINDOW, WINDOW_BYTES } from "./support/native-layout.js";
import { HIGH, XMM_COUNT } from "./support/native64-cases.js";
import { judged64, relativeTo, step64, test64 } from "./support/native64-directed.js";
import { sizesIn64 } from "./support/native64-encode.js";
import { Random } from "./support/random.js";

const named = (...mnemonics: readonly string[]): readonly Row[] =>
  rows.filter(
    ({ mnemonic, operands }) => mnemonics.includes(mnemonic) && operands.some(({ method }) => method === "M"),
  );
const WAIT = rows.find(({ mnemonic }) => mnemonic === "WAIT")!;

const base = (high: boolean): bigint => (high ? HIGH : 0n);

describe("x87 operands relative to RIP", () => {
  it("are where the host's processor finds them, near and above 4 GiB", (context) => {
    const random = new Random(87);
    const loads = ["FLD", "FILD", "FBLD", "FADD", "FIMUL", "FCOM", "FLDCW", "FLDENV", "FRSTOR"];
    const stores = ["FST", "FSTP", "FIST", "FISTP", "FISTTP", "FBSTP", "FNSTCW", "FNSTSW", "FNSTENV", "FNSAVE"];
    const tests = named(...loads, ...stores).flatMap((row) =>
      [false, true].map((high) =>
        test64([step64(row, { target: relativeTo(base(high) + BigInt(WINDOW + 16)) })], {
          floats: randomFloats(random, XMM_COUNT),
          high,
        }),
      ),
    );
    expect(judged64(context, tests)).toHaveLength(tests.length);
  });
});

describe("FXSAVE and FXRSTOR in 64-bit code", () => {
  it("have sixteen XMM registers, and with REX.W pointers of 64 bits", (context) => {
    const random = new Random(512);
    const tests = named("FXSAVE", "FXRSTOR").flatMap((row) =>
      sizesIn64(row).flatMap((size) =>
        Array.from({ length: 40 }, (_, number) => {
          const high = number % 2 === 1;
          const window = random.bytes(WINDOW_BYTES);
          // A control word with masked exceptions or not, and an MXCSR without reserved bits.
          new DataView(window.buffer).setUint32(16 + 24, random.word() & 0xffff, true);
          const target = relativeTo(base(high) + BigInt(WINDOW + 16));
          return test64([step64(row, { size, target })], { floats: randomFloats(random, XMM_COUNT), high, window });
        }),
      ),
    );
    expect(new Set(tests.map(({ steps }) => steps[0]!.choice.size))).toEqual(new Set([32, 64]));
    judged64(context, tests);
  });
});

describe("an x87 store that is kept from storing by an exception", () => {
  const stores = named("FST", "FSTP", "FIST", "FISTP", "FISTTP", "FBSTP");
  /** Too large for every format but that of the registers, as the stack's top; nothing is masked. */
  const LARGE = 0x7ffe8000000000000000n;
  const full = {
    ...resetFloating,
    control: 0x340,
    status: 0,
    tags: 0,
    registers: Array.from({ length: 8 }, () => LARGE),
  };
  const keeps = (row: Row): boolean => row.opcode !== "DB /7";

  it("is a page fault first where memory may not be written, and the stack stays", (context) => {
    const tests = stores.flatMap((row) =>
      [full, { ...full, tags: 0xffff }].map((state) =>
        test64([step64(row, { target: relativeTo(BigInt(READ_ONLY + 8)) })], { floats: imageOf(state, XMM_COUNT) }),
      ),
    );
    for (const { vector, cr2, floats } of judged64(context, tests)) {
      expect([vector, cr2]).toEqual([14, BigInt(READ_ONLY + 8)]);
      expect(floats).toEqual([]);
    }
  });

  it("changes neither memory nor the stack, and the next instruction that waits is #MF", (context) => {
    const tests = stores.filter(keeps).flatMap((row) =>
      [full, { ...full, tags: 0xffff }].map((state) =>
        test64([step64(row, { target: relativeTo(BigInt(DATA + 8)) }), step64(WAIT)], {
          floats: imageOf(state, XMM_COUNT),
        }),
      ),
    );
    for (const [index, { vector, changes, floats }] of judged64(context, tests).entries()) {
      expect(vector).toBe(16);
      expect(changes).toEqual([]);
      // Status and pointers; no register, and of the opcode's word no tag.
      const words = floats.filter((_, at) => at % 2 === 0);
      expect(words.every((word) => word < 6)).toBe(true);
      if (words.includes(1)) expect(floats[2 * words.indexOf(1) + 1]! & 0xff).toBe(tests[index]!.floats[4]);
    }
  });
});
