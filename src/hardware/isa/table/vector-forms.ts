/** What definitions of MMX and SSE instructions share: the group they came with, and the registers they work on. */
import type { Feature } from "../../cpu/features.js";
import { and, type Code, type Expr, i32 } from "../code.js";
import type { Definition } from "../instruction.js";

const features = {
  MMX: "MMX",
  SSE: "SSE",
  SSE2: "SSE2",
  SSE3: "SSE3",
  SSSE3: "SSSE3",
  "SSE4.1": "SSE4_1",
  "SSE4.2": "SSE4_2",
} as const satisfies Readonly<Record<string, Feature>>;
/** MMX and the generations of SSE. */
export type VectorGroup = keyof typeof features;

type Shared = Required<Pick<Definition, "group" | "unit" | "needs">>;
const shared =
  (unit: Shared["unit"]) =>
  (group: VectorGroup): Shared => ({ group, unit, needs: features[group] });

/** An instruction on XMM registers. */
export const xmmForm = shared("sse");
/** An instruction on MMX registers. */
export const mmxForm = shared("mmx");
/** An instruction on registers of both kinds. */
export const bothForm = shared("mmx-sse");

/** The immediate, operand `index`, unsigned. */
export const immediate = (c: Code, index = 2): Expr => c.let(and(c.read(index), i32(0xff)));
