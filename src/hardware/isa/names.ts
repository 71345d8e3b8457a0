/**
 * What registers, widths and rows are called in NASM's syntax: the disassembler writes these names, the assembler reads
 * them.
 *
 * A row has the manual's name for it; NASM has several where a size or a condition can be put in other words.
 */
import type { OperandSize } from "./code.js";
import type { CodeBits, OperandCode, Row } from "./instruction.js";

/** R8 to R15, as wide as the letter says. */
function numbered<const Suffix extends "" | "b" | "w" | "d">(suffix: Suffix) {
  return [8, 9, 10, 11, 12, 13, 14, 15].map((number) => `r${number}${suffix}` as const);
}

export const registerNames = {
  8: ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh", ...numbered("b")],
  16: ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di", ...numbered("w")],
  32: ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", ...numbered("d")],
  64: ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", ...numbered("")],
} as const;
/** Of 8 bits with a REX prefix. */
export const rexByteNames: readonly string[] = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", ...numbered("b")];
/** In encoding order. */
export const segmentNames = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
export const widthNames: Readonly<Record<number, string>> = {
  8: "byte",
  16: "word",
  32: "dword",
  64: "qword",
  80: "tword",
  128: "oword",
};

/** A way to write a row, and the sizes that this way tells. */
export interface Spelling {
  readonly name: string;
  /** A WAIT comes before it. */
  readonly waits?: true;
  readonly row: Row;
  readonly size?: OperandSize;
  readonly addressSize?: CodeBits;
}

/** A name for each operand size. */
const namesBySize: Readonly<Record<string, Readonly<Partial<Record<OperandSize, string>>>>> = {
  CBW: { 16: "cbw", 32: "cwde", 64: "cdqe" },
  CWD: { 16: "cwd", 32: "cdq", 64: "cqo" },
  MOVD: { 32: "movd", 64: "movq" },
  PEXTRD: { 32: "pextrd", 64: "pextrq" },
  PINSRD: { 32: "pinsrd", 64: "pinsrq" },
  CMPXCHG8B: { 32: "cmpxchg8b", 64: "cmpxchg16b" },
  RDSSPD: { 32: "rdsspd", 64: "rdsspq" },
  FXSAVE: { 32: "fxsave", 64: "fxsave64" },
  FXRSTOR: { 32: "fxrstor", 64: "fxrstor64" },
};
/** Of these the size is a matter of other operands, too. */
const namesByRex: ReadonlySet<string> = new Set([
  "MOVD",
  "PEXTRD",
  "PINSRD",
  "CMPXCHG8B",
  "RDSSPD",
  "FXSAVE",
  "FXRSTOR",
]);
const sizesOfNames = [16, 32, 64] as const;

/** The size is that of the code, or what "w", "d" or "q" behind the name says. */
const suffixed: ReadonlySet<string> = new Set(["PUSHA", "POPA", "PUSHF", "POPF", "IRET", "RET", "RETF"]);
const suffixes: Readonly<Record<OperandSize, string>> = { 8: "b", 16: "w", 32: "d", 64: "q" };
const jumpsByCount: Readonly<Record<CodeBits, string>> = { 16: "jcxz", 32: "jecxz", 64: "jrcxz" };

const synonyms: Readonly<Record<string, readonly string[]>> = {
  RET: ["retn"],
  SHL: ["sal"],
  XLAT: ["xlatb"],
  WAIT: ["fwait"],
  LOOPE: ["loopz"],
  LOOPNE: ["loopnz"],
  INT1: ["icebp", "int01"],
  INT3: ["int03"],
};

/** Names of two instructions: a WAIT, and a control instruction that does not wait by itself. */
const waitingNames: Readonly<Record<string, string>> = {
  FNINIT: "finit",
  FNCLEX: "fclex",
  FNSTCW: "fstcw",
  FNSTSW: "fstsw",
  FNSTENV: "fstenv",
  FNSAVE: "fsave",
};

/** Spec: SDM Vol. 1, Appendix B "EFLAGS Condition Codes": one condition, several names. */
const conditionSynonyms: Readonly<Record<string, readonly string[]>> = {
  B: ["c", "nae"],
  AE: ["nb", "nc"],
  E: ["z"],
  NE: ["nz"],
  BE: ["na"],
  A: ["nbe"],
  P: ["pe"],
  NP: ["po"],
  L: ["nge"],
  GE: ["nl"],
  LE: ["ng"],
  G: ["nle"],
};

/** String instructions and XLAT name their operands by the mnemonic alone. */
export const impliesMemory = (row: Row): boolean =>
  row.mnemonic === "XLAT" || row.operands.some(({ method }) => method === "X" || method === "Y");

const byteString = (row: Row): boolean =>
  row.operands.some(({ method, type }) => "XY".includes(method) && type === "b");

/** All the ways to write a row. */
export function spellings(row: Row): readonly Spelling[] {
  const { mnemonic } = row;
  const name = mnemonic.toLowerCase();
  const bySize = namesBySize[mnemonic];
  if (bySize)
    return sizesOfNames.flatMap((size) => (bySize[size] === undefined ? [] : [{ name: bySize[size], row, size }]));
  if (mnemonic === "JECXZ") return sizesOfNames.map((size) => ({ name: jumpsByCount[size], row, addressSize: size }));
  const waiting = waitingNames[mnemonic];
  if (waiting !== undefined)
    return [
      { name, row },
      { name: waiting, row, waits: true },
    ];
  const names = [name, ...(synonyms[mnemonic] ?? []), ...conditionNames(mnemonic)];
  if (suffixed.has(mnemonic))
    return names.flatMap((one) => [
      { name: one, row },
      ...sizesOfNames.map((size) => ({ name: one + suffixes[size], row, size })),
    ]);
  if (mnemonic === "XLAT" || !impliesMemory(row)) return names.map((one) => ({ name: one, row }));
  if (byteString(row)) return [{ name: `${name}b`, row, size: 8 }];
  return sizesOfNames.map((size) => ({ name: name + suffixes[size], row, size }));
}

function conditionNames(mnemonic: string): readonly string[] {
  const [, head, condition] = /^(J|SET|CMOV)([A-Z]{1,2})$/.exec(mnemonic) ?? [];
  if (head === undefined || condition === undefined) return [];
  return (conditionSynonyms[condition] ?? []).map((name) => head.toLowerCase() + name);
}

/** The name of a row at an operand size in code of `bits`. */
export function nameOf(row: Row, size: OperandSize, addressSize: CodeBits, bits: CodeBits): string {
  const name = row.mnemonic.toLowerCase();
  const bySize = namesBySize[row.mnemonic];
  if (bySize) return bySize[size] ?? name;
  if (row.mnemonic === "JECXZ") return jumpsByCount[addressSize];
  if (suffixed.has(row.mnemonic)) return size === defaultSize(row, bits) ? name : name + suffixes[size];
  if (row.mnemonic === "XLAT") return "xlatb";
  return impliesMemory(row) ? name + suffixes[size] : name;
}

/** The operand size without a prefix, where a prefix can choose another. */
export const defaultSize = ({ in64, operands }: Row, bits: CodeBits): OperandSize =>
  bits !== 64
    ? bits
    : in64 !== undefined || operands.some(isJump) || (operands.length === 1 && isFar(operands[0]!))
      ? 64
      : 32;
const isJump = ({ method }: OperandCode): boolean => method === "J";
/** Of jumps through memory NASM takes 64 bits for granted. */
const isFar = ({ method, type }: OperandCode): boolean => method === "M" && type === "p";

/** Whether the mnemonic tells the operand size. */
export const nameTellsSize = (row: Row): boolean =>
  (namesBySize[row.mnemonic] !== undefined && !namesByRex.has(row.mnemonic)) ||
  suffixed.has(row.mnemonic) ||
  impliesMemory(row);

/** Whether the mnemonic tells how wide a memory operand is: of MMX and SSE all but those that convert integers. */
export const nameTellsMemory = ({ mnemonic, unit }: Row): boolean =>
  mnemonic.startsWith("SET") || (unit !== undefined && unit !== "x87" && !mnemonic.startsWith("CVTSI2"));

/** x87 instructions whose memory operand is a number, so that its width has to be told. */
export const takesNumber = ({ unit, operands, mnemonic }: Row): boolean =>
  unit === "x87" &&
  operands.some(({ method, type }) => method === "M" && type !== "") &&
  !["FLDCW", "FNSTCW", "FNSTSW"].includes(mnemonic);

/** Instructions whose memory operand is a word, and whose register operand may be wider than what counts of it. */
const wordOperand: ReadonlySet<string> = new Set([
  ...["SLDT", "STR", "LLDT", "LTR", "VERR", "VERW", "SMSW", "LMSW", "LAR", "LSL"],
]);
export const takesWord = (row: Row): boolean =>
  wordOperand.has(row.mnemonic) || row.operands.some(({ method, type }) => method === "S" && type === "w");

/** A register operand of the same width stands beside the memory operand. CL counts shifts and DX names ports. */
export const registerTells = (row: Row, type: string): boolean =>
  row.operands.some(
    ({ method, type: other, name }) => other === type && (method === "G" || name === "AL" || name === "rAX"),
  );
