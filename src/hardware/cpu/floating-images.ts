/**
 * The floating-point environment in memory: the images of FSTENV, FSAVE and FXSAVE.
 * Spec: SDM Vol. 1, "x87 FPU State Image", figures "Protected Mode x87 FPU State Image in Memory, 32-Bit Format" and the
 * like; Vol. 2A, FXSAVE, table "Non-64-Bit-Mode Layout of FXSAVE and FXRSTOR Memory Region".
 */
import { ALL_EMPTY, type FloatingRegisters, STATUS } from "./floating.js";
import type { ProcessorPort } from "./processor.js";
import { EXTENDED, unpack } from "./softfloat/index.js";
import { summarized } from "./x87.js";

const TAG = { valid: 0, zero: 1, special: 2, empty: 3 } as const;

function tagOf(bits: bigint): number {
  const { kind, denormal } = unpack(EXTENDED, bits);
  return kind === "zero" ? TAG.zero : kind === "finite" && !denormal ? TAG.valid : TAG.special;
}

/** The tag word as programs see it: what registers hold is told from their bits. */
function fullTags(x87: FloatingRegisters): number {
  let tags = 0;
  for (let number = 0; number < 8; number++) {
    const empty = ((x87.tags >>> (2 * number)) & 3) === TAG.empty;
    tags |= (empty ? TAG.empty : tagOf(x87.getRegister(number))) << (2 * number);
  }
  return tags;
}

/** The tag word as it is kept: 3 is empty, 0 is not. */
function keptTags(tags: number): number {
  let kept = 0;
  for (let number = 0; number < 8; number++)
    if (((tags >>> (2 * number)) & 3) === TAG.empty) kept |= TAG.empty << (2 * number);
  return kept;
}

/** What FNINIT makes of the environment; the registers stay. */
export function initialize(x87: FloatingRegisters): void {
  x87.control = 0x37f;
  x87.status = 0;
  x87.tags = ALL_EMPTY;
  x87.opcode = 0;
  x87.instructionPointer = 0;
  x87.instructionSelector = 0;
  x87.dataPointer = 0;
  x87.dataSelector = 0;
}

/** Loads the control word; what is pending follows from it. */
export function setControl(x87: FloatingRegisters, value: number): void {
  // Bit 6 is always set, and the reserved upper bits are clear but for that of infinity control.
  x87.control = (value & 0x1f3f) | 0x40;
  x87.status = summarized(x87.status, x87.control);
}

/** Bytes of an environment's image. */
export const environmentSize = (operandSize: number): 14 | 28 => (operandSize === 16 ? 14 : 28);

const isReal = ({ mode }: ProcessorPort): boolean => mode !== "protected";
/** Linear address of an offset in a segment of real mode. */
const realAddress = (selector: number, offset: number): number => selector * 16 + offset;

/** Writes the environment as FSTENV stores it. */
export function writeEnvironment(port: ProcessorPort, image: DataView, operandSize: number): void {
  const x87 = port.floating;
  const { control, status, opcode, instructionSelector, dataSelector } = x87;
  const tags = fullTags(x87);
  let [instruction, data] = [x87.instructionPointer, x87.dataPointer];
  let instructionHigh = instructionSelector;
  let dataHigh = dataSelector;
  if (isReal(port)) {
    instruction = realAddress(instructionSelector, instruction);
    data = realAddress(dataSelector, data);
  }
  if (operandSize === 16) {
    if (isReal(port)) {
      instructionHigh = ((instruction >>> 4) & 0xf000) | opcode;
      dataHigh = (data >>> 4) & 0xf000;
    }
    [control, status, tags, instruction, instructionHigh, data, dataHigh].forEach((word, index) => {
      image.setUint16(2 * index, word, true);
    });
    return;
  }
  // What is reserved reads as ones.
  const upper = 0xffff0000;
  let third = instruction;
  let fourth = (opcode << 16) | instructionHigh;
  let sixth = upper | dataHigh;
  if (isReal(port)) {
    third = upper | (instruction & 0xffff);
    fourth = ((instruction >>> 16) << 12) | opcode;
    sixth = (data >>> 16) << 12;
    data = upper | (data & 0xffff);
  }
  [upper | control, upper | status, upper | tags, third, fourth, data, sixth].forEach((word, index) => {
    image.setUint32(4 * index, word, true);
  });
}

/** Loads the environment from such an image. */
export function readEnvironment(port: ProcessorPort, image: DataView, operandSize: number): void {
  const x87 = port.floating;
  const step = operandSize === 16 ? 2 : 4;
  const word = (index: number): number => image.getUint16(step * index, true);
  const dword = (index: number): number => (step === 2 ? word(index) : image.getUint32(step * index, true));
  x87.status = word(1);
  setControl(x87, word(0));
  x87.tags = keptTags(word(2));
  if (!isReal(port)) {
    x87.instructionPointer = dword(3);
    x87.instructionSelector = word(4);
    x87.opcode = step === 2 ? 0 : (dword(4) >>> 16) & 0x7ff;
    x87.dataPointer = dword(5);
    x87.dataSelector = word(6);
    return;
  }
  // Addresses without a segment.
  x87.opcode = dword(4) & 0x7ff;
  x87.instructionPointer = realPointer(word(3), dword(4), step);
  x87.dataPointer = realPointer(word(5), dword(6), step);
  x87.instructionSelector = x87.dataSelector = 0;
}

const realPointer = (low: number, high: number, step: number): number =>
  step === 2 ? low | ((high & 0xf000) << 4) : (low | ((high >>> 12) << 16)) >>> 0;

/** Bytes of a register in the image of FSAVE. */
const REGISTER = 10;
export const stateSize = (operandSize: number): number => environmentSize(operandSize) + 8 * REGISTER;

const topOf = ({ status }: FloatingRegisters): number => (status & STATUS.TOP) >>> 11;

function writeRegister(image: DataView, at: number, bits: bigint): void {
  image.setBigUint64(at, BigInt.asUintN(64, bits), true);
  image.setUint16(at + 8, Number(bits >> 64n), true);
}

const readRegister = (image: DataView, at: number): bigint =>
  (BigInt(image.getUint16(at + 8, true)) << 64n) | image.getBigUint64(at, true);

/** Writes ST(0) to ST(7), `step` bytes apart. */
function writeStack(x87: FloatingRegisters, image: DataView, from: number, step: number): void {
  for (let index = 0; index < 8; index++)
    writeRegister(image, from + step * index, x87.getRegister((topOf(x87) + index) & 7));
}

function readStack(x87: FloatingRegisters, image: DataView, from: number, step: number): void {
  for (let index = 0; index < 8; index++)
    x87.setRegister((topOf(x87) + index) & 7, readRegister(image, from + step * index));
}

/** Writes environment and registers as FSAVE stores them. */
export function writeState(port: ProcessorPort, image: DataView, operandSize: number): void {
  writeEnvironment(port, image, operandSize);
  writeStack(port.floating, image, environmentSize(operandSize), REGISTER);
}

export function readState(port: ProcessorPort, image: DataView, operandSize: number): void {
  readEnvironment(port, image, operandSize);
  readStack(port.floating, image, environmentSize(operandSize), REGISTER);
}

/** The part of FXSAVE's region that is written: without XMM8 to XMM15 outside of 64-bit code. */
export const fastSize = (xmmCount: number): number => FAST_XMM + 16 * xmmCount;
const FAST_STACK = 32;
const FAST_XMM = 160;
const MASK = 28;

/** How FXSAVE finds its region. */
export interface FastFormat {
  /** Pointers are 64 bits wide and have no selectors. */
  readonly wide: boolean;
  readonly xmmCount: number;
  /** Bits of MXCSR there are; 0: there is no MXCSR. */
  readonly mxcsrBits: number;
}

/** Writes everything as FXSAVE stores it. */
export function writeFast({ floating: x87 }: ProcessorPort, image: DataView, format: FastFormat): void {
  // What is reserved within the part that is written reads as zeros, whatever the buffer held.
  for (let at = 0; at < fastSize(format.xmmCount); at += 4) image.setUint32(at, 0, true);
  image.setUint16(0, x87.control, true);
  image.setUint16(2, x87.status, true);
  let present = 0;
  for (let number = 0; number < 8; number++)
    if (((x87.tags >>> (2 * number)) & 3) !== TAG.empty) present |= 1 << number;
  image.setUint16(4, present, true);
  image.setUint16(6, x87.opcode, true);
  writePointer(image, 8, x87.instructionPointer, x87.instructionSelector, format.wide);
  writePointer(image, 16, x87.dataPointer, x87.dataSelector, format.wide);
  image.setUint32(24, format.mxcsrBits === 0 ? 0 : x87.mxcsr, true);
  image.setUint32(MASK, format.mxcsrBits, true);
  writeStack(x87, image, FAST_STACK, 16);
  for (let number = 0; number < format.xmmCount; number++) {
    const bits = x87.getXmm(number);
    image.setBigUint64(FAST_XMM + 16 * number, BigInt.asUintN(64, bits), true);
    image.setBigUint64(FAST_XMM + 16 * number + 8, bits >> 64n, true);
  }
}

function writePointer(image: DataView, at: number, pointer: number, selector: number, wide: boolean): void {
  if (wide) image.setBigInt64(at, BigInt(pointer), true);
  else {
    image.setUint32(at, pointer, true);
    image.setUint32(at + 4, selector, true);
  }
}

/** MXCSR of an image. */
export const fastMxcsr = (image: DataView): number => image.getUint32(24, true);

/** Loads everything from such an image. */
export function readFast({ floating: x87 }: ProcessorPort, image: DataView, format: FastFormat): void {
  x87.status = image.getUint16(2, true);
  setControl(x87, image.getUint16(0, true));
  const present = image.getUint8(4);
  let tags = 0;
  for (let number = 0; number < 8; number++) if ((present & (1 << number)) === 0) tags |= TAG.empty << (2 * number);
  x87.tags = tags;
  x87.opcode = image.getUint16(6, true) & 0x7ff;
  const pointer = (at: number): number =>
    format.wide ? Number(BigInt.asIntN(48, image.getBigUint64(at, true))) : image.getUint32(at, true);
  x87.instructionPointer = pointer(8);
  x87.instructionSelector = format.wide ? 0 : image.getUint16(12, true);
  x87.dataPointer = pointer(16);
  x87.dataSelector = format.wide ? 0 : image.getUint16(20, true);
  readStack(x87, image, FAST_STACK, 16);
  if (format.mxcsrBits === 0) return;
  x87.mxcsr = fastMxcsr(image);
  for (let number = 0; number < format.xmmCount; number++) {
    const at = FAST_XMM + 16 * number;
    x87.setXmm(number, (image.getBigUint64(at + 8, true) << 64n) | image.getBigUint64(at, true));
  }
}
