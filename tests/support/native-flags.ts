/** Which flags a row needs, defines and leaves undefined, so that no case depends on what the manual leaves open. */
import { conditionNames, type OperandSize } from "../../src/hardware/isa/code.js";
import type { Row } from "../../src/hardware/isa/instruction.js";

export const ARITHMETIC_FLAGS = 0x8d5;
export const DIRECTION_FLAG = 0x400;
const flagBits: Readonly<Record<string, number>> = { O: 0x800, S: 0x80, Z: 0x40, A: 0x10, P: 4, C: 1 };
const mask = (letters: string): number => [...letters].reduce((bits, letter) => bits | flagBits[letter]!, 0);

export interface FlagEffect {
  readonly needs: number;
  readonly defines: number;
  readonly leavesUndefined: number;
}

/** Flags of the conditions, by name without the "N" of the opposite. */
const conditionFlags: Readonly<Record<string, string>> = {
  ...{ O: "O", NO: "O", B: "C", AE: "C", E: "Z", NE: "Z", BE: "CZ", A: "CZ" },
  ...{ S: "S", NS: "S", P: "P", NP: "P", L: "SO", GE: "SO", LE: "ZSO", G: "ZSO" },
};

const needed: Readonly<Record<string, string>> = {
  ...{ ADC: "C", SBB: "C", RCL: "C", RCR: "C", CMC: "C", SALC: "C", DAA: "AC", DAS: "AC", AAA: "A", AAS: "A" },
  ...{ LAHF: "SZAPC", PUSHF: "OSZAPC", INTO: "O", LOOPE: "Z", LOOPNE: "Z" },
  ...{ FCMOVB: "C", FCMOVE: "Z", FCMOVBE: "CZ", FCMOVU: "P", FCMOVNB: "C", FCMOVNE: "Z", FCMOVNBE: "CZ", FCMOVNU: "P" },
  ...Object.fromEntries(
    conditionNames.flatMap((name) => ["J", "SET", "CMOV"].map((verb) => [verb + name, conditionFlags[name]!])),
  ),
};

export const countedRows = ["SHL", "SHR", "SAR", "ROL", "ROR", "RCL", "RCR", "SHLD", "SHRD"];

export interface FlagStep {
  readonly choice: { readonly row: Row; readonly size: OperandSize; readonly prefixes: readonly number[] };
  /** Of a shift or rotate. */
  readonly count: number;
}

export function flagEffect({ choice: { row, size, prefixes }, count }: FlagStep): FlagEffect {
  const needs = mask(needed[row.mnemonic] ?? "");
  if (row.mnemonic === "POPF") return { needs, defines: ARITHMETIC_FLAGS, leavesUndefined: 0 };
  // With a count of 0 nothing is compared.
  if (row.repeat !== undefined && prefixes.some((byte) => byte >= 0xf2))
    return { needs, defines: 0, leavesUndefined: 0 };
  const written = mask(row.flags?.written ?? "");
  let leavesUndefined = mask(row.flags?.undefined ?? "");
  if (countedRows.includes(row.mnemonic)) {
    const effective = count & (size === 64 ? 63 : 31);
    if (effective === 0) return { needs, defines: 0, leavesUndefined: 0 };
    // OF is defined for a count of 1; CF is not for SHL and SHR by the operand size or more.
    if (effective === 1) leavesUndefined &= ~flagBits["O"]!;
    if ((row.mnemonic === "SHL" || row.mnemonic === "SHR") && effective >= size) leavesUndefined |= flagBits["C"]!;
  }
  return { needs, defines: written & ~leavesUndefined, leavesUndefined };
}

/** Undefined flags behind an instruction, from those in front of it. */
export const undefinedBehind = (before: number, { defines, leavesUndefined }: FlagEffect): number =>
  (before & ~defines) | leavesUndefined;
