/**
 * WebAssembly's 128-bit vectors as expressions: what `wasm.ts` is for integers.
 *
 * Names are those of the specification ("i16x8.add_sat_s"), opcodes those behind the prefix FD. A float operator is used
 * where its result does not depend on the engine: see `isa/table/fast-float.ts`.
 * Spec: WebAssembly Core Specification 2.0, "Vector Instructions" (binary format).
 */
import { type Bytes, type Expr, unsignedLeb, type ValueType } from "./wasm.js";

const PREFIX = 0xfd;

/** Operators on one vector that give a vector. */
const unaryOps = {
  "v128.not": 77,
  "f32x4.demote_f64x2_zero": 94,
  "f64x2.promote_low_f32x4": 95,
  "i8x16.abs": 96,
  "i16x8.extadd_pairwise_i8x16_s": 124,
  "i16x8.extadd_pairwise_i8x16_u": 125,
  "i32x4.extadd_pairwise_i16x8_s": 126,
  "i32x4.extadd_pairwise_i16x8_u": 127,
  "i16x8.abs": 128,
  "i16x8.extend_low_i8x16_s": 135,
  "i16x8.extend_high_i8x16_s": 136,
  "i16x8.extend_low_i8x16_u": 137,
  "i16x8.extend_high_i8x16_u": 138,
  "i32x4.abs": 160,
  "i32x4.extend_low_i16x8_s": 167,
  "i32x4.extend_high_i16x8_s": 168,
  "i32x4.extend_low_i16x8_u": 169,
  "i32x4.extend_high_i16x8_u": 170,
  "i64x2.extend_low_i32x4_s": 199,
  "i64x2.extend_low_i32x4_u": 201,
  "f32x4.sqrt": 227,
  "f64x2.sqrt": 239,
  "i32x4.trunc_sat_f32x4_s": 248,
  "f32x4.convert_i32x4_s": 250,
  "i32x4.trunc_sat_f64x2_s_zero": 252,
  "f64x2.convert_low_i32x4_s": 254,
  "f32x4.ceil": 103,
  "f32x4.floor": 104,
  "f32x4.trunc": 105,
  "f32x4.nearest": 106,
  "f64x2.ceil": 116,
  "f64x2.floor": 117,
  "f64x2.trunc": 122,
  "f64x2.nearest": 148,
} as const;

/** Operators on two vectors. */
const binaryOps = {
  "i8x16.swizzle": 14,
  "i8x16.eq": 35,
  "i8x16.gt_s": 39,
  "i16x8.eq": 45,
  "i16x8.lt_s": 47,
  "i16x8.gt_s": 49,
  "i32x4.eq": 55,
  "i32x4.lt_s": 57,
  "i32x4.lt_u": 58,
  "i32x4.gt_s": 59,
  "i32x4.gt_u": 60,
  "i32x4.le_u": 62,
  "f32x4.eq": 65,
  "f32x4.ne": 66,
  "f32x4.lt": 67,
  "f32x4.le": 69,
  "f64x2.eq": 71,
  "f64x2.ne": 72,
  "f64x2.lt": 73,
  "f64x2.le": 75,
  "v128.and": 78,
  "v128.andnot": 79,
  "v128.or": 80,
  "v128.xor": 81,
  "i8x16.narrow_i16x8_s": 101,
  "i8x16.narrow_i16x8_u": 102,
  "i8x16.add": 110,
  "i8x16.add_sat_s": 111,
  "i8x16.add_sat_u": 112,
  "i8x16.sub": 113,
  "i8x16.sub_sat_s": 114,
  "i8x16.sub_sat_u": 115,
  "i8x16.min_s": 118,
  "i8x16.min_u": 119,
  "i8x16.max_s": 120,
  "i8x16.max_u": 121,
  "i8x16.avgr_u": 123,
  "i16x8.q15mulr_sat_s": 130,
  "i16x8.narrow_i32x4_s": 133,
  "i16x8.narrow_i32x4_u": 134,
  "i16x8.add": 142,
  "i16x8.add_sat_s": 143,
  "i16x8.add_sat_u": 144,
  "i16x8.sub": 145,
  "i16x8.sub_sat_s": 146,
  "i16x8.sub_sat_u": 147,
  "i16x8.mul": 149,
  "i16x8.min_s": 150,
  "i16x8.min_u": 151,
  "i16x8.max_s": 152,
  "i16x8.max_u": 153,
  "i16x8.avgr_u": 155,
  "i32x4.add": 174,
  "i32x4.sub": 177,
  "i32x4.mul": 181,
  "i32x4.min_s": 182,
  "i32x4.min_u": 183,
  "i32x4.max_s": 184,
  "i32x4.max_u": 185,
  "i32x4.dot_i16x8_s": 186,
  "i32x4.extmul_low_i16x8_s": 188,
  "i32x4.extmul_high_i16x8_s": 189,
  "i32x4.extmul_low_i16x8_u": 190,
  "i32x4.extmul_high_i16x8_u": 191,
  "i64x2.add": 206,
  "i64x2.sub": 209,
  "i64x2.eq": 214,
  "i64x2.lt_s": 216,
  "i64x2.gt_s": 217,
  "i64x2.extmul_low_i32x4_s": 220,
  "i64x2.extmul_low_i32x4_u": 222,
  "f32x4.add": 228,
  "f32x4.sub": 229,
  "f32x4.mul": 230,
  "f32x4.div": 231,
  "f64x2.add": 240,
  "f64x2.sub": 241,
  "f64x2.mul": 242,
  "f64x2.div": 243,
} as const;

/** A vector shifted by an i32, which counts modulo the width of a lane. */
const shiftOps = {
  "i16x8.shl": 139,
  "i16x8.shr_s": 140,
  "i16x8.shr_u": 141,
  "i8x16.shr_s": 108,
  "i32x4.shl": 171,
  "i32x4.shr_s": 172,
  "i32x4.shr_u": 173,
  "i64x2.shl": 203,
  "i64x2.shr_s": 204,
  "i64x2.shr_u": 205,
} as const;

/** A vector to an i32. */
const testOps = {
  "v128.any_true": 83,
  "i8x16.all_true": 99,
  "i8x16.bitmask": 100,
  "i16x8.all_true": 131,
  "i32x4.all_true": 163,
  "i32x4.bitmask": 164,
  "i64x2.all_true": 195,
  "i64x2.bitmask": 196,
} as const;

/** All lanes alike: [opcode, type of a lane]. */
const splatOps = { i8x16: [15, "i32"], i16x8: [16, "i32"], i32x4: [17, "i32"], i64x2: [18, "i64"] } as const;
/** One lane of a vector: [opcode, type]. */
const extractOps = {
  i8x16: [22, "i32"],
  i16x8: [25, "i32"],
  i32x4: [27, "i32"],
  i64x2: [29, "i64"],
} as const;
const replaceOps = { i32x4: [28, "i32"], i64x2: [30, "i64"] } as const;

export type VectorUnaryOp = keyof typeof unaryOps;
export type VectorBinaryOp = keyof typeof binaryOps;
export type VectorShiftOp = keyof typeof shiftOps;
export type VectorTestOp = keyof typeof testOps;
export type Lanes = keyof typeof splatOps;

const instruction = (opcode: number): number[] => [PREFIX, ...unsignedLeb(opcode)];

function expectType(expr: Expr, type: ValueType, where: string): void {
  if (expr.type !== type) throw new TypeError(`${where}: expected ${type}, got ${expr.type}`);
}

/** A constant, from its 16 bytes, the lowest first. */
export function v128(bytes: readonly number[]): Expr {
  if (bytes.length !== 16) throw new TypeError(`v128.const: ${bytes.length} bytes`);
  return { type: "v128", code: [...instruction(12), ...bytes] };
}

/** A constant of four words, the lowest first. */
export const v128Words = (...words: readonly number[]): Expr =>
  v128(words.flatMap((word) => [0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff)));

export const zeros: Expr = v128(Array.from({ length: 16 }, () => 0));
export const ones: Expr = v128(Array.from({ length: 16 }, () => 0xff));

export function vectorUnary(op: VectorUnaryOp, a: Expr): Expr {
  expectType(a, "v128", op);
  return { type: "v128", code: [a.code, ...instruction(unaryOps[op])] };
}

export function vectorBinary(op: VectorBinaryOp, a: Expr, b: Expr): Expr {
  expectType(a, "v128", op);
  expectType(b, "v128", op);
  return { type: "v128", code: [a.code, b.code, ...instruction(binaryOps[op])] };
}

export function vectorShift(op: VectorShiftOp, a: Expr, count: Expr): Expr {
  expectType(a, "v128", op);
  expectType(count, "i32", op);
  return { type: "v128", code: [a.code, count.code, ...instruction(shiftOps[op])] };
}

export function vectorTest(op: VectorTestOp, a: Expr): Expr {
  expectType(a, "v128", op);
  return { type: "i32", code: [a.code, ...instruction(testOps[op])] };
}

/** Bits of `a` where `mask` has ones, of `b` elsewhere. */
export function bitselect(mask: Expr, a: Expr, b: Expr): Expr {
  for (const operand of [mask, a, b]) expectType(operand, "v128", "v128.bitselect");
  return { type: "v128", code: [a.code, b.code, mask.code, ...instruction(82)] };
}

/** Bytes of two vectors by number: 0 to 15 are those of `a`, 16 to 31 those of `b`. */
export function shuffle(a: Expr, b: Expr, lanes: readonly number[]): Expr {
  expectType(a, "v128", "i8x16.shuffle");
  expectType(b, "v128", "i8x16.shuffle");
  if (lanes.length !== 16 || lanes.some((lane) => lane < 0 || lane > 31)) throw new TypeError("i8x16.shuffle: lanes");
  return { type: "v128", code: [a.code, b.code, ...instruction(13), ...lanes] };
}

export function splat(lanes: Lanes, value: Expr): Expr {
  const [opcode, type] = splatOps[lanes];
  expectType(value, type, `${lanes}.splat`);
  return { type: "v128", code: [value.code, ...instruction(opcode)] };
}

/** A lane, zero-extended. */
export function extract(lanes: Lanes, a: Expr, lane: number): Expr {
  const [opcode, type] = extractOps[lanes];
  expectType(a, "v128", `${lanes}.extract_lane`);
  return { type, code: [a.code, ...instruction(opcode), lane] };
}

export function replace(lanes: keyof typeof replaceOps, a: Expr, lane: number, value: Expr): Expr {
  const [opcode, type] = replaceOps[lanes];
  expectType(a, "v128", `${lanes}.replace_lane`);
  expectType(value, type, `${lanes}.replace_lane`);
  return { type: "v128", code: [a.code, value.code, ...instruction(opcode), lane] };
}

/** Conversions between 64-bit integers and numbers in the lowest lane go through a scalar: that is put away here. */
const fromInteger = { 32: [0xb4, PREFIX, 19], 64: [0xb9, PREFIX, 20] } as const;
const toInteger = { 32: [PREFIX, 31, 0, 0xfc, 4], 64: [PREFIX, 33, 0, 0xfc, 6] } as const;

/** A signed i64 as a number in all lanes, rounded to the nearest. */
export function numberOf(bits: 32 | 64, value: Expr): Expr {
  expectType(value, "i64", "convert_i64_s");
  return { type: "v128", code: [...value.code, ...fromInteger[bits]] };
}

/** The number in the lowest lane as a signed i64, without its fraction. */
export function integerOf(bits: 32 | 64, value: Expr): Expr {
  expectType(value, "v128", "i64.trunc_sat");
  return { type: "i64", code: [...value.code, ...toInteger[bits]] };
}

/** Loads of 16 bytes, or of fewer into the lowest lane with zeros above it. */
const loadOps = { 128: 0, 64: 93, 32: 92 } as const;
/** Stores of all, or of the lowest lane: [opcode, whether a lane is named]. */
const storeOps = { 128: [11, false], 64: [91, true], 32: [90, true], 16: [89, true] } as const;
export type VectorWidth = keyof typeof loadOps;
export type VectorStoreWidth = keyof typeof storeOps;

export function vectorLoad(width: VectorWidth, address: Expr, offset = 0): Expr {
  expectType(address, "i32", "v128.load");
  return { type: "v128", code: [address.code, ...instruction(loadOps[width]), 0, ...unsignedLeb(offset)] };
}

/** The bytes of a store, for `FunctionBody.emit`. */
export function vectorStore(width: VectorStoreWidth, address: Expr, value: Expr, offset = 0): Bytes {
  expectType(address, "i32", "v128.store");
  expectType(value, "v128", "v128.store");
  const [opcode, lane] = storeOps[width];
  return [address.code, value.code, ...instruction(opcode), 0, ...unsignedLeb(offset), ...(lane ? [0] : [])];
}
