// Disassembling and assembling again: iced-x86 decides whether the bytes mean the same.
import { describe, expect, it } from "vitest";
import { disassemble } from "../disassembler.js";
import { ADDRESS, encodingsOfRows, icedReads, mayDiffer, normal, randomEncodings } from "../encodings.test-helper.js";
import type { CodeBits } from "../instruction.js";
import { assemble } from "./assembler.js";

/** Distinct texts of the encodings. */
function textsOf(encodings: readonly Uint8Array[], bits: CodeBits): readonly string[] {
  const ours = encodings.map((bytes) => disassemble(bytes, { address: ADDRESS, bits, count: 1 })[0]!);
  // Without a needless prefix, what a short jump just reaches is too far away.
  const isEdge = (target: number | undefined): boolean => target !== undefined && Math.abs(target - ADDRESS - 128) < 9;
  return [
    ...new Set(ours.filter(({ group, target }) => group !== undefined && !isEdge(target)).map(({ text }) => text)),
  ];
}

function assembled(text: string, bits: CodeBits): Uint8Array {
  try {
    return assemble(text, { bits, address: ADDRESS }).bytes;
  } catch (thrown) {
    throw new Error(`${text}: ${String(thrown)}`);
  }
}

/** A negative constant and the positive one with the same bits are the same. */
function unsigned(text: string): string {
  const bits = /^(?:push|(?:lock )?\w+ (?:word|[abcd]x|[sd]i|[sb]p)\b)/.test(text) ? 16 : 32;
  return text.replace(/(, |^push )(-?)(0x[\da-f]+|\d+)$/, (_all, before: string, sign: string, digits: string) => {
    const value = BigInt.asUintN(bits, sign === "-" ? -BigInt(digits) : BigInt(digits));
    return `${before}${value}`;
  });
}

/** NASM takes the shorter of two encodings of an address: a base for an index, two registers for twice one. */
const meaning = (text: string): string =>
  unsigned(normal(text))
    .replace(/(\[(?:\ws:)?)(e(?!bp)\w\w)\*1/, "$1$2")
    .replace(/(\[(?:\ws:)?)(e(?!bp)\w\w)\*2/, "$1$2+$2")
    .replace(/^xchg (e?ax), \1$/, "nop")
    // A selector is stored to 32 bits as it is to 64.
    .replace(
      /^mov (?:e(\w\w)|(r\d+)d), ([c-gs]s)$/,
      (_all, old?: string, numbered?: string, segment?: string) => `mov ${numbered ?? `r${old}`}, ${segment}`,
    );

/** Texts whose bytes mean something else. */
function changed(texts: readonly string[], bits: CodeBits): readonly string[] {
  const encodings = texts.map((text) => assembled(text, bits));
  return icedReads(encodings, bits).flatMap((reading, index) => {
    const right =
      mayDiffer(texts[index]!, reading.code) ||
      (meaning(reading.text) === meaning(texts[index]!) && reading.length === encodings[index]!.length);
    return right ? [] : [`"${texts[index]}" became "${reading.text}"`];
  });
}

describe.each([16, 32, 64] as const)("disassembling and assembling again, %i bits", (bits) => {
  it("keeps the meaning of every row", () => {
    // With all ModR/M bytes it holds too, and takes a minute.
    const texts = textsOf(encodingsOfRows(13, bits), bits);
    expect(texts.length).toBeGreaterThan(5000);
    expect(changed(texts, bits).slice(0, 20)).toEqual([]);
  });

  it("keeps the meaning of seeded random bytes", () => {
    expect(changed(textsOf(randomEncodings(5_000, 20261121, bits), bits), bits).slice(0, 20)).toEqual([]);
  });
});
