/**
 * Bytes to instruction, from the rows. Decoding never executes and never guesses: an encoding without a row is #UD.
 * Spec: SDM Vol. 2A, "Instruction Format".
 */
import type { OperandSize } from "./code.js";
import {
  type CodeBits,
  type DecodedInstruction,
  type InvalidInstruction,
  type MemoryOperand,
  type Operand,
  type OperandCode,
  operandSizes,
  type Row,
} from "./instruction.js";
import { rows } from "./table/index.js";

const DS = 3;
const SS = 2;
const segmentPrefixes: Readonly<Record<number, number>> = { 38: 0, 46: 1, 54: 2, 62: 3, 100: 4, 101: 5 };
const MAX_LENGTH = 15;

/** Rows by opcode byte: one table without and one with the 0F escape. */
const maps: readonly [Row[][], Row[][]] = [
  Array.from({ length: 256 }, () => []),
  Array.from({ length: 256 }, () => []),
];
for (const row of rows) {
  const map = maps[row.escaped ? 1 : 0];
  const count = row.plusRegister ? 8 : 1;
  for (let number = 0; number < count; number++) map[row.byte + number]!.push(row);
}
// A row with a mandatory prefix is more special than one without.
for (const map of maps)
  for (const list of map)
    list.sort((a, b) => Number(b.mandatoryPrefix !== undefined) - Number(a.mandatoryPrefix !== undefined));

const fixedNumbers: Readonly<Record<string, number>> = { AL: 0, rAX: 0, CL: 1, DX: 2 };

function operandSize(code: OperandCode, size: OperandSize): OperandSize {
  switch (code.type[0]) {
    case "b":
      return 8;
    case "w":
      return 16;
    case "d":
      return 32;
    default:
      return size;
  }
}

const sizesByRow = new Map(rows.map((row) => [row, operandSizes(row)]));

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
  const otherBits = bits === 32 ? 16 : 32;
  let size: OperandSize = bits;
  let addressSize: CodeBits = bits;
  let segment = -1;
  let lock = false;
  let repeat: "E" | "NE" | undefined;
  let byte = next();
  for (;;) {
    if (byte === 0x66) size = otherBits;
    else if (byte === 0x67) addressSize = otherBits;
    else if (byte === 0xf0) lock = true;
    else if (byte === 0xf2) repeat = "NE";
    else if (byte === 0xf3) repeat = "E";
    else if (segmentPrefixes[byte] !== undefined) segment = segmentPrefixes[byte]!;
    else break;
    byte = next();
  }
  const escaped = byte === 0x0f;
  if (escaped) byte = next();
  const candidates = maps[escaped ? 1 : 0][byte]!;
  const invalid = (): InvalidInstruction => ({ row: undefined, eip, vector: 6, length: position() });
  if (candidates.length === 0) return invalid();

  const hasModrm = candidates.some((row) => row.modrm !== "none");
  const modrm = hasModrm ? next() : 0;
  const mod = modrm >> 6;
  const reg = (modrm >> 3) & 7;
  const rm = modrm & 7;
  const row = candidates.find(
    (candidate) =>
      (typeof candidate.modrm !== "number" || candidate.modrm === reg) &&
      (candidate.mandatoryPrefix === undefined || repeat === "E") &&
      !(mod === 3 && candidate.operands.some(({ method }) => method === "M")),
  );
  if (!row) return invalid();

  let memory: MemoryOperand | undefined;
  if (hasModrm && mod !== 3 && row.operands.some(({ method }) => method === "E" || method === "M")) {
    memory = addressSize === 32 ? memoryOperand(next, mod, rm, segment) : memoryOperand16(next, mod, rm, segment);
  }
  const sizes = sizesByRow.get(row)!;
  if (sizes.length === 1) size = sizes[0]!;

  const immediate = (type: string): number => {
    if (type === "b") return (next() << 24) >> 24;
    if (type === "bs") return (next() << 24) >> 24;
    const low = next() | (next() << 8);
    if (type === "w" || size === 16) return (low << 16) >> 16;
    return low | (next() << 16) | (next() << 24);
  };
  const operands: Operand[] = [];
  for (const code of row.operands) {
    const width = operandSize(code, size);
    switch (code.method) {
      case "E":
        operands.push(mod === 3 ? { kind: "register", number: rm, size: width } : { kind: "memory", size: width });
        break;
      case "M":
        operands.push({ kind: "memory", size: width });
        break;
      case "R": // MOV to and from control registers ignores mod
        operands.push({ kind: "register", number: rm, size: width });
        break;
      case "G":
        operands.push({ kind: "register", number: reg, size: width });
        break;
      case "Z":
        operands.push({ kind: "register", number: byte & 7, size: width });
        break;
      case "fixed":
        operands.push(
          code.name === "1"
            ? { kind: "immediate", value: 1, size: 8 }
            : { kind: "register", number: fixedNumbers[code.name!]!, size: width },
        );
        break;
      case "I":
        operands.push({
          kind: "immediate",
          value: immediate(code.type),
          size: code.type === "b" ? 8 : code.type === "w" ? 16 : size,
        });
        break;
      case "J": {
        const distance = code.type === "b" ? (next() << 24) >> 24 : immediate("z");
        const target = (eip + position() + distance) >>> 0;
        operands.push({ kind: "target", value: size === 16 ? target & 0xffff : target });
        break;
      }
      case "O": {
        const low = next() | (next() << 8);
        const displacement = addressSize === 32 ? low | (next() << 16) | (next() << 24) : low;
        memory = { base: -1, index: -1, scale: 0, displacement, segment: segment < 0 ? DS : segment };
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
        operands.push({ kind: "control", number: reg });
        break;
      case "D":
        operands.push({ kind: "debug", number: reg });
        break;
      case "X":
      case "Y":
        operands.push({ kind: "memory", size: width });
        break;
    }
  }
  if (lock && !(row.lock && operands[0]?.kind === "memory")) return { ...invalid(), length: position() };
  if (row.popsBeforeAddress && memory && memory.base === 4)
    memory = { ...memory, displacement: (memory.displacement + size / 8) | 0 };
  return {
    row,
    eip,
    length: position(),
    size,
    addressSize,
    operands,
    memory,
    segment: segment < 0 ? DS : segment,
    lock,
    repeat: row.mandatoryPrefix === undefined && row.repeat ? repeat : undefined,
  };
}

/** 32-bit addressing. Spec: SDM Vol. 2A, tables "32-Bit Addressing Forms with the ModR/M Byte" and "… the SIB Byte". */
function memoryOperand(next: () => number, mod: number, rm: number, segmentPrefix: number): MemoryOperand {
  let base = rm;
  let index = -1;
  let scale = 0;
  if (rm === 4) {
    const sib = next();
    scale = sib >> 6;
    index = (sib >> 3) & 7;
    base = sib & 7;
    if (index === 4) index = -1;
  }
  let displacement = 0;
  const wide = (): number => next() | (next() << 8) | (next() << 16) | (next() << 24);
  if (mod === 0 && base === 5) {
    base = -1;
    displacement = wide();
  } else if (mod === 1) displacement = (next() << 24) >> 24;
  else if (mod === 2) displacement = wide();
  const implied = base === 4 || base === 5 ? SS : DS;
  return {
    base,
    index,
    scale: index < 0 ? 0 : scale,
    displacement,
    segment: segmentPrefix < 0 ? implied : segmentPrefix,
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
