/**
 * Instructions as text, from the same rows as everything else: there is no second table of opcodes here.
 *
 * Intel syntax as NASM reads it, because the guests are written in it: destination first, sizes only where no register
 * tells them, targets as absolute addresses. An encoding without a row is "(bad)". Left out on purpose: symbols, and
 * guessing where data begins.
 */
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
  defaultSize,
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
  /** Offset in the code segment of the first byte. */
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Undefined for "(bad)". */
  readonly group: InstructionGroup | undefined;
  /** Where a relative jump or call goes. */
  readonly target?: number;
}

export interface DisassembleOptions {
  /**
   * Offset in the code segment of the first of the bytes; relative targets are counted from it. Default 0. A canonical
   * address of the upper half is negative: 0xffffffff81000000 is -0x7f000000.
   */
  readonly address?: number;
  /** Operand and address size of the code: 32, 16 as in real mode, or 64 for 64-bit code. Default 32. */
  readonly bits?: CodeBits;
  /** Instructions at the most. Default: all. */
  readonly count?: number;
}

const CX = 1;
const ESP = 4;
const EBP = 5;
const CS = 1;
const SS = 2;
const DS = 3;
const FS = 4;

/** Below ten as it is, else in hexadecimal. */
const number = (value: number | bigint): string => (value < 10 ? String(value) : `0x${value.toString(16)}`);
/** An address of 64-bit code: one of the upper half is a negative number. */
const address64 = (value: number): string => number(value < 0 ? BigInt.asUintN(64, BigInt(value)) : value);
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

const controlRegisters = [0, 2, 3, 4, 8];

/** Registers that have an encoding and do not exist; executing the instruction is #UD. CS cannot be loaded by MOV. */
function namesNothing(operand: Operand, row: Row): boolean {
  if (operand.kind === "control") return !controlRegisters.includes(operand.number);
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

/** XCHG of the accumulator with itself. In 64-bit code it is a row of its own. */
const isNop = ({ row, size, operands: [first] }: DecodedInstruction, bits: CodeBits): boolean =>
  row.opcode === "90+r" && size === bits && first?.kind === "register" && first.number === 0;

function mnemonicText(instruction: DecodedInstruction, bits: CodeBits): string {
  const { row, size, addressSize, lock, repeat } = instruction;
  const segment = bits === 64 && instruction.segment < FS ? DS : instruction.segment;
  const prefixes: string[] = [];
  if (addressSize !== bits && (impliesMemory(row) || storesAtEdi(row) || takesAddressInRax(row)))
    prefixes.push(`a${addressSize}`);
  const readsSegment = row.mnemonic === "XLAT" || storesAtEdi(row) || row.operands.some(({ method }) => method === "X");
  if (readsSegment && segment !== DS) prefixes.push(segmentNames[segment]!);
  if (lock) prefixes.push("lock");
  if (repeat) prefixes.push(repeat === "NE" ? "repne" : row.repeat === "repe" ? "repe" : "rep");
  if (size !== defaultSize(row, bits) && hidesSize(instruction, bits)) prefixes.push(`o${size}`);
  return [...prefixes, nameOf(row, size, addressSize, bits)].join(" ");
}

/** MASKMOVQ and MASKMOVDQU: no operand says where. */
const storesAtEdi = ({ mnemonic }: Row): boolean => mnemonic.startsWith("MASKMOV");

/** VMRUN and its kin: no operand says how much of rAX counts. */
const takesAddressInRax = ({ addressSized, operands }: Row): boolean => addressSized === true && operands.length === 0;

/** An operand size that neither the mnemonic nor an operand tells. */
function hidesSize({ row, operands: [first] }: DecodedInstruction, bits: CodeBits): boolean {
  if (operandSizes(row, bits).length === 1 || nameTellsSize(row) || tellsSizeByWord(row)) return false;
  if (/^(ENTER|LEAVE|SYSEXIT|SYSRET|PCMPESTR[IM])$/.test(row.mnemonic)) return true;
  return first?.kind === "target" || first?.kind === "segment" || (row.operands[0]?.type === "s" && bits !== 64);
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
  if (row.addressSized && !takesAddressInRax(row) && row.mnemonic !== "JECXZ" && instruction.addressSize !== bits)
    texts.push(registerNames[instruction.addressSize][CX]);
  const other = instruction.size !== defaultSize(row, bits);
  const word = tellsSizeByWord(row) && other ? `${widthNames[instruction.size]} ` : "";
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
      return address64(operand.value);
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
function immediateText({ value, size, high }: Operand & { kind: "immediate" }, type: string): string {
  if (type === "bs") return signed(value);
  if (high !== undefined) return number((BigInt(high >>> 0) << 32n) | BigInt(value >>> 0));
  if (size === 64) return address64(value);
  return number(size === 32 ? value >>> 0 : value & (2 ** size - 1));
}

function memoryText(instruction: DecodedInstruction, size: number, bits: CodeBits): string {
  const { row } = instruction;
  const address = addressText(instruction, instruction.memory!, bits);
  const code = row.operands.find(({ method }) => "EMOWQ".includes(method))!;
  if (code.type === "p" && (row.mnemonic === "JMP" || row.mnemonic === "CALL"))
    return `${instruction.size === defaultSize(row, bits) ? "" : `${widthNames[instruction.size]} `}far ${address}`;
  if (takesNumber(row)) return `${widthNames[size]} ${address}`;
  const told = code.method !== "E" || registerTells(row, code.type) || takesWord(row) || nameTellsMemory(row);
  return told ? address : `${widthNames[size]} ${address}`;
}

function addressText(instruction: DecodedInstruction, memory: MemoryOperand, bits: CodeBits): string {
  const { row, addressSize } = instruction;
  const { base, index, scale } = memory;
  const names = registerNames[addressSize];
  const displacement = encodedDisplacement(instruction, memory);
  const parts: string[] = [];
  if (base >= 0) parts.push(names[base]!);
  if (index >= 0) parts.push(scale === 0 && base >= 0 ? names[index]! : `${names[index]}*${2 ** scale}`);
  const sum = parts.join("+");
  // LEA computes an address and no segment takes part.
  const override = hasOverride(memory, addressSize, bits) && row.mnemonic !== "LEA";
  const segment = override ? `${segmentNames[memory.segment]}:` : "";
  if (sum === "") return `[${directText(instruction, memory, bits, segment)}]`;
  // NASM makes a base of a lone EBP or one half of it, and another segment of DS.
  const whole = base < 0 && scale < 2 && (index === EBP || bits === 64) ? "nosplit " : "";
  const sign = displacement < 0 ? "-" : "+";
  return `[${whole}${segment}${sum}${displacement === 0 ? "" : sign + number(Math.abs(displacement))}]`;
}

/** POP computes an address with ESP after the increment; the text says what is encoded. */
const encodedDisplacement = (
  { row, size, addressSize }: DecodedInstruction,
  { base, displacement }: MemoryOperand,
): number =>
  row.popsBeforeAddress && addressSize !== 16 && base === ESP ? (displacement - size / 8) | 0 : displacement;

function hasOverride({ base, segment }: MemoryOperand, addressSize: CodeBits, bits: CodeBits): boolean {
  if (bits === 64) return segment >= FS;
  return segment !== ((base === ESP && addressSize === 32) || base === EBP ? SS : DS);
}

/** An address without registers. */
function directText(
  { eip, length, addressSize }: DecodedInstruction,
  { displacement, displacementHigh, relative }: MemoryOperand,
  bits: CodeBits,
  segment: string,
): string {
  if (bits !== 64) {
    const width = addressSize === bits ? "" : `${widthNames[addressSize]} `;
    return `${width}${segment}${number(addressSize === 16 ? displacement & 0xffff : displacement >>> 0)}`;
  }
  const narrow = addressSize === 32 ? "a32 " : "";
  const value = relative ? eip + length + displacement : displacement;
  if (addressSize === 64 && displacementHigh !== undefined) {
    const whole = (BigInt(displacementHigh >>> 0) << 32n) | BigInt(displacement >>> 0);
    return `qword ${segment}${number(whole)}`;
  }
  const text = addressSize === 32 ? number(value >>> 0) : address64(value);
  return `${narrow}${relative ? "rel " : ""}${segment}${text}`;
}
