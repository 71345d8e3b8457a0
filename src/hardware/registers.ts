/**
 * The registers of a machine by name, as people read them: unsigned numbers, and the 64-bit ones as bigints.
 * Spec: SDM Vol. 1, "General-Purpose Registers", "General-Purpose Registers in 64-Bit Mode".
 */
import {
  type CpuState,
  codeBitsOf,
  type GeneralRegisters,
  generalNames,
  isLong,
  noWide,
  segmentNames,
} from "./cpu/state.js";

/** In encoding order. */
export const longNames = [
  ...(["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"] as const),
  ...(["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"] as const),
] as const;

/** The 64-bit registers by name, unsigned. */
export type LongRegisters = Readonly<Record<(typeof longNames)[number] | "rip" | "rflags", bigint>>;

export interface Registers extends GeneralRegisters, LongRegisters {
  /** Unsigned, as all of these: in 64-bit code the low half of RIP. */
  readonly eip: number;
  readonly eflags: number;
  readonly es: number;
  readonly cs: number;
  readonly ss: number;
  readonly ds: number;
  readonly fs: number;
  readonly gs: number;
  readonly cr0: number;
  /** With 4-level paging a signed number of 48 bits, as linear addresses are; else unsigned. */
  readonly cr2: number;
  /** A physical address below 2^52, with flags in its low bits. */
  readonly cr3: number;
  readonly cr4: number;
}

/** Those that are numbers. */
export type NumberRegisterName = Exclude<keyof Registers, keyof LongRegisters>;

const WORD = 2 ** 32;
const joined = (high: number, low: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

/** The 64-bit general registers, RIP and RFLAGS. */
export function longRegisters(cpu: CpuState): LongRegisters {
  const { wide } = cpu;
  const values: Record<string, bigint> = {};
  longNames.forEach((name, number) => {
    const old = generalNames[number];
    const at = 8 + 2 * (number - 8);
    values[name] = old === undefined ? joined(wide[at + 1]!, wide[at]!) : joined(wide[number]!, cpu[old]);
  });
  values["rip"] = ripOf(cpu);
  values["rflags"] = joined(0, cpu.eflags);
  return values as LongRegisters;
}

const ripOf = ({ system, eip }: CpuState): bigint =>
  codeBitsOf(system) === 64 ? BigInt.asUintN(64, BigInt(eip)) : joined(0, eip);

/** Whether the upper halves and R8 to R15 are something to look at: in long mode, or where it left something there. */
export const isWide = (cpu: CpuState): boolean =>
  isLong(cpu.system) || (cpu.wide !== noWide && cpu.wide.some((word) => word !== 0));

/**
 * What the 64-bit names mean without long mode: they are there, and say what the 32-bit names say, but a list of the
 * registers does not show them.
 */
const narrow: object = Object.create(
  Object.prototype,
  Object.fromEntries(
    [...longNames, "rip", "rflags"].map((name, number): [string, PropertyDescriptor] => {
      const old = generalNames[number] ?? { rip: "eip", rflags: "eflags" }[name];
      const get =
        old === undefined
          ? () => 0n
          : function (this: Registers): bigint {
              return BigInt(this[old as "eax"]);
            };
      return [name, { get, enumerable: false }];
    }),
  ),
);

/** A processor's registers by name. */
export function registersOf(cpu: CpuState): Registers {
  const { system } = cpu;
  const wide = isWide(cpu);
  const values: Record<string, number | bigint> = wide ? {} : Object.create(narrow);
  for (const name of generalNames) values[name] = cpu[name] >>> 0;
  values["eip"] = cpu.eip >>> 0;
  values["eflags"] = cpu.eflags >>> 0;
  if (wide) Object.assign(values, longRegisters(cpu));
  for (const name of segmentNames) values[name] = system.segments[name].selector;
  for (const name of ["cr0", "cr2", "cr3", "cr4"] as const) values[name] = system[name] >>> 0;
  if (isLong(system)) values["cr2"] = system.cr2;
  if (system.cr3 >= WORD) values["cr3"] = system.cr3;
  return Object.freeze(values) as unknown as Registers;
}
