/**
 * Instructions as text, from the same rows as everything else: there is no second table of opcodes here.
 *
 * Intel syntax as NASM reads it, because the guests are written in it: destination first, sizes only where no register
 * tells them, targets as absolute addresses. An encoding without a row is "(bad)". Left out on purpose: symbols, and
 * guessing where data begins.
 */
import { decode } from "./decoder.js";
import type { DecodedInstruction, InstructionGroup, MemoryOperand, Operand, Row } from "./instruction.js";

/** One instruction as text. */
export interface DisassembledInstruction {
  /** Offset in the code segment of the first byte. */
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Prefixes, mnemonic and operands: "lock inc dword [eax+8]". */
  readonly text: string;
  /** Prefixes and mnemonic: "lock inc". */
  readonly mnemonic: string;
  /** Operands, separated by ", "; empty if there are none. */
  readonly operands: string;
  /** Undefined for "(bad)". */
  readonly group: InstructionGroup | undefined;
  /** Where a relative jump or call goes. */
  readonly target?: number;
}

export interface DisassembleOptions {
  /** Offset in the code segment of the first of the bytes; relative targets are counted from it. Default 0. */
  readonly address?: number;
  /** Instructions at the most. Default: all. */
  readonly count?: number;
}

const registers = {
  8: ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"],
  16: ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"],
  32: ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"],
} as const;
const segments = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
const widths = { 8: "byte", 16: "word", 32: "dword" } as const;
const ESP = 4;
const EBP = 5;
const CS = 1;
const SS = 2;
const DS = 3;

/** Mnemonics that differ by operand size although no operand does: [16 bits, 32 bits]. */
const sizedMnemonics: Readonly<Record<string, readonly [string, string]>> = {
  CBW: ["cbw", "cwde"],
  CWD: ["cwd", "cdq"],
  ...Object.fromEntries(
    ["PUSHA", "POPA", "PUSHF", "POPF", "IRET", "RET", "RETF"].map((name) => [
      name,
      [`${name.toLowerCase()}w`, name.toLowerCase()],
    ]),
  ),
};

/** Below ten as it is, else in hexadecimal. */
const number = (value: number): string => (value < 10 ? String(value) : `0x${value.toString(16)}`);
const signed = (value: number): string => (value < 0 ? `-${number(-value)}` : number(value));

/**
 * The bytes, from first to last, as instructions. Where they are no instruction, one byte is "(bad)".
 *
 * @example
 * disassemble(Uint8Array.of(0x89, 0xd8, 0xcd, 0x80)).map(({ text }) => text) // => [ 'mov eax, ebx', 'int 0x80' ]
 */
export function disassemble(bytes: Uint8Array, options: DisassembleOptions = {}): readonly DisassembledInstruction[] {
  const { address = 0, count = Number.POSITIVE_INFINITY } = options;
  const list: DisassembledInstruction[] = [];
  for (let at = 0; at < bytes.length && list.length < count; ) {
    const instruction = disassembleOne(bytes, at, (address + at) >>> 0);
    list.push(instruction);
    at += instruction.bytes.length;
  }
  return Object.freeze(list);
}

/** Thrown through the decoder when the bytes end within an instruction. */
const ENDED = Symbol("end of bytes");

function disassembleOne(bytes: Uint8Array, at: number, address: number): DisassembledInstruction {
  const copy = (length: number): Uint8Array => new Uint8Array(bytes.subarray(at, at + length));
  const bad = (): DisassembledInstruction =>
    Object.freeze({ address, bytes: copy(1), text: "(bad)", mnemonic: "(bad)", operands: "", group: undefined });
  const byteAt = (index: number): number => {
    const byte = bytes[at + index];
    if (byte === undefined) throw ENDED;
    return byte;
  };
  try {
    const decoded = decode(byteAt, address);
    if (decoded.row === undefined || decoded.operands.some((operand) => namesNothing(operand, decoded.row)))
      return bad();
    const mnemonic = mnemonicText(decoded);
    const operands = operandsText(decoded);
    const target = decoded.operands.find((operand) => operand.kind === "target");
    return Object.freeze({
      address,
      bytes: copy(decoded.length),
      text: operands === "" ? mnemonic : `${mnemonic} ${operands}`,
      mnemonic,
      operands,
      group: decoded.row.group,
      ...(target === undefined ? {} : { target: target.value }),
    });
  } catch (thrown) {
    if (thrown === ENDED) return bad();
    throw thrown;
  }
}

/** Registers that have an encoding and do not exist; executing the instruction is #UD. CS cannot be loaded by MOV. */
function namesNothing(operand: Operand, row: Row): boolean {
  if (operand.kind === "control") return ![0, 2, 3, 4].includes(operand.number);
  return operand.kind === "segment" && (operand.number > 5 || (operand.number === CS && row.opcode === "8E /r"));
}

/** String instructions and XLAT name their operands by the mnemonic alone. */
const impliesMemory = (row: Row): boolean =>
  row.mnemonic === "XLAT" || row.operands.some(({ method }) => method === "X" || method === "Y");
const isNop = ({ row, size, operands: [first] }: DecodedInstruction): boolean =>
  row.opcode === "90+r" && size === 32 && first?.kind === "register" && first.number === 0;

function mnemonicText(instruction: DecodedInstruction): string {
  const { row, size, lock, repeat, segment } = instruction;
  if (isNop(instruction)) return "nop";
  const prefixes: string[] = [];
  const readsSegment = row.mnemonic === "XLAT" || row.operands.some(({ method }) => method === "X");
  if (readsSegment && segment !== DS) prefixes.push(segments[segment]!);
  if (lock) prefixes.push("lock");
  if (repeat) prefixes.push(repeat === "NE" ? "repne" : row.repeat === "repe" ? "repe" : "rep");
  if (hidesSize(instruction)) prefixes.push("o16");
  return [...prefixes, plainMnemonic(row, size)].join(" ");
}

function plainMnemonic(row: Row, size: number): string {
  const pair = sizedMnemonics[row.mnemonic];
  if (pair) return pair[size === 16 ? 0 : 1];
  const name = row.mnemonic.toLowerCase();
  if (row.mnemonic === "XLAT") return `${name}b`;
  return impliesMemory(row) ? name + { 8: "b", 16: "w", 32: "d" }[size as 8 | 16 | 32] : name;
}

/** 16-bit operand size that neither the mnemonic nor an operand tells: PUSH of a constant, relative jumps, LGDT. */
function hidesSize({ row, size, operands }: DecodedInstruction): boolean {
  if (size !== 16 || sizedMnemonics[row.mnemonic] || impliesMemory(row)) return false;
  if (row.operands.some(({ method }) => method === "J") || row.operands[0]?.type === "s") return true;
  if (row.mnemonic === "ENTER" || row.mnemonic === "LEAVE") return true;
  return row.mnemonic === "PUSH" || row.mnemonic === "POP"
    ? operands[0]?.kind === "immediate" || operands[0]?.kind === "segment"
    : false;
}

function operandsText(instruction: DecodedInstruction): string {
  const { row, operands } = instruction;
  if (impliesMemory(row) || isNop(instruction)) return "";
  if (
    (row.mnemonic === "AAM" || row.mnemonic === "AAD") &&
    operands[0]?.kind === "immediate" &&
    operands[0].value === 10
  )
    return "";
  return operands.map((operand, index) => operandText(instruction, operand, index)).join(", ");
}

function operandText(instruction: DecodedInstruction, operand: Operand, index: number): string {
  switch (operand.kind) {
    case "register":
      return registers[operand.size][operand.number]!;
    case "memory":
      return memoryText(instruction, operand.size);
    case "immediate":
      return immediateText(operand.value, instruction.row.operands[index]!.type, operand.size);
    case "target":
      return number(operand.value);
    case "segment":
      return segments[operand.number]!;
    case "control":
      return `cr${operand.number}`;
    case "debug":
      return `dr${operand.number}`;
    case "far":
      return `${number(operand.selector)}:${number(operand.offset)}`;
  }
}

/** A byte that the processor extends by its sign is shown with it, any other constant as it lies in the operand. */
function immediateText(value: number, type: string, size: 8 | 16 | 32): string {
  if (type === "bs") return signed(value);
  return number(size === 32 ? value >>> 0 : value & (2 ** size - 1));
}

function memoryText(instruction: DecodedInstruction, size: 8 | 16 | 32): string {
  const { row } = instruction;
  const address = addressText(instruction, instruction.memory!);
  const code = row.operands.find(({ method }) => method === "E" || method === "M" || method === "O")!;
  if (code.type === "p" && (row.mnemonic === "JMP" || row.mnemonic === "CALL"))
    return `${instruction.size === 16 ? "word far" : "far"} ${address}`;
  const told =
    code.method !== "E" ||
    registerTells(row, code.type) ||
    FIXED_WIDTH.has(row.mnemonic) ||
    row.mnemonic.startsWith("SET") ||
    row.operands.some(({ method }) => method === "S");
  return told ? address : `${widths[size]} ${address}`;
}

/** Instructions whose memory operand has one width whatever is written. */
const FIXED_WIDTH: ReadonlySet<string> = new Set([
  "SLDT",
  "STR",
  "LLDT",
  "LTR",
  "VERR",
  "VERW",
  "SMSW",
  "LMSW",
  "LAR",
  "LSL",
]);

/** A register operand of the same width stands beside the memory operand. CL counts shifts and DX names ports. */
function registerTells(row: Row, type: string): boolean {
  return row.operands.some(
    ({ method, type: other, name }) => other === type && (method === "G" || name === "AL" || name === "rAX"),
  );
}

function addressText({ row, size }: DecodedInstruction, memory: MemoryOperand): string {
  const { base, index, scale } = memory;
  // POP computes an address with ESP after the increment; the text says what is encoded.
  const displacement =
    row.popsBeforeAddress && base === ESP ? (memory.displacement - size / 8) | 0 : memory.displacement;
  const parts: string[] = [];
  if (base >= 0) parts.push(registers[32][base]!);
  if (index >= 0)
    parts.push(scale === 0 && base >= 0 ? registers[32][index]! : `${registers[32][index]}*${2 ** scale}`);
  const sum = parts.join("+");
  const implied = base === ESP || base === EBP ? SS : DS;
  // LEA computes an address and no segment takes part.
  const override = memory.segment === implied || row.mnemonic === "LEA" ? "" : `${segments[memory.segment]}:`;
  if (sum === "") return `[${override}${number(displacement >>> 0)}]`;
  const sign = displacement < 0 ? "-" : "+";
  return `[${override}${sum}${displacement === 0 ? "" : sign + number(Math.abs(displacement))}]`;
}
