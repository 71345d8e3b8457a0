/**
 * The string comparisons of SSE4.2. Spec: SDM Vol. 1, "String and Text Processing Instructions"; Vol. 2B, "Imm8 Control
 * Byte Operation for PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM".
 */

import type { ProcessorPort } from "../../cpu/processor.js";
import { operandBits, sse } from "../../cpu/sse.js";
import { FLAG } from "../../cpu/state.js";
import { type DecodedInstruction, type Definition, define, type Row, type SystemInstruction } from "../instruction.js";
import { xmmForm } from "./vector-forms.js";

const EAX = 0;
const ECX = 1;
const EDX = 2;
const STATUS: number = FLAG.CF | FLAG.ZF | FLAG.SF | FLAG.OF | FLAG.AF | FLAG.PF;

/** Fields of the immediate. */
const WORDS = 1;
const SIGNED = 2;
const AGGREGATION_SHIFT = 2;
const POLARITY = 0x30;
const NEGATIVE = 0x10;
const MASKED_NEGATIVE = 0x30;
const MOST_SIGNIFICANT = 0x40;

/** Elements of a string, and how many of them count. */
interface Text {
  readonly elements: readonly number[];
  readonly length: number;
}

function elementsOf(bits: bigint, control: number): number[] {
  const width = (control & WORDS) !== 0 ? 16 : 8;
  const cut = (control & SIGNED) !== 0 ? BigInt.asIntN : BigInt.asUintN;
  return Array.from({ length: 128 / width }, (_, index) => Number(cut(width, bits >> BigInt(index * width))));
}

/** Up to the first zero. */
function implicitText(bits: bigint, control: number): Text {
  const elements = elementsOf(bits, control);
  const end = elements.indexOf(0);
  return { elements, length: end < 0 ? elements.length : end };
}

/** As long as a register says, whatever its sign. */
function explicitText(bits: bigint, control: number, given: bigint): Text {
  const elements = elementsOf(bits, control);
  const magnitude = given < 0n ? -given : given;
  return { elements, length: magnitude > BigInt(elements.length) ? elements.length : Number(magnitude) };
}

/** What aggregation makes of both strings at a place of the second. */
const aggregations: readonly ((a: Text, b: Text, place: number) => boolean)[] = [
  // Equal any: the element is in the set.
  (a, b, place) => place < b.length && a.elements.slice(0, a.length).includes(b.elements[place]!),
  // Ranges: it is in one of the ranges, which are pairs.
  (a, b, place) => {
    if (place >= b.length) return false;
    const value = b.elements[place]!;
    for (let first = 0; first + 1 < a.length; first += 2)
      if (a.elements[first]! <= value && value <= a.elements[first + 1]!) return true;
    return false;
  },
  // Equal each: the elements there are equal, or there are none in both.
  (a, b, place) => {
    const [inA, inB] = [place < a.length, place < b.length];
    return inA && inB ? a.elements[place] === b.elements[place] : inA === inB;
  },
  // Equal ordered: the first string begins there, as far as the register reaches.
  (a, b, place) => {
    for (let index = 0; index < a.length && place + index < b.elements.length; index++)
      if (place + index >= b.length || a.elements[index] !== b.elements[place + index]) return false;
    return true;
  },
];

/** One bit for each element of the second string. */
function compareTexts(a: Text, b: Text, control: number): number {
  const aggregate = aggregations[(control >> AGGREGATION_SHIFT) & 3]!;
  let bits = 0;
  b.elements.forEach((_element, place) => {
    const holds = aggregate(a, b, place);
    const negated = (control & POLARITY) === NEGATIVE || ((control & POLARITY) === MASKED_NEGATIVE && place < b.length);
    if (holds !== negated) bits |= 1 << place;
  });
  return bits;
}

function lengthIn(port: ProcessorPort, { size }: DecodedInstruction, number: number): bigint {
  const low = port.getRegister(number);
  return size === 64 ? BigInt.asIntN(64, (BigInt(port.getRegisterHigh(number)) << 32n) | BigInt(low)) : BigInt(low | 0);
}

/** The index of the lowest or highest bit; the number of elements if there is none. */
function indexOf(bits: number, control: number, count: number): number {
  if (bits === 0) return count;
  return (control & MOST_SIGNIFICANT) !== 0 ? 31 - Math.clz32(bits) : 31 - Math.clz32(bits & -bits);
}

/** The bits as they are, or one element of ones for each. */
function maskOf(bits: number, control: number, count: number): bigint {
  if ((control & MOST_SIGNIFICANT) === 0) return BigInt(bits);
  const width = BigInt(128 / count);
  let mask = 0n;
  for (let place = count - 1; place >= 0; place--)
    mask = (mask << width) | (((bits >> place) & 1) !== 0 ? (1n << width) - 1n : 0n);
  return mask;
}

const comparison = (explicit: boolean, gives: "index" | "mask"): SystemInstruction =>
  sse((port, instruction) => {
    const control = Number(operandBits(port, instruction, 2));
    const second = operandBits(port, instruction, 1);
    const first = operandBits(port, instruction, 0);
    const text = (bits: bigint, register: number): Text =>
      explicit ? explicitText(bits, control, lengthIn(port, instruction, register)) : implicitText(bits, control);
    const [a, b] = [text(first, EAX), text(second, EDX)];
    const count = b.elements.length;
    const bits = compareTexts(a, b, control);
    if (gives === "index") port.setRegister(ECX, indexOf(bits, control, count));
    else port.floating.setXmm(0, maskOf(bits, control, count));
    const flags =
      (bits === 0 ? 0 : FLAG.CF) |
      (b.length < count ? FLAG.ZF : 0) |
      (a.length < count ? FLAG.SF : 0) |
      ((bits & 1) === 0 ? 0 : FLAG.OF);
    port.setEflags((port.getEflags() & ~STATUS) | flags);
  });

const lengths = { E: "explicit lengths", I: "implicit lengths" } as const;
const results = { I: "index", M: "mask" } as const;
const titles = { I: "Index", M: "Mask" } as const;

const definition = (length: "E" | "I", result: "I" | "M", opcode: string): Definition => ({
  ...xmmForm("SSE4.2"),
  mnemonic: `PCMP${length}STR${result}`,
  summary: `Compares strings of ${lengths[length]} in the way that the immediate says, and gives ${result === "I" ? "an index in ECX" : "a mask in XMM0"}.`,
  spec: `SDM Vol. 2B, PCMP${length}STR${result}—Packed Compare ${length === "E" ? "Explicit" : "Implicit"} Length Strings, Return ${titles[result]}`,
  forms: [[`66 0F 3A ${opcode} /r`, "Vdq Wdq Ib"]],
  flags: { written: "OSZAPC" },
  ...(length === "E" ? { rexSized: true as const } : {}),
  unaligned: true,
  system: comparison(length === "E", results[result]),
});

const definitions: readonly Definition[] = [
  definition("E", "M", "60"),
  definition("E", "I", "61"),
  definition("I", "M", "62"),
  definition("I", "I", "63"),
];

export const sseStringRows: readonly Row[] = definitions.flatMap(define);
