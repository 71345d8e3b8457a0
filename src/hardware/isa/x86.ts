/** x86 as an instruction set for the engine: its rows, its decoder by code mode, and the forms its rows come in. */
import { includes, type ModelName } from "../cpu/model.js";
import { VECTOR } from "../cpu/processor.js";
import type { CodeKind } from "../engine/dispatch.js";
import { type Form, formsOf, type MemoryForm, memoryForms } from "../engine/forms.js";
import type { CodeMode, InstructionSet } from "../engine/instruction-set.js";
import { generateInterpreter, type Interpreted } from "../engine/interpreter.js";
import { prebuiltInterpreter } from "../engine/prebuilt.js";
import { replayException } from "../engine/replay.js";
import type { OperandSize } from "./code.js";
import { decode } from "./decoder.js";
import { type CodeBits, type DecodedInstruction, operandSizes, type Row } from "./instruction.js";
import { rows } from "./table/index.js";

export interface X86CodeMode extends CodeMode {
  readonly model: ModelName;
  readonly bits: CodeBits;
  /** Bit n: an access through segment n needs no check. Only asked of flat code. */
  readonly flatSegments: number;
}

const impliesMemory = ({ group, mnemonic }: Row): boolean => group === "string" || mnemonic === "XLAT";

/** There are so many vector instructions that they make do with fewer forms. */
const vectorForms: readonly MemoryForm[] = ["indexed", "segment"];

function memoryFormsOf(row: Row): readonly MemoryForm[] {
  const explicit = row.operands.some(({ method }) => method === "E" || method === "W" || method === "Q");
  if (explicit) return row.unit === undefined ? memoryForms : ["none", ...vectorForms];
  if (row.operands.some(({ method }) => method === "M"))
    return row.unit !== undefined ? vectorForms : ["simple", "indexed", "segment", "relative"];
  if (row.operands.some(({ method }) => method === "O")) return ["simple", "segment"];
  if (impliesMemory(row) || row.addressSized) return ["none", "segment"];
  return ["none"];
}

/** Segments that have a base in 64-bit code. */
const FS = 4;

function longMemoryForm({ row, memory, segment, addressSize }: DecodedInstruction): MemoryForm {
  if (!memory && !impliesMemory(row)) return addressSize === 32 && row.addressSized ? "segment" : "none";
  const based = (memory ? memory.segment : segment) >= FS && row.mnemonic !== "LEA";
  if (addressSize === 32 || based || memory?.displacementHigh !== undefined) return "segment";
  if (!memory) return "none";
  if (memory.relative) return row.unit === undefined ? "relative" : "segment";
  return memory.index < 0 && row.unit === undefined ? "simple" : "indexed";
}

function memoryForm(instruction: DecodedInstruction, mode: X86CodeMode): MemoryForm {
  if (mode.bits === 64) return longMemoryForm(instruction);
  const { row, memory, segment, addressSize } = instruction;
  if (!memory && !impliesMemory(row)) return addressSize === 16 && row.addressSized ? "segment" : "none";
  const flat = mode.kind === "flat" && (mode.flatSegments & (1 << (memory ? memory.segment : segment))) !== 0;
  // LEA computes an address and accesses nothing.
  if (addressSize === 16 || (!flat && row.mnemonic !== "LEA")) return "segment";
  if (!memory) return "none";
  return memory.index < 0 && row.unit === undefined ? "simple" : "indexed";
}

const sizesOf = (row: Row): readonly OperandSize[] =>
  [...new Set([32, 64] as const)].flatMap((bits) => operandSizes(row, bits));
const forms = formsOf(rows, sizesOf, memoryFormsOf);
/** A form is of 64-bit code, or of all other code, or of both. */
function has({ row, size, memory }: Form, kind: CodeKind): boolean {
  if (kind === "long") return row.where !== "not64" && operandSizes(row, 64).includes(size);
  if (row.where === "only64" || memory === "relative" || !operandSizes(row, 32).includes(size)) return false;
  return kind === "flat" || memory === "none" || memory === "segment" || row.mnemonic === "LEA";
}

/** Vectors stand apart, unless flags follow from them. */
const isApart = ({ row: { unit, flags } }: Form): boolean => unit !== undefined && flags === undefined;

const interpreted: Interpreted = { forms, kinds: ["flat", "segmented", "long"], has, isApart, replayException };
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
