/**
 * What a fault's vector and the machine tell beyond the rule that failed: the entry of a page walk, the byte that is no
 * opcode, the operands of a division, the privilege an instruction would need.
 */
import { firstWith, includes, type ModelName } from "../cpu/model.js";
import type { PageWalk } from "../cpu/page-walk.js";
import { VECTOR } from "../cpu/processor.js";
import { ACCESS, FLAG, type Segment } from "../cpu/state.js";
import type { DecodedInstruction, Row } from "../isa/instruction.js";
import { rows } from "../isa/table/index.js";
import type { Machine } from "../machine.js";
import { notCanonical } from "./canonical-detail.js";
import type { DeliveredException, MetFault } from "./exception.js";
import { explainOperands } from "./explain.js";
import { type DecodedAt, decodeBytes } from "./instruction-at.js";
import { pageFault } from "./page-fault-detail.js";
import { privilegeOf } from "./privilege.js";

/** Where a detail comes from. */
export interface FaultScene {
  readonly fault: MetFault;
  /** It is what the instruction raised, and not met on the way to a handler. */
  readonly first: boolean;
  readonly exception: DeliveredException;
  readonly instruction: DecodedAt;
  /** As it is now, or just before the instruction. */
  readonly machine: Machine;
  /** `machine` is the one just before the instruction: registers and memory are as the instruction found them. */
  readonly exact: boolean;
}

export interface FaultDetail {
  /** A sentence. */
  readonly check: string;
  readonly spec?: string;
  readonly walk?: PageWalk;
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
const hex8 = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, "0")}`;

const details: Readonly<Record<number, (scene: FaultScene) => FaultDetail | undefined>> = {
  [VECTOR.PF]: pageFault,
  [VECTOR.UD]: (scene) => (scene.first ? invalidOpcode(scene) : undefined),
  [VECTOR.DE]: (scene) => (scene.first ? divideError(scene) : undefined),
  [VECTOR.GP]: (scene) => (scene.first ? (badAddress(scene) ?? notAllowed(scene)) : undefined),
  [VECTOR.SS]: (scene) => (scene.first ? badAddress(scene) : undefined),
};

/** What can be told of a fault from its machine; undefined where there is nothing beyond its rule. */
export const faultDetail = (scene: FaultScene): FaultDetail | undefined => details[scene.fault.vector]?.(scene);

// ---- #UD ------------------------------------------------------------------------------------------------------------

const UD_SPEC = 'SDM Vol. 3A, "Interrupt 6—Invalid Opcode Exception (#UD)"';
const LOCK = 0xf0;
const PREFIXES: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, LOCK, 0xf2, 0xf3]);

function invalidOpcode({ instruction, exception, machine, fault }: FaultScene): FaultDetail | undefined {
  const { decoded } = instruction;
  const { model } = machine.cpu.system;
  const { codeBits, eip } = exception;
  const bytes = exception.instructionBytes;
  if (decoded?.row !== undefined) {
    const check = ofInstruction(decoded, model, exception);
    return check === undefined || fault.rule !== undefined ? undefined : { check, spec: decoded.row.spec };
  }
  const start = bytes.findIndex((byte) => !PREFIXES.has(byte));
  if (start < 0) return undefined;
  if (bytes.slice(0, start).includes(LOCK)) {
    const without = bytes.filter((byte, index) => index >= start || byte !== LOCK);
    const { decoded: other, text } = decodeBytes(Uint8Array.from(without), eip, codeBits);
    if (other?.row !== undefined)
      return {
        check: `LOCK cannot stand before ${text}: it is for instructions that change memory in one go.`,
        spec: "SDM Vol. 2A, LOCK—Assert LOCK# Signal Prefix",
      };
  }
  return { check: `${noOpcode(bytes, start)}.`, spec: UD_SPEC };
}

/** Which processors have an instruction. */
function whereItIs({ needs }: Row): string {
  const first = needs === undefined ? undefined : firstWith(needs);
  return first === undefined ? "is in no processor model" : `came with the ${first}`;
}

/** Why an encoding that has a row is #UD all the same. */
function ofInstruction(
  { row, operands }: DecodedInstruction,
  model: ModelName,
  { mode }: DeliveredException,
): string | undefined {
  if (!includes(model, row.needs)) return `${row.mnemonic} ${whereItIs(row)}; this processor is a ${model}.`;
  if (/^UD/.test(row.mnemonic)) return `${row.mnemonic} exists to raise #UD.`;
  for (const operand of operands) {
    if (operand.kind === "control" && ![0, 2, 3, 4].includes(operand.number))
      return `There is no control register ${operand.number}.`;
    if (operand.kind === "segment" && operand.number > 5) return `There is no segment register ${operand.number}.`;
  }
  if (row.opcode === "8E /r") return "CS cannot be loaded by MOV: a far jump, call or return does it.";
  const privilege = privilegeOf(row, { cpl: 0, iopl: 3, cr4: 0, mode });
  return privilege?.needs === "protected mode" ? `${row.mnemonic} exists in protected mode only.` : undefined;
}

/** Which of the bytes make no opcode; `start` is the first behind the prefixes. */
function noOpcode(bytes: readonly number[], start: number): string {
  const escaped = bytes[start] === 0x0f;
  const at = escaped ? start + 1 : start;
  const byte = bytes[at];
  const hex2 = (value: number): string => value.toString(16).toUpperCase().padStart(2, "0");
  if (byte === undefined) return "The bytes end within the opcode";
  const opcode = `${escaped ? "0F " : ""}${hex2(byte)}`;
  const group = rows.filter((row) => row.byte === byte && row.map === (escaped ? 1 : 0));
  const modrm = bytes[at + 1];
  if (group.length === 0 || modrm === undefined) return `No instruction has the opcode ${opcode}`;
  const reg = (modrm >> 3) & 7;
  const sameReg = group.some((row: Row) => row.modrm === reg || row.modrm === "r" || row.modrm === "none");
  if (!sameReg) return `Opcode ${opcode} is no instruction with ${reg} in the reg field of ModR/M (${opcode} /${reg})`;
  if (modrm >> 6 === 3) return `Opcode ${opcode} needs a memory operand, and ModR/M ${hex2(modrm)} names a register`;
  return `The bytes are no instruction of opcode ${opcode}`;
}

// ---- #DE ------------------------------------------------------------------------------------------------------------

const accumulators: Readonly<Record<number, string>> = { 8: "ax", 16: "dx:ax", 32: "edx:eax", 64: "rdx:rax" };

function divideError({ instruction: { decoded }, machine, exact }: FaultScene): FaultDetail | undefined {
  if (decoded?.row === undefined) return undefined;
  const { spec, mnemonic } = decoded.row;
  if (mnemonic === "AAM") return { check: "AAM divides by its immediate, which is 0.", spec };
  const divisor = explainOperands(machine, decoded)[0];
  if (divisor === undefined) return undefined;
  const { name, value, bits } = divisor;
  const dividend = accumulators[bits];
  if (!exact)
    return {
      check: `The divisor (${name}) was 0, or the quotient of ${dividend} by it does not fit into ${bits} bits.`,
      spec,
    };
  if (value === 0 || value === 0n) return { check: `The divisor (${name}) is 0.`, spec };
  const signed = mnemonic === "IDIV" ? " signed" : "";
  const { rax, rdx } = machine.registers;
  const high = BigInt.asUintN(bits, bits === 8 ? rax >> 8n : rdx);
  const low = BigInt.asUintN(bits, rax);
  const digits = (part: bigint): string => part.toString(16).padStart(bits / 4, "0");
  return {
    check: `The quotient of ${dividend} (${digits(high)}:${digits(low)}) by ${name} (${hex(value ?? 0)}) does not fit into ${bits}${signed} bits.`,
    spec,
  };
}

// ---- #GP ------------------------------------------------------------------------------------------------------------

const LIMIT_SPEC = 'SDM Vol. 3A, "Limit Checking"';
const TYPE_SPEC = 'SDM Vol. 3A, "Type Checking"';

/** An address that cannot be used, where the fault names no other rule. */
function badAddress(scene: FaultScene): FaultDetail | undefined {
  const { rule } = scene.fault;
  if (rule !== undefined && rule !== "address-not-canonical") return undefined;
  return scene.exception.codeBits === 64 ? notCanonical(scene) : segmentAccess(scene);
}

/** The check of a segment that an access of the instruction fails; its error code is 0. */
function segmentAccess({ instruction, exception, machine, fault, exact }: FaultScene): FaultDetail | undefined {
  const { segments } = machine.cpu.system;
  if (!exact || fault.errorCode !== 0) return undefined;
  const { eip } = exception;
  if (eip > segments.cs.limit)
    return { check: `EIP ${hex8(eip)} lies beyond the limit of CS (${hex8(segments.cs.limit)}).`, spec: LIMIT_SPEC };
  const { decoded } = instruction;
  if (decoded?.row === undefined) return undefined;
  for (const [index, { segment, effective, bits }] of explainOperands(machine, decoded).entries()) {
    if (segment === undefined || effective === undefined) continue;
    const { limit, access, selector } = segments[segment];
    const name = segment.toUpperCase();
    if (access === 0)
      return {
        check: `${name} holds a null selector (${hex(selector)}), and no memory can be reached through it.`,
        spec: 'SDM Vol. 3A, "Null Segment Selector Checking"',
      };
    const code = (access & ACCESS.CODE) !== 0;
    if (code && (access & ACCESS.WRITABLE) === 0 && index > 0)
      return { check: `${name} is code that may be executed only, not read.`, spec: TYPE_SPEC };
    const outside = reachesOut(effective, bits / 8, segments[segment]);
    if (outside)
      return {
        check: `Offset ${hex8(effective)} with ${bits / 8} bytes is not inside of the segment in ${name} (limit ${hex8(limit)}).`,
        spec: LIMIT_SPEC,
      };
    if (index === 0 && (code || (access & ACCESS.WRITABLE) === 0))
      return { check: `The segment in ${name} cannot be written.`, spec: TYPE_SPEC };
  }
  return undefined;
}

function reachesOut(offset: number, length: number, { limit, access }: Segment): boolean {
  const down = (access & (ACCESS.CODE | ACCESS.EXPAND_DOWN)) === ACCESS.EXPAND_DOWN;
  if (!down) return offset + length - 1 > limit;
  return offset <= limit || offset + length - 1 > ((access & ACCESS.BIG) !== 0 ? 0xffffffff : 0xffff);
}

/** The privilege an instruction needs, where the fault names no rule. */
function notAllowed({ instruction: { decoded }, exception, machine, fault }: FaultScene): FaultDetail | undefined {
  if (decoded?.row === undefined || fault.errorCode !== 0 || fault.rule !== undefined) return undefined;
  const { cpl, mode } = exception;
  const iopl = (machine.registers.eflags & FLAG.IOPL) >> 12;
  const privilege = privilegeOf(decoded.row, { cpl, iopl, cr4: machine.cpu.system.cr4, mode });
  if (privilege === undefined || privilege.allowed === true) return undefined;
  return { check: `${decoded.row.mnemonic} needs ${privilege.needs}; CPL is ${cpl}.`, spec: privilege.spec };
}
