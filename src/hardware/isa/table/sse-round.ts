/**
 * Rounding to integral values, dot products, and approximations of reciprocals.
 * Spec: SDM Vol. 1, "Floating-Point Rounding Instructions with Selectable Rounding Mode", "Floating-Point Dot Product
 * Instructions", "SSE Packed Arithmetic Instructions".
 */
import {
  add,
  type Environment,
  EXCEPTION,
  multiply,
  type Rounding,
  roundToIntegral,
} from "../../cpu/softfloat/index.js";
import { computed, joined, operandBits, partsOf, setOperandBits, sse } from "../../cpu/sse.js";
import { and, type Expr, eq, i32, isZero, or, type Replay, select } from "../code.js";
import { mayBeInexact, requireOrdinary } from "../fast-float.js";
import { type Definition, define, type Row, type SystemInstruction } from "../instruction.js";
import { vectorUnary } from "../vector.js";
import { packedDouble, packedSingle, scalarDouble, scalarSingle, type Variant } from "./sse-arithmetic.js";
import { xmmForm } from "./vector-forms.js";

// ---- to integral values -----------------------------------------------------------------------------------------------

/** Bits of the immediate: rounding control, whether MXCSR's counts instead, and whether being inexact is not told. */
const CONTROL = 3;
const BY_MXCSR = 4;
const SILENT = 8;

function roundedBy(env: Environment, control: number): Environment {
  if ((control & BY_MXCSR) === 0) env.rounding = (control & CONTROL) as Rounding;
  return env;
}

const roundParts = ({ format, bits, count }: Variant): SystemInstruction =>
  sse((port, instruction) => {
    const source = partsOf(operandBits(port, instruction, 1), bits, count);
    const control = Number(operandBits(port, instruction, 2));
    const results = computed(port, count, (part, env) => {
      const result = roundToIntegral(format, source[part]!, roundedBy(env, control));
      if ((control & SILENT) !== 0) env.flags &= ~EXCEPTION.PRECISION;
      return result;
    });
    setOperandBits(port, instruction, 0, joined(results, bits));
  });

const ROUNDING_CONTROL = 0x6000;
const fastRound =
  (shape: Variant): ((c: Replay) => void) =>
  (c) => {
    const control = c.let(c.read(2));
    c.require(or(and(control, i32(SILENT)), mayBeInexact(c)));
    c.require(or(isZero(and(control, i32(BY_MXCSR))), isZero(and(c.mxcsr(), i32(ROUNDING_CONTROL)))));
    const source = c.vector(1);
    requireOrdinary(c, shape, source);
    const lanes = shape.bits === 32 ? "f32x4" : "f64x2";
    // MXCSR says "to the nearest", which is 0 here too.
    const mode = c.let(select(and(control, i32(BY_MXCSR)), i32(0), and(control, i32(CONTROL))));
    const by = (number: number, op: "nearest" | "floor" | "ceil", otherwise: Expr): Expr =>
      select(eq(mode, i32(number)), vectorUnary(`${lanes}.${op}`, source), otherwise);
    const result = by(0, "nearest", by(1, "floor", by(2, "ceil", vectorUnary(`${lanes}.trunc`, source))));
    c.setVector(0, result);
    c.done();
  };

const rounding = (shape: Variant, opcode: string): Definition => ({
  ...xmmForm("SSE4.1"),
  mnemonic: `ROUND${shape.letters}`,
  summary: "Rounds to integral values, in the way that the immediate says.",
  spec: `SDM Vol. 2B, ROUND${shape.letters}—Round ${shape.title}`,
  forms: [[`66 0F 3A ${opcode} /r`, `${shape.operands} Ib`]],
  system: roundParts(shape),
  replay: fastRound(shape),
});

// ---- dot products -----------------------------------------------------------------------------------------------------

/**
 * Products of the parts that the upper four bits of the immediate choose, added up in pairs; the lower four bits say
 * where the sum goes. What each stage meets is told, one stage after the other.
 */
const dotProduct = ({ format, bits, count }: Variant): SystemInstruction =>
  sse((port, instruction) => {
    const source = partsOf(operandBits(port, instruction, 1), bits, count);
    const target = partsOf(operandBits(port, instruction, 0), bits, count);
    const control = Number(operandBits(port, instruction, 2));
    let parts = computed(port, count, (part, env) =>
      (control & (16 << part)) === 0 ? 0n : multiply(format, target[part]!, source[part]!, env),
    );
    while (parts.length > 1) {
      const pairs = parts;
      parts = computed(port, pairs.length / 2, (pair, env) => add(format, pairs[2 * pair]!, pairs[2 * pair + 1]!, env));
    }
    const results = target.map((_part, index) => ((control & (1 << index)) === 0 ? 0n : parts[0]!));
    setOperandBits(port, instruction, 0, joined(results, bits));
  });

const dotting = (shape: Variant, opcode: string): Definition => ({
  ...xmmForm("SSE4.1"),
  mnemonic: `DP${shape.letters}`,
  summary: "Multiplies chosen parts, adds the products up, and puts the sum where the immediate says.",
  spec: `SDM Vol. 2A, DP${shape.letters}—Dot Product of ${shape.title}`,
  forms: [[`66 0F 3A ${opcode} /r`, `${shape.operands} Ib`]],
  system: dotProduct(shape),
});

// ---- approximations ---------------------------------------------------------------------------------------------------

const SIGN = 0x80000000;
const INFINITY = 0x7f800000;
const QUIET = 0x00400000;
const INDEFINITE = 0xffc00000;
const SMALLEST_NORMAL = 0x00800000;
/** Bits of the significand that are kept: the result is the exact one cut to 1 + 12 bits, which is within 2^-12. */
const KEPT = 0xfffff800;

const float = new Float32Array(1);
const pattern = new Uint32Array(float.buffer);
const cut = (value: number): number => {
  float[0] = value;
  return pattern[0]! & KEPT;
};

/**
 * Approximations of the reciprocal and of the reciprocal square root. The manual allows a relative error of 1.5 * 2^-12
 * and processors differ within that; these are exact to 12 bits behind the leading one and cut off there. Denormal operands count as
 * zeros, tiny results are zeros, and no exception is met. Spec: SDM Vol. 2B, RCPPS, RSQRTPS.
 */
const approximations = {
  RCP: (value: number): number => 1 / value,
  RSQRT: (value: number): number => 1 / Math.sqrt(value),
} as const;

function approximate(name: keyof typeof approximations, bits: number): number {
  const sign = bits & SIGN;
  const magnitude = bits & ~SIGN;
  if (magnitude > INFINITY) return bits | QUIET;
  if (magnitude < SMALLEST_NORMAL) return sign | INFINITY;
  if (name === "RSQRT" && sign !== 0) return INDEFINITE;
  if (magnitude === INFINITY) return sign;
  pattern[0] = magnitude;
  const result = cut(approximations[name](float[0]!));
  return sign | (result < SMALLEST_NORMAL ? 0 : result);
}

const approximating = (name: keyof typeof approximations, shape: Variant): Definition => ({
  ...xmmForm("SSE"),
  mnemonic: name + shape.letters,
  summary: `Approximates ${name === "RCP" ? "reciprocals" : "reciprocals of square roots"} to 12 bits.`,
  spec: `SDM Vol. 2B, ${name}${shape.letters}—Compute Reciprocal${name === "RCP" ? "" : "s of Square Roots"} of ${shape.title}`,
  forms: [[`${shape.prefix} 0F ${name === "RCP" ? "53" : "52"} /r`, shape.operands]],
  system: sse((port, instruction) => {
    const source = partsOf(operandBits(port, instruction, 1), 32, shape.count);
    const results = source.map((part) => BigInt(approximate(name, Number(part)) >>> 0));
    setOperandBits(port, instruction, 0, joined(results, 32));
  }),
});

const definitions: readonly Definition[] = [
  rounding(packedSingle, "08"),
  rounding(packedDouble, "09"),
  rounding(scalarSingle, "0A"),
  rounding(scalarDouble, "0B"),
  dotting(packedSingle, "40"),
  dotting(packedDouble, "41"),
  ...[packedSingle, scalarSingle].flatMap((shape) => [approximating("RCP", shape), approximating("RSQRT", shape)]),
];

export const sseRoundRows: readonly Row[] = definitions.flatMap(define);
