/**
 * Instructions as text, from the same rows as everything else: there is no second table of opcodes here.
 *
 * Intel syntax as NASM reads it, because the guests are written in it: destination first, sizes only where no register
 * tells them, targets as absolute addresses. An encoding without a row is "(bad)". Left out on purpose: symbols, and
 * guessing where data begins.
 */
import type { OperandSize } from "./code.js";
import { decode } from "./decoder.js";
import {
  type CodeBits,
  type DecodedInstruction,
  type InstructionGroup,
  type MemoryOperand,
  type Operand,
  operandSizes,
  type Row,
} from "./instruction.js";
import {
  impliesMemory,
  nameOf,
  nameTellsMemory,
  nameTellsSize,
  registerNames,
  registerTells,
  rexByteNames,
  segmentNames,
  takesNumber,
  takesWord,
  widthNames,
} from "./names.js";

/** What an instruction is called. */
export interface InstructionText {
  /** Prefixes, mnemonic and operands: "lock inc dword [eax+8]". */
  readonly text: string;
  /** Prefixes and mnemonic: "lock inc". */
  readonly mnemonic: string;
  /** Operands, separated by ", "; empty if there are none. */
  readonly operands: string;
}

/** One instruction as text. */
export interface DisassembledInstruction extends InstructionText {
  /** Offset in the code segment of the first byte; negative in the upper half of 64-bit code. */
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Undefined for "(bad)". */
  readonly group: InstructionGroup | undefined;
  /** Where a relative jump or call goes. */
  readonly target?: number;
}

export interface DisassembleOptions {
  /** Offset in the code segment of the first of the bytes; relative targets are counted from it. Default 0. */
  readonly address?: number;
  /** Operand and address size of the code: 32, or 16 as in real mode; 64 is 64-bit code, with addresses of that size. Default 32. */
  readonly bits?: CodeBits;
  /** Instructions at the most. Default: all. */
  readonly count?: number;
}

const CX = 1;
const RAX = 0;
const ESP = 4;
const EBP = 5;
const CS = 1;
const SS = 2;
const DS = 3;

/** Below ten as it is, else in hexadecimal. */
const number = (value: number | bigint): string => (value < 10 ? String(value) : `0x${value.toString(16)}`);
const unsigned64 = (value: number): bigint => BigInt.asUintN(64, BigInt(value));
const joined = (high: number, low: number): bigint => BigInt.asUintN(64, (BigInt(high) << 32n) | BigInt(low >>> 0));
/** The operand size of code that no prefix changes. */
const plainSize = (row: Row, bits: CodeBits): OperandSize =>
  bits !== 64 ? bits : row.in64 !== undefined || operandSizes(row, 64).every((size) => size === 64) ? 64 : 32;
const signed = (value: number): string => (value < 0 ? `-${number(-value)}` : number(value));

/**
 * The bytes, from first to last, as instructions. Where they are no instruction, one byte is "(bad)".
 *
 * @example
 * disassemble(Uint8Array.of(0x89, 0xd8, 0xcd, 0x80)).map(({ text }) => text) // => [ 'mov eax, ebx', 'int 0x80' ]
 * disassemble(Uint8Array.of(0x8b, 0x40, 0x04), { bits: 16 })[0].text // => 'mov ax, [bx+si+4]'
 */
export function disassemble(bytes: Uint8Array, options: DisassembleOptions = {}): readonly DisassembledInstruction[] {
  const { address = 0, bits = 32, count = Number.POSITIVE_INFINITY } = options;
  const list: DisassembledInstruction[] = [];
  for (let at = 0; at < bytes.length && list.length < count; ) {
    const instruction = disassembleOne(bytes, at, bits === 64 ? address + at : (address + at) >>> 0, bits);
    list.push(instruction);
    at += instruction.bytes.length;
  }
  return Object.freeze(list);
}

/** Thrown through the decoder when the bytes end within an instruction. */
const ENDED = Symbol("end of bytes");

function disassembleOne(bytes: Uint8Array, at: number, address: number, bits: CodeBits): DisassembledInstruction {
  const copy = (length: number): Uint8Array => new Uint8Array(bytes.subarray(at, at + length));
  const bad = (): DisassembledInstruction =>
    Object.freeze({ address, bytes: copy(1), text: "(bad)", mnemonic: "(bad)", operands: "", group: undefined });
  const byteAt = (index: number): number => {
    const byte = bytes[at + index];
    if (byte === undefined) throw ENDED;
    return byte;
  };
  try {
    const decoded = decode(byteAt, address, bits);
    if (decoded.row === undefined || decoded.operands.some((operand) => namesNothing(operand, decoded.row)))
      return bad();
    const target = decoded.operands.find((operand) => operand.kind === "target");
    return Object.freeze({
      address,
      bytes: copy(decoded.length),
      ...instructionText(decoded, bits),
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
  if (operand.kind === "control") return ![0, 2, 3, 4, 8].includes(operand.number);
  if (operand.kind === "debug") return operand.number > 7;
  return operand.kind === "segment" && (operand.number > 5 || (operand.number === CS && row.opcode === "8E /r"));
}

/**
 * A decoded instruction of code of `bits` as text. Prefixes that change nothing are left out; registers that do not
 * exist (CR1) are named as they are encoded.
 */
export function instructionText(instruction: DecodedInstruction, bits: CodeBits = 32): InstructionText {
  if (isNop(instruction, bits)) return { text: "nop", mnemonic: "nop", operands: "" };
  const mnemonic = mnemonicText(instruction, bits);
  const operands = operandsText(instruction, bits);
  return { text: operands === "" ? mnemonic : `${mnemonic} ${operands}`, mnemonic, operands };
}

const isNop = ({ row, size, operands: [first] }: DecodedInstruction, bits: CodeBits): boolean =>
  row.opcode === "90+r" && size === plainSize(row, bits) && first?.kind === "register" && first.number === RAX;

function mnemonicText(instruction: DecodedInstruction, bits: CodeBits): string {
  const { row, size, addressSize, lock, repeat, segment } = instruction;
  const prefixes: string[] = [];
  if (addressSize !== bits && (impliesMemory(row) || storesAtEdi(row))) prefixes.push(`a${addressSize}`);
  const readsSegment = row.mnemonic === "XLAT" || storesAtEdi(row) || row.operands.some(({ method }) => method === "X");
  if (readsSegment && segment !== DS) prefixes.push(segmentNames[segment]!);
  if (lock) prefixes.push("lock");
  if (repeat) prefixes.push(repeat === "NE" ? "repne" : row.repeat === "repe" ? "repe" : "rep");
  if (size !== plainSize(row, bits) && hidesSize(instruction, bits)) prefixes.push(`o${size}`);
  return [...prefixes, nameOf(row, size, addressSize, bits)].join(" ");
}

/** MASKMOVQ and MASKMOVDQU: no operand says where. */
const storesAtEdi = ({ mnemonic }: Row): boolean => mnemonic.startsWith("MASKMOV");

/** An operand size that neither the mnemonic nor an operand tells. */
function hidesSize({ row, operands: [first] }: DecodedInstruction, bits: CodeBits): boolean {
  if (operandSizes(row, bits).length === 1 || nameTellsSize(row) || tellsSizeByWord(row)) return false;
  if (row.mnemonic === "ENTER" || row.mnemonic === "LEAVE") return true;
  return first?.kind === "target" || first?.kind === "segment" || row.operands[0]?.type === "s";
}

/** PUSH of a constant, JMP and CALL with a target: NASM takes "word" and "dword" before it. */
const tellsSizeByWord = ({ mnemonic, operands: [first] }: Row): boolean =>
  (mnemonic === "PUSH" && first?.method === "I") ||
  ((mnemonic === "JMP" || mnemonic === "CALL") && (first?.method === "J" || first?.method === "A"));

function operandsText(instruction: DecodedInstruction, bits: CodeBits): string {
  const { row, operands } = instruction;
  if (impliesMemory(row)) return "";
  if (
    (row.mnemonic === "AAM" || row.mnemonic === "AAD") &&
    operands[0]?.kind === "immediate" &&
    operands[0].value === 10
  )
    return "";
  const texts = operands.map((_operand, index) => operandText(instruction, index, bits));
  // The register that counts.
  if (row.addressSized && row.mnemonic !== "JECXZ" && instruction.addressSize !== bits)
    texts.push(registerNames[instruction.addressSize][CX]);
  const told = tellsSizeByWord(row) && instruction.size !== plainSize(row, bits);
  const word = told ? `${widthNames[instruction.size]} ` : "";
  return word + texts.join(", ");
}

function operandText(instruction: DecodedInstruction, index: number, bits: CodeBits): string {
  const operand = instruction.operands[index]!;
  switch (operand.kind) {
    case "register":
      return (operand.rex ? rexByteNames : registerNames[operand.size])[operand.number]!;
    case "memory":
      return memoryText(instruction, operand.size, bits);
    case "immediate":
      return immediateText(operand, instruction.row.operands[index]!.type);
    case "target":
      return number(bits === 64 ? unsigned64(operand.value) : operand.value);
    case "segment":
      return segmentNames[operand.number]!;
    case "control":
      return `cr${operand.number}`;
    case "debug":
      return `dr${operand.number}`;
    case "far":
      return `${number(operand.selector)}:${number(operand.offset)}`;
    case "xmm":
      return `xmm${operand.number}`;
    case "mmx":
      return `mm${operand.number}`;
    case "x87":
      return `st${operand.number}`;
  }
}

/** A byte that the processor extends by its sign is shown with it, any other constant as it lies in the operand. */
function immediateText({ value, size, high }: Operand & { readonly kind: "immediate" }, type: string): string {
  if (type === "bs") return signed(value);
  if (size === 64) return number(high === undefined ? unsigned64(value) : joined(high, value));
  return number(size === 32 ? value >>> 0 : value & (2 ** size - 1));
}

function memoryText(instruction: DecodedInstruction, size: number, bits: CodeBits): string {
  const { row } = instruction;
  const address = addressText(instruction, instruction.memory!, bits);
  const code = row.operands.find(({ method }) => "EMOWQ".includes(method))!;
  if (code.type === "p" && (row.mnemonic === "JMP" || row.mnemonic === "CALL"))
    return `${instruction.size === bits ? "" : `${widthNames[instruction.size]} `}far ${address}`;
  if (takesNumber(row)) return `${widthNames[size]} ${address}`;
  const told = code.method !== "E" || registerTells(row, code.type) || takesWord(row) || nameTellsMemory(row);
  return told ? address : `${widthNames[size]} ${address}`;
}

function addressText(instruction: DecodedInstruction, memory: MemoryOperand, bits: CodeBits): string {
  const { row, size, addressSize } = instruction;
  const { base, index, scale } = memory;
  const names = registerNames[addressSize];
  // POP computes an address with ESP after the increment; the text says what is encoded.
  const displacement =
    row.popsBeforeAddress && addressSize !== 16 && base === ESP
      ? (memory.displacement - size / 8) | 0
      : memory.displacement;
  const parts: string[] = [];
  if (base >= 0) parts.push(names[base]!);
  if (index >= 0) parts.push(scale === 0 && base >= 0 ? names[index]! : `${names[index]}*${2 ** scale}`);
  const sum = parts.join("+");
  const implied = (base === ESP && addressSize !== 16) || base === EBP ? SS : DS;
  // LEA computes an address and no segment takes part.
  const override = memory.segment === implied || row.mnemonic === "LEA" ? "" : `${segmentNames[memory.segment]}:`;
  if (sum === "") {
    const { eip, length } = instruction;
    const width = addressSize === bits ? "" : `${widthNames[addressSize]} `;
    if (memory.relative) {
      const target = BigInt.asUintN(addressSize, BigInt(eip + length + displacement));
      return `[${width}rel ${override}${number(target)}]`;
    }
    const { displacementHigh } = memory;
    const whole =
      displacementHigh === undefined || addressSize !== 64
        ? BigInt.asUintN(addressSize, BigInt(displacement))
        : joined(displacementHigh, displacement);
    return `[${displacementHigh === undefined || addressSize !== 64 ? width : "qword "}${override}${number(whole)}]`;
  }
  // NASM makes a base of a lone EBP or one half of it, and another segment of DS.
  const whole = base < 0 && index === EBP && scale < 2 ? "nosplit " : "";
  const sign = displacement < 0 ? "-" : "+";
  return `[${whole}${override}${sum}${displacement === 0 ? "" : sign + number(Math.abs(displacement))}]`;
}
