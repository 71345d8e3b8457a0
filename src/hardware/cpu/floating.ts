/**
 * The floating-point and vector registers as an immutable record: x87 with MMX in its registers, XMM, MXCSR.
 * Spec: SDM Vol. 1, "x87 FPU Execution Environment", "MMX Technology Programming Environment", "SSE Programming
 * Environment".
 */

export interface FloatingState {
  /** FCW, FSW with TOP in it, and FTW with two bits for each register: 3 is empty, and of the others only 0 is used here. */
  readonly control: number;
  readonly status: number;
  readonly tags: number;
  /** Low 11 bits of the last instruction that was no control instruction, without the escape. */
  readonly opcode: number;
  /** Where that instruction stands, and its operand in memory. */
  readonly instructionPointer: number;
  readonly instructionSelector: number;
  readonly dataPointer: number;
  readonly dataSelector: number;
  /** R0 to R7, 80 bits each: not ST(0) to ST(7), which begin at TOP. */
  readonly registers: readonly bigint[];
  /** XMM0 to XMM15, 128 bits each. */
  readonly xmm: readonly bigint[];
  readonly mxcsr: number;
}

const zeros = (count: number): readonly bigint[] => Object.freeze(Array.from({ length: count }, () => 0n));

/** Spec: SDM Vol. 3A, "Processor State After Reset", table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT". */
export const resetFloating: FloatingState = Object.freeze({
  control: 0x40,
  status: 0,
  tags: 0,
  opcode: 0,
  instructionPointer: 0,
  instructionSelector: 0,
  dataPointer: 0,
  dataSelector: 0,
  registers: zeros(8),
  xmm: zeros(16),
  mxcsr: 0x1f80,
});

/** Bits of the x87 status word. Spec: SDM Vol. 1, "x87 FPU Status Register". */
export const STATUS = {
  EXCEPTIONS: 0x3f,
  STACK_FAULT: 1 << 6,
  SUMMARY: 1 << 7,
  C0: 1 << 8,
  C1: 1 << 9,
  C2: 1 << 10,
  TOP: 7 << 11,
  C3: 1 << 14,
  BUSY: 1 << 15,
} as const;

/** A tag word of empty registers. */
export const ALL_EMPTY = 0xffff;
/** Bits of MXCSR there are; setting others is #GP(0). DAZ came with SSE2. */
export const MXCSR_BITS = 0xffff;

/**
 * The same registers of a processor that runs, changed in place. What a faulting instruction changed stays changed:
 * instructions reach memory first.
 */
export interface FloatingRegisters {
  control: number;
  status: number;
  tags: number;
  opcode: number;
  instructionPointer: number;
  instructionSelector: number;
  dataPointer: number;
  dataSelector: number;
  mxcsr: number;
  /** R0 to R7, 80 bits. */
  getRegister(number: number): bigint;
  setRegister(number: number, bits: bigint): void;
  /** 128 bits. */
  getXmm(number: number): bigint;
  setXmm(number: number, bits: bigint): void;
}
