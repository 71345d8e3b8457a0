/**
 * Arithmetic of SSE: on one number or on all of a vector, of single or double precision.
 * Spec: SDM Vol. 1, "SSE Packed Arithmetic Instructions", "SSE2 Packed Arithmetic Instructions", "SSE3 SIMD Floating-Point
 * Packed ADD/SUB Instructions", "SSE3 SIMD Floating-Point Horizontal ADD/SUB Instructions".
 */
import {
  add,
  DOUBLE,
  divide,
  type Environment,
  type Format,
  maximum,
  minimum,
  multiply,
  SINGLE,
  squareRoot,
  subtract,
} from "../../cpu/softfloat/index.js";
import { computed, joined, operandBits, partsOf, setOperandBits, sse } from "../../cpu/sse.js";
import type { Expr, Replay } from "../code.js";
import {
  type NumberShape,
  type NumberTests,
  requireOrdinary,
  requireResult,
  roundsPlainly,
  testsOf,
} from "../fast-float.js";
import { type Definition, define, type Row, type SystemInstruction } from "../instruction.js";
import { bitselect, type VectorBinaryOp, type VectorUnaryOp, vectorBinary, vectorUnary } from "../vector.js";
import { type VectorGroup, xmmForm } from "./vector-forms.js";

/** The four kinds of an operation: letters of the mnemonic, mandatory prefix, operands. */
export interface Variant extends NumberShape {
  readonly letters: "PS" | "PD" | "SS" | "SD";
  readonly prefix: "NP" | "66" | "F3" | "F2";
  readonly group: VectorGroup;
  readonly operands: string;
  readonly format: Format;
  readonly count: 1 | 2 | 4;
  readonly title: string;
}

const variant = (
  letters: Variant["letters"],
  prefix: Variant["prefix"],
  type: string,
  count: Variant["count"],
): Variant => {
  const single = letters[1] === "S";
  return {
    ...{ letters, prefix, count, bits: single ? 32 : 64, packed: count > 1, group: single ? "SSE" : "SSE2" },
    operands: `V${type} W${type}`,
    format: single ? SINGLE : DOUBLE,
    title: `${count > 1 ? "Packed" : "Scalar"} ${single ? "Single" : "Double"} Precision Floating-Point Values`,
  };
};

export const packedSingle: Variant = variant("PS", "NP", "dq", 4);
export const packedDouble: Variant = variant("PD", "66", "dq", 2);
export const scalarSingle: Variant = variant("SS", "F3", "d", 1);
export const scalarDouble: Variant = variant("SD", "F2", "q", 1);
export const variants: readonly Variant[] = [packedSingle, packedDouble, scalarSingle, scalarDouble];

type Compute = (format: Format, a: bigint, b: bigint, env: Environment) => bigint;

/** Each part of the destination becomes what the operation makes of it and of the source's. */
const partwise = ({ format, bits, count }: Variant, compute: Compute): SystemInstruction =>
  sse((port, instruction) => {
    const source = partsOf(operandBits(port, instruction, 1), bits, count);
    const target = partsOf(operandBits(port, instruction, 0), bits, count);
    const results = computed(port, count, (part, env) => compute(format, target[part]!, source[part]!, env));
    setOperandBits(port, instruction, 0, joined(results, bits));
  });

type FloatOp = "add" | "sub" | "mul" | "div";
const vectorOp = (bits: 32 | 64, op: FloatOp): VectorBinaryOp => (bits === 32 ? `f32x4.${op}` : `f64x2.${op}`);
const rootOp = (bits: 32 | 64): VectorUnaryOp => (bits === 32 ? "f32x4.sqrt" : "f64x2.sqrt");

/** Which results that are zero follow exactly from zeros, or may be met anyway. */
type ExactZero = (tests: NumberTests, operands: readonly Expr[], result: Expr) => Expr;
const anyZero: ExactZero = (tests, _operands, result) => tests.isZero(result);
const zeroFactor: ExactZero = (tests, [a, b]) => tests.either(tests.isZero(a!), tests.isZero(b!));
const zeroDividend: ExactZero = (tests, [a, b]) => tests.both(tests.isZero(a!), tests.isNormal(b!));

const fastBinary =
  (shape: Variant, op: FloatOp, exactZero: ExactZero): ((c: Replay) => void) =>
  (c) => {
    c.require(roundsPlainly(c));
    const [a, b] = [c.vector(0), c.vector(1)];
    const operands = requireOrdinary(c, shape, a, b);
    const result = c.let(vectorBinary(vectorOp(shape.bits, op), a, b));
    requireResult(c, shape, result, (number) => exactZero(testsOf(shape), operands, number));
    c.setVector(0, result);
    c.done();
  };

const fastRoot =
  (shape: Variant): ((c: Replay) => void) =>
  (c) => {
    c.require(roundsPlainly(c));
    const a = c.vector(1);
    requireOrdinary(c, shape, a);
    const result = c.let(vectorUnary(rootOp(shape.bits), a));
    requireResult(c, shape, result, (number) => testsOf(shape).isZero(number));
    c.setVector(0, result);
    c.done();
  };

/** Minimum or maximum: the source where neither is less. */
const fastChoice =
  (shape: Variant, least: boolean): ((c: Replay) => void) =>
  (c) => {
    const [a, b] = [c.vector(0), c.vector(1)];
    requireOrdinary(c, shape, a, b);
    const less = vectorBinary(
      shape.bits === 32 ? "f32x4.lt" : "f64x2.lt",
      ...(least ? ([a, b] as const) : ([b, a] as const)),
    );
    c.setVector(0, bitselect(less, a, b));
    c.done();
  };

/** Minimum and maximum give an operand as it is, but a denormal one as the zero it counts as. */
const flushed =
  (compute: Compute): Compute =>
  (format, a, b, env) => {
    const result = compute(format, a, b, env);
    const isDenormal = (result & ~format.signBit) >> format.fieldWidth === 0n;
    return isDenormal && env.denormalsAreZero ? result & format.signBit : result;
  };

interface Operation {
  readonly name: string;
  readonly opcode: string;
  readonly summary: string;
  /** What the manual's title says of it. */
  readonly verb: string;
  readonly compute: Compute;
  readonly fast: (shape: Variant) => (c: Replay) => void;
}

const operations: readonly Operation[] = [
  {
    name: "ADD",
    opcode: "58",
    summary: "Adds.",
    verb: "Add",
    compute: add,
    fast: (shape) => fastBinary(shape, "add", anyZero),
  },
  {
    name: "SUB",
    opcode: "5C",
    summary: "Subtracts.",
    verb: "Subtract",
    compute: subtract,
    fast: (shape) => fastBinary(shape, "sub", anyZero),
  },
  {
    name: "MUL",
    opcode: "59",
    summary: "Multiplies.",
    verb: "Multiply",
    compute: multiply,
    fast: (shape) => fastBinary(shape, "mul", zeroFactor),
  },
  {
    name: "DIV",
    opcode: "5E",
    summary: "Divides.",
    verb: "Divide",
    compute: divide,
    fast: (shape) => fastBinary(shape, "div", zeroDividend),
  },
  {
    name: "MIN",
    opcode: "5D",
    summary: "Takes the lesser; the source if either is a NaN.",
    verb: "Minimum of",
    compute: flushed(minimum),
    fast: (shape) => fastChoice(shape, true),
  },
  {
    name: "MAX",
    opcode: "5F",
    summary: "Takes the greater; the source if either is a NaN.",
    verb: "Maximum of",
    compute: flushed(maximum),
    fast: (shape) => fastChoice(shape, false),
  },
  {
    name: "SQRT",
    opcode: "51",
    summary: "Takes the square root of the source.",
    verb: "Square Root of",
    compute: (format, _a, b, env) => squareRoot(format, b, env),
    fast: fastRoot,
  },
];

function definitionsOf({ name, opcode, summary, verb, compute, fast }: Operation): readonly Definition[] {
  return variants.map((one) => ({
    ...xmmForm(one.group),
    mnemonic: name + one.letters,
    summary,
    spec: `SDM Vol. 2, ${name}${one.letters}—${verb} ${one.title}`,
    forms: [[`${one.prefix} 0F ${opcode} /r`, one.operands]],
    system: partwise(one, compute),
    replay: fast(one),
  }));
}

// ---- neighbours -------------------------------------------------------------------------------------------------------

/** Results from pairs of neighbours: those of the destination below, those of the source above. */
const horizontal = ({ format, bits, count }: Variant, compute: Compute): SystemInstruction =>
  sse((port, instruction) => {
    const source = partsOf(operandBits(port, instruction, 1), bits, count);
    const all = [...partsOf(operandBits(port, instruction, 0), bits, count), ...source];
    const results = computed(port, count, (part, env) => compute(format, all[2 * part]!, all[2 * part + 1]!, env));
    setOperandBits(port, instruction, 0, joined(results, bits));
  });

/** Subtracts even parts and adds odd ones. */
const alternating = ({ format, bits, count }: Variant): SystemInstruction =>
  sse((port, instruction) => {
    const source = partsOf(operandBits(port, instruction, 1), bits, count);
    const target = partsOf(operandBits(port, instruction, 0), bits, count);
    const results = computed(port, count, (part, env) =>
      (part % 2 === 0 ? subtract : add)(format, target[part]!, source[part]!, env),
    );
    setOperandBits(port, instruction, 0, joined(results, bits));
  });

const sse3 = (
  name: string,
  opcode: string,
  summary: string,
  title: string,
  action: (shape: Variant) => SystemInstruction,
): readonly Definition[] =>
  [[packedSingle, "F2"] as const, [packedDouble, "66"] as const].map(([shape, prefix]) => ({
    ...xmmForm("SSE3"),
    mnemonic: name + shape.letters,
    summary,
    spec: `SDM Vol. 2A, ${name}${shape.letters}—${shape.title.replace(" Values", "")} ${title}`,
    forms: [[`${prefix} 0F ${opcode} /r`, shape.operands]],
    system: action(shape),
  }));

const definitions: readonly Definition[] = [
  ...operations.flatMap(definitionsOf),
  ...sse3("HADD", "7C", "Adds neighbours.", "Horizontal Add", (shape) => horizontal(shape, add)),
  ...sse3("HSUB", "7D", "Subtracts from each other part the one above it.", "Horizontal Subtract", (shape) =>
    horizontal(shape, subtract),
  ),
  ...sse3("ADDSUB", "D0", "Subtracts even parts and adds odd ones.", "Add/Subtract", alternating),
];

export const sseArithmeticRows: readonly Row[] = definitions.flatMap(define);
