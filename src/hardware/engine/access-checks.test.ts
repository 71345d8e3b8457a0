/** What an access is checked for before any page is looked at. */
import { describe, expect, it } from "vitest";
import { Fault, VECTOR } from "../cpu/processor.js";
import { ACCESS, flatProtectedMode } from "../cpu/state.js";
import { AccessChecks } from "./access-checks.js";

const DS = 3;
const FS = 4;
const SS = 2;
const { system } = flatProtectedMode;

function checksOf({ aligned = false } = {}): AccessChecks {
  const checks = new AccessChecks(new ArrayBuffer(4096));
  checks.alignmentChecked = aligned;
  return checks;
}

/** "ok", or vector and rule of what is thrown. */
function outcome(access: () => number): string {
  try {
    access();
    return "ok";
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    return `${thrown.vector} ${thrown.rule}`;
  }
}

/** What is aligned on a multiple of how much. Spec: SDM Vol. 3A, "Interrupt 17—Alignment Check Exception (#AC)". */
const alignments: readonly [size: number, alignment: number, what: string][] = [
  [1, 1, "a byte"],
  [2, 2, "a word"],
  [4, 4, "a doubleword, a float"],
  [8, 8, "a quadword, a double float"],
  [10, 8, "an extended float"],
  [16, 1, "an XMM register in memory"],
  [6, 2, "a frame of words"],
  [12, 4, "a frame of doublewords"],
  [14, 2, "an x87 environment of 16 bits"],
  [28, 4, "one of 32 bits"],
  [94, 2, "an x87 image of 16 bits"],
  [108, 4, "one of 32 bits"],
];

describe("with alignment checked", () => {
  it.each(alignments)("%i bytes may lie at multiples of %i: %s", (size, alignment) => {
    const checks = checksOf({ aligned: true });
    for (const offset of [1, 2, 4, 8, 12, 16]) {
      const expected = offset % alignment === 0 ? "ok" : `${VECTOR.AC} data-not-aligned`;
      expect(outcome(() => checks.segmentAddress(system, DS, offset, size, false))).toBe(expected);
      expect(outcome(() => checks.longAddress(system, DS, offset, size, false))).toBe(expected);
    }
  });

  it("the base of a segment counts", () => {
    const fs = { ...system.segments.fs, base: 2 };
    const based = { ...system, segments: { ...system.segments, fs } };
    const checks = checksOf({ aligned: true });
    expect(outcome(() => checks.longAddress(based, FS, 4, 4, false))).toBe(`${VECTOR.AC} data-not-aligned`);
    expect(checks.longAddress(based, FS, 6, 4, false)).toBe(8);
  });
});

describe("before alignment", () => {
  it("come the limit and the type of a segment", () => {
    const ds = { ...system.segments.ds, limit: 0xff };
    const limited = { ...system, segments: { ...system.segments, ds } };
    const checks = checksOf({ aligned: true });
    expect(outcome(() => checks.segmentAddress(limited, DS, 0xfd, 4, false))).toBe(`${VECTOR.GP} offset-beyond-limit`);
    const readOnly = { ...ds, access: ds.access & ~ACCESS.WRITABLE };
    const unwritable = { ...system, segments: { ...system.segments, ds: readOnly } };
    expect(outcome(() => checks.segmentAddress(unwritable, DS, 1, 4, true))).toBe(`${VECTOR.GP} segment-not-writable`);
  });

  it("comes whether all bytes have canonical addresses: a stack fault through SS", () => {
    const checks = checksOf({ aligned: true });
    const last = 2 ** 47 - 1;
    expect(outcome(() => checks.longAddress(system, DS, last, 4, false))).toBe(`${VECTOR.GP} address-not-canonical`);
    expect(outcome(() => checks.longAddress(system, SS, last, 4, false))).toBe(`${VECTOR.SS} address-not-canonical`);
    expect(checks.longAddress(system, SS, last, 1, false)).toBe(last);
  });
});

describe("an access that passes", () => {
  it("is seen by who watches, with its linear address", () => {
    const seen: [number, number, boolean][] = [];
    const checks = checksOf();
    checks.watch = (...access) => seen.push(access);
    checks.segmentAddress(system, DS, 0x1001, 4, true);
    checks.longAddress(system, DS, -0x1000, 8, false);
    expect(seen).toEqual([
      [0x1001, 4, true],
      [-0x1000, 8, false],
    ]);
  });
});
