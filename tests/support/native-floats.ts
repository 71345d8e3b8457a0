/**
 * x87, MMX and SSE registers of cases, as the image that FXSAVE stores: what every judge loads and gives back.
 * Spec: SDM Vol. 1, "FXSAVE Area".
 */
import { type FloatingState, resetFloating } from "../../src/hardware/cpu/floating.js";
import type { Random } from "./random.js";
import { extended } from "./x87-cases.js";

export const IMAGE_BYTES = 512;
/** What is compared of it, in words: control, status and tag words, MXCSR, eight x87 registers, and as many XMM registers. */
const wordsWith = (xmmCount: number): number => 40 + 4 * xmmCount;
const MXCSR_AT = 24;
export const X87_AT = 32;
export const XMM_AT = 160;
const REGISTERS = 8;

/** Bits of words that are reserved, or addresses of instructions, which processors keep in different ways. */
function maskOf(word: number): number {
  if (word === 1) return 0x07ff00ff;
  if (word === 7) return 0;
  const inX87 = word >= X87_AT / 4 && word < XMM_AT / 4;
  return !inX87 || word % 4 < 2 ? -1 : word % 4 === 2 ? 0xffff : 0;
}
const masks = Array.from({ length: wordsWith(16) }, (_, word) => maskOf(word));

/** The number in 10 or 16 bytes. */
const littleEndian = (image: DataView, at: number, bytes: 10 | 16): bigint =>
  ((bytes === 10 ? BigInt(image.getUint16(at + 8, true)) : image.getBigUint64(at + 8, true)) << 64n) |
  image.getBigUint64(at, true);

function setBytes(image: DataView, at: number, bytes: 4 | 8 | 10 | 16, value: bigint): void {
  if (bytes === 4) image.setUint32(at, Number(BigInt.asUintN(32, value)), true);
  else image.setBigUint64(at, value, true);
  if (bytes === 10) image.setUint16(at + 8, Number(value >> 64n), true);
  if (bytes === 16) image.setBigUint64(at + 8, value >> 64n, true);
}

const viewOf = (image: Uint8Array): DataView => new DataView(image.buffer, image.byteOffset, image.length);

/** The registers of an image; 64-bit code has 16 XMM registers. */
export function floatingOf(bytes: Uint8Array, xmmCount = REGISTERS): FloatingState {
  const image = viewOf(bytes);
  const status = image.getUint16(2, true);
  const abridged = image.getUint8(4);
  const top = (status >> 11) & 7;
  const numbers = Array.from({ length: REGISTERS }, (_, number) => number);
  return {
    ...resetFloating,
    control: image.getUint16(0, true),
    status,
    tags: numbers.reduce((tags, number) => tags | ((abridged >> number) & 1 ? 0 : 3 << (2 * number)), 0),
    registers: numbers.map((number) => littleEndian(image, X87_AT + 16 * ((number - top) & 7), 10)),
    xmm: resetFloating.xmm.map((zero, number) =>
      number < xmmCount ? littleEndian(image, XMM_AT + 16 * number, 16) : zero,
    ),
    mxcsr: image.getUint32(MXCSR_AT, true),
  };
}

/** The image of registers. */
export function imageOf(state: FloatingState, xmmCount = REGISTERS): Uint8Array {
  const bytes = new Uint8Array(IMAGE_BYTES);
  const image = viewOf(bytes);
  const top = (state.status >> 11) & 7;
  image.setUint16(0, state.control, true);
  image.setUint16(2, state.status, true);
  image.setUint16(6, state.opcode, true);
  image.setBigInt64(8, BigInt(state.instructionPointer), true);
  image.setBigInt64(16, BigInt(state.dataPointer), true);
  image.setUint32(MXCSR_AT, state.mxcsr, true);
  for (let number = 0; number < REGISTERS; number++) {
    if (((state.tags >> (2 * number)) & 3) !== 3) bytes[4]! |= 1 << number;
    setBytes(image, X87_AT + 16 * ((number - top) & 7), 10, state.registers[number]!);
  }
  for (let number = 0; number < xmmCount; number++) setBytes(image, XMM_AT + 16 * number, 16, state.xmm[number]!);
  return bytes;
}

export const blankFloats: Uint8Array = imageOf({ ...resetFloating, control: 0x37f, tags: 0xffff });

/** Words that differ from those before: number and value in turn. */
export function floatChanges(before: Uint8Array, after: Uint8Array, xmmCount = REGISTERS): number[] {
  const [old, now] = [viewOf(before), viewOf(after)];
  const changes: number[] = [];
  for (let word = 0; word < wordsWith(xmmCount); word++) {
    const value = now.getUint32(4 * word, true) & masks[word]!;
    if ((old.getUint32(4 * word, true) & masks[word]!) !== value) changes.push(word, value >>> 0);
  }
  return changes;
}

/** The words that are compared, with such changes done. */
export function floatImage(given: Uint8Array, changes: readonly number[]): DataView {
  const after = viewOf(given.slice(0, 4 * masks.length));
  for (let at = 0; at < changes.length; at += 2) after.setUint32(4 * changes[at]!, changes[at + 1]!, true);
  return after;
}

/** The same from changes a judge found in whole words. */
export function maskedChanges(before: Uint8Array, changes: readonly number[], xmmCount = REGISTERS): number[] {
  const after = before.slice();
  for (let at = 0; at < changes.length; at += 2) viewOf(after).setUint32(4 * changes[at]!, changes[at + 1]!, true);
  return floatChanges(before, after, xmmCount);
}

/** Words as what they are part of: "xmm3[2]", "st0[1]". */
export function floatName(word: number): string {
  if (word >= XMM_AT / 4) return `xmm${(word - XMM_AT / 4) >> 2}[${word % 4}]`;
  if (word >= X87_AT / 4) return `st${(word - X87_AT / 4) >> 2}[${word % 4}]`;
  return ["fsw:fcw", "fop:ftw", "fip", "fip[1]", "fdp", "fdp[1]", "mxcsr"][word]!;
}

// ---- random ones ------------------------------------------------------------------------------------------------------

/** Exponent fields and fractions at which arithmetic changes its ways. */
const fractions = [0n, 1n, -1n, 2n, -2n];

/** A number of an IEEE format, often a special one: sign, exponent field and fraction of these widths. */
function floatBits(random: Random, exponentBits: number, fractionBits: number): bigint {
  const most = (1n << BigInt(exponentBits)) - 1n;
  const bias = most >> 1n;
  const around = BigInt(random.below(9) - 4);
  const exponent = random.pick([
    0n,
    0n,
    1n,
    most,
    most - 1n,
    bias,
    bias + around,
    bias + around,
    bias + 2n * around + 20n,
  ]);
  const wide = (BigInt(random.word()) << 32n) | BigInt(random.word());
  const half = 1n << BigInt(fractionBits - 1);
  const fraction = random.pick([
    wide,
    wide,
    random.pick(fractions),
    half,
    half + BigInt(random.below(3) - 1),
    wide & 0xffn,
  ]);
  const sign = BigInt(random.below(2));
  return (
    (sign << BigInt(exponentBits + fractionBits)) |
    (exponent << BigInt(fractionBits)) |
    BigInt.asUintN(fractionBits, fraction)
  );
}

/** Bytes that are often numbers: singles, doubles, integers. */
export function floatBytes(random: Random, length: number): Uint8Array {
  const bytes = random.bytes(length);
  const view = viewOf(bytes);
  const kind = random.below(4);
  for (let at = 0; at + 8 <= length; at += 8) {
    if (kind === 0) setBytes(view, at, 8, floatBits(random, 11, 52));
    else if (kind === 1) {
      setBytes(view, at, 4, floatBits(random, 8, 23));
      setBytes(view, at + 4, 4, floatBits(random, 8, 23));
    } else if (kind === 2) view.setUint32(at, random.interesting(), true);
  }
  return bytes;
}

/** A number of 80 bits; now and then one that only this format has. */
function extendedBits(random: Random): bigint {
  if (random.once(2)) return extended(random);
  const bits = floatBits(random, 15, 63);
  const exponent = (bits >> 63n) & 0x7fffn;
  const integer = random.once(8) ? BigInt(random.below(2)) : exponent === 0n ? 0n : 1n;
  return ((bits >> 63n) << 64n) | (integer << 63n) | (bits & ((1n << 63n) - 1n));
}

/** Registers to begin with: MXCSR and control word in any rounding mode, exceptions mostly masked. */
export function randomFloats(random: Random, xmmCount = REGISTERS): Uint8Array {
  const masks = random.once(6) ? random.below(64) : 0x3f;
  const modes = random.once(4) ? random.pick([0x40, 0x8000, 0x8040]) : 0;
  const flags = random.pick([0, 0x20, 0x20, random.below(64)]);
  const masks87 = random.once(6) ? random.below(64) : 0x3f;
  const control = 0x40 | masks87 | (random.pick([0, 2, 3, 3, 3]) << 8) | ((random.once(2) ? 0 : random.below(4)) << 10);
  const flags87 = random.once(2) ? 0 : random.below(128) & (random.once(8) ? 127 : masks87 | 0x40);
  const pending = (flags87 & ~masks87 & 0x3f) !== 0 ? 0x8080 : 0;
  const conditions = random.word() & 0x4700;
  const top = random.below(8);
  const status = flags87 | pending | conditions | (top << 11);
  const numbers = Array.from({ length: REGISTERS }, (_, number) => number);
  // Any, none, or those below the stack's depth.
  const emptyTags = random.pick([random.below(256), 0, random.below(2) ? (0xf0f0 >> (8 - top)) & 0xff : 0]);
  const xmm = floatBytes(random, 16 * xmmCount);
  return imageOf(
    {
      ...resetFloating,
      control,
      status,
      tags: numbers.reduce((tags, number) => tags | ((emptyTags >> number) & 1 ? 3 << (2 * number) : 0), 0),
      registers: numbers.map(() => extendedBits(random)),
      xmm: resetFloating.xmm.map((zero, number) =>
        number < xmmCount ? littleEndian(viewOf(xmm), 16 * number, 16) : zero,
      ),
      mxcsr: (masks << 7) | modes | flags | ((random.once(2) ? 0 : random.below(4)) << 13),
    },
    xmmCount,
  );
}
