/** The toy as an instruction set for the engine. */
import { formsOf } from "../engine/forms.js";
import type { CodeMode, InstructionSet } from "../engine/instruction-set.js";
import { generateInterpreter } from "../engine/interpreter.js";
import { decodeToy } from "./encoding.js";
import { toyRows } from "./table.js";

const forms = formsOf(
  toyRows,
  () => [32],
  ({ operands }) => [operands.some(({ method }) => method === "M") ? "simple" : "none"],
);
let compiled: WebAssembly.Module | undefined;

export const toy: InstructionSet = {
  name: "toy",
  rows: toyRows,
  forms,
  kinds: ["flat"],
  decode: decodeToy,
  memoryForm: ({ memory }) => (memory ? "simple" : "none"),
  module: () => {
    compiled ??= new WebAssembly.Module(generateInterpreter({ forms, kinds: ["flat"] }) as BufferSource);
    return compiled;
  },
};

/** There is one mode: everything is flat and 32 bits wide. */
export const TOY_MODE: CodeMode = { key: 0, kind: "flat", csBase: 0, csLimit: 0xffffffff };
