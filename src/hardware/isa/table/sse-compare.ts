/** Comparisons of SSE. Spec: SDM Vol. 1, "SSE Comparison Instructions", "SSE2 Compare Instructions". */

import { compare, type Environment, type Format, ORDER, type Order } from "../../cpu/softfloat/index.js";
import { computed, joined, operandBits, partsOf, setOperandBits, sse } from "../../cpu/sse.js";
import { FLAG } from "../../cpu/state.js";
import { and, type Expr, eq, i32, or, type Replay, select, shr, sub } from "../code.js";
import { requireOrdinary } from "../fast-float.js";
import { type Definition, define, type Row, type SystemInstruction } from "../instruction.js";
import { extract, splat, vectorBinary, zeros } from "../vector.js";
import { scalarDouble, scalarSingle, type Variant, variants } from "./sse-arithmetic.js";
import { xmmForm } from "./vector-forms.js";

/** Predicates 0 to 3; the others are their opposites. */
const predicates: readonly { readonly quiet: boolean; readonly holds: (order: Order) => boolean }[] = [
  { quiet: true, holds: (order) => order === ORDER.equal },
  { quiet: false, holds: (order) => order === ORDER.less },
  { quiet: false, holds: (order) => order === ORDER.less || order === ORDER.equal },
  { quiet: true, holds: (order) => order === ORDER.unordered },
];

function masked(format: Format, a: bigint, b: bigint, predicate: number, env: Environment): bigint {
  const { quiet, holds } = predicates[predicate & 3]!;
  const holdsNow = holds(compare(format, a, b, env, quiet));
  return holdsNow === ((predicate & 4) === 0) ? BigInt.asUintN(format.width, -1n) : 0n;
}

const compareParts = ({ format, bits, count }: Variant): SystemInstruction =>
  sse((port, instruction) => {
    const source = partsOf(operandBits(port, instruction, 1), bits, count);
    const target = partsOf(operandBits(port, instruction, 0), bits, count);
    const predicate = Number(operandBits(port, instruction, 2));
    const results = computed(port, count, (part, env) => masked(format, target[part]!, source[part]!, predicate, env));
    setOperandBits(port, instruction, 0, joined(results, bits));
  });

const fastParts =
  (shape: Variant): ((c: Replay) => void) =>
  (c) => {
    const [a, b] = [c.vector(0), c.vector(1)];
    requireOrdinary(c, shape, a, b);
    const predicate = c.let(and(c.read(2), i32(7)));
    const kind = c.let(and(predicate, i32(3)));
    const lanes = shape.bits === 32 ? "f32x4" : "f64x2";
    const is = (number: number, mask: Expr, otherwise: Expr): Expr => select(eq(kind, i32(number)), mask, otherwise);
    const order = is(
      0,
      vectorBinary(`${lanes}.eq`, a, b),
      is(1, vectorBinary(`${lanes}.lt`, a, b), is(2, vectorBinary(`${lanes}.le`, a, b), zeros)),
    );
    const opposite = splat("i32x4", sub(i32(0), shr(predicate, i32(2))));
    c.setVector(0, vectorBinary("v128.xor", c.let(order), opposite));
    c.done();
  };

/** ZF, PF and CF by order; OF, SF and AF are clear. */
const FLAGS: Readonly<Record<Order, number>> = {
  [ORDER.greater]: 0,
  [ORDER.less]: FLAG.CF,
  [ORDER.equal]: FLAG.ZF,
  [ORDER.unordered]: FLAG.ZF | FLAG.PF | FLAG.CF,
};
const STATUS: number = FLAG.ZF | FLAG.PF | FLAG.CF | FLAG.OF | FLAG.SF | FLAG.AF;

const compareFlags = ({ format }: Variant, quiet: boolean): SystemInstruction =>
  sse((port, instruction) => {
    const source = operandBits(port, instruction, 1);
    const target = operandBits(port, instruction, 0);
    let order: Order = ORDER.unordered;
    computed(port, 1, (_part, env) => {
      order = compare(format, target, source, env, quiet);
      return 0n;
    });
    port.setEflags((port.getEflags() & ~STATUS) | FLAGS[order]);
  });

const fastFlags =
  (shape: Variant): ((c: Replay) => void) =>
  (c) => {
    const [a, b] = [c.vector(0), c.vector(1)];
    requireOrdinary(c, shape, a, b);
    const lanes = shape.bits === 32 ? "f32x4" : "f64x2";
    const lowest = (op: "eq" | "lt", flag: number): Expr =>
      and(extract("i32x4", vectorBinary(`${lanes}.${op}`, a, b), 0), i32(flag));
    const flags = c.let(or(lowest("eq", FLAG.ZF), lowest("lt", FLAG.CF)));
    c.flags({ carry: i32(0), carries: i32(0) });
    c.setLowFlags(flags);
    c.done();
  };

const flagComparison = (shape: Variant, quiet: boolean, opcode: string): Definition => ({
  ...xmmForm(shape.group),
  mnemonic: `${quiet ? "U" : ""}COMI${shape.letters}`,
  summary: `Compares and sets ZF, PF and CF${quiet ? "; a quiet NaN is no invalid operand" : ""}.`,
  spec: `SDM Vol. 2, ${quiet ? "U" : ""}COMI${shape.letters}—${quiet ? "Unordered " : ""}Compare ${shape.title} and Set EFLAGS`,
  forms: [[`${shape === scalarSingle ? "NP" : "66"} 0F ${opcode} /r`, shape.operands]],
  flags: { written: "OSZAPC" },
  system: compareFlags(shape, quiet),
  replay: fastFlags(shape),
});

const definitions: readonly Definition[] = [
  ...variants.map((one) => ({
    ...xmmForm(one.group),
    mnemonic: `CMP${one.letters}`,
    summary: "Makes ones of parts for which the predicate holds, zeros of others.",
    spec: `SDM Vol. 2A, CMP${one.letters}—Compare ${one.title}`,
    forms: [[`${one.prefix} 0F C2 /r`, `${one.operands} Ib`] as const],
    system: compareParts(one),
    replay: fastParts(one),
  })),
  flagComparison(scalarSingle, true, "2E"),
  flagComparison(scalarSingle, false, "2F"),
  flagComparison(scalarDouble, true, "2E"),
  flagComparison(scalarDouble, false, "2F"),
];

export const sseCompareRows: readonly Row[] = definitions.flatMap(define);
