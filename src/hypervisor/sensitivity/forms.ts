/** Every instruction form of a processor model: each row of the instruction table with its sizes and kinds of operands. */
import { includes, type ModelName, models } from "../../hardware/cpu/model.js";
import { disassemble } from "../../hardware/isa/disassembler.js";
import { type InstructionGroup, operandSizes, type Row } from "../../hardware/isa/instruction.js";
import { rows } from "../../hardware/isa/table/index.js";
import { encode, has } from "./encode.js";
import { SELECTORS } from "./layout.js";

/** An instruction with its operands, as it is tried. */
export interface InstructionForm {
  readonly mnemonic: string;
  /** In the notation of the manual: "0F 01 /4". */
  readonly opcode: string;
  readonly group: InstructionGroup;
  /** The instruction that stands for the form: "smsw eax". */
  readonly text: string;
  /** Operand size in bits. */
  readonly size: 8 | 16 | 32 | 64;
  /** Its bytes; more than once where a far pointer is part of the instruction, with a selector each. */
  readonly encodings: readonly Uint8Array[];
  /** Section of the manual that describes it. */
  readonly spec: string;
}

/** Selectors that a far pointer in an instruction is tried with. */
const farSelectors: readonly number[] = [
  ...[SELECTORS.systemCode, SELECTORS.otherSystemCode, SELECTORS.userCode, SELECTORS.otherUserCode],
  ...[SELECTORS.conforming, SELECTORS.callGate],
];
const CS = 1;
const SEGMENT_REGISTERS = [0, 1, 2, 3, 4, 5];
const SOME_DEBUG_REGISTERS = [0, 3, 6, 7];
/** What no operand says: ECX, which holds numbers that are harmless to write. */
const ANY_REGISTER = [1];

/** The numbers of the register operand that are tried. They matter where they name system registers. */
function registersOf(row: Row, model: ModelName): readonly number[] {
  if (row.modrm !== "r") return ANY_REGISTER;
  // CS cannot be loaded by MOV: that encoding is no instruction.
  if (has(row, "S")) return SEGMENT_REGISTERS.filter((number) => number !== CS || row.operands[1]?.method === "S");
  if (has(row, "D")) return SOME_DEBUG_REGISTERS;
  if (!has(row, "C")) return ANY_REGISTER;
  return models[model].controlRegisters.filter((number) => row.where === "only64" || number < 8);
}

const isMemory = (row: Row): readonly boolean[] => (has(row, "EWQ") ? [false, true] : [has(row, "M")]);

function formsOfRow(row: Row, model: ModelName, bits: 32 | 64): InstructionForm[] {
  const { mnemonic, opcode, group, spec } = row;
  const selectors = has(row, "A") ? farSelectors : [0];
  return operandSizes(row, bits).flatMap((size) =>
    isMemory(row).flatMap((memory) =>
      registersOf(row, model).map((register): InstructionForm => {
        const encodings = selectors.map((selector) =>
          Uint8Array.from(encode({ row, bits, size, memory, register, selector })),
        );
        const { text } = disassemble(encodings[0]!, { bits })[0]!;
        return Object.freeze({ mnemonic, opcode, group, text, size, encodings, spec });
      }),
    ),
  );
}

/** The forms that code of 32 or of 64 bits has on a model. */
export function instructionForms(model: ModelName, bits: 32 | 64): readonly InstructionForm[] {
  const absent = bits === 64 ? "not64" : "only64";
  return rows
    .filter(({ needs, where }) => includes(model, needs) && where !== absent)
    .flatMap((row) => formsOfRow(row, model, bits));
}
