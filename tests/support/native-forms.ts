/** What is compared: each row of the instruction table at each size, with its kinds of operands and its REP prefixes. */

import { includes } from "../../src/hardware/cpu/model.js";
import type { OperandSize } from "../../src/hardware/isa/code.js";
import { type CodeBits, operandSizes, type Row } from "../../src/hardware/isa/instruction.js";
import { rows } from "../../src/hardware/isa/table/index.js";
import { has } from "./encode.js";

export interface NativeForm {
  readonly row: Row;
  readonly size: OperandSize;
  readonly addressSize: CodeBits;
  readonly memory: boolean;
  readonly repeat: number | undefined;
}

/** Executed in TypeScript and allowed in any mode, with results that do not depend on the operating system. */
const plainSystemRows = ["CLFLUSH", "ENTER", "POPF", "CMPXCHG8B", "INTO", "INT3", "ARPL"];
/** Only system software may execute these, so a program gets #GP. */
const privilegedRows = [
  ...["CLI", "STI", "IN", "OUT", "INS", "OUTS", "HLT", "CLTS", "INVD", "WBINVD", "INVLPG", "RDMSR", "WRMSR"],
  ...["LGDT", "LIDT", "LLDT", "LTR", "LMSW"],
];

/** Works on x87, MMX or XMM registers. */
export const usesFloats = (row: Row): boolean =>
  row.unit !== undefined ||
  row.group === "x87" ||
  row.operands.some(({ method, name }) => "PQNVWU".includes(method) || name === "ST0" || method === "ST");

/** Reading descriptors, CPUID and time are about the operating system and the model, not about the instruction. */
function isComparable(row: Row): boolean {
  if (row.semantics !== undefined) return true;
  if (row.group === "x87") return includes("max", row.needs);
  if (row.unit !== undefined) return true;
  if (plainSystemRows.includes(row.mnemonic) || privilegedRows.includes(row.mnemonic)) return true;
  // Selectors may be stored, control and debug registers may not be touched.
  const [first, second] = row.operands;
  if (row.mnemonic === "PUSH") return first?.method === "S";
  return row.mnemonic === "MOV" && (second?.method === "S" || has(row, "C", "D"));
}

/** What real mode adds: no descriptors, so segment registers may be loaded, and no privilege. */
const realRows = ["LDS", "LES", "LSS", "LFS", "LGS", "CLI", "STI", "CLTS"];

function isRealComparable(row: Row): boolean {
  if (usesFloats(row)) return false;
  if (row.semantics !== undefined || realRows.includes(row.mnemonic)) return true;
  if (row.mnemonic === "ARPL") return false;
  return plainSystemRows.includes(row.mnemonic) || (["MOV", "PUSH", "POP"].includes(row.mnemonic) && has(row, "S"));
}

const implied = (row: Row): boolean => has(row, "X", "Y") || row.mnemonic === "XLAT";

/** The forms that a program executes to their end, rather than to a #GP for its privilege. */
export const nativeForms = (): NativeForm[] =>
  comparedForms("user").filter(({ row }) => !privilegedRows.includes(row.mnemonic) && !has(row, "C", "D"));

/** The forms that are compared in user mode, or in real mode. */
export function comparedForms(world: "user" | "real"): NativeForm[] {
  const forms: NativeForm[] = [];
  for (const row of rows.filter(world === "user" ? isComparable : isRealComparable)) {
    for (const size of operandSizes(row)) {
      // Processors write all of the slot, or the selector only. Spec: SDM Vol. 2B, "PUSH—Push Word, Doubleword, …".
      if (row.mnemonic === "PUSH" && has(row, "S") && size === 32) continue;
      const memories = has(row, "E", "W", "Q") ? [false, true] : [has(row, "M", "O") || implied(row)];
      // Whether REP INS with a count of 0 may be executed differs between processors.
      const repeats = row.repeat === undefined || row.system ? [undefined] : [undefined, 0xf3, 0xf2];
      for (const memory of memories) {
        const addressed = memory || row.addressSized || implied(row);
        for (const addressSize of addressed ? ([32, 16] as const) : ([32] as const))
          for (const repeat of repeats) forms.push({ row, size, addressSize, memory, repeat });
      }
    }
  }
  return forms;
}
