/** What of two machines is compared in lockstep, and the instruction that is about to be executed. */
import { ACCESS, type Segment, segmentNames, type TableRegister } from "../../src/hardware/cpu/state.js";
import { decode } from "../../src/hardware/isa/decoder.js";
import { disassemble } from "../../src/hardware/isa/disassembler.js";
import type { DecodedInstruction } from "../../src/hardware/isa/instruction.js";
import type { Machine, NumberRegisterName, Registers } from "../../src/hardware/machine.js";
import { VirtlabError } from "../../src/state/error.js";
import type { HiddenState } from "./qemu.js";

/** In the order in which the first difference is looked for. */
export const comparedRegisters = [
  ...["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags"],
  ...["cs", "ss", "ds", "es", "fs", "gs", "cr0", "cr2", "cr3", "cr4"],
] as readonly NumberRegisterName[];

export const PAGE = 4096;
const LONGEST_INSTRUCTION = 15;
/** Video memory, which is a device, and behind it QEMU's ROMs, which are not written. */
export const HOLE = { start: 0xa_0000, end: 0x10_0000 } as const;
const DEBUG_NUMBERS = [0, 1, 2, 3, 6, 7];
/** In the type of a system descriptor. */
const TSS_BUSY = 2;

/** One thing that is not the same: a register by name, or "memory at 0x…", or how a run ended. */
export interface Unequal {
  readonly what: string;
  readonly ours: string;
  readonly qemu: string;
}

const hex = (value: number, digits = 8): string => (value >>> 0).toString(16).padStart(digits, "0");

/** Bytes at EIP, as many as are mapped and an instruction can have. */
export function codeAt(machine: Machine): Uint8Array {
  const linear = (machine.cpu.system.segments.cs.base + machine.registers.eip) >>> 0;
  const first = Math.min(LONGEST_INSTRUCTION, PAGE - (linear % PAGE));
  const here = readIfMapped(machine, linear, first);
  if (here.length < first || first === LONGEST_INSTRUCTION) return here;
  return Buffer.concat([here, readIfMapped(machine, (linear + first) >>> 0, LONGEST_INSTRUCTION - first)]);
}

function readIfMapped(machine: Machine, linear: number, length: number): Uint8Array {
  try {
    return machine.readLinear(linear, length);
  } catch (error) {
    if (error instanceof VirtlabError) return new Uint8Array();
    throw error;
  }
}

const ENDED = Symbol("end of what is mapped");

/** The instruction at EIP; undefined if there is none, or not all of it is mapped. */
export function instructionAt(machine: Machine): DecodedInstruction | undefined {
  const bytes = codeAt(machine);
  try {
    const decoded = decode((index) => {
      if (bytes[index] === undefined) throw ENDED;
      return bytes[index];
    }, machine.registers.eip);
    return decoded.row === undefined ? undefined : decoded;
  } catch (thrown) {
    if (thrown === ENDED) return undefined;
    throw thrown;
  }
}

/** The instruction at EIP as text. */
export function textOf(machine: Machine): string {
  const [instruction] = disassemble(codeAt(machine), { address: machine.registers.eip, count: 1 });
  return instruction?.text ?? "(not mapped)";
}

/** Registers that differ, in the order of `comparedRegisters`. */
export function unequalRegisters(ours: Registers, qemu: Registers): Unequal[] {
  return comparedRegisters
    .filter((name) => ours[name] !== qemu[name])
    .map((name) => ({ what: name, ours: hex(ours[name]), qemu: hex(qemu[name]) }));
}

/**
 * Descriptors of selectors that are not null, and the table registers that the guest has loaded. QEMU's hidden copies
 * keep the accessed and busy bits as they were in memory before the load; nothing sees them there.
 */
export function unequalSystem(machine: Machine, boot: Machine, qemu: HiddenState): Unequal[] {
  const { system } = machine.cpu;
  const initial = boot.cpu.system;
  const found: Unequal[] = [];
  const compare = (what: string, ours: object, theirs: object): void => {
    const show = (record: object): string =>
      Object.entries(record)
        .map(([name, value]) => `${name} ${hex(value as number)}`)
        .join(", ");
    if (show(ours) !== show(theirs)) found.push({ what, ours: show(ours), qemu: show(theirs) });
  };
  const descriptor = ({ selector, base, limit, access }: Segment) => ({
    ...{ selector, base, limit },
    access: access & ~((access & ACCESS.S) === 0 ? TSS_BUSY : ACCESS.ACCESSED),
  });
  const table = ({ base, limit }: TableRegister) => ({ base, limit });
  for (const name of segmentNames) {
    if ((system.segments[name].selector & 0xfffc) !== 0)
      compare(`descriptor of ${name}`, descriptor(system.segments[name]), descriptor(qemu.segments[name]));
  }
  for (const name of ["ldtr", "tr"] as const) {
    if (system[name] !== initial[name] && (system[name].selector & 0xfffc) !== 0)
      compare(name, descriptor(system[name]), descriptor(qemu[name]));
  }
  for (const name of ["gdtr", "idtr"] as const) {
    if (system[name] !== initial[name]) compare(name, table(system[name]), table(qemu[name]));
  }
  const named = (debug: readonly number[]) =>
    Object.fromEntries(debug.map((value, index) => [`dr${DEBUG_NUMBERS[index]}`, value]));
  compare("debug registers", named(system.debug), named(qemu.debug));
  return found;
}

/** Addresses of pages that are not as in `memory`, which is all of QEMU's. */
export function differingPages(machine: Machine, memory: Uint8Array): number[] {
  const found: number[] = [];
  for (let address = 0; address < memory.length; address += PAGE) {
    if (address >= HOLE.start && address < HOLE.end) continue;
    if (Buffer.compare(machine.memory.read(address, PAGE), memory.subarray(address, address + PAGE)) !== 0)
      found.push(address);
  }
  return found;
}
