/**
 * A form with its values to bytes, and the choice among forms: the shortest that fits, as NASM's optimizer has it.
 *
 * Lengths depend on addresses and addresses on lengths. Each pass is given the lengths of the one before and never
 * chooses a shorter one, so the passes come to an end.
 * Spec: SDM Vol. 2A, "Instruction Format".
 */
import { type CodeBits, encodingHead, type OperandCode } from "../instruction.js";
import { evaluate, type Surroundings, type Value } from "./expression.js";
import { type Form, formText, type InstructionText, widthOf } from "./forms.js";
import { type EncodedAddress, encodeAddress, fits, littleEndian, rangeProblem } from "./memory.js";
import type { OperandText } from "./operand.js";
import { fail, numberText, type Place } from "./place.js";

export interface Instruction extends InstructionText {
  /** Prefix bytes in front of everything: LOCK, REP. */
  readonly prefixes: readonly number[];
  /** Segment register named by a prefix. */
  readonly segment: number | undefined;
  readonly forms: readonly Form[];
}

/** What a statement needed in the passes before. */
export interface Grown {
  length: number;
  displacement: number;
}

interface Encoded {
  readonly bytes: readonly number[];
  readonly displacement: number;
  readonly problem: { readonly place: Place; readonly what: string } | undefined;
}

const segmentPrefixes = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65] as const;
const OPERAND_SIZE = 0x66;
const ADDRESS_SIZE = 0x67;
const WAIT = 0x9b;
const REX = 0x40;
const REX_W = 8;
const REX_R = 4;
const REX_B = 1;
const MAX_LENGTH = 15;

/** The bytes of an instruction at `around.position`. */
export function encodeInstruction(instruction: Instruction, around: Surroundings, grown: Grown): readonly number[] {
  const all = instruction.forms.map((form) => encodeForm(form, instruction, around, grown));
  const fitting = all.filter(({ problem }) => problem === undefined);
  const long = fitting.filter(({ bytes }) => bytes.length >= grown.length);
  const best = shortest(long) ?? longest(fitting) ?? longest(all)!;
  if (around.final && best.problem) fail(best.problem.place, `${instruction.mnemonic}: ${best.problem.what}`);
  if (around.final && best.bytes.length > MAX_LENGTH)
    fail(instruction.place, `${instruction.mnemonic}: ${best.bytes.length} bytes; the processor reads ${MAX_LENGTH}`);
  grown.length = Math.max(grown.length, best.bytes.length);
  grown.displacement = Math.max(grown.displacement, best.displacement);
  return best.bytes;
}

/** The first of the shortest. */
const shortest = (list: readonly Encoded[]): Encoded | undefined =>
  list.toSorted((a, b) => a.bytes.length - b.bytes.length)[0];

/** The last of the longest. */
const longest = (list: readonly Encoded[]): Encoded | undefined =>
  list.toSorted((a, b) => a.bytes.length - b.bytes.length).at(-1);

function encodeForm(form: Form, instruction: Instruction, around: Surroundings, grown: Grown): Encoded {
  const { row } = form;
  const { bits } = instruction;
  const memory = form.operands.find((operand) => operand.kind === "memory");
  const wanted = form.addressSize ?? instruction.addressSize;
  if (instruction.addressSize !== undefined && wanted !== instruction.addressSize)
    fail(instruction.place, `${instruction.mnemonic}: a${instruction.addressSize} contradicts name and operands`);
  const value = memory && evaluate(memory.address, around);
  const address = memory && value && encodeAddress(memory, value, { bits, wanted, least: grown.displacement });
  const addressSize = address?.addressSize ?? wanted ?? bits;

  const bytes = [...(form.waits ? [WAIT] : []), ...instruction.prefixes];
  const segment = memory?.segment ?? instruction.segment;
  if (segment !== undefined) bytes.push(segmentPrefixes[segment]!);
  const asked = instruction.size !== undefined && (bits === 64 ? instruction.size === 16 : instruction.size !== bits);
  if (asked || needsSizePrefix(form, bits)) bytes.push(OPERAND_SIZE);
  if (addressSize !== bits) bytes.push(ADDRESS_SIZE);
  const [mandatory, map] = encodingHead(row);
  const rex = bits === 64 ? rexOf(form, instruction, address) : 0;
  bytes.push(...mandatory, ...(rex === 0 ? [] : [rex]), ...map);
  bytes.push(row.byte + (row.plusRegister ? registerNumber(form, "Z") & 7 : 0));
  const afterOpcode = bytes.length;
  if (row.modrm !== "none") bytes.push(...modrmBytes(form, address));

  let problem: Encoded["problem"];
  const report = (place: Place, what: string | undefined): void => {
    if (what !== undefined) problem ??= { place, what };
  };
  if (memory && row.modrm !== "none") report(memory.place, address?.problem);
  else if (memory && value?.known && !fits(value.number, addressSize))
    report(memory.place, `address ${rangeProblem(value.number, addressSize)}`);
  if (rex !== 0 && form.operands.some(isHighByte))
    report(instruction.place, "AH, CH, DH and BH cannot be in an instruction that needs a REX prefix");
  row.operands.forEach((code, index) => {
    const operand = form.operands[index];
    if (code.method === "O" && value) bytes.push(...littleEndian(value.number, addressSize / 8));
    if (operand?.kind !== "value" && operand?.kind !== "far") return;
    const placed = placeValue(code, operand, { form, around, at: bytes.length });
    bytes.push(...placed.bytes);
    report(operand.place, placed.problem);
  });
  if (memory?.relative && value?.known && around.position !== undefined) {
    const distance = value.number - (around.position + BigInt(bytes.length));
    bytes.splice(afterOpcode + 1, 4, ...littleEndian(distance, 4));
    // An address of 32 bits wraps.
    if (addressSize === 64 && BigInt.asIntN(32, distance) !== distance)
      report(
        memory.place,
        `the address ${numberText(value.number)} is ${distance} bytes away, more than 32 bits reach`,
      );
  }
  return { bytes, displacement: address?.displacement ?? 0, problem };
}

/** BSWAP of a 32-bit register has no second size, and in 16-bit code needs the prefix all the same. */
function needsSizePrefix({ row, size, sized }: Form, bits: CodeBits): boolean {
  if (sized) return bits === 64 ? size === 16 : size !== bits;
  return bits === 16 && row.operands.some(({ method, type }) => method === "Z" && type === "y");
}

/** AH to BH, which are SPL to DIL with a REX prefix. */
const isHighByte = (operand: OperandText): boolean =>
  operand.kind === "register" && operand.size === 8 && operand.number >= 4 && operand.number < 8 && !operand.rex;

/** The REX prefix, or 0 where none is needed. Spec: SDM Vol. 2A, "REX Prefixes". */
function rexOf(form: Form, { size }: Instruction, address: EncodedAddress | undefined): number {
  const { row, operands } = form;
  const byDefault = row.in64 !== undefined || row.operands.some(({ method }) => method === "J");
  // A selector fills a register of 64 bits as it does one of 32.
  const isSelector = row.operands[1]?.method === "S" && !address;
  const wide = (form.size === 64 && !byDefault && !isSelector) || size === 64;
  const rm = row.plusRegister ? registerNumber(form, "Z") : address ? 0 : registerNumber(form, "ERWQUN");
  const bits =
    (wide ? REX_W : 0) |
    (registerNumber(form, "GCDVP") > 7 ? REX_R : 0) |
    (rm > 7 ? REX_B : 0) |
    (row.modrm === "none" ? 0 : (address?.rex ?? 0));
  return bits !== 0 || operands.some((operand) => operand.kind === "register" && operand.rex) ? REX | bits : 0;
}

function registerNumber(form: Form, methods: string): number {
  const index = form.row.operands.findIndex(({ method }) => methods.includes(method));
  const operand = form.operands[index];
  return operand !== undefined && "number" in operand ? operand.number : 0;
}

/** Number of the register that the lowest bits of a fixed ModRM byte say. */
const numberInModrm = (form: Form): number => registerNumber(form, form.row.operands[0]?.method === "R" ? "R" : "ST");

function modrmBytes(form: Form, address: EncodedAddress | undefined): readonly number[] {
  const { modrm } = form.row;
  const rm = registerNumber(form, "ERWQUN") & 7;
  if (typeof modrm === "object") return [modrm[0] + (numberInModrm(form) & 7)];
  const reg = typeof modrm === "number" ? modrm : registerNumber(form, "GSCDVP") & 7;
  if (!address) return [0xc0 | (reg << 3) | rm];
  const [first = 0, ...rest] = address.bytes;
  return [first | (reg << 3), ...rest];
}

interface Placed {
  readonly bytes: readonly number[];
  readonly problem: string | undefined;
}

function placeValue(
  code: OperandCode,
  operand: OperandText & { kind: "value" | "far" },
  { form, around, at }: { form: Form; around: Surroundings; at: number },
): Placed {
  if (operand.kind === "far") {
    const offset = placeNumber(evaluate(operand.offset, around), form.size);
    const selector = placeNumber(evaluate(operand.selector, around), 16);
    return { bytes: [...offset.bytes, ...selector.bytes], problem: offset.problem ?? selector.problem };
  }
  const value = evaluate(operand.expression, around);
  if (code.method === "J") return placeDistance(code, value, { form, around, at });
  if (code.name === "1") return { bytes: [], problem: isOne(value) ? undefined : "the count is not 1" };
  if (code.type === "bs") return placeExtended(value, form.size, 8);
  if (code.type === "z" && form.size === 64) {
    // A register has room for a whole address, and NASM gives it one.
    const isAddress = form.row.mnemonic === "MOV" && form.operands[0]?.kind === "register" && value.addresses !== 0;
    const placed = placeExtended(value, 64, 32);
    return isAddress ? { ...placed, problem: "an address has 64 bits" } : placed;
  }
  if (form.zeroExtended && !(value.number >= 0n && value.addresses === 0))
    return { bytes: littleEndian(value.number, 4), problem: value.known ? "this number has 64 bits" : undefined };
  return placeNumber(value, widthOf(code, form.size));
}

const isOne = ({ known, number, addresses }: Value): boolean => !known || (number === 1n && addresses === 0);

function placeNumber({ known, number }: Value, bits: number): Placed {
  return {
    bytes: littleEndian(number, bits / 8),
    problem: !known || fits(number, bits) ? undefined : rangeProblem(number, bits),
  };
}

/** A byte or a doubleword that the processor extends by its sign to `size`. An address has more than 8 bits. */
function placeExtended({ known, number, addresses }: Value, size: number, bits: 8 | 32): Placed {
  const extended = BigInt.asIntN(size, number);
  const is = fits(number, size) && BigInt.asIntN(bits, extended) === extended && (addresses === 0 || bits === 32);
  const range = bits === 8 ? "a signed byte (-128 to 127)" : "32 bits with a sign";
  const problem = !known || is ? undefined : `${numberText(number)} does not fit in ${range}`;
  return { bytes: littleEndian(number, bits / 8), problem };
}

/** The distance from the end of the instruction, which ends with it. */
function placeDistance(
  code: OperandCode,
  { known, number }: Value,
  { form, around, at }: { form: Form; around: Surroundings; at: number },
): Placed {
  const length = code.type === "b" ? 1 : Math.min(form.size / 8, 4);
  if (!known || around.position === undefined) return { bytes: littleEndian(0n, length), problem: undefined };
  const distance = number - (around.position + BigInt(at + length));
  // EIP wraps at the operand size.
  const wrapped = number >= 0n && number < 1n << BigInt(form.size) ? BigInt.asIntN(form.size, distance) : distance;
  const limit = 1n << BigInt(8 * length - 1);
  const reaches = wrapped >= -limit && wrapped < limit;
  return {
    bytes: littleEndian(wrapped, length),
    problem: reaches
      ? undefined
      : `the target ${numberText(number)} is ${wrapped} bytes away, and "${formText(form.row, form.size === 64 ? 64 : 32)}" reaches ${-limit} to ${limit - 1n}`,
  };
}
