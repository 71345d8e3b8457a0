/** x87 logarithms, powers and circular functions. Spec: SDM Vol. 1, "Trigonometric Instructions", "Logarithmic, Exponential, and Scale". */
import { type FloatingRegisters, STATUS } from "../../cpu/floating.js";
import {
  angle,
  cosineOfAngle,
  type Environment,
  isStopped,
  powerMinusOne,
  sineOfAngle,
  tangentOfAngle,
  timesLogarithm,
  timesLogarithmPlusOne,
} from "../../cpu/softfloat/index.js";
import {
  begin,
  getStack,
  INDEFINITE,
  isEmpty,
  numeric,
  ofTop,
  ofTwo,
  push,
  report,
  setStack,
  stackFault,
} from "../../cpu/x87.js";
import { type Definition, define, type SystemInstruction } from "../instruction.js";
import { x87 } from "./x87-forms.js";

const ONE = 0x3fff8000000000000000n;

type OfAngle = (x: bigint, env: Environment) => bigint | undefined;

/** C2 says that the angle is out of range, and nothing was done. */
function setOutOfRange(floating: FloatingRegisters, isOut: boolean): void {
  floating.status = isOut ? floating.status | STATUS.C2 : floating.status & ~STATUS.C2;
}

/** ST(0) becomes the function of the angle in it; `second`, if there is one, is pushed. */
const ofAngle = (first: OfAngle, second?: OfAngle): SystemInstruction =>
  numeric(({ floating }) => {
    setOutOfRange(floating, false);
    const underflow = isEmpty(floating, 0);
    const overflow = second !== undefined && !isEmpty(floating, 7);
    if (underflow || overflow) {
      if (!stackFault(floating, !underflow)) return;
      setStack(floating, 0, INDEFINITE);
      if (second !== undefined) push(floating, INDEFINITE);
      return;
    }
    const env = begin(floating);
    const x = getStack(floating, 0);
    const result = first(x, env);
    const pushed = second?.(x, env);
    if (result === undefined) env.roundedUp = false;
    report(floating, env);
    setOutOfRange(floating, result === undefined);
    if (result === undefined || isStopped(env)) return;
    setStack(floating, 0, result);
    if (pushed !== undefined) push(floating, pushed);
  });

/** What FPTAN pushes: 1, or the NaN that the tangent is. */
const unlessNan: OfAngle = (x, env) => ((env.flags & 1) !== 0 || isNanOf(x) ? tangentOfAngle(x, env) : ONE);
const isNanOf = (x: bigint): boolean => ((x >> 64n) & 0x7fffn) === 0x7fffn;

const definitions: readonly Definition[] = [
  {
    ...x87,
    mnemonic: "F2XM1",
    summary: "Raises 2 to the power of ST(0) and subtracts 1.",
    spec: "SDM Vol. 2A, F2XM1—Compute 2^x–1",
    forms: [["D9 F0"]],
    system: ofTop(powerMinusOne),
  },
  {
    ...x87,
    mnemonic: "FYL2X",
    summary: "Multiplies ST(1) by the logarithm of ST(0) to base 2 and pops.",
    spec: "SDM Vol. 2A, FYL2X—Compute y * log2x",
    forms: [["D9 F1"]],
    system: ofTwo(timesLogarithm, 1, 1),
  },
  {
    ...x87,
    mnemonic: "FYL2XP1",
    summary: "Multiplies ST(1) by the logarithm of ST(0) + 1 to base 2 and pops.",
    spec: "SDM Vol. 2A, FYL2XP1—Compute y * log2(x +1)",
    forms: [["D9 F9"]],
    system: ofTwo(timesLogarithmPlusOne, 1, 1),
  },
  {
    ...x87,
    mnemonic: "FPATAN",
    summary: "Takes the angle of the point (ST(0), ST(1)) and pops.",
    spec: "SDM Vol. 2A, FPATAN—Partial Arctangent",
    forms: [["D9 F3"]],
    system: ofTwo(angle, 1, 1),
  },
  {
    ...x87,
    mnemonic: "FPTAN",
    summary: "Takes the tangent of ST(0) and pushes 1.",
    spec: "SDM Vol. 2A, FPTAN—Partial Tangent",
    forms: [["D9 F2"]],
    system: ofAngle(tangentOfAngle, unlessNan),
  },
  {
    ...x87,
    mnemonic: "FSIN",
    summary: "Takes the sine of ST(0).",
    spec: "SDM Vol. 2A, FSIN—Sine",
    forms: [["D9 FE"]],
    system: ofAngle(sineOfAngle),
  },
  {
    ...x87,
    mnemonic: "FCOS",
    summary: "Takes the cosine of ST(0).",
    spec: "SDM Vol. 2A, FCOS—Cosine",
    forms: [["D9 FF"]],
    system: ofAngle(cosineOfAngle),
  },
  {
    ...x87,
    mnemonic: "FSINCOS",
    summary: "Takes the sine of ST(0) and pushes its cosine.",
    spec: "SDM Vol. 2A, FSINCOS—Sine and Cosine",
    forms: [["D9 FB"]],
    system: ofAngle(sineOfAngle, cosineOfAngle),
  },
];

export const x87TranscendentalRows = definitions.flatMap(define);
