/**
 * EFLAGS by name, and what each flag means.
 * Spec: SDM Vol. 1, "EFLAGS Register".
 */
import { FLAG } from "../cpu/state.js";
import type { Machine } from "../machine.js";
import { deepFreeze } from "../machine-content.js";

/** Flags of one bit, from the highest. */
export const flagNames = [
  "ID",
  "VIP",
  "VIF",
  "AC",
  "VM",
  "RF",
  "NT",
  "OF",
  "DF",
  "IF",
  "TF",
  "SF",
  "ZF",
  "AF",
  "PF",
  "CF",
] as const;
export type FlagName = (typeof flagNames)[number];

export const flagMeanings: Readonly<Record<FlagName | "IOPL", string>> = {
  ID: "identification: can be changed where there is CPUID",
  VIP: "virtual interrupt pending",
  VIF: "virtual interrupt flag",
  AC: "alignment check in ring 3",
  VM: "virtual-8086 mode",
  RF: "resume: no instruction breakpoint for the next instruction",
  NT: "nested task: IRET returns to the task before",
  IOPL: "I/O privilege level: CPL up to which IN, OUT, CLI and STI are allowed",
  OF: "overflow of a signed result",
  DF: "direction of string instructions: downward when set",
  IF: "maskable interrupts are let in",
  TF: "trap: #DB after the next instruction",
  SF: "sign: the highest bit of the result",
  ZF: "zero: the result was 0",
  AF: "auxiliary carry out of bit 3",
  PF: "parity: the low byte of the result has an even number of ones",
  CF: "carry or borrow out of the highest bit",
};

/** The flags of EFLAGS by name. */
export type Flags = Readonly<Record<FlagName, boolean>> & {
  /** 0 to 3. */
  readonly IOPL: number;
  /** The register. */
  readonly eflags: number;
};

/** The bit of a flag in EFLAGS. */
export const flagBit = (name: FlagName | "IOPL"): number => 31 - Math.clz32(FLAG[name] & -FLAG[name]);

/** A value of EFLAGS by its flags. */
export const decodeFlags = (eflags: number): Flags =>
  Object.freeze({
    ...(Object.fromEntries(flagNames.map((name) => [name, (eflags & FLAG[name]) !== 0])) as Record<FlagName, boolean>),
    IOPL: (eflags & FLAG.IOPL) >> 12,
    eflags: eflags >>> 0,
  });

/**
 * The machine's EFLAGS by name.
 *
 * @example
 * const machine = Machine.boot({ image: Uint8Array.of(0x31, 0xc0) }).step(); // xor eax, eax
 * const { ZF, CF, IOPL } = flagsOf(machine);
 * [ZF, CF, IOPL] // => [ true, false, 0 ]
 */
export const flagsOf = (machine: Machine): Flags => deepFreeze(decodeFlags(machine.registers.eflags));
