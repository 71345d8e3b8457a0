/** As encode.ts, with both sizes of code and of addresses: encode.ts writes 32-bit code with 32-bit addresses. */
import type { OperandSize } from "../../src/hardware/isa/code.js";
import { type CodeBits, encodingHead, operandSizes, type Row } from "../../src/hardware/isa/instruction.js";
import { rows } from "../../src/hardware/isa/table/index.js";
import { type EncodingChoice, encode, type MemoryChoice } from "./encode.js";

/** The rm field and a displacement: of 0, 1 or 2 bytes, or of 2 without a register (rm 6). */
export interface Memory16 {
  readonly rm: number;
  readonly displacement: number;
  readonly displacementBytes: 0 | 1 | 2;
  readonly absolute: boolean;
}

/** Base and index registers by the rm field. Spec: SDM Vol. 2A, table "16-Bit Addressing Forms with the ModR/M Byte". */
export const addressing16: readonly (readonly number[])[] = [[3, 6], [3, 7], [5, 6], [5, 7], [6], [7], [5], [3]];

/** How many operand sizes a row has. */
const sizesOf = new Map(rows.map((row) => [row, operandSizes(row).length]));

export type Target = number | MemoryChoice | Memory16;

/** One instruction of a case, as chosen; everything may be made simpler by the reducer. */
export interface Choice extends Omit<EncodingChoice, "target" | "prefixes"> {
  readonly row: Row;
  readonly size: OperandSize;
  readonly codeBits: CodeBits;
  readonly addressSize: CodeBits;
  readonly target: Target;
  readonly prefixes: readonly number[];
}

const is16 = (target: Target): target is Memory16 => typeof target === "object" && "rm" in target;

function modrm16(reg: number, { rm, displacement, displacementBytes, absolute }: Memory16): number[] {
  const bytes = [displacement & 0xff, (displacement >> 8) & 0xff];
  if (absolute) return [(reg << 3) | 6, ...bytes];
  // BP alone has no form without a displacement.
  const size = displacementBytes === 0 && rm === 6 ? 1 : displacementBytes;
  return [(size << 6) | (reg << 3) | rm, ...bytes.slice(0, size)];
}

const known = new WeakMap<Choice, readonly number[]>();

/** The instruction's bytes. */
export function bytesOf(choice: Choice): readonly number[] {
  let bytes = known.get(choice);
  if (bytes === undefined) {
    bytes = encodeChoice(choice);
    known.set(choice, bytes);
  }
  return bytes;
}

function encodeChoice(choice: Choice): number[] {
  const { row, size, codeBits, addressSize, target, prefixes } = choice;
  const bytes = encode({ ...choice, target: is16(target) ? 0 : target, prefixes: [] });
  const sized = sizesOf.get(row)! > 1;
  if (sized && size === 16) bytes.shift();
  const head = [...prefixes];
  // BSWAP has a 16-bit form, whose result is undefined.
  if ((sized && size !== codeBits) || (row.mnemonic === "BSWAP" && codeBits === 16)) head.push(0x66);
  if (addressSize !== codeBits) head.push(0x67);
  if (is16(target)) {
    const at = encodingHead(row).flat().length + 1;
    bytes.splice(at, 1, ...modrm16((bytes[at]! >> 3) & 7, target));
  }
  if (addressSize === 16 && row.operands.some(({ method }) => method === "O")) bytes.length -= 2;
  return [...head, ...bytes];
}
