/** x87 and SSE instructions among random cases: what operands of x87 hold, and what of results processors leave open. */
import { STATUS } from "../../src/hardware/cpu/floating.js";
import type { Row } from "../../src/hardware/isa/instruction.js";
import { floatImage, floatName, X87_AT, XMM_AT } from "./native-floats.js";
import { usesFloats } from "./native-forms.js";
import type { Random } from "./random.js";
import { bits, operandOf } from "./x87-cases.js";
import { freeStatus, isComparison, isNear, isTranscendental, mayBeOff } from "./x87-comparison.js";

/** RCPPS and its like: their relative error is at most 1.5 * 2^-12. */
const isApproximate = ({ mnemonic }: Row): boolean => /^R(CP|SQRT)[PS]S$/.test(mnemonic);

/** Whether some of what a row leaves in registers or the status word is a processor's own choice. */
const isLoose = (row: Row): boolean => isTranscendental(row) || isComparison(row) || isApproximate(row);

/**
 * Their operands are images of many parts: which part faults first is a processor's own choice (some begin at the end), and
 * so is what 16-bit addresses do at 64 KiB.
 */
const imageRows = ["FNSTENV", "FLDENV", "FNSAVE", "FRSTOR", "FXSAVE", "FXRSTOR"];

/** Bytes that an operand of several parts may take; 0: it has one part. */
export const bytesOfParts = (row: Row): number =>
  imageRows.includes(row.mnemonic) ? 512 : row.operands.some(({ type }) => type === "t") ? 10 : 0;

/** FCOMI and the like: with an exception that is not masked their flags are a processor's own choice. */
const setsFlags = ({ mnemonic }: Row): boolean => /^FU?COMIP?$/.test(mnemonic);

/** Whether a row may stand behind others: nothing sees what is a processor's own choice, images of FXSAVE among it. */
export const mayFollow = (before: readonly Row[], row: Row): boolean =>
  !before.some((other) => setsFlags(other) || other.mnemonic === "FXSAVE") &&
  !(usesFloats(row) && before.some(isLoose));

/** Alignment of a row's memory operand that most cases have. */
export const usualAlignment = ({ unit, unaligned, mnemonic }: Row): number =>
  unaligned || unit === undefined || (unit === "x87" && !/^FX(SAVE|RSTOR)$/.test(mnemonic)) ? 1 : 16;

/** What MXCSR may hold on any processor: AMD's have one bit more, which the machine has not. */
const MXCSR_BITS = 0xffff;

const littleEndian = (value: bigint, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn));

/** Bytes that a row finds in memory, and how far behind its operand's address. */
export function x87Operand(row: Row, random: Random): { readonly skip: number; readonly bytes: readonly number[] } {
  if (row.mnemonic === "LDMXCSR" || row.mnemonic === "FXRSTOR") {
    const wild = random.once(8) ? random.word() & ~0x20000 : 0;
    const mxcsr = (random.word() & MXCSR_BITS) | (random.once(2) ? 0x1f80 : 0) | wild;
    return { skip: row.mnemonic === "LDMXCSR" ? 0 : 24, bytes: littleEndian(BigInt(mxcsr >>> 0), 4) };
  }
  if (/^F(LDENV|RSTOR)$/.test(row.mnemonic)) return { skip: 0, bytes: littleEndian(bits(random, 224), 28) };
  return { skip: 0, bytes: littleEndian(operandOf(row, random), 10) };
}

/**
 * Bits of the words 1 to 5 of an FXSAVE image that are not compared. Of the last instruction it has zeros on AMD's
 * processors while nothing is pending, where Intel's have it still; and of an address that is not canonical, which FXRSTOR
 * may load, as many bits as addresses have.
 */
const ignoredPointers = (status: number): number[] => {
  if ((status & STATUS.SUMMARY) === 0) return [0xffff0000, -1, -1, -1, -1];
  return [0, 0, 0xffff0000, 0, 0xffff0000];
};

/** MXCSR_MASK here, and on AMD's processors, which have a bit more in MXCSR. */
const OUR_MASK = 0xffff;
const AMD_MASK = 0x2ffff;
const MASK_WORD = 7;

/**
 * Words of memory that changed, number and value in turn, without what differs in images of FXSAVE and is not compared:
 * both sides as they are to be compared.
 */
export function comparedMemory(
  theirs: readonly number[],
  ours: readonly number[],
): readonly [readonly number[], readonly number[]] {
  const both = [theirs, ours].map(
    (changes) => new Map(changes.flatMap((word, at) => (at % 2 ? [] : [[word, changes[at + 1]!] as const]))),
  );
  const [their, our] = both as [Map<number, number>, Map<number, number>];
  const ignored = new Map<number, number>();
  for (const [word, mask] of our) {
    if (mask !== OUR_MASK || their.get(word) !== AMD_MASK) continue;
    const from = word - MASK_WORD;
    ignored.set(word, -1);
    for (const [index, bits] of ignoredPointers((our.get(from) ?? 0) >>> 16).entries())
      ignored.set(from + 1 + index, bits);
  }
  if (ignored.size === 0) return [theirs, ours];
  const told = (changes: Map<number, number>): number[] =>
    [...changes].flatMap(([word, value]) =>
      ignored.get(word) === -1 ? [] : [word, value & ~(ignored.get(word) ?? 0)],
    );
  return [told(their), told(our)];
}

/** What differs of the registers two judges left, of what is told: `rows` are those that were executed. */
export function floatDifferences(
  given: Uint8Array,
  theirs: readonly number[],
  ours: readonly number[],
  rows: readonly Row[],
): string[] {
  if (theirs.join() === ours.join()) return [];
  const [their, our] = [floatImage(given, theirs), floatImage(given, ours)];
  const loose = rows.find(isLoose);
  const status = their.getUint16(2, true);
  const free = loose === undefined ? 0 : freeStatus(loose, status);
  const ignored = [free << 16, ...ignoredPointers(status)];
  const isClose = (at: number): boolean =>
    loose !== undefined && mayBeOff(loose, (at - X87_AT) >> 4) && isNear(registerAt(their, at), registerAt(our, at));
  const approximate = loose !== undefined && isApproximate(loose);
  const found: string[] = [];
  for (let at = 0; at < their.byteLength; at += 4) {
    if (((their.getUint32(at, true) ^ our.getUint32(at, true)) & ~(ignored[at / 4] ?? 0)) === 0) continue;
    if (at >= X87_AT && at < XMM_AT && isClose(at)) continue;
    if (approximate && at >= XMM_AT && areBothClose(their.getFloat32(at, true), our.getFloat32(at, true))) continue;
    found.push(`${floatName(at / 4)}=${hex(their.getUint32(at, true))} is ${hex(our.getUint32(at, true))} here`);
  }
  return found;
}

/** Whether two numbers can both be the approximation of one. */
const areBothClose = (a: number, b: number): boolean => Math.abs(a - b) <= 3.01 * 2 ** -12 * Math.abs(a);

const hex = (value: number): string => value.toString(16);
function registerAt(image: DataView, at: number): bigint {
  const start = at & ~15;
  return (BigInt(image.getUint16(start + 8, true)) << 64n) | image.getBigUint64(start, true);
}

/** Whether flags behind the rows are told: not where an exception of a comparison was not masked. */
export const tellsFlags = (given: Uint8Array, theirs: readonly number[], rows: readonly Row[]): boolean =>
  !rows.some(setsFlags) || (floatImage(given, theirs).getUint16(2, true) & STATUS.SUMMARY) === 0;
