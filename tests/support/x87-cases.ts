/** Single x87 instructions with operands at which floating point changes its ways, for a judge and for the machine. */
import { includes } from "../../src/hardware/cpu/model.js";
import { encodingHead, type Row } from "../../src/hardware/isa/instruction.js";
import { rows } from "../../src/hardware/isa/table/index.js";
import type { Random } from "./random.js";

export interface X87Case {
  readonly row: Row;
  readonly code: readonly number[];
  readonly control: number;
  readonly status: number;
  /** Two bits a register; 3 is empty. */
  readonly tags: number;
  /** ST(0) to ST(7). */
  readonly stack: readonly bigint[];
  readonly operand: bigint;
  readonly eflags: number;
}

/** Where code and operand lie: ECX has the operand's address. */
export const CODE = 0x00800000;
export const DATA = 0x00810000;
const RET = 0xc3;
/** ModRM of [ECX], without its reg field. */
const AT_ECX = 0x01;

/** The environment as a whole is compared by every case, which begins and ends with it. */
const WHOLE = ["WAIT", "FLDENV", "FNSTENV", "FRSTOR", "FNSAVE"];

export const comparedX87Rows: readonly Row[] = rows.filter(
  ({ group, map, mnemonic, needs }) =>
    group === "x87" && map === 0 && !WHOLE.includes(mnemonic) && includes("max", needs),
);

function codeOf(row: Row, random: Random): number[] {
  const head = [...encodingHead(row).flat(), row.byte];
  if (row.modrm === "none") return head;
  if (typeof row.modrm === "object") return [...head, row.modrm[0] + random.below(row.modrm[1] - row.modrm[0] + 1)];
  return [...head, AT_ECX | ((row.modrm as number) << 3)];
}

export const bits = (random: Random, count: number): bigint => {
  let value = 0n;
  for (let at = 0; at < count; at += 32) value = (value << 32n) | BigInt(random.word());
  return BigInt.asUintN(count, value);
};

/** Significands at which rounding changes its ways. */
function significand(random: Random, width: number): bigint {
  const ones = (1n << BigInt(width)) - 1n;
  const low = BigInt(random.below(width + 1));
  switch (random.below(7)) {
    case 0:
      return 0n;
    case 1:
      return ones;
    case 2:
      return 1n << BigInt(random.below(width));
    case 3:
      return (ones >> low) << low;
    case 4:
      return ((bits(random, width) >> low) << low) ^ BigInt(random.below(4));
    case 5:
      return ((1n << low) - 1n) & ones;
    default:
      return bits(random, width);
  }
}

/** A biased exponent: near one, near the ends, or anywhere. */
function exponent(random: Random, most: number): number {
  const bias = (most - 1) / 2;
  switch (random.below(8)) {
    case 0:
      return random.pick([0, 0, 1, 2, most - 2, most - 1, most, most]);
    case 1:
      return random.below(most + 1);
    case 2:
      return Math.min(most, random.below(70));
    case 3:
      return Math.max(0, most - random.below(70));
    case 4:
      return Math.min(most, Math.max(0, bias + random.below(2 * 130) - 130));
    default:
      return Math.min(most, Math.max(0, bias + random.below(20) - 10));
  }
}

/** A number of 80 bits. */
export function extended(random: Random): bigint {
  const sign = BigInt(random.below(2)) << 79n;
  // Near the ends of the exponents of the narrower formats, which stores meet.
  const near = random.pick([16383 + 127, 16383 - 126, 16383 - 149, 16383 + 1023, 16383 - 1022, 16383 - 1074]);
  const biased = random.once(4) ? near + random.below(8) - 4 : exponent(random, 0x7fff);
  const fraction = significand(random, 63);
  const integer = random.once(30) ? biased === 0 : biased !== 0;
  return sign | (BigInt(biased) << 64n) | (integer ? 1n << 63n : 0n) | fraction;
}

const pack = (random: Random, exponentBits: number, fractionBits: number): bigint =>
  (BigInt(random.below(2)) << BigInt(exponentBits + fractionBits)) |
  (BigInt(exponent(random, 2 ** exponentBits - 1)) << BigInt(fractionBits)) |
  significand(random, fractionBits);

function decimal(random: Random): bigint {
  let value = BigInt(random.below(2)) << 79n;
  for (let digit = 0; digit < 18; digit++) value |= BigInt(random.below(10)) << BigInt(4 * digit);
  return random.once(4) ? value & ~((1n << 40n) - 1n) : value;
}

/** What a row finds in memory. */
export function operandOf({ operands, mnemonic }: Row, random: Random): bigint {
  const type = operands.find(({ method }) => method === "M")?.type;
  if (mnemonic === "FBLD") return decimal(random);
  if (mnemonic === "FLDCW") return bits(random, 16);
  if (mnemonic.startsWith("FI")) return significand(random, 64) ^ (BigInt(random.below(2) ? -1 : 0) & (2n ** 64n - 1n));
  if (type === "d") return pack(random, 8, 23);
  if (type === "q") return pack(random, 11, 52);
  return extended(random);
}

/** A number near another, so that a difference cancels. */
const near = (value: bigint, random: Random): bigint =>
  value ^ (BigInt(random.below(2)) << 79n) ^ BigInt(random.below(16));

/** A case for a row. `masks` are of exceptions, or chosen at random. */
export function x87Case(row: Row, random: Random): X87Case {
  const masks = random.once(4) ? random.below(64) : 63;
  const control = masks | (random.below(4) << 8) | (random.below(4) << 10) | 0x40;
  const first = extended(random);
  const stack = Array.from({ length: 8 }, (_, index) =>
    index === 0 ? first : random.once(8) ? near(first, random) : extended(random),
  );
  const top = random.below(8);
  const emptiness = random.below(6);
  let tags = 0;
  for (let index = 0; index < 8; index++) {
    const pushes = index === 7 && emptiness !== 0;
    const empty = pushes || (emptiness === 1 && random.once(3));
    if (empty) tags |= 3 << (2 * ((top + index) & 7));
  }
  const flags = random.below(64) & masks;
  return {
    row,
    code: codeOf(row, random),
    control: random.once(3) ? control | 0x300 : control,
    status: (top << 11) | flags | (random.below(8) << 8) | (random.below(2) << 14),
    tags,
    stack,
    operand: operandOf(row, random) | (bits(random, 48) << 80n),
    eflags: random.word() & 0x8d5,
  };
}

/** Bytes of a case as FSAVE would have stored it. */
export function imageOf(test: X87Case): Uint8Array {
  const image = new Uint8Array(108);
  const view = new DataView(image.buffer);
  view.setUint32(0, 0xffff0000 | test.control, true);
  view.setUint32(4, 0xffff0000 | test.status, true);
  view.setUint32(8, 0xffff0000 | test.tags, true);
  test.stack.forEach((value, index) => {
    view.setBigUint64(28 + 10 * index, BigInt.asUintN(64, value), true);
    view.setUint16(36 + 10 * index, Number(value >> 64n), true);
  });
  return image;
}

export const codeBytes = ({ code }: X87Case): Uint8Array =>
  Uint8Array.from([...code, RET, ...Array(15).fill(RET)]).slice(0, 16);

/** The operand's 16 bytes. */
export function operandBytes({ operand }: X87Case): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt.asUintN(64, operand), true);
  view.setBigUint64(8, operand >> 64n, true);
  return bytes;
}
