/**
 * Bytes to instruction, from the rows. Decoding never executes and never guesses: an encoding without a row is #UD.
 * Spec: SDM Vol. 2A, "Instruction Format".
 */
import type { OperandSize } from "./code.js";
import {
  type AddressingMethod,
  type CodeBits,
  type DecodedInstruction,
  type InvalidInstruction,
  type MemoryOperand,
  type Operand,
  operandSizes,
  type Prefix,
  type Row,
} from "./instruction.js";
import { rows } from "./table/index.js";

const DS = 3;
const SS = 2;
const segmentPrefixes: Readonly<Record<number, number>> = { 38: 0, 46: 1, 54: 2, 62: 3, 100: 4, 101: 5 };
const MAX_LENGTH = 15;

/** Rows by escape and opcode byte. */
const maps: readonly Row[][][] = Array.from({ length: 4 }, () => Array.from({ length: 256 }, () => []));
for (const row of rows) {
  const count = row.plusRegister ? 8 : 1;
  for (let number = 0; number < count; number++) maps[row.map]![row.byte + number]!.push(row);
}
// A row with a mandatory prefix, of one ModRM byte, or for one value of REX.B is more special than one without.
const rank = (row: Row): number =>
  (row.prefix === undefined ? 4 : 0) + (typeof row.modrm === "object" ? 0 : 2) + (row.withoutRexB ? 0 : 1);
for (const map of maps) for (const list of map) list.sort((a, b) => rank(a) - rank(b));
/** By escape and opcode byte, whether a ModRM byte follows. */
const modrmFollows = maps.map((map) => map.map((list) => list.some((row) => row.modrm !== "none")));

const fixedNumbers: Readonly<Record<string, number>> = { AL: 0, AX: 0, rAX: 0, eAX: 0, CL: 1, DX: 2 };
const memorySizes: Readonly<Record<string, number>> = { b: 8, w: 16, d: 32, q: 64, t: 80, dq: 128 };

/** Bits of an operand; `size` is that of the instruction. */
function operandWidth(type: string, size: OperandSize): OperandSize {
  switch (type[0]) {
    case "b":
      return 8;
    case "w":
      return 16;
    case "d":
      return 32;
    case "q":
      return 64;
    case "y":
      return size === 64 ? 64 : 32;
    default:
      return size;
  }
}

const sizesByRow: Readonly<Record<CodeBits, ReadonlyMap<Row, readonly OperandSize[]>>> = {
  16: new Map(rows.map((row) => [row, operandSizes(row, 16)])),
  32: new Map(rows.map((row) => [row, operandSizes(row, 32)])),
  64: new Map(rows.map((row) => [row, operandSizes(row, 64)])),
};

/**
 * Decodes one instruction at `eip` of a code segment of `bits`. `byteAt` gives the bytes after it (index 0 is the
 * first); it may throw, and is never asked for a byte the instruction does not have.
 */
export function decode(
  byteAt: (index: number) => number,
  eip: number,
  bits: CodeBits = 32,
): DecodedInstruction | InvalidInstruction {
  let at = 0;
  const next = (): number => {
    if (at >= MAX_LENGTH) throw TOO_LONG;
    return byteAt(at++);
  };
  try {
    return decodeFrom(next, () => at, eip, bits);
  } catch (thrown) {
    if (thrown === TOO_LONG) return { row: undefined, eip, vector: 13, length: at };
    throw thrown;
  }
}
const TOO_LONG = Symbol("instruction longer than 15 bytes");

function decodeFrom(
  next: () => number,
  position: () => number,
  eip: number,
  bits: CodeBits,
): DecodedInstruction | InvalidInstruction {
  const long = bits === 64;
  let operandPrefix = false;
  let addressPrefix = false;
  let segment = -1;
  let lock = false;
  let repeat: "E" | "NE" | undefined;
  let rex = 0;
  let byte = next();
  for (;;) {
    if (byte === 0x66) operandPrefix = true;
    else if (byte === 0x67) addressPrefix = true;
    else if (byte === 0xf0) lock = true;
    else if (byte === 0xf2) repeat = "NE";
    else if (byte === 0xf3) repeat = "E";
    else if (segmentPrefixes[byte] !== undefined) {
      // Of the segment prefixes only those of FS and GS mean something in 64-bit code.
      if (!long || byte >= 0x64) segment = segmentPrefixes[byte]!;
    } else if (long && (byte & 0xf0) === 0x40) {
      rex = byte;
      byte = next();
      // A REX prefix counts only right before the opcode.
      if (byte >= 0x26 && (isPrefixByte(byte) || (byte & 0xf0) === 0x40)) {
        rex = 0;
        continue;
      }
      break;
    } else break;
    byte = next();
  }
  const addressSize: CodeBits = long ? (addressPrefix ? 32 : 64) : addressPrefix ? (bits === 32 ? 16 : 32) : bits;
  let map = 0;
  if (byte === 0x0f) {
    byte = next();
    map = 1;
    if (byte === 0x38 || byte === 0x3a) {
      map = byte === 0x38 ? 2 : 3;
      byte = next();
    }
  }
  const candidates = maps[map]![byte]!;
  const invalid = (): InvalidInstruction => ({ row: undefined, eip, vector: 6, length: position() });
  if (candidates.length === 0) return invalid();

  const hasModrm = modrmFollows[map]![byte]!;
  const modrm = hasModrm ? next() : 0;
  const mod = modrm >> 6;
  const extended = (bit: number): number => ((rex & bit) === 0 ? 0 : 8);
  const reg = (modrm >> 3) & 7;
  const rm = modrm & 7;
  const prefix = repeat === "NE" ? "F2" : repeat === "E" ? "F3" : operandPrefix ? "66" : "NP";
  let row: Row | undefined;
  for (const candidate of candidates) {
    if (candidate.where !== undefined && (candidate.where === "only64") !== long) continue;
    if (!takesPrefix(candidate, prefix)) continue;
    if (!takesModrm(candidate, modrm) || (candidate.withoutRexB && (rex & REX_B) !== 0)) continue;
    row = candidate;
    break;
  }
  if (!row) return invalid();

  let memory: MemoryOperand | undefined;
  if (hasModrm && mod !== 3 && row.operands.some(({ method }) => reachesMemory[method])) {
    if (addressSize === 16) memory = memoryOperand16(next, mod, rm, segment);
    else memory = memoryOperand(next, mod, rm, segment, rex, long);
  }
  const sizes = sizesByRow[bits].get(row)!;
  let size: OperandSize = bits;
  if (sizes.length === 1) size = sizes[0]!;
  else if (!long) size = operandPrefix && row.prefix !== "66" ? (bits === 32 ? 16 : 32) : bits;
  else if ((rex & REX_W) !== 0) size = sizes[sizes.length - 1]!;
  else if (operandPrefix && row.prefix !== "66" && sizes[0] === 16) size = 16;
  else size = row.in64 === "defaults" ? 64 : 32;

  const dword = (): number => next() | (next() << 8) | (next() << 16) | (next() << 24);
  const immediate = (type: string): number => {
    if (type === "b") return (next() << 24) >> 24;
    if (type === "bs") return (next() << 24) >> 24;
    if (type === "w" || size === 16) return ((next() | (next() << 8)) << 16) >> 16;
    return dword();
  };
  /** A general register by its number with the bit of REX; of 8 bits, REX makes another set of 4 to 7. */
  const general = (number: number, width: OperandSize): Operand =>
    width === 8 && rex !== 0 && number >= 4 && number < 8
      ? { kind: "register", number, size: width, rex: true }
      : { kind: "register", number, size: width };
  const operands: Operand[] = [];
  for (const code of row.operands) {
    const width = operandWidth(code.type, size);
    switch (code.method) {
      case "E":
        operands.push(mod === 3 ? general(rm + extended(REX_B), width) : { kind: "memory", size: width });
        break;
      case "M":
        operands.push({ kind: "memory", size: memorySizes[code.type] ?? (code.type === "yy" ? 2 * width : width) });
        break;
      case "R": // MOV to and from control registers ignores mod
        operands.push({ kind: "register", number: rm + extended(REX_B), size: width });
        break;
      case "G":
        operands.push(general(reg + extended(REX_R), width));
        break;
      case "Z":
        operands.push(general((byte & 7) + extended(REX_B), width));
        break;
      case "V":
        operands.push({ kind: "xmm", number: reg + extended(REX_R) });
        break;
      case "P":
        operands.push({ kind: "mmx", number: reg });
        break;
      case "W":
      case "U":
        operands.push(
          mod === 3
            ? { kind: "xmm", number: rm + extended(REX_B) }
            : { kind: "memory", size: memorySizes[code.type] ?? 128 },
        );
        break;
      case "Q":
      case "N":
        operands.push(mod === 3 ? { kind: "mmx", number: rm } : { kind: "memory", size: memorySizes[code.type] ?? 64 });
        break;
      case "ST":
        operands.push({ kind: "x87", number: rm });
        break;
      case "fixed":
        if (code.name === "1") operands.push({ kind: "immediate", value: 1, size: 8 });
        else if (code.name === "ST0") operands.push({ kind: "x87", number: 0 });
        else if (code.name === "XMM0") operands.push({ kind: "xmm", number: 0 });
        else operands.push({ kind: "register", number: fixedNumbers[code.name!]!, size: width });
        break;
      case "I": {
        const operandBits = code.type === "b" ? 8 : code.type === "w" ? 16 : size;
        const value = immediate(code.type);
        if (code.type === "v" && size === 64) operands.push({ kind: "immediate", value, size: 64, high: dword() });
        else operands.push({ kind: "immediate", value, size: operandBits });
        break;
      }
      case "J": {
        const distance = code.type === "b" ? (next() << 24) >> 24 : immediate("z");
        const target = eip + position() + distance;
        const wrapped = long ? target : size === 16 ? target & 0xffff : target >>> 0;
        operands.push({ kind: "target", value: wrapped });
        break;
      }
      case "O": {
        const displacement = addressSize === 16 ? next() | (next() << 8) : dword();
        memory = {
          base: -1,
          index: -1,
          scale: 0,
          displacement,
          segment: segment < 0 ? DS : segment,
          ...(long ? { displacementHigh: addressSize === 64 ? dword() : 0 } : {}),
        };
        operands.push({ kind: "memory", size: width });
        break;
      }
      case "A": {
        const offset = immediate("z") >>> 0;
        operands.push({
          kind: "far",
          offset: size === 16 ? offset & 0xffff : offset,
          selector: next() | (next() << 8),
        });
        break;
      }
      case "S":
        operands.push({ kind: "segment", number: code.type === "w" ? reg : Number(code.type) });
        break;
      case "C":
        operands.push({ kind: "control", number: reg + extended(REX_R) });
        break;
      case "D":
        operands.push({ kind: "debug", number: reg + extended(REX_R) });
        break;
      case "X":
      case "Y":
        operands.push({ kind: "memory", size: width });
        break;
    }
  }
  if (lock && !(row.lock && operands[0]?.kind === "memory")) return { ...invalid(), length: position() };
  if (row.popsBeforeAddress && memory && memory.base === 4 && addressSize !== 16)
    memory = { ...memory, displacement: (memory.displacement + size / 8) | 0 };
  return {
    row,
    eip,
    length: position(),
    modrm,
    size,
    addressSize,
    operands,
    memory,
    segment: segment < 0 ? DS : segment,
    lock,
    repeat: row.repeat ? repeat : undefined,
  };
}

const REX_W = 8;
const REX_R = 4;
const REX_X = 2;
const REX_B = 1;

const isPrefixByte = (byte: number): boolean =>
  byte === 0x66 || byte === 0x67 || byte === 0xf0 || byte === 0xf2 || byte === 0xf3 || byte in segmentPrefixes;

/** Operands that lie in memory unless mod is 3, and those that never do. */
const reachesMemory: Readonly<Partial<Record<AddressingMethod, true>>> = { E: true, M: true, W: true, Q: true };

/** Whether a row can have the prefix that could be a part of its encoding. */
const takesPrefix = ({ prefix: wanted }: Row, prefix: Prefix): boolean =>
  wanted === undefined || wanted === prefix || (wanted === "NFx" && prefix !== "F3" && prefix !== "F2");

/** Whether a row can have this ModRM byte. */
export function takesModrm({ modrm: wanted, operands }: Row, modrm: number): boolean {
  if (typeof wanted === "object") return modrm >= wanted[0] && modrm <= wanted[1];
  if (typeof wanted === "number" && wanted !== ((modrm >> 3) & 7)) return false;
  for (const { method } of operands) {
    if (method === "M" && modrm >= 0xc0) return false;
    if ((method === "U" || method === "N") && modrm < 0xc0) return false;
    // MOV of control and debug registers does not look at mod.
    if (method === "R" && modrm < 0xc0 && !operands.some((other) => "CD".includes(other.method))) return false;
  }
  return true;
}

/**
 * 32- and 64-bit addressing. Spec: SDM Vol. 2A, tables "32-Bit Addressing Forms with the ModR/M Byte" and "… the SIB Byte";
 * "REX Prefixes", "RIP-Relative Addressing".
 */
function memoryOperand(
  next: () => number,
  mod: number,
  rm: number,
  segmentPrefix: number,
  rex: number,
  long: boolean,
): MemoryOperand {
  const high = (rex & REX_B) === 0 ? 0 : 8;
  let base = rm;
  let index = -1;
  let scale = 0;
  if (rm === 4) {
    const sib = next();
    scale = sib >> 6;
    index = ((sib >> 3) & 7) + ((rex & REX_X) === 0 ? 0 : 8);
    base = sib & 7;
    if (index === 4) index = -1;
  }
  let displacement = 0;
  const wide = (): number => next() | (next() << 8) | (next() << 16) | (next() << 24);
  let relative = false;
  if (mod === 0 && base === 5) {
    base = -1;
    relative = long && rm === 5;
    displacement = wide();
  } else {
    base += high;
    if (mod === 1) displacement = (next() << 24) >> 24;
    else if (mod === 2) displacement = wide();
  }
  const implied = base === 4 || base === 5 ? SS : DS;
  return {
    base,
    index,
    scale: index < 0 ? 0 : scale,
    displacement,
    segment: segmentPrefix < 0 ? implied : segmentPrefix,
    ...(relative ? { relative } : {}),
  };
}

const BX = 3;
const BP = 5;
const SI = 6;
const DI = 7;
/** Base and index by the rm field. */
const addressing16 = [
  [BX, SI],
  [BX, DI],
  [BP, SI],
  [BP, DI],
  [SI, -1],
  [DI, -1],
  [BP, -1],
  [BX, -1],
] as const;

/** 16-bit addressing. Spec: SDM Vol. 2A, table "16-Bit Addressing Forms with the ModR/M Byte". */
function memoryOperand16(next: () => number, mod: number, rm: number, segmentPrefix: number): MemoryOperand {
  let [base, index]: readonly [number, number] = addressing16[rm]!;
  let displacement = 0;
  const wide = (): number => ((next() | (next() << 8)) << 16) >> 16;
  if (mod === 0 && rm === 6) {
    base = index = -1;
    displacement = wide();
  } else if (mod === 1) displacement = (next() << 24) >> 24;
  else if (mod === 2) displacement = wide();
  const segment = segmentPrefix < 0 ? (base === BP ? SS : DS) : segmentPrefix;
  return { base, index, scale: 0, displacement, segment };
}
