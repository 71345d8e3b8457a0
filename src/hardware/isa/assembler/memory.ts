/**
 * Memory operands to ModR/M, SIB and displacement.
 * Spec: SDM Vol. 2A, "Addressing-Mode Encoding of ModR/M and SIB Bytes"; NASM manual, "Effective Addresses", for the
 * choice among encodings of the same address.
 */
import type { CodeBits } from "../instruction.js";
import type { Term, Value } from "./expression.js";
import type { MemoryText } from "./operand.js";
import { fail, numberText } from "./place.js";

export interface EncodedAddress {
  readonly addressSize: CodeBits;
  /** ModR/M with a reg field of 0, SIB and displacement. */
  readonly bytes: readonly number[];
  /** Bytes of the displacement. */
  readonly displacement: number;
  /** Why the value has no place in it. */
  readonly problem: string | undefined;
}

const BX = 3;
const BP = 5;
const SI = 6;
const DI = 7;
const EBP = 5;
const ESP = 4;
const NONE = -1;

/** Value as little-endian bytes. */
export function littleEndian(value: bigint, bytes: number): number[] {
  const low = BigInt.asUintN(8 * bytes, value);
  return Array.from({ length: bytes }, (_, index) => Number((low >> BigInt(8 * index)) & 0xffn));
}

/** Whether a value can be meant as a number of these bits, signed or not. */
export const fits = (value: bigint, bits: number): boolean =>
  value >= -(1n << BigInt(bits - 1)) && value < 1n << BigInt(bits);

export function rangeProblem(value: bigint, bits: number): string {
  return `${numberText(value)} does not fit in ${bits} bits (${-(1n << BigInt(bits - 1))} to ${(1n << BigInt(bits)) - 1n})`;
}

/** The address size that an operand has of itself. */
function ownSize(memory: MemoryText, terms: readonly Term[]): CodeBits | undefined {
  const sizes = new Set(terms.map(({ register }) => register.size));
  if (sizes.size > 1) fail(memory.place, "16-bit and 32-bit registers cannot be in one address");
  const [size] = sizes;
  if (size !== undefined) return size;
  return memory.width === 8 ? undefined : memory.width;
}

/** @param wanted address size of a prefix; @param least displacement bytes that were needed before. */
export function encodeAddress(
  memory: MemoryText,
  value: Value,
  { bits, wanted, least }: { bits: CodeBits; wanted: CodeBits | undefined; least: number },
): EncodedAddress {
  const terms = combined(value.registers);
  const own = ownSize(memory, terms);
  if (own !== undefined && wanted !== undefined && own !== wanted)
    return fail(memory.place, `this address has ${own} bits, and a prefix or an operand says ${wanted}`);
  const addressSize = own ?? wanted ?? bits;
  const { modrm, sib, needsDisplacement, full } = addressSize === 32 ? shape32(memory, terms) : shape16(memory, terms);
  const length = full ? addressSize / 8 : displacementBytes(memory, value, addressSize, { needsDisplacement, least });
  const mod = full || length === 0 ? 0 : length === 1 ? 1 : 2;
  const short = BigInt.asIntN(addressSize, value.number);
  const problem = !fits(value.number, addressSize)
    ? `address ${rangeProblem(value.number, addressSize)}`
    : length === 1 && !isSignedByte(short)
      ? `displacement ${numberText(short)} does not fit in a signed byte`
      : undefined;
  return {
    addressSize,
    bytes: [(mod << 6) | modrm, ...sib, ...littleEndian(value.number, length)],
    displacement: full ? 0 : length,
    problem: value.known ? problem : undefined,
  };
}

const isSignedByte = (value: bigint): boolean => value >= -128n && value <= 127n;

function displacementBytes(
  memory: MemoryText,
  { number, known, addresses }: Value,
  addressSize: CodeBits,
  { needsDisplacement, least }: { needsDisplacement: boolean; least: number },
): number {
  const whole = addressSize / 8;
  if (memory.width === 8) return 1;
  if (memory.width !== undefined) return whole;
  if (!known) return Math.max(needsDisplacement ? 1 : 0, least);
  const small = addresses === 0 && isSignedByte(BigInt.asIntN(addressSize, number));
  return Math.max(least, !small ? whole : number === 0n && !needsDisplacement ? 0 : 1);
}

interface Shape {
  /** mod is 0. */
  readonly modrm: number;
  readonly sib: readonly number[];
  /** mod 0 with this base means something else. */
  readonly needsDisplacement: boolean;
  /** There is no base: mod stays 0 and the displacement is whole. */
  readonly full: boolean;
}

/** One term for each register, in the order in which they were written. */
function combined(terms: readonly Term[]): readonly Term[] {
  const byRegister = new Map<string, Term>();
  for (const term of terms) {
    const key = `${term.register.size}:${term.register.number}`;
    const before = byRegister.get(key);
    byRegister.set(key, before ? { ...before, factor: before.factor + term.factor } : term);
  }
  return [...byRegister.values()].filter(({ factor }) => factor !== 0n);
}

function shape32(memory: MemoryText, terms: readonly Term[]): Shape {
  if (terms.length === 0) return { modrm: 5, sib: [], needsDisplacement: true, full: true };
  const { base, index, scale } = baseAndIndex(memory, terms);
  if (index === NONE && base !== ESP) return { modrm: base, sib: [], needsDisplacement: base === EBP, full: false };
  const low = base === NONE ? 5 : base;
  return {
    modrm: 4,
    sib: [(scale << 6) | ((index === NONE ? 4 : index) << 3) | low],
    needsDisplacement: base === EBP,
    full: base === NONE,
  };
}

const scales = new Map([
  [1n, 0],
  [2n, 1],
  [4n, 2],
  [8n, 3],
]);

function baseAndIndex(
  memory: MemoryText,
  terms: readonly Term[],
): { readonly base: number; readonly index: number; readonly scale: number } {
  const impossible = (): never =>
    fail(
      memory.place,
      "no address has these registers: it is base + index * 1, 2, 4 or 8 + number, and ESP is no index",
    );
  const [first, second] = terms;
  if (first === undefined || terms.length > 2) return impossible();
  const number = first.register.number;
  if (second === undefined) {
    const { factor } = first;
    if (factor === 1n && !(memory.noSplit && first.multiplied)) return { base: number, index: NONE, scale: 0 };
    if (number === ESP) return impossible();
    // Two registers without a scale need no 32-bit displacement.
    const split = scales.get(factor - 1n);
    if (split !== undefined && !(factor === 2n && memory.noSplit)) return { base: number, index: number, scale: split };
    const scale = scales.get(factor);
    return scale === undefined ? impossible() : { base: NONE, index: number, scale };
  }
  const firstIsIndex = first.factor !== 1n || (first.multiplied && second.factor === 1n && !second.multiplied);
  const [base, index] = firstIsIndex ? [second, first] : [first, second];
  const scale = scales.get(index.factor);
  if (base.factor !== 1n || scale === undefined) return impossible();
  const pair = { base: base.register.number, index: index.register.number, scale };
  if (pair.index !== ESP) return pair;
  return scale === 0 ? { base: pair.index, index: pair.base, scale } : impossible();
}

/** Registers by the rm field, as a set of bits. */
const forms16 = [
  (1 << BX) | (1 << SI),
  (1 << BX) | (1 << DI),
  (1 << BP) | (1 << SI),
  (1 << BP) | (1 << DI),
  1 << SI,
  1 << DI,
  1 << BP,
  1 << BX,
];
const RM_BP = 6;

function shape16(memory: MemoryText, terms: readonly Term[]): Shape {
  if (terms.length === 0) return { modrm: RM_BP, sib: [], needsDisplacement: true, full: true };
  const set = terms.reduce((bits, { register }) => bits | (1 << register.number), 0);
  const modrm = forms16.indexOf(set);
  if (modrm < 0 || terms.some(({ factor }) => factor !== 1n))
    return fail(memory.place, "no 16-bit address has these registers: it is BX or BP, + SI or DI, + number");
  return { modrm, sib: [], needsDisplacement: modrm === RM_BP, full: false };
}
