/**
 * What the instruction at EIP means, from its row of the instruction table, with its operands as they are now.
 * Spec: SDM Vol. 2A, "Interpreting the Instruction Reference Pages".
 */
import { VirtlabError } from "../../state/error.js";
import { generalNames, type SegmentName, segmentNames } from "../cpu/state.js";
import type { OperandSize } from "../isa/code.js";
import type { CodeBits, DecodedInstruction, InstructionGroup, MemoryOperand, Operand } from "../isa/instruction.js";
import { registerNames, rexByteNames } from "../isa/names.js";
import type { Machine } from "../machine.js";
import { deepFreeze } from "../machine-content.js";
import { instructionAt } from "./instruction-at.js";
import { type Privilege, privilegeContext, privilegeOf } from "./privilege.js";
import { littleEndian, readIfMapped } from "./reading.js";

export interface ExplainedOperand {
  /** As the instruction names it: "dword [ebp-8]" is of kind "memory". */
  readonly kind: Operand["kind"];
  /** The manual's code of it: "Ev". */
  readonly code: string;
  /** The register ("eax"), the address ("ss:ebp-0x8"), or the number. */
  readonly name: string;
  /** Width in bits. */
  readonly bits: number;
  /** What it holds now, unsigned; absent where memory is not mapped, and for a far pointer. */
  readonly value?: number;
  /** Of memory. */
  readonly segment?: SegmentName;
  /** Of memory: the offset in the segment. */
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
 * @throws VirtlabError where nothing is mapped at the address, and for an address that is not one of 0 to 0xFFFFFFFF.
 * @example
 * const machine = Machine.boot({ image: Uint8Array.of(0x01, 0xd8) }); // add eax, ebx
 * const { mnemonic, text, flags } = explain(machine);
 * [mnemonic, text, flags.written.length] // => [ 'ADD', 'add eax, ebx', 6 ]
 */
export function explain(machine: Machine, address: number = machine.registers.eip): Explanation {
  if (!(Number.isInteger(address) && address >= 0 && address <= 0xffffffff))
    throw new VirtlabError(`explain: address ${String(address)} is not one of 0 to 0xffffffff`);
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

/** The operands of a decoded instruction with what they hold in this machine. */
export function explainOperands(machine: Machine, decoded: DecodedInstruction): readonly ExplainedOperand[] {
  return decoded.operands.map((operand, index) => explainOperand(machine, decoded, operand, index));
}

export function registerValue(machine: Machine, number: number, bits: OperandSize): number {
  const { registers } = machine;
  if (bits === 8 && number >= 4) return (registers[generalNames[number - 4]!] >>> 8) & 0xff;
  const value = registers[generalNames[number]!];
  return bits === 32 ? value : bits === 16 ? value & 0xffff : value & 0xff;
}

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
        value: registerValue(machine, number, size),
      };
    }
    case "immediate": {
      const value = operand.size === 32 ? operand.value >>> 0 : operand.value & (2 ** operand.size - 1);
      return { kind: "immediate", code, name: `0x${value.toString(16)}`, bits: operand.size, value };
    }
    case "target":
      return { kind: "target", code, name: `0x${operand.value.toString(16)}`, bits: 32, value: operand.value };
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
      return { kind: operand.kind, code, name: `${letters}${operand.number}`, bits };
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
      return 6;
    case "a":
      return operand * 2;
    case "q":
      return 8;
    default:
      return operand;
  }
}

function explainMemory(
  machine: Machine,
  { addressSize, row }: DecodedInstruction,
  memory: MemoryOperand,
  size: number,
  code: string,
): ExplainedOperand {
  const segment = segmentNames[memory.segment]!;
  const effective = effectiveAddress(machine, memory, addressSize);
  const name = `${segment}:${addressText(memory, addressSize)}`;
  const length = bytesOf(code.slice(1), size);
  const common = { kind: "memory", code, name, bits: length * 8, effective } as const;
  // LEA and INVLPG take an address and read nothing; LEA's has no segment.
  if (row.mnemonic === "LEA") return { ...common, name: addressText(memory, addressSize) };
  const linear = (machine.cpu.system.segments[segment].base + effective) >>> 0;
  const { physical } = machine.walk(linear);
  const readable = physical !== undefined && physical + length <= machine.memory.size;
  const bytes =
    readable && row.mnemonic !== "INVLPG" && length <= 4 ? readIfMapped(machine, linear, length) : undefined;
  return {
    ...common,
    segment,
    linear,
    ...(physical === undefined ? {} : { physical }),
    ...(bytes === undefined ? {} : { value: littleEndian(bytes, 0, length as 1 | 2 | 4) }),
  };
}

function effectiveAddress(machine: Machine, memory: MemoryOperand, bits: CodeBits): number {
  const part = (number: number): number => (number < 0 ? 0 : registerValue(machine, number, bits));
  const sum = part(memory.base) + part(memory.index) * 2 ** memory.scale + memory.displacement;
  return bits === 16 ? sum & 0xffff : sum >>> 0;
}

function addressText({ base, index, scale, displacement }: MemoryOperand, bits: CodeBits): string {
  const parts = [
    ...(base < 0 ? [] : [registerNames[bits][base]!]),
    ...(index < 0 ? [] : [registerNames[bits][index]! + (scale === 0 ? "" : `*${2 ** scale}`)]),
  ].join("+");
  if (parts === "") return `0x${(displacement >>> 0).toString(16)}`;
  if (displacement === 0) return parts;
  return `${parts}${displacement < 0 ? "-" : "+"}0x${Math.abs(displacement).toString(16)}`;
}
