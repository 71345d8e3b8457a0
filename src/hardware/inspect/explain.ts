/**
 * What the instruction at EIP means, from its row of the instruction table, with its operands as they are now.
 * Spec: SDM Vol. 2A, "Interpreting the Instruction Reference Pages".
 */
import { VirtlabError } from "../../state/error.js";
import { generalNames, type SegmentName, segmentNames } from "../cpu/state.js";
import type { CodeBits, DecodedInstruction, InstructionGroup, MemoryOperand, Operand } from "../isa/instruction.js";
import { registerNames, rexByteNames } from "../isa/names.js";
import { type LinearAddress, linearNumber } from "../linear-memory.js";
import type { Machine } from "../machine.js";
import { deepFreeze } from "../machine-content.js";
import { longNames } from "../registers.js";
import { codeBitsOf, instructionAt, instructionPointer } from "./instruction-at.js";
import { type Privilege, privilegeContext, privilegeOf } from "./privilege.js";
import { linearAt, littleEndian, littleEndianLong, readIfMapped } from "./reading.js";

export interface ExplainedOperand {
  /** As the instruction names it: "dword [ebp-8]" is of kind "memory". */
  readonly kind: Operand["kind"];
  /** The manual's code of it: "Ev". */
  readonly code: string;
  /** The register ("eax"), the address ("ss:ebp-0x8"), or the number. */
  readonly name: string;
  /** Width in bits. */
  readonly bits: number;
  /** What it holds now, unsigned; of more than 32 bits a bigint. Absent where memory is not mapped, and for a far pointer. */
  readonly value?: number | bigint;
  /** Of memory. */
  readonly segment?: SegmentName;
  /** Of memory: the offset in the segment; signed in 64-bit code, as `linear` is. */
  readonly effective?: number;
  /** Of memory: segment base plus offset. */
  readonly linear?: number;
  /** Of memory: where it is mapped; absent where it is not. */
  readonly physical?: number;
}

export interface Explanation {
  /** Offset in the code segment. */
  readonly address: number;
  readonly bytes: readonly number[];
  /** In Intel syntax, or "(bad)". */
  readonly text: string;
  /** The manual's name: "MOV". Absent, as all that follows, where the bytes are no instruction. */
  readonly mnemonic?: string;
  /** The encoding in the manual's notation: "8B /r". */
  readonly opcode?: string;
  readonly group?: InstructionGroup;
  /** What it does, in one sentence. */
  readonly summary: string;
  readonly operands: readonly ExplainedOperand[];
  /** Status flags it writes, and those of them whose value the manual leaves undefined, by name. */
  readonly flags: { readonly written: readonly string[]; readonly undefined: readonly string[] };
  /** Absent where every program may execute it. */
  readonly privilege?: Privilege;
  /** LOCK, REPE (which is REP, too), REPNE. */
  readonly prefixes: readonly string[];
  /** Section of the manual. */
  readonly spec?: string;
}

const SI = 6;
const DI = 7;
const ES = 0;

const statusFlags: Readonly<Record<string, string>> = { O: "OF", S: "SF", Z: "ZF", A: "AF", P: "PF", C: "CF" };
const flagList = (letters = ""): readonly string[] => [...letters].map((letter) => statusFlags[letter] ?? letter);

/**
 * The instruction at EIP, or at another offset of the code segment.
 *
 * @throws VirtlabError where nothing is mapped at the address, and for what is no address of the machine's code.
 * @example
 * const machine = Machine.boot({ image: Uint8Array.of(0x01, 0xd8) }); // add eax, ebx
 * const { mnemonic, text, flags } = explain(machine);
 * [mnemonic, text, flags.written.length] // => [ 'ADD', 'add eax, ebx', 6 ]
 */
export function explain(machine: Machine, where: LinearAddress = instructionPointer(machine)): Explanation {
  const address = checkedOffset(machine, where);
  const { bytes, text, decoded } = instructionAt(machine, address);
  if (bytes.length === 0) throw new VirtlabError(`explain: nothing is mapped at 0x${address.toString(16)}`);
  if (decoded?.row === undefined) {
    return deepFreeze({
      address,
      bytes,
      text,
      summary: "These bytes are no instruction: executing them is #UD.",
      operands: [],
      flags: { written: [], undefined: [] },
      prefixes: [],
    });
  }
  const { row } = decoded;
  const privilege = privilegeOf(row, privilegeContext(machine));
  return deepFreeze({
    address,
    bytes,
    text,
    mnemonic: row.mnemonic,
    opcode: row.opcode,
    group: row.group,
    summary: row.summary,
    operands: explainOperands(machine, decoded),
    flags: { written: flagList(row.flags?.written), undefined: flagList(row.flags?.undefined) },
    ...(privilege === undefined ? {} : { privilege }),
    prefixes: [
      ...(decoded.lock ? ["LOCK"] : []),
      ...(decoded.repeat ? [decoded.repeat === "E" ? (row.repeat === "repe" ? "REPE" : "REP") : "REPNE"] : []),
    ],
    spec: row.spec,
  });
}

function checkedOffset(machine: Machine, address: LinearAddress): number {
  if (codeBitsOf(machine) === 64) return linearNumber(machine, address, "explain");
  if (typeof address === "bigint" || !(Number.isInteger(address) && address >= 0 && address <= 0xffffffff))
    throw new VirtlabError(`explain: address ${String(address)} is not one of 0 to 0xffffffff`);
  return address;
}

/** The operands of a decoded instruction with what they hold in this machine. */
export function explainOperands(machine: Machine, decoded: DecodedInstruction): readonly ExplainedOperand[] {
  return decoded.operands.map((operand, index) => explainOperand(machine, decoded, operand, index));
}

/** A general register, unsigned; of 8 bits, numbers 4 to 7 are AH to BH but with a REX prefix. */
export function registerValue(machine: Machine, number: number, bits: 8 | 16 | 32, rex = false): number {
  const { registers } = machine;
  if (bits === 8 && number >= 4 && number < 8 && !rex) return (registers[generalNames[number - 4]!] >>> 8) & 0xff;
  const old = generalNames[number];
  const value = old === undefined ? Number(BigInt.asUintN(32, registers[longNames[number]!])) : registers[old];
  return bits === 32 ? value : bits === 16 ? value & 0xffff : value & 0xff;
}

/** The same of 64 bits. */
export const longRegisterValue = (machine: Machine, number: number): bigint => machine.registers[longNames[number]!];

function explainOperand(
  machine: Machine,
  decoded: DecodedInstruction,
  operand: Operand,
  index: number,
): ExplainedOperand {
  const { method, type, name: fixed } = decoded.row.operands[index]!;
  const code = fixed ?? method + type;
  const { system } = machine.cpu;
  switch (operand.kind) {
    case "register": {
      const { number, size } = operand;
      return {
        kind: "register",
        code,
        name: (operand.rex ? rexByteNames : registerNames[size])[number]!,
        bits: size,
        value:
          size === 64 ? longRegisterValue(machine, number) : registerValue(machine, number, size, operand.rex === true),
      };
    }
    case "immediate": {
      const value = immediateValue(operand);
      return { kind: "immediate", code, name: `0x${value.toString(16)}`, bits: operand.size, value };
    }
    case "target":
      return targetOperand(code, operand.value, codeBitsOf(machine));
    case "segment": {
      const name = segmentNames[operand.number];
      if (name === undefined) return { kind: "segment", code, name: "no segment register", bits: 16 };
      return { kind: "segment", code, name, bits: 16, value: system.segments[name].selector };
    }
    case "control": {
      const values: Readonly<Record<number, number>> = { 0: system.cr0, 2: system.cr2, 3: system.cr3, 4: system.cr4 };
      const value = values[operand.number];
      return {
        kind: "control",
        code,
        name: `cr${operand.number}`,
        bits: 32,
        ...(value === undefined ? {} : { value: value >>> 0 }),
      };
    }
    case "debug": {
      const at = operand.number < 4 ? operand.number : 4 + (operand.number & 1);
      return { kind: "debug", code, name: `dr${operand.number}`, bits: 32, value: system.debug[at]! >>> 0 };
    }
    case "xmm":
    case "mmx":
    case "x87": {
      const letters = { xmm: "xmm", mmx: "mm", x87: "st" }[operand.kind];
      const bits = { xmm: 128, mmx: 64, x87: 80 }[operand.kind];
      const value = floatingValue(machine, operand.kind, operand.number);
      return { kind: operand.kind, code, name: `${letters}${operand.number}`, bits, value };
    }
    case "far":
      return {
        kind: "far",
        code,
        name: `0x${operand.selector.toString(16)}:0x${operand.offset.toString(16)}`,
        bits: 48,
      };
    case "memory":
      return explainMemory(
        machine,
        decoded,
        method === "X" || method === "Y" ? impliedOperand(decoded, method) : decoded.memory!,
        operand.size,
        code,
      );
  }
}

function immediateValue({ value, size, high }: Operand & { readonly kind: "immediate" }): number | bigint {
  if (size === 64) return BigInt.asUintN(64, high === undefined ? BigInt(value) : joined(high, value));
  return size === 32 ? value >>> 0 : value & (2 ** size - 1);
}

const joined = (high: number, low: number): bigint => (BigInt(high) << 32n) | BigInt(low >>> 0);

function targetOperand(code: string, target: number, codeBits: CodeBits): ExplainedOperand {
  if (codeBits !== 64) return { kind: "target", code, name: `0x${target.toString(16)}`, bits: 32, value: target };
  const value = BigInt.asUintN(64, BigInt(target));
  return { kind: "target", code, name: `0x${value.toString(16)}`, bits: 64, value };
}

/** The bits of a register of x87 (counted from the top of the stack), MMX or SSE. */
function floatingValue({ cpu }: Machine, kind: "xmm" | "mmx" | "x87", number: number): bigint {
  const { xmm, registers, status } = cpu.floating;
  if (kind === "xmm") return xmm[number]!;
  const top = kind === "x87" ? (status >> 11) & 7 : 0;
  const value = registers[(top + number) & 7]!;
  return kind === "x87" ? value : BigInt.asUintN(64, value);
}

/** The operand of a string instruction: DS:(E)SI, or a prefix's segment, and ES:(E)DI. */
const impliedOperand = ({ segment }: DecodedInstruction, method: "X" | "Y"): MemoryOperand => ({
  base: method === "X" ? SI : DI,
  index: -1,
  scale: 0,
  displacement: 0,
  segment: method === "X" ? segment : ES,
});

/** What the manual's type letter makes of a memory operand, in bytes; pointers and pairs are as long as their parts. */
function bytesOf(type: string, size: number): number {
  const operand = size / 8;
  switch (type) {
    case "p":
      return operand + 2;
    case "s":
      return size === 64 ? 10 : 6;
    case "a":
      return operand * 2;
    case "q":
      return 8;
    case "dq":
      return 16;
    default:
      return operand;
  }
}

function explainMemory(
  machine: Machine,
  { addressSize, row, eip, length: bytesOfInstruction }: DecodedInstruction,
  memory: MemoryOperand,
  size: number,
  code: string,
): ExplainedOperand {
  const segment = segmentNames[memory.segment]!;
  const next = eip + bytesOfInstruction;
  const effective = effectiveAddress(machine, memory, addressSize, next);
  const text = addressText(memory, addressSize);
  const name = `${segment}:${text}`;
  const length = bytesOf(code.slice(1), size);
  const common = { kind: "memory", code, name, bits: length * 8, effective } as const;
  // LEA and INVLPG take an address and read nothing; LEA's has no segment.
  if (row.mnemonic === "LEA") return { ...common, name: text };
  const linear = linearAt(machine, segment, effective);
  const { physical } = machine.walk(linear);
  const readable = physical !== undefined && physical + length <= machine.memory.size;
  const isNumber = length <= 4 || !/[psa]/.test(code[1] ?? "");
  const bytes = readable && row.mnemonic !== "INVLPG" && isNumber ? readIfMapped(machine, linear, length) : undefined;
  return {
    ...common,
    segment,
    linear,
    ...(physical === undefined ? {} : { physical }),
    ...(bytes === undefined ? {} : { value: valueIn(bytes, length) }),
  };
}

const valueIn = (bytes: Uint8Array, length: number): number | bigint =>
  length <= 4 && length !== 3 ? littleEndian(bytes, 0, length as 1 | 2 | 4) : littleEndianLong(bytes, 0, length);

/** `next` is the address of the next instruction, from which a displacement may be counted. */
function effectiveAddress(machine: Machine, memory: MemoryOperand, bits: CodeBits, next: number): number {
  if (bits === 64) return Number(BigInt.asIntN(64, longAddress(machine, memory, next)));
  if (memory.relative) return (next + memory.displacement) >>> 0;
  const part = (number: number): number => (number < 0 ? 0 : registerValue(machine, number, bits));
  const sum = part(memory.base) + part(memory.index) * 2 ** memory.scale + memory.displacement;
  return bits === 16 ? sum & 0xffff : sum >>> 0;
}

/** The linear address of the memory operand in 64-bit code, canonical or not. */
export function longLinear(machine: Machine, { memory, addressSize, eip, length }: DecodedInstruction): bigint {
  const name = segmentNames[memory!.segment]!;
  const { base } = machine.cpu.system.segments[name];
  const offset =
    addressSize === 64
      ? longAddress(machine, memory!, eip + length)
      : BigInt(effectiveAddress(machine, memory!, addressSize, eip + length));
  return offset + (name === "fs" || name === "gs" ? BigInt(base) : 0n);
}

function longAddress(machine: Machine, memory: MemoryOperand, next: number): bigint {
  const { base, index, scale, displacement, displacementHigh, relative } = memory;
  const part = (number: number): bigint => (number < 0 ? 0n : longRegisterValue(machine, number));
  const constant = displacementHigh === undefined ? BigInt(displacement) : joined(displacementHigh, displacement);
  return part(base) + (part(index) << BigInt(scale)) + constant + (relative ? BigInt(next) : 0n);
}

function addressText(memory: MemoryOperand, bits: CodeBits): string {
  const { base, index, scale, displacement, displacementHigh, relative } = memory;
  if (relative) return `rip${displacement < 0 ? "-" : "+"}0x${Math.abs(displacement).toString(16)}`;
  if (displacementHigh !== undefined)
    return `0x${BigInt.asUintN(64, joined(displacementHigh, displacement)).toString(16)}`;
  const parts = [
    ...(base < 0 ? [] : [registerNames[bits][base]!]),
    ...(index < 0 ? [] : [registerNames[bits][index]! + (scale === 0 ? "" : `*${2 ** scale}`)]),
  ].join("+");
  if (parts === "") return `0x${BigInt.asUintN(bits, BigInt(displacement)).toString(16)}`;
  if (displacement === 0) return parts;
  return `${parts}${displacement < 0 ? "-" : "+"}0x${Math.abs(displacement).toString(16)}`;
}
