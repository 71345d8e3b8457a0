/**
 * What is left of MMX and SSE: tests, sums and minima over a vector, stores by a mask, the order of accesses, hints to
 * caches; and two on general registers that came with SSE4.2.
 * Spec: SDM Vol. 1, "SSE4.1 Instruction Set", "SSE4.2 Instruction Set", "MMX State Management Instructions",
 * "Cacheability Control, Prefetch, and Memory Ordering Instructions".
 */
import { ALL_EMPTY } from "../../cpu/floating.js";
import { effectiveAddress, operandAddress } from "../../cpu/operands.js";
import { Fault, type ProcessorPort, VECTOR } from "../../cpu/processor.js";
import { registerAddress } from "../../cpu/quadwords.js";
import { mmx, noteMmx, operandBits, partsOf, setOperandBits, sse } from "../../cpu/sse.js";
import { ACCESS, segmentNumbered } from "../../cpu/state.js";
import {
  and,
  type Code,
  type Expr,
  i32,
  isZero,
  narrow,
  or,
  shl,
  shr,
  sub,
  unary,
  widenUnsigned,
  xor,
} from "../code.js";
import { type DecodedInstruction, type Definition, define, type Row, type SystemInstruction } from "../instruction.js";
import { vectorBinary, vectorTest } from "../vector.js";
import { mmxForm, xmmForm } from "./vector-forms.js";

const ZF = 6;

/** Sets ZF and CF from bits at their places; OF, SF, AF and PF are clear. */
function setFlags(c: Code, flags: Expr): void {
  const bits = c.let(flags);
  c.flags({ carry: i32(0), carries: i32(0) });
  c.setLowFlags(bits);
}

/** ZF: no bit is common. CF: the destination has all of the source's. */
function test(c: Code): void {
  const [a, b] = [c.vector(0), c.vector(1)];
  const isClear = (vector: Expr): Expr => isZero(vectorTest("v128.any_true", vector));
  const common = isClear(vectorBinary("v128.and", a, b));
  setFlags(c, or(shl(common, i32(ZF)), isClear(vectorBinary("v128.andnot", b, a))));
}

// ---- on general registers ---------------------------------------------------------------------------------------------

/** The polynomial 11EDC6F41, its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

const accumulate =
  (byte: boolean): NonNullable<Definition["semantics"]> =>
  (c) => {
    const data = c.read(1);
    const remainder = c.variable(narrow(c.read(0)));
    for (let at = 0; at < (byte ? 8 : c.size); at += 8) {
      const next = and(narrow(at === 0 ? data : shr(data, i32(at))), i32(0xff));
      remainder.set(xor(remainder.value, next));
      for (let bit = 0; bit < 8; bit++) {
        const lowest = sub(i32(0), and(remainder.value, i32(1)));
        remainder.set(xor(shr(remainder.value, i32(1)), and(lowest, i32(POLYNOMIAL))));
      }
    }
    c.write(0, c.size === 64 ? widenUnsigned(remainder.value) : remainder.value);
  };

function countOnes(c: Code): void {
  const value = c.let(c.zeroExtend(c.read(1)));
  c.write(0, unary(value.type === "i64" ? "i64.popcnt" : "i32.popcnt", value));
  setFlags(c, shl(isZero(value), i32(ZF)));
}

// ---- over a vector ----------------------------------------------------------------------------------------------------

const leastWord: SystemInstruction = sse((port, instruction) => {
  const words = partsOf(operandBits(port, instruction, 1), 16, 8);
  const least = words.reduce((a, b) => (b < a ? b : a));
  setOperandBits(port, instruction, 0, (BigInt(words.indexOf(least)) << 16n) | least);
});

const bytesOf = (vector: bigint): readonly number[] =>
  Array.from({ length: 16 }, (_, index) => Number((vector >> BigInt(8 * index)) & 0xffn));

/** Bits 0 and 1 of the immediate choose four bytes of the source, bit 2 where the destination's begin. */
const differences: SystemInstruction = sse((port, instruction) => {
  const control = Number(operandBits(port, instruction, 2));
  const block = bytesOf(operandBits(port, instruction, 1)).slice(4 * (control & 3), 4 * (control & 3) + 4);
  const target = bytesOf(operandBits(port, instruction, 0)).slice(control & 4);
  let result = 0n;
  for (let place = 7; place >= 0; place--) {
    const sum = block.reduce((total, byte, index) => total + Math.abs(byte - target[place + index]!), 0);
    result = (result << 16n) | BigInt(sum);
  }
  setOperandBits(port, instruction, 0, result);
});

// ---- stores by a mask -------------------------------------------------------------------------------------------------

const EDI = 7;

/** Offset at EDI, as wide as addresses are. */
function offsetAtEdi(port: ProcessorPort, { addressSize }: DecodedInstruction): number {
  if (addressSize === 64) return registerAddress(port, EDI);
  return addressSize === 16 ? port.getRegister(EDI) & 0xffff : port.getRegister(EDI);
}

/**
 * Stores the bytes of operand 0 whose highest bits in operand 1 are set, at EDI in DS or what a prefix names. All of the
 * place must be writable, whatever the mask is: the manual leaves that to the processor.
 */
function storeMasked(port: ProcessorPort, instruction: DecodedInstruction): void {
  const mask = operandBits(port, instruction, 1);
  const source = operandBits(port, instruction, 0);
  const size = instruction.row.unit === "mmx" ? 8 : 16;
  const user = port.cpl === 3;
  const linear = port.segmentAddress(instruction.segment, offsetAtEdi(port, instruction), size, true);
  port.checkWrite(linear, size, user);
  for (let index = 0; index < size; index++) {
    if (((mask >> BigInt(8 * index + 7)) & 1n) === 0n) continue;
    port.writeLinear(linear + index, 1, Number((source >> BigInt(8 * index)) & 0xffn), user);
  }
}

/** Checked as a read of a byte, but that code may be flushed which may not be read. */
function flushLine(port: ProcessorPort, instruction: DecodedInstruction): void {
  const { base, limit, access } = segmentNumbered(port.system.segments, instruction.memory!.segment);
  const isCode = (access & ACCESS.CODE) !== 0 && port.codeBits !== 64;
  const offset = effectiveAddress(port, instruction);
  if (isCode && offset > limit) throw new Fault(VECTOR.GP, 0, "offset-beyond-limit");
  const linear = isCode ? (base + offset) >>> 0 : operandAddress(port, instruction, 1, false);
  port.readLinear(linear, 1, port.cpl === 3);
}

/** It is done already: nothing here is cached or out of order. */
const nothing = (): void => {};

const definitions: readonly Definition[] = [
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "PTEST",
    summary: "Sets ZF if no bit is common, CF if the destination has all of the source's.",
    spec: "SDM Vol. 2B, PTEST—Logical Compare",
    forms: [["66 0F 38 17 /r", "Vdq Wdq"]],
    flags: { written: "OSZAPC" },
    semantics: test,
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "PHMINPOSUW",
    summary: "Finds the least of unsigned words, and where it is.",
    spec: "SDM Vol. 2B, PHMINPOSUW—Packed Horizontal Word Minimum",
    forms: [["66 0F 38 41 /r", "Vdq Wdq"]],
    system: leastWord,
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "MPSADBW",
    summary: "Adds up absolute differences of four bytes and four others, eight times, one byte further each time.",
    spec: "SDM Vol. 2B, MPSADBW—Compute Multiple Packed Sums of Absolute Difference",
    forms: [["66 0F 3A 42 /r", "Vdq Wdq Ib"]],
    system: differences,
  },
  {
    mnemonic: "CRC32",
    group: "SSE4.2",
    needs: "SSE4_2",
    summary: "Adds a byte to a CRC-32C.",
    spec: "SDM Vol. 2A, CRC32—Accumulate CRC32 Value",
    forms: [["F2 0F 38 F0 /r", "Gy Eb"]],
    semantics: accumulate(true),
  },
  {
    mnemonic: "CRC32",
    group: "SSE4.2",
    needs: "SSE4_2",
    summary: "Adds two, four or eight bytes to a CRC-32C.",
    spec: "SDM Vol. 2A, CRC32—Accumulate CRC32 Value",
    forms: [["F2 0F 38 F1 /r", "Gy Ev"]],
    semantics: accumulate(false),
  },
  {
    mnemonic: "POPCNT",
    group: "SSE4.2",
    needs: "POPCNT",
    summary: "Counts the bits that are 1.",
    spec: "SDM Vol. 2B, POPCNT—Return the Count of Number of Bits Set to 1",
    forms: [["F3 0F B8 /r", "Gv Ev"]],
    flags: { written: "OSZAPC" },
    semantics: countOnes,
  },
  {
    ...mmxForm("MMX"),
    mnemonic: "EMMS",
    summary: "Empties the x87 registers, which MMX used.",
    spec: "SDM Vol. 2A, EMMS—Empty MMX Technology State",
    forms: [["NP 0F 77"]],
    system: mmx((port) => {
      noteMmx(port);
      port.floating.tags = ALL_EMPTY;
    }),
  },
  {
    ...mmxForm("SSE"),
    mnemonic: "MASKMOVQ",
    summary: "Stores chosen bytes at EDI.",
    spec: "SDM Vol. 2B, MASKMOVQ—Store Selected Bytes of Quadword",
    forms: [["NP 0F F7 /r", "Pq Nq"]],
    system: mmx((port, instruction) => {
      // Processors do so before the store may fault.
      noteMmx(port);
      storeMasked(port, instruction);
    }),
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MASKMOVDQU",
    summary: "Stores chosen bytes at EDI.",
    spec: "SDM Vol. 2B, MASKMOVDQU—Store Selected Bytes of Double Quadword",
    forms: [["66 0F F7 /r", "Vdq Udq"]],
    system: sse(storeMasked),
  },
  {
    mnemonic: "SFENCE",
    group: "SSE",
    needs: "SSE",
    summary: "Waits until all stores so far are seen by all.",
    spec: "SDM Vol. 2B, SFENCE—Store Fence",
    forms: [["NP 0F AE F8+i"]],
    semantics: nothing,
  },
  {
    mnemonic: "LFENCE",
    group: "SSE2",
    needs: "SSE2",
    summary: "Waits until all loads so far are done.",
    spec: "SDM Vol. 2A, LFENCE—Load Fence",
    forms: [["NP 0F AE E8+i"]],
    semantics: nothing,
  },
  {
    mnemonic: "MFENCE",
    group: "SSE2",
    needs: "SSE2",
    summary: "Waits until all loads and stores so far are seen by all.",
    spec: "SDM Vol. 2B, MFENCE—Memory Fence",
    forms: [["NP 0F AE F0+i"]],
    semantics: nothing,
  },
  {
    mnemonic: "CLFLUSH",
    group: "SSE2",
    needs: "CLFSH",
    summary: "Takes a line out of all caches.",
    spec: "SDM Vol. 2A, CLFLUSH—Flush Cache Line",
    forms: [["NP 0F AE /7", "Mb"]],
    system: flushLine,
  },
  ...["PREFETCHNTA", "PREFETCHT0", "PREFETCHT1", "PREFETCHT2"].map(
    (mnemonic, level): Definition => ({
      mnemonic,
      group: "SSE",
      needs: "SSE",
      summary: "Tells that a line will be read soon.",
      spec: "SDM Vol. 2B, PREFETCHh—Prefetch Data Into Caches",
      forms: [[`0F 18 /${level}`, "Mb"]],
      semantics: nothing,
    }),
  ),
];

export const vectorOtherRows: readonly Row[] = definitions.flatMap(define);
