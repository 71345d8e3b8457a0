/** Toy instructions as text, as the assembler reads it. */
import type { DecodedInstruction } from "../isa/instruction.js";
import { decodeToy, LENGTH } from "./encoding.js";

/** One toy instruction as text. */
export interface ToyInstruction {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** "add r1, r2, r3", or "(bad)". */
  readonly text: string;
  /** Where a jump to an address goes. */
  readonly target?: number;
}

function operandText({ operands, memory }: DecodedInstruction, index: number): string {
  const operand = operands[index]!;
  switch (operand.kind) {
    case "register":
      return `r${operand.number}`;
    case "immediate":
      return String(operand.value);
    case "target":
      return `0x${operand.value.toString(16)}`;
    default: {
      const { base, displacement } = memory!;
      if (displacement === 0) return `[r${base}]`;
      return `[r${base} ${displacement < 0 ? "-" : "+"} ${Math.abs(displacement)}]`;
    }
  }
}

/**
 * The bytes as toy instructions of four bytes each. What is no instruction, and bytes left over at the end, are "(bad)".
 *
 * @example
 * disassembleToy(Uint8Array.of(0x20, 1, 2, 3, 0x51, 0, 0, 0)).map(({ text }) => text) // => [ 'add r1, r2, r3', 'halt' ]
 */
export function disassembleToy(
  bytes: Uint8Array,
  options: { readonly address?: number } = {},
): readonly ToyInstruction[] {
  const { address = 0 } = options;
  const list: ToyInstruction[] = [];
  for (let at = 0; at < bytes.length; at += LENGTH) {
    const own = bytes.slice(at, at + LENGTH);
    list.push(Object.freeze({ address: (address + at) >>> 0, bytes: own, ...textOf(own, address + at) }));
  }
  return Object.freeze(list);
}

function textOf(bytes: Uint8Array, address: number): { readonly text: string; readonly target?: number } {
  const decoded = bytes.length < LENGTH ? undefined : decodeToy((index) => bytes[index]!, address);
  if (decoded?.row === undefined) return { text: "(bad)" };
  const name = decoded.row.mnemonic.toLowerCase();
  const operands = decoded.operands.map((_operand, index) => operandText(decoded, index));
  const target = decoded.operands.find((operand) => operand.kind === "target");
  const text = operands.length === 0 ? name : `${name} ${operands.join(", ")}`;
  return target === undefined ? { text } : { text, target: target.value };
}
