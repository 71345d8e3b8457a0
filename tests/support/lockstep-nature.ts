/**
 * What differs between virtlab and QEMU by nature, and is taken over from QEMU so that the rest can be compared:
 *
 * - results of instructions that read the world outside (ports, clocks, the processor's name, table registers that the
 *   loader left behind);
 * - flags that the manual leaves undefined, with SHL and SHR's CF for counts of the operand size or more;
 * - the accessed bit of descriptors that far transfers and deliveries load: QEMU 7.2 leaves it as it is;
 * - the accessed flags of a page walk that ends in a fault, on which the manual is silent: for INC of a read-only page QEMU
 *   reads before it finds that it may not write, and virtlab asks for both at once;
 * - EXT in the error code of a fault in the delivery of another exception: the manual sets it for "an interrupt or an
 *   earlier exception" (SDM Vol. 3A, "Error Code"), QEMU 7.2 for interrupts alone;
 * - the upper half of a selector's place on the stack: the Pentium II leaves it as it is (SDM Vol. 3B, "Selector Pushes and
 *   Pops"), QEMU writes zeros;
 * - RF in the flags that a fault pushes: the manual sets it (SDM Vol. 3B, "Instruction-Breakpoint Exception Condition"),
 *   QEMU 7.2 does not.
 *
 * Undefined results in registers are compared nevertheless (BSF of 0, SHLD by more than 16 bits of a word). Nor is anything
 * taken over where QEMU leaves out what the manual asks for and a guest has no need to go: limits, types and null selectors
 * of data segments, reserved bits of CR0 and DR6, #GP for CR0.NW without CD, MSRs that do not exist. What is read where
 * there is no memory differs, too: all ones here, zeros in QEMU.
 */
import { generalNames, segmentNames } from "../../src/hardware/cpu/state.js";
import type { DecodedInstruction } from "../../src/hardware/isa/instruction.js";
import type { Machine, Registers } from "../../src/hardware/machine.js";

export interface Adoption {
  readonly registers: readonly ("eax" | "ecx" | "edx" | "ebx")[];
  /** What the instruction wrote to memory, too. */
  readonly memory: boolean;
}

const NOTHING: Adoption = { registers: [], memory: false };
const adoptions: Readonly<Record<string, Adoption>> = {
  IN: { registers: ["eax"], memory: false },
  INS: { registers: [], memory: true },
  // Bits 16 to 19 of its result are undefined: the limit's on the host's processor, clear in QEMU.
  LAR: { registers: ["eax", "ecx", "edx", "ebx"], memory: false },
  RDTSC: { registers: ["eax", "edx"], memory: false },
  RDMSR: { registers: ["eax", "edx"], memory: false },
  CPUID: { registers: ["eax", "ebx", "ecx", "edx"], memory: false },
  // The registers themselves are compared once the guest has loaded them.
  SGDT: { registers: [], memory: true },
  SIDT: { registers: [], memory: true },
};

const pushesSelector = ({ row, operands }: DecodedInstruction): boolean =>
  row.mnemonic === "PUSH" && operands[0]?.kind === "segment";

export const adoptionOf = (instruction: DecodedInstruction): Adoption =>
  pushesSelector(instruction)
    ? { registers: [], memory: instruction.size === 32 }
    : (adoptions[instruction.row.mnemonic] ?? NOTHING);

const flagBits: Readonly<Record<string, number>> = { O: 0x800, S: 0x80, Z: 0x40, A: 0x10, P: 4, C: 1 };
const shifts = ["SHL", "SHR", "SAR", "ROL", "ROR", "RCL", "RCR", "SHLD", "SHRD"];

/** Flags whose value behind the instruction is open, with the registers in front of it. */
export function undefinedFlags(instruction: DecodedInstruction, { ecx }: Registers): number {
  const { row, size, operands } = instruction;
  const named = [...(row.flags?.undefined ?? "")].reduce((mask, letter) => mask | flagBits[letter]!, 0);
  if (!shifts.includes(row.mnemonic)) return named;
  const last = operands.at(-1);
  const count = (last?.kind === "immediate" ? last.value : ecx) & 31;
  if (count === 0) return 0;
  const mask = count === 1 ? named & ~flagBits["O"]! : named;
  return (row.mnemonic === "SHL" || row.mnemonic === "SHR") && count >= size ? mask | flagBits["C"]! : mask;
}

/** Linear addresses of the bytes of what is written that are taken over, from the machine in front of the instruction. */
export function bytesWritten(instruction: DecodedInstruction, machine: Machine): readonly number[] {
  const { row, size, memory } = instruction;
  const { segments } = machine.cpu.system;
  if (pushesSelector(instruction)) {
    const top = segments.ss.base + machine.registers.esp;
    return [(top - 2) >>> 0, (top - 1) >>> 0];
  }
  const register = (number: number): number => (number < 0 ? 0 : machine.registers[generalNames[number]!]);
  const [start, length] =
    memory === undefined || row.mnemonic === "INS"
      ? [segments.es.base + machine.registers.edi, size / 8]
      : [
          segments[segmentNames[memory.segment]!].base +
            register(memory.base) +
            (register(memory.index) << memory.scale) +
            memory.displacement,
          6,
        ];
  return Array.from({ length }, (_, index) => (start + index) >>> 0);
}

/**
 * Linear addresses of the access bytes of the descriptors in segment registers. Any load sets the
 * accessed bit; QEMU does so only for MOV, POP and the like.
 * Spec: SDM Vol. 3A, "Code- and Data-Segment Descriptor Types".
 */
export function descriptorsInUse(after: Machine): readonly number[] {
  const { segments, gdtr, ldtr } = after.cpu.system;
  return segmentNames
    .filter((name) => (segments[name].selector & 0xfffc) !== 0)
    .map((name) => {
      const { selector } = segments[name];
      return (((selector & 4) !== 0 ? ldtr : gdtr).base + (selector & 0xfff8) + 5) >>> 0;
    });
}
