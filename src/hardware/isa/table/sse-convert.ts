/**
 * Conversions of SSE between integers, single and double precision.
 * Spec: SDM Vol. 1, "SSE Conversion Instructions", "SSE2 Conversion Instructions", "SSE2 Packed Single Precision
 * Floating-Point Instructions".
 */
import {
  convert,
  DOUBLE,
  type Environment,
  type Format,
  fromInteger,
  ROUNDING,
  SINGLE,
  toInteger,
} from "../../cpu/softfloat/index.js";
import { computed, joined, operandBits, partsOf, setOperandBits, sse, sseWithMmx } from "../../cpu/sse.js";
import { type Expr, i32, type Replay } from "../code.js";
import {
  mayBeInexact,
  type NumberShape,
  requireOrdinary,
  requireResult,
  roundsPlainly,
  testsOf,
} from "../fast-float.js";
import { type Definition, define, type Row, type SystemInstruction } from "../instruction.js";
import { extract, integerOf, numberOf, pick, splat, vectorUnary } from "../vector.js";
import { bothForm, type VectorGroup, xmmForm } from "./vector-forms.js";

type Fast = (c: Replay) => void;
type Part = (bits: bigint, env: Environment) => bigint;

/** `count` parts of one width become as many of another; the rest of a register of 128 bits becomes zero. */
const convertParts =
  (count: number, from: 32 | 64, to: 32 | 64, part: Part): SystemInstruction =>
  (port, instruction) => {
    const source = partsOf(operandBits(port, instruction, 1), from, count);
    const results = computed(port, count, (index, env) => part(source[index]!, env));
    setOperandBits(port, instruction, 0, joined(results, to));
  };

const between =
  (from: Format, to: Format): Part =>
  (bits, env) =>
    convert(from, to, bits, env);
const signed =
  (to: Format): Part =>
  (bits, env) =>
    fromInteger(to, BigInt.asIntN(32, bits), env);
const truncating = (env: Environment): Environment => {
  env.rounding = ROUNDING.zero;
  return env;
};
const whole =
  (from: Format, truncates: boolean): Part =>
  (bits, env) =>
    BigInt.asUintN(32, toInteger(from, bits, 32, truncates ? truncating(env) : env));

// ---- one number and a general register --------------------------------------------------------------------------------

const fromGeneral = (format: Format): SystemInstruction =>
  sse((port, instruction) => {
    const width = instruction.size === 64 ? 64 : 32;
    const value = BigInt.asIntN(width, operandBits(port, instruction, 1));
    const [result] = computed(port, 1, (_part, env) => fromInteger(format, value, env));
    setOperandBits(port, instruction, 0, result!);
  });

const toGeneral = (format: Format, truncates: boolean): SystemInstruction =>
  sse((port, instruction) => {
    const width = instruction.size === 64 ? 64 : 32;
    const bits = operandBits(port, instruction, 1);
    const [result] = computed(port, 1, (_part, env) =>
      toInteger(format, bits, width, truncates ? truncating(env) : env),
    );
    setOperandBits(port, instruction, 0, result!);
  });

const fastFromGeneral =
  (bits: 32 | 64): Fast =>
  (c) => {
    // An integer of 32 bits is a number of double precision as it is.
    if (bits === 32 || c.size === 64) c.require(roundsPlainly(c));
    const value = c.read(1);
    const wide = value.type === "i64";
    const narrow = (): Expr =>
      vectorUnary(bits === 32 ? "f32x4.convert_i32x4_s" : "f64x2.convert_low_i32x4_s", splat("i32x4", value));
    c.setVector(0, wide ? numberOf(bits, value) : narrow());
    c.done();
  };

const truncation = { 32: "i32x4.trunc_sat_f32x4_s", 64: "i32x4.trunc_sat_f64x2_s_zero" } as const;
const nearest = { 32: "f32x4.nearest", 64: "f64x2.nearest" } as const;

const fastToGeneral =
  (bits: 32 | 64, truncates: boolean): Fast =>
  (c) => {
    c.require(truncates ? mayBeInexact(c) : roundsPlainly(c));
    const shape: NumberShape = { bits, packed: false };
    const source = c.vector(1);
    const [number] = requireOrdinary(c, shape, source);
    // What is rounded up to a power of two is out of range there.
    c.require(testsOf(shape).isBelow(number!, c.size === 64 ? 62 : 30));
    const rounded = truncates ? source : vectorUnary(nearest[bits], source);
    c.write(
      0,
      c.let(c.size === 64 ? integerOf(bits, rounded) : extract("i32x4", vectorUnary(truncation[bits], rounded), 0)),
    );
    c.done();
  };

// ---- vectors ----------------------------------------------------------------------------------------------------------

const fastWiden: Fast = (c) => {
  const source = c.vector(1);
  requireOrdinary(c, { bits: 32, packed: true }, source);
  c.setVector(0, vectorUnary("f64x2.promote_low_f32x4", source));
  c.done();
};

const fastNarrow =
  (packed: boolean): Fast =>
  (c) => {
    c.require(roundsPlainly(c));
    const source = c.vector(1);
    const [number] = requireOrdinary(c, { bits: 64, packed }, source);
    const result = c.let(vectorUnary("f32x4.demote_f64x2_zero", source));
    const zero = testsOf({ bits: 64, packed }).isZero(number!);
    const zeroLanes = packed ? pick(4, [0, 2, 4, 5], zero, splat("i32x4", i32(-1))) : zero;
    requireResult(c, { bits: 32, packed }, result, () => zeroLanes);
    c.setVector(0, result);
    c.done();
  };

const fastFromIntegers =
  (to: 32 | 64): Fast =>
  (c) => {
    if (to === 32) c.require(roundsPlainly(c));
    c.setVector(0, vectorUnary(to === 32 ? "f32x4.convert_i32x4_s" : "f64x2.convert_low_i32x4_s", c.vector(1)));
    c.done();
  };

const fastToIntegers =
  (bits: 32 | 64, truncates: boolean): Fast =>
  (c) => {
    c.require(truncates ? mayBeInexact(c) : roundsPlainly(c));
    const shape: NumberShape = { bits, packed: true };
    const source = c.vector(1);
    const [number] = requireOrdinary(c, shape, source);
    c.require(testsOf(shape).holds(testsOf(shape).isBelow(number!, 30)));
    c.setVector(0, vectorUnary(truncation[bits], truncates ? source : vectorUnary(nearest[bits], source)));
    c.done();
  };

interface Conversion {
  readonly name: string;
  readonly form: readonly [opcode: string, operands: string];
  readonly group: VectorGroup;
  readonly summary: string;
  readonly title: string;
  readonly system: SystemInstruction;
  readonly replay?: Fast;
}

const singleName = "Single Precision Floating-Point Value";
const doubleName = "Double Precision Floating-Point Value";
const rounded = (truncates: boolean): string => (truncates ? "; the fraction is cut off" : ", rounding");

/** To a general register, with rounding and without. */
const generalPair = (bits: 32 | 64, prefix: string, type: string, group: VectorGroup): readonly Conversion[] =>
  [true, false].map((truncates) => ({
    name: `CVT${truncates ? "T" : ""}${bits === 32 ? "SS" : "SD"}2SI`,
    form: [`${prefix} 0F ${truncates ? "2C" : "2D"} /r`, `Gy W${type}`],
    group,
    summary: `Makes an integer of a number${rounded(truncates)}.`,
    title: `Convert ${truncates ? "With Truncation " : ""}Scalar ${bits === 32 ? singleName : doubleName} to ${truncates ? "" : "Signed "}Integer`,
    system: toGeneral(bits === 32 ? SINGLE : DOUBLE, truncates),
    replay: fastToGeneral(bits, truncates),
  }));

/** Of XMM registers: what is packed becomes packed integers, with rounding and without. */
const packedPair = (bits: 32 | 64, forms: readonly [truncating: string, rounding: string]): readonly Conversion[] =>
  [true, false].map((truncates) => ({
    name: `CVT${truncates ? "T" : ""}${bits === 32 ? "PS" : "PD"}2DQ`,
    form: [`${forms[truncates ? 0 : 1]} /r`, "Vdq Wdq"],
    group: "SSE2",
    summary: `Makes doublewords of numbers${rounded(truncates)}.`,
    title: `Convert ${truncates ? "with Truncation " : ""}Packed ${bits === 32 ? singleName : doubleName}s to Packed ${truncates || bits === 32 ? "Signed " : ""}Doubleword Integers`,
    system: sse(convertParts(bits === 32 ? 4 : 2, bits, 32, whole(bits === 32 ? SINGLE : DOUBLE, truncates))),
    replay: fastToIntegers(bits, truncates),
  }));

/** To MMX registers. */
const mmxPair = (bits: 32 | 64, prefix: string, source: string, group: VectorGroup): readonly Conversion[] =>
  [true, false].map((truncates) => ({
    name: `CVT${truncates ? "T" : ""}${bits === 32 ? "PS" : "PD"}2PI`,
    form: [`${prefix} 0F ${truncates ? "2C" : "2D"} /r`, `Pq ${source}`],
    group,
    summary: `Makes two doublewords of two numbers${rounded(truncates)}.`,
    title: `Convert ${truncates ? "with Truncation " : ""}Packed ${bits === 32 ? "Single Precision" : "Double Precision"} Floating-Point Values to Packed Dword Integers`,
    system: sseWithMmx(convertParts(2, bits, 32, whole(bits === 32 ? SINGLE : DOUBLE, truncates))),
  }));

const conversions: readonly Conversion[] = [
  {
    name: "CVTSI2SS",
    form: ["F3 0F 2A /r", "Vd Ey"],
    group: "SSE",
    summary: "Makes a number of an integer.",
    title: `Convert Doubleword Integer to Scalar ${singleName}`,
    system: fromGeneral(SINGLE),
    replay: fastFromGeneral(32),
  },
  {
    name: "CVTSI2SD",
    form: ["F2 0F 2A /r", "Vq Ey"],
    group: "SSE2",
    summary: "Makes a number of an integer.",
    title: `Convert Doubleword Integer to Scalar ${doubleName}`,
    system: fromGeneral(DOUBLE),
    replay: fastFromGeneral(64),
  },
  ...generalPair(32, "F3", "d", "SSE"),
  ...generalPair(64, "F2", "q", "SSE2"),
  {
    name: "CVTSS2SD",
    form: ["F3 0F 5A /r", "Vq Wd"],
    group: "SSE2",
    summary: "Makes double precision of single.",
    title: `Convert Scalar ${singleName} to Scalar ${doubleName}`,
    system: sse(convertParts(1, 32, 64, between(SINGLE, DOUBLE))),
    replay: fastWiden,
  },
  {
    name: "CVTSD2SS",
    form: ["F2 0F 5A /r", "Vd Wq"],
    group: "SSE2",
    summary: "Makes single precision of double.",
    title: `Convert Scalar ${doubleName} to Scalar ${singleName}`,
    system: sse(convertParts(1, 64, 32, between(DOUBLE, SINGLE))),
    replay: fastNarrow(false),
  },
  {
    name: "CVTPS2PD",
    form: ["NP 0F 5A /r", "Vdq Wq"],
    group: "SSE2",
    summary: "Makes double precision of single.",
    title: `Convert Packed ${singleName}s to Packed ${doubleName}s`,
    system: sse(convertParts(2, 32, 64, between(SINGLE, DOUBLE))),
    replay: fastWiden,
  },
  {
    name: "CVTPD2PS",
    form: ["66 0F 5A /r", "Vdq Wdq"],
    group: "SSE2",
    summary: "Makes single precision of double; the upper half becomes zero.",
    title: `Convert Packed ${doubleName}s to Packed ${singleName}s`,
    system: sse(convertParts(2, 64, 32, between(DOUBLE, SINGLE))),
    replay: fastNarrow(true),
  },
  {
    name: "CVTDQ2PS",
    form: ["NP 0F 5B /r", "Vdq Wdq"],
    group: "SSE2",
    summary: "Makes numbers of doublewords.",
    title: `Convert Packed Doubleword Integers to Packed ${singleName}s`,
    system: sse(convertParts(4, 32, 32, signed(SINGLE))),
    replay: fastFromIntegers(32),
  },
  {
    name: "CVTDQ2PD",
    form: ["F3 0F E6 /r", "Vdq Wq"],
    group: "SSE2",
    summary: "Makes numbers of two doublewords.",
    title: `Convert Packed Doubleword Integers to Packed ${doubleName}s`,
    system: sse(convertParts(2, 32, 64, signed(DOUBLE))),
    replay: fastFromIntegers(64),
  },
  ...packedPair(32, ["F3 0F 5B", "66 0F 5B"]),
  ...packedPair(64, ["66 0F E6", "F2 0F E6"]),
  {
    name: "CVTPI2PS",
    form: ["NP 0F 2A /r", "Vq Qq"],
    group: "SSE",
    summary: "Makes numbers of two doublewords.",
    title: `Convert Packed Dword Integers to Packed ${singleName}s`,
    system: sseWithMmx(convertParts(2, 32, 32, signed(SINGLE))),
  },
  {
    name: "CVTPI2PD",
    form: ["66 0F 2A /r", "Vdq Qq"],
    group: "SSE2",
    summary: "Makes numbers of two doublewords.",
    title: `Convert Packed Dword Integers to Packed ${doubleName}s`,
    system: sseWithMmx(convertParts(2, 32, 64, signed(DOUBLE))),
  },
  ...mmxPair(32, "NP", "Wq", "SSE"),
  ...mmxPair(64, "66", "Wdq", "SSE2"),
];

const isMmx = ({ name }: Conversion): boolean => name.includes("PI");

const definitions: readonly Definition[] = conversions.map((one) => ({
  ...(isMmx(one) ? bothForm : xmmForm)(one.group),
  mnemonic: one.name,
  summary: one.summary,
  spec: `SDM Vol. 2A, ${one.name}—${one.title}`,
  forms: [one.form],
  system: one.system,
  ...(one.replay === undefined ? {} : { replay: one.replay }),
}));

export const sseConvertRows: readonly Row[] = definitions.flatMap(define);
