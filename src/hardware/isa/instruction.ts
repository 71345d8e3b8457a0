/**
 * One row per instruction form: everything that decoder, interpreter, disassembler, documentation and tests know about
 * it. A definition (`define`) is a mnemonic with its encodings; each encoding becomes a row.
 *
 * Opcodes are in the SDM's notation ("81 /2", "0F B6 /r", "50+r"), operands in its Appendix A codes ("Ev", "Gv", "Ib").
 * Spec: SDM Vol. 2A, "Instruction Format"; Vol. 2D, Appendix A "Opcode Map", "Codes for Addressing Method".
 */
import type { Needs } from "../cpu/features.js";
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
  | "system"
  | "x87"
  | "MMX"
  | "SSE"
  | "SSE2"
  | "SSE3"
  | "SSSE3"
  | "SSE4.1"
  | "SSE4.2";

export interface Definition {
  readonly mnemonic: string;
  readonly group: InstructionGroup;
  /** What it does, in one sentence. */
  readonly summary: string;
  /** Section of the manual. */
  readonly spec: string;
  /**
   * Encodings: opcode notation and operand codes, both space-separated ("80 /0", "Eb Ib"), and whether it is one in
   * 64-bit code alone, or everywhere else. A mandatory prefix comes first ("66 0F 6F /r"; "NP": none of 66, F3, F2; "NFx": neither F3 nor F2).
   */
  readonly forms: readonly (readonly [opcode: string, operands?: string, where?: "only64" | "not64"])[];
  /** Status flags written ("OSZAPC") and those of them whose value is undefined. */
  readonly flags?: { readonly written: string; readonly undefined?: string };
  /** LOCK is allowed with a memory destination. */
  readonly lock?: boolean;
  /** REP prefixes mean something: "rep" repeats by count, "repe" by count and ZF. */
  readonly repeat?: "rep" | "repe";
  /** No instruction in 64-bit code, or only there. */
  readonly where?: "only64" | "not64";
  /** In 64-bit code operands have 64 bits unless a prefix says 16, or in any case. Relative branches always do. */
  readonly in64?: "defaults" | "forced";
  /** With REX.B it is another instruction. */
  readonly withoutRexB?: true;
  /** POP m: an ESP base is the value after the increment. */
  readonly popsBeforeAddress?: boolean;
  /** The operand-size prefix matters although no operand says so (PUSHA, RET, CBW). */
  readonly sized?: boolean;
  /** REX.W makes registers 64 bits wide that no operand names. */
  readonly rexSized?: true;
  /** The address size matters although there is no memory operand (LOOP, JECXZ). */
  readonly addressSized?: boolean;
  /** The features of a model it needs, all of them; without them it is #UD. Absent: every processor has it. */
  readonly needs?: Needs;
  /** The floating-point registers it works on: it raises what they raise where CR0 and CR4 forbid them. */
  readonly unit?: "x87" | "mmx" | "sse" | "mmx-sse";
  /** A memory operand of 16 bytes may lie anywhere. */
  readonly unaligned?: true;
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
  | "P"
  | "Q"
  | "N"
  | "V"
  | "W"
  | "U"
  | "ST"
  | "fixed";

export interface OperandCode {
  readonly method: AddressingMethod;
  /**
   * b 8, w 16, d 32, q 64, t 80, dq 128, v 16, 32 or 64, y 32 or 64, yy two of them, z 16 or 32 (immediate), p far pointer, s
   * descriptor-table register, a pair for BOUND, bs byte sign-extended.
   */
  readonly type: string;
  /** The register of a fixed operand ("AL", "rAX", "eAX", "CL", "DX", "1", "ST0", "XMM0"). */
  readonly name?: string;
}

export type Prefix = "NP" | "NFx" | "66" | "F3" | "F2";
/** The bytes of a mandatory prefix, and of an escape by number of its map. */
const prefixBytes: Readonly<Record<Prefix, readonly number[]>> = {
  NP: [],
  NFx: [],
  "66": [0x66],
  F3: [0xf3],
  F2: [0xf2],
};
const escapeMaps: Readonly<Record<string, 2 | 3>> = { "38": 2, "3A": 3 };
const escapeBytes = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]] as const;

export interface Row extends Definition {
  readonly opcode: string;
  readonly operands: readonly OperandCode[];
  /** Opcode byte without the escape. */
  readonly byte: number;
  /** The escape: none, 0F, 0F 38 or 0F 3A. */
  readonly map: 0 | 1 | 2 | 3;
  /** The prefix that belongs to the encoding; "NP": neither 66 nor F3 nor F2 may be there. */
  readonly prefix: Prefix | undefined;
  /** ModRM: absent, any reg field ("r"), the required reg field, or the whole byte, its first and last value ("C0+i"). */
  readonly modrm: "none" | "r" | number | readonly [first: number, last: number];
  /** Register number in the low three bits of the opcode. */
  readonly plusRegister: boolean;
}

export type Operand =
  /** Of 8 bits, numbers 4 to 7 are AH to BH, or SPL to DIL with a REX prefix (`rex`). */
  | { readonly kind: "register"; readonly number: number; readonly size: OperandSize; readonly rex?: true }
  | { readonly kind: "xmm" | "mmx" | "x87"; readonly number: number }
  /** `size` in bits. */
  | { readonly kind: "memory"; readonly size: number }
  /** Sign-extended from 32 bits, unless the upper half of a 64-bit one is given. */
  | { readonly kind: "immediate"; readonly value: number; readonly size: OperandSize; readonly high?: number }
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
  /** The displacement is counted from the next instruction. */
  readonly relative?: true;
  /** Upper half of the displacement, where it has 64 bits. */
  readonly displacementHigh?: number;
}

/** Kind of a code segment by its L and D flags: 64-bit code, or the default operand and address size. */
export type CodeBits = 16 | 32 | 64;

export interface DecodedInstruction {
  readonly row: Row;
  readonly eip: number;
  readonly length: number;
  /** The ModRM byte; 0 where there is none. */
  readonly modrm: number;
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
const fixedOperands: Readonly<Record<string, string>> = {
  AL: "b",
  AX: "w",
  rAX: "v",
  eAX: "z",
  CL: "b",
  DX: "w",
  "1": "b",
};
/** Operands that name a register of the x87 stack or an XMM register. */
const floatingOperands: Readonly<Record<string, AddressingMethod>> = { ST0: "fixed", STi: "ST", XMM0: "fixed" };

function parseOperand(text: string): OperandCode {
  const fixed = fixedOperands[text];
  if (fixed !== undefined) return { method: "fixed", type: fixed, name: text };
  const floating = floatingOperands[text];
  if (floating !== undefined) return { method: floating, type: "", name: text };
  return { method: text[0] as AddressingMethod, type: text.slice(1) };
}

/** Every row has every field of a definition, in this order: all rows are of one shape to the JavaScript engine. */
const shape = Object.fromEntries(
  [
    ...["mnemonic", "group", "summary", "spec", "forms"],
    ...["flags", "lock", "repeat", "where", "in64", "withoutRexB", "popsBeforeAddress", "sized", "rexSized"],
    ...["addressSized", "needs", "unit", "unaligned", "endsBlock", "semantics", "repeated", "system", "replay"],
  ].map((name) => [name, undefined]),
) as Partial<Definition>;

const isPrefix = (text: string | undefined): text is Prefix => text !== undefined && text in prefixBytes;
const isByte = (text: string | undefined): boolean => /^[0-9A-F]{2}/.test(text ?? "");

/** What of ModRM an opcode wants: "/r", "/5", "E8" or "C0+i"; nothing. */
function parseModrm(text: string | undefined): Row["modrm"] {
  if (text === undefined) return "none";
  if (text === "/r") return "r";
  if (text.startsWith("/")) return Number(text.slice(1));
  const first = Number.parseInt(text.slice(0, 2), 16);
  return Object.freeze([first, text.endsWith("+i") ? first + 7 : first] as const);
}

function parseRow(
  definition: Definition,
  [opcode, operands = "", where = definition.where]: Definition["forms"][number],
): Row {
  const parts = opcode.split(" ");
  const prefix = parts.length > 1 && isPrefix(parts[0]) ? (parts.shift() as Prefix) : undefined;
  let map: Row["map"] = 0;
  if (parts[0] === "0F" && isByte(parts[1])) {
    parts.shift();
    map = isByte(parts[1]) ? (escapeMaps[parts[0]!] ?? 1) : 1;
    if (map > 1) parts.shift();
  }
  const [head = "", tail] = parts;
  return {
    ...shape,
    ...definition,
    ...(where === undefined ? {} : { where }),
    opcode,
    operands: operands === "" ? [] : operands.split(" ").map(parseOperand),
    byte: Number.parseInt(head.slice(0, 2), 16),
    map,
    prefix,
    modrm: parseModrm(tail),
    plusRegister: head.endsWith("+r"),
  };
}

/** The bytes before the opcode byte that belong to an encoding. A REX prefix stands between the two parts. */
export const encodingHead = ({
  prefix,
  map,
}: Pick<Row, "prefix" | "map">): readonly [prefix: readonly number[], escape: readonly number[]] => [
  prefix === undefined ? [] : prefixBytes[prefix],
  escapeBytes[map],
];

/** The rows of a definition. */
export function define(definition: Definition): readonly Row[] {
  return definition.forms.map((form) => Object.freeze(parseRow(definition, form)));
}

/** The operand sizes a row comes in: those a prefix chooses from where it matters, else the one it has. */
export function operandSizes({ sized, rexSized, operands, in64 }: Row, bits: CodeBits = 32): readonly OperandSize[] {
  const long = bits === 64;
  if (operands.some(({ method }) => method === "J") || in64 === "forced") return long ? [64] : [16, 32];
  const has = (letters: string): boolean => operands.some(({ type }) => type !== "" && letters.includes(type[0]!));
  if (sized || has("vzpa")) {
    if (!long) return [16, 32];
    if (in64 === "defaults") return [16, 64];
    return sized || has("vp") ? [16, 32, 64] : [16, 32];
  }
  if (rexSized || operands.some(({ type }) => type[0] === "y")) return long ? [32, 64] : [32];
  if (operands.some(({ method, type }) => method !== "I" && type === "b")) return [8];
  return [operands[0]?.type === "w" ? 16 : 32];
}
