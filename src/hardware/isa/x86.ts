/** x86 as an instruction set for the engine: its rows, its decoder by code mode, and the forms its rows come in. */
import { includes, type ModelName } from "../cpu/model.js";
import { VECTOR } from "../cpu/processor.js";
import { formsOf, type MemoryForm, memoryForms } from "../engine/forms.js";
import type { CodeMode, InstructionSet } from "../engine/instruction-set.js";
import { generateInterpreter, type Interpreted } from "../engine/interpreter.js";
import { prebuiltInterpreter } from "../engine/prebuilt.js";
import { replayException } from "../engine/replay.js";
import { decode } from "./decoder.js";
import { type CodeBits, type DecodedInstruction, operandSizes, type Row } from "./instruction.js";
import { rows } from "./table/index.js";

export interface X86CodeMode extends CodeMode {
  readonly model: ModelName;
  readonly bits: CodeBits;
  /** Bit n: an access through segment n needs no check. Only asked when `flat`. */
  readonly flatSegments: number;
}

const impliesMemory = ({ group, mnemonic }: Row): boolean => group === "string" || mnemonic === "XLAT";

function memoryFormsOf(row: Row): readonly MemoryForm[] {
  const explicit = row.operands.some(({ method }) => method === "E");
  if (explicit) return memoryForms;
  if (row.operands.some(({ method }) => method === "M")) return ["simple", "indexed", "segment"];
  if (row.operands.some(({ method }) => method === "O")) return ["simple", "segment"];
  if (impliesMemory(row) || row.addressSized) return ["none", "segment"];
  return ["none"];
}

function memoryForm({ row, memory, segment, addressSize }: DecodedInstruction, mode: X86CodeMode): MemoryForm {
  if (!memory && !impliesMemory(row)) return addressSize === 16 && row.addressSized ? "segment" : "none";
  const flat = mode.flat && (mode.flatSegments & (1 << (memory ? memory.segment : segment))) !== 0;
  // LEA computes an address and accesses nothing.
  if (addressSize === 16 || (!flat && row.mnemonic !== "LEA")) return "segment";
  if (!memory) return "none";
  return memory.index < 0 ? "simple" : "indexed";
}

const forms = formsOf(rows, operandSizes, memoryFormsOf);
const interpreted: Interpreted = { forms, segmented: true, replayException };
let compiled: WebAssembly.Module | undefined;

export const x86: InstructionSet<X86CodeMode> = {
  name: "x86",
  rows,
  ...interpreted,
  decode: (byteAt, address, { bits, model }) => {
    const instruction = decode(byteAt, address, bits);
    // What the model does not have is no instruction.
    if (instruction.row === undefined || includes(model, instruction.row.needs)) return instruction;
    return { row: undefined, eip: address, vector: VECTOR.UD, length: instruction.length };
  },
  memoryForm,
  module: () => {
    compiled ??= new WebAssembly.Module(
      prebuiltInterpreter === undefined
        ? (generateInterpreter(interpreted) as BufferSource)
        : Uint8Array.from(atob(prebuiltInterpreter), (c) => c.charCodeAt(0)),
    );
    return compiled;
  },
};
