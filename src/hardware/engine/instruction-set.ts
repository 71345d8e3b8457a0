/**
 * What an instruction set is to the engine: a table of rows, a decoder, and the interpreter that is generated from the
 * rows' forms. The engine's core knows no more of an architecture than this.
 */
import type { DecodedInstruction, InvalidInstruction, Row } from "../isa/instruction.js";
import type { CodeKind } from "./dispatch.js";
import type { MemoryForm } from "./forms.js";
import type { Interpreted } from "./interpreter.js";

/** How code is read at present: what else than its bytes decides the records. */
export interface CodeMode {
  /** Interned number of the mode: blocks of different modes are kept apart. */
  readonly key: number;
  /** Which of the interpreters executes it. */
  readonly kind: CodeKind;
  readonly csBase: number;
  readonly csLimit: number;
}

export interface InstructionSet<Mode extends CodeMode = CodeMode> extends Interpreted {
  readonly name: string;
  readonly rows: readonly Row[];
  /** The instruction whose bytes `byteAt` gives, at `address` of the code segment. Never asks for a byte it lacks. */
  readonly decode: (
    byteAt: (index: number) => number,
    address: number,
    mode: Mode,
  ) => DecodedInstruction | InvalidInstruction;
  /** The kind of memory operand an instruction has in this mode. */
  readonly memoryForm: (instruction: DecodedInstruction, mode: Mode) => MemoryForm;
  /** The compiled interpreter; made when it is first asked for. */
  readonly module: () => WebAssembly.Module;
}
