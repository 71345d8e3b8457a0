/** Shifts of packed integers. Spec: SDM Vol. 1, "MMX Shift and Rotate Instructions", "SSE2 128-Bit SIMD Integer Instructions". */
import { i32, sub, widenUnsigned } from "../code.js";
import { type Definition, define, type Row } from "../instruction.js";
import { atMost, extract, moveDown, shiftLanes, type VectorShiftOp } from "../vector.js";
import { immediate, mmxForm, xmmForm } from "./vector-forms.js";

type Semantics = NonNullable<Definition["semantics"]>;

const shiftByVector =
  (op: VectorShiftOp): Semantics =>
  (c) =>
    c.setVector(0, shiftLanes(c, op, c.vector(0), extract("i64x2", c.vector(1), 0)));
const shiftByImmediate =
  (op: VectorShiftOp): Semantics =>
  (c) =>
    c.setVector(0, shiftLanes(c, op, c.vector(0), widenUnsigned(immediate(c, 1))));
const shiftBytes =
  (direction: 1 | -1): Semantics =>
  (c) => {
    const count = atMost(immediate(c, 1), 16);
    c.setVector(0, moveDown(c.vector(0), direction === 1 ? count : sub(i32(0), count)));
  };

interface Shift {
  readonly mnemonic: string;
  readonly op: VectorShiftOp;
  readonly by: string;
  readonly byImmediate: string;
  readonly summary: string;
  readonly spec: string;
}

const LEFT = "SDM Vol. 2B, PSLLW/PSLLD/PSLLQ—Shift Packed Data Left Logical";
const RIGHT = "SDM Vol. 2B, PSRLW/PSRLD/PSRLQ—Shift Packed Data Right Logical";
const ARITHMETIC = "SDM Vol. 2B, PSRAW/PSRAD/PSRAQ—Shift Packed Data Right Arithmetic";
const shift = (
  mnemonic: string,
  op: VectorShiftOp,
  [by, byImmediate]: readonly [string, string],
  summary: string,
  spec: string,
): Shift => ({ mnemonic, op, by, byImmediate, summary, spec });
const shifts: readonly Shift[] = [
  shift("PSRLW", "i16x8.shr_u", ["D1", "71 /2"], "Shifts words right, zeros come in.", RIGHT),
  shift("PSRLD", "i32x4.shr_u", ["D2", "72 /2"], "Shifts doublewords right, zeros come in.", RIGHT),
  shift("PSRLQ", "i64x2.shr_u", ["D3", "73 /2"], "Shifts quadwords right, zeros come in.", RIGHT),
  shift("PSRAW", "i16x8.shr_s", ["E1", "71 /4"], "Shifts words right, their signs come in.", ARITHMETIC),
  shift("PSRAD", "i32x4.shr_s", ["E2", "72 /4"], "Shifts doublewords right, their signs come in.", ARITHMETIC),
  shift("PSLLW", "i16x8.shl", ["F1", "71 /6"], "Shifts words left, zeros come in.", LEFT),
  shift("PSLLD", "i32x4.shl", ["F2", "72 /6"], "Shifts doublewords left, zeros come in.", LEFT),
  shift("PSLLQ", "i64x2.shl", ["F3", "73 /6"], "Shifts quadwords left, zeros come in.", LEFT),
];

function shiftDefinitions({ mnemonic, op, by, byImmediate, summary, spec }: Shift): readonly Definition[] {
  const byVector = { mnemonic, summary, spec, semantics: shiftByVector(op) };
  const byNumber = { mnemonic, summary, spec, semantics: shiftByImmediate(op) };
  return [
    { ...xmmForm("SSE2"), ...byVector, forms: [[`66 0F ${by} /r`, "Vdq Wdq"]] },
    { ...mmxForm("MMX"), ...byVector, forms: [[`NP 0F ${by} /r`, "Pq Qq"]] },
    { ...xmmForm("SSE2"), ...byNumber, forms: [[`66 0F ${byImmediate}`, "Udq Ib"]] },
    { ...mmxForm("MMX"), ...byNumber, forms: [[`NP 0F ${byImmediate}`, "Nq Ib"]] },
  ];
}

const definitions: readonly Definition[] = [
  ...shifts.flatMap(shiftDefinitions),
  {
    ...xmmForm("SSE2"),
    mnemonic: "PSRLDQ",
    summary: "Shifts right by bytes, zeros come in.",
    spec: "SDM Vol. 2B, PSRLDQ—Shift Double Quadword Right Logical",
    forms: [["66 0F 73 /3", "Udq Ib"]],
    semantics: shiftBytes(1),
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "PSLLDQ",
    summary: "Shifts left by bytes, zeros come in.",
    spec: "SDM Vol. 2B, PSLLDQ—Shift Double Quadword Left Logical",
    forms: [["66 0F 73 /7", "Udq Ib"]],
    semantics: shiftBytes(-1),
  },
];

export const vectorShiftRows: readonly Row[] = definitions.flatMap(define);
