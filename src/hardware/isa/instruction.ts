/**
 * One row per instruction form: everything that decoder, interpreter, disassembler, documentation and tests know about
 * it. A definition (`define`) is a mnemonic with its encodings; each encoding becomes a row.
 *
 * Opcodes are in the SDM's notation ("81 /2", "0F B6 /r", "50+r"), operands in its Appendix A codes ("Ev", "Gv", "Ib").
 * Spec: SDM Vol. 2A, "Instruction Format"; Vol. 2D, Appendix A "Opcode Map", "Codes for Addressing Method".
 */
import type { ModelName } from "../cpu/model.js";
import type { ProcessorPort } from "../cpu/processor.js";
import type { Code, OperandSize, Replay } from "./code.js";

/** Groups as in SDM Vol. 1, chapter 5 "Instruction Set Summary"; figures count by them. */
export type InstructionGroup =
  | "data transfer"
  | "arithmetic"
  | "logic"
  | "shift and rotate"
  | "bit and byte"
  | "control transfer"
  | "string"
  | "flag control"
  | "miscellaneous"
  | "input and output"
  | "system";

export interface Definition {
  readonly mnemonic: string;
  readonly group: InstructionGroup;
  /** What it does, in one sentence. */
  readonly summary: string;
  /** Section of the manual. */
  readonly spec: string;
  /** Encodings: opcode notation and operand codes, both space-separated ("80 /0", "Eb Ib"). */
  readonly forms: readonly (readonly [opcode: string, operands?: string])[];
  /** Status flags written ("OSZAPC") and those of them whose value is undefined. */
  readonly flags?: { readonly written: string; readonly undefined?: string };
  /** LOCK is allowed with a memory destination. */
  readonly lock?: boolean;
  /** REP prefixes mean something: "rep" repeats by count, "repe" by count and ZF. */
  readonly repeat?: "rep" | "repe";
  /** F3 is part of the encoding. */
  readonly mandatoryPrefix?: 0xf3;
  /** POP m: an ESP base is the value after the increment. */
  readonly popsBeforeAddress?: boolean;
  /** The operand-size prefix matters although no operand says so (PUSHA, RET, CBW). */
  readonly sized?: boolean;
  /** The address size matters although there is no memory operand (LOOP, JECXZ). */
  readonly addressSized?: boolean;
  /** The first model that has it; an older one raises #UD. Absent: every one from the 386 on. */
  readonly since?: ModelName;
  /** Execution does not simply go on behind it: a block of decoded code ends here. Not needed where `system` transfers control. */
  readonly endsBlock?: true;
  readonly semantics?: (code: Code) => void;
  /** The same with a REP prefix: one iteration. */
  readonly repeated?: (code: Code, while_: "E" | "NE") => void;
  /** Executed in TypeScript through the processor port, with every check the instruction makes. */
  readonly system?: SystemInstruction;
  /** How generated code repeats what `system` did, where that is the same every time. It decides nothing by itself. */
  readonly replay?: (code: Replay) => void;
}

export type AddressingMethod =
  | "E"
  | "G"
  | "M"
  | "R"
  | "Z"
  | "I"
  | "J"
  | "O"
  | "S"
  | "C"
  | "D"
  | "X"
  | "Y"
  | "A"
  | "fixed";

export interface OperandCode {
  readonly method: AddressingMethod;
  /** b 8, w 16, d 32, q 64, v 16 or 32, z 16 or 32 (immediate), p far pointer, s descriptor-table register, a pair for BOUND, bs byte sign-extended. */
  readonly type: string;
  /** The register of a fixed operand ("AL", "rAX", "CL", "DX", "1"). */
  readonly name?: string;
}

export interface Row extends Definition {
  readonly opcode: string;
  readonly operands: readonly OperandCode[];
  /** Opcode byte without the 0F escape. */
  readonly byte: number;
  readonly escaped: boolean;
  /** ModRM: absent, any reg field ("r"), or the required reg field. */
  readonly modrm: "none" | "r" | number;
  /** Register number in the low three bits of the opcode. */
  readonly plusRegister: boolean;
}

export type Operand =
  | { readonly kind: "register"; readonly number: number; readonly size: OperandSize }
  | { readonly kind: "memory"; readonly size: OperandSize }
  | { readonly kind: "immediate"; readonly value: number; readonly size: OperandSize }
  /** Target of a relative branch, as an offset in the code segment. */
  | { readonly kind: "target"; readonly value: number }
  | { readonly kind: "segment" | "control" | "debug"; readonly number: number }
  | { readonly kind: "far"; readonly selector: number; readonly offset: number };

/** The memory operand: base + (index << scale) + displacement, in `segment`. -1 is "none". */
export interface MemoryOperand {
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly displacement: number;
  /** Segment register in encoding order (es cs ss ds fs gs). */
  readonly segment: number;
}

/** Default operand and address size of a code segment: its D flag. Real and virtual-8086 mode are 16. */
export type CodeBits = 16 | 32;

export interface DecodedInstruction {
  readonly row: Row;
  readonly eip: number;
  readonly length: number;
  /** Operand size in bits. */
  readonly size: OperandSize;
  /** Address size in bits. */
  readonly addressSize: CodeBits;
  readonly operands: readonly Operand[];
  readonly memory: MemoryOperand | undefined;
  /** Segment of an implied memory operand (string instructions, XLAT): DS or what a prefix names. */
  readonly segment: number;
  readonly lock: boolean;
  /** REP or REPE is "E", REPNE is "NE". */
  readonly repeat: "E" | "NE" | undefined;
}

/** The bytes are no instruction: #UD, or #GP when they are longer than 15 bytes. */
export interface InvalidInstruction {
  readonly row: undefined;
  readonly eip: number;
  readonly vector: 6 | 13;
  readonly length: number;
}

/** Meaning of an instruction that is executed in TypeScript. Throws a `Fault` where the manual has one. */
export type SystemInstruction = (port: ProcessorPort, instruction: DecodedInstruction) => void;

/** Operands that are no code but a register or the number one, and their widths. */
const fixedOperands: Readonly<Record<string, string>> = { AL: "b", rAX: "v", CL: "b", DX: "w", "1": "b" };

function parseOperand(text: string): OperandCode {
  const fixed = fixedOperands[text];
  if (fixed !== undefined) return { method: "fixed", type: fixed, name: text };
  return { method: text[0] as AddressingMethod, type: text.slice(1) };
}

/** Every row has every field of a definition, in this order: all rows are of one shape to the JavaScript engine. */
const shape = Object.fromEntries(
  [
    ...["mnemonic", "group", "summary", "spec", "forms"],
    ...["flags", "lock", "repeat", "mandatoryPrefix", "popsBeforeAddress", "sized", "addressSized", "since"],
    ...["endsBlock", "semantics", "repeated", "system", "replay"],
  ].map((name) => [name, undefined]),
) as Partial<Definition>;

function parseRow(definition: Definition, [opcode, operands = ""]: readonly [string, string?]): Row {
  const parts = opcode.split(" ");
  const escaped = parts[0] === "0F" && parts.length > 1 && /^[0-9A-F]{2}/.test(parts[1] ?? "");
  const head = parts[escaped ? 1 : 0] ?? "";
  const tail = parts[escaped ? 2 : 1];
  return {
    ...shape,
    ...definition,
    opcode,
    operands: operands === "" ? [] : operands.split(" ").map(parseOperand),
    byte: Number.parseInt(head.slice(0, 2), 16),
    escaped,
    modrm: tail === undefined ? "none" : tail === "/r" ? "r" : Number(tail.slice(1)),
    plusRegister: head.endsWith("+r"),
  };
}

/** The rows of a definition. */
export function define(definition: Definition): readonly Row[] {
  return definition.forms.map((form) => Object.freeze(parseRow(definition, form)));
}

/** The operand sizes a row comes in: 16 and 32 where the operand-size prefix matters, else the one it has. */
export function operandSizes({ sized, operands }: Row): readonly OperandSize[] {
  if (sized || operands.some(({ method, type }) => method === "J" || "vzp".includes(type[0] ?? "-") || type === "a"))
    return [16, 32];
  if (operands.some(({ method, type }) => method !== "I" && type === "b")) return [8];
  return [operands[0]?.type === "w" ? 16 : 32];
}
