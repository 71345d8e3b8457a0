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
  /** Bits X and B of a REX prefix. */
  readonly rex: number;
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
const REX_X = 2;
const REX_B = 1;

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
function ownSize(memory: MemoryText, terms: readonly Term[], bits: CodeBits): CodeBits | undefined {
  const sizes = new Set(terms.map(({ register }) => register.size));
  if (sizes.size > 1) fail(memory.place, `${[...sizes].join("-bit and ")}-bit registers cannot be in one address`);
  const [size = memory.addressSize] = sizes;
  if (size !== undefined || bits === 64) return size;
  return memory.width === 8 ? undefined : memory.width;
}

/** An address of 64-bit code has 32 or 64 bits, and only there are there such of 64. */
function requireSize(memory: MemoryText, size: CodeBits, bits: CodeBits): void {
  if (bits === 64 ? size === 16 : size === 64) fail(memory.place, `no ${bits}-bit code has ${size}-bit addresses`);
  if (memory.relative && bits !== 64) fail(memory.place, '"rel" is for 64-bit code; say bits 64 before it');
}

/** @param wanted address size of a prefix; @param least displacement bytes that were needed before. */
export function encodeAddress(
  memory: MemoryText,
  value: Value,
  { bits, wanted, least }: { bits: CodeBits; wanted: CodeBits | undefined; least: number },
): EncodedAddress {
  const terms = combined(value.registers);
  const own = ownSize(memory, terms, bits);
  if (own !== undefined && wanted !== undefined && own !== wanted)
    return fail(memory.place, `this address has ${own} bits, and a prefix or an operand says ${wanted}`);
  const addressSize = own ?? wanted ?? bits;
  requireSize(memory, addressSize, bits);
  const shape = addressSize === 16 ? shape16(memory, terms) : shapeWide(memory, terms, bits);
  const { modrm, sib, needsDisplacement, full, rex = 0 } = shape;
  const length = full
    ? wholeBytes(addressSize)
    : displacementBytes(memory, value, addressSize, { needsDisplacement, least });
  const mod = full || length === 0 ? 0 : length === 1 ? 1 : 2;
  const short = BigInt.asIntN(addressSize, value.number);
  const reaches = addressSize === 64 ? BigInt.asIntN(32, short) === short : fits(value.number, addressSize);
  const problem = !reaches
    ? `address ${addressSize === 64 ? `${numberText(short)} does not fit in 32 bits with a sign` : rangeProblem(value.number, addressSize)}`
    : length === 1 && !isSignedByte(short)
      ? `displacement ${numberText(short)} does not fit in a signed byte`
      : undefined;
  return {
    addressSize,
    bytes: [(mod << 6) | modrm, ...sib, ...littleEndian(value.number, length)],
    displacement: full ? 0 : length,
    rex,
    problem: value.known && !memory.relative ? problem : undefined,
  };
}

/** Of 64 bits an address has no displacement of its own: one of 32 is extended by its sign. */
const wholeBytes = (addressSize: CodeBits): number => (addressSize === 16 ? 2 : 4);

const isSignedByte = (value: bigint): boolean => value >= -128n && value <= 127n;

function displacementBytes(
  memory: MemoryText,
  { number, known, addresses }: Value,
  addressSize: CodeBits,
  { needsDisplacement, least }: { needsDisplacement: boolean; least: number },
): number {
  const whole = wholeBytes(addressSize);
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
  /** Bits X and B of a REX prefix. */
  readonly rex?: number;
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

/** Alone, a whole displacement is counted from the next instruction in 64-bit code; with SIB it is not. */
function shapeOfNumber(memory: MemoryText, bits: CodeBits): Shape {
  if (bits === 64 && !memory.relative) return { modrm: 4, sib: [0x25], needsDisplacement: true, full: true };
  return { modrm: 5, sib: [], needsDisplacement: true, full: true };
}

function shapeWide(memory: MemoryText, terms: readonly Term[], bits: CodeBits): Shape {
  if (terms.length === 0) return shapeOfNumber(memory, bits);
  const { base, index, scale } = baseAndIndex(memory, terms);
  // R12 and R13 are special as ESP and EBP are: only REX tells them apart.
  const low = base & 7;
  const needsDisplacement = base !== NONE && low === EBP;
  const rex = (index > 7 ? REX_X : 0) | (base > 7 ? REX_B : 0);
  if (index === NONE && low !== ESP) return { modrm: low, sib: [], needsDisplacement, full: false, rex };
  return {
    modrm: 4,
    sib: [(scale << 6) | ((index === NONE ? 4 : index & 7) << 3) | (base === NONE ? 5 : low)],
    needsDisplacement,
    full: base === NONE,
    rex,
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
