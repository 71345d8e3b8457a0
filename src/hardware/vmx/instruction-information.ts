/**
 * The VM-exit instruction-information field, and the displacement that is the qualification of the same exits.
 * Spec: SDM Vol. 3C, "Information for VM Exits Due to Instruction Execution", "Exit Qualification".
 */
import type { InterceptedInstruction } from "../cpu/guest-operation.js";
import type { DecodedInstruction, Operand } from "../isa/instruction.js";

const SIZES: Readonly<Record<number, number>> = { 16: 0, 32: 1, 64: 2 };
export const addressSizeBits = (bits: 16 | 32 | 64): number => SIZES[bits]! << 7;
const REGISTER_FORM = 1 << 10;

const numberOf = (operand: Operand | undefined): number => (operand?.kind === "register" ? operand.number : 0);

/** Scale, address size, segment, index and base of the memory operand; or the register in its place. */
function memoryOf({ memory, addressSize, operands }: DecodedInstruction): number {
  const size = addressSizeBits(addressSize);
  if (memory === undefined) {
    const register = operands.find(({ kind }) => kind === "register");
    return REGISTER_FORM | size | (numberOf(register) << 3);
  }
  const { scale, segment, index, base } = memory;
  const indexBits = index < 0 ? 1 << 22 : index << 18;
  const baseBits = base < 0 ? 1 << 27 : base << 23;
  return (index < 0 ? 0 : scale) | size | (segment << 15) | indexBits | baseBits;
}

type Format = (instruction: DecodedInstruction) => number;

const memoryAlone: Format = memoryOf;
/** INVEPT and its kin: the type is in the register, the descriptor in memory. */
const typeAndDescriptor: Format = (instruction) => memoryOf(instruction) | (numberOf(instruction.operands[0]) << 28);
const tableRegister =
  (identity: number): Format =>
  (instruction) =>
    memoryOf(instruction) | (instruction.size === 16 ? 0 : 1 << 11) | (identity << 28);
const selectorRegister =
  (identity: number): Format =>
  (instruction) =>
    memoryOf(instruction) | (identity << 28);
const random: Format = ({ operands, size }) => (numberOf(operands[0]) << 3) | (SIZES[size]! << 11);
/** VMREAD and VMWRITE; `field` is the place of the operand that names the field. */
const fieldAccess =
  (field: 0 | 1): Format =>
  (instruction) => {
    const other = instruction.operands[1 - field];
    const register = other?.kind === "register" ? REGISTER_FORM | addressSizeBits(instruction.addressSize) : undefined;
    const place = register === undefined ? memoryOf(instruction) : register | (numberOf(other) << 3);
    return place | (numberOf(instruction.operands[field]) << 28);
  };

const formats: Partial<Record<InterceptedInstruction, Format>> = {
  INVEPT: typeAndDescriptor,
  INVPCID: typeAndDescriptor,
  INVVPID: typeAndDescriptor,
  SGDT: tableRegister(0),
  SIDT: tableRegister(1),
  LGDT: tableRegister(2),
  LIDT: tableRegister(3),
  SLDT: selectorRegister(0),
  STR: selectorRegister(1),
  LLDT: selectorRegister(2),
  LTR: selectorRegister(3),
  RDRAND: random,
  RDSEED: random,
  VMCLEAR: memoryAlone,
  VMPTRLD: memoryAlone,
  VMPTRST: memoryAlone,
  VMXON: memoryAlone,
  VMREAD: fieldAccess(1),
  VMWRITE: fieldAccess(0),
};

/** The field for an instruction, unsigned; undefined where it is not written. */
export function instructionInformation(
  name: InterceptedInstruction,
  instruction: DecodedInstruction | undefined,
): number | undefined {
  const format = formats[name];
  return format === undefined || instruction === undefined ? undefined : format(instruction) >>> 0;
}

/** The displacement of a memory operand, sign-extended; counted from RIP, it is the address. 0 where there is none. */
export function displacementOf({ memory, eip, length }: DecodedInstruction): bigint {
  if (memory === undefined) return 0n;
  const { displacement, displacementHigh, relative } = memory;
  if (relative) return BigInt(eip + length + displacement);
  return displacementHigh === undefined
    ? BigInt(displacement | 0)
    : (BigInt(displacementHigh | 0) << 32n) | BigInt(displacement >>> 0);
}

/** Whether an exit by this instruction has a displacement as its qualification. */
export const isToldByDisplacement = (name: InterceptedInstruction): boolean =>
  formats[name] !== undefined && formats[name] !== random;
