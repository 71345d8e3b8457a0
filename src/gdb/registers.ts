/**
 * The registers gdb is told of, in its order and widths: what each is in a machine, and how it is written.
 * Spec: GDB manual, "Standard Target Features", section "x86 Features".
 */
import type { FloatingState } from "../hardware/cpu/floating.js";
import { type CpuState, generalNames, type SegmentName } from "../hardware/cpu/state.js";
import type { EditableMachine, Machine } from "../hardware/machine.js";
import { longRegisters } from "../hardware/registers.js";
import { VirtlabError } from "../state/error.js";
import { processorState } from "./processors.js";

export interface Register {
  readonly name: string;
  readonly bits: number;
  /** gdb's type of it. */
  readonly type: string;
  readonly group?: "float" | "vector" | "system";
  /** As an unsigned number of `bits`. */
  readonly read: (cpu: CpuState) => bigint;
  /** Absent: it cannot be written. */
  readonly write?: (draft: EditableMachine, value: bigint) => void;
}

/** A set of registers under a name that gdb knows, or leaves as it is. */
export interface Feature {
  readonly name: string;
  readonly registers: readonly Register[];
}

/** Which of the two descriptions is used. */
export type RegisterWidth = 32 | 64;

const word = (value: number): bigint => BigInt(value >>> 0);
const toNumber = (value: bigint): number => Number(BigInt.asIntN(32, value));

const general32 = generalNames.map(
  (name): Register => ({
    name,
    bits: 32,
    type: name === "esp" || name === "ebp" ? "data_ptr" : "int32",
    read: (cpu) => word(cpu[name]),
    write: ({ registers }, value) => {
      registers[name] = toNumber(value);
    },
  }),
);

const general64 = (
  [
    ...(["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"] as const),
    ...(["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"] as const),
  ] as const
).map(
  (name): Register => ({
    name,
    bits: 64,
    type: name === "rbp" || name === "rsp" ? "data_ptr" : "int64",
    read: (cpu) => longRegisters(cpu)[name],
    write: ({ registers }, value) => {
      registers[name] = value;
    },
  }),
);

const eip: Register = {
  name: "eip",
  bits: 32,
  type: "code_ptr",
  read: ({ eip }) => word(eip),
  write: ({ registers }, value) => {
    registers.eip = toNumber(value);
  },
};

const rip: Register = {
  name: "rip",
  bits: 64,
  type: "code_ptr",
  read: (cpu) => longRegisters(cpu).rip,
  write: ({ registers }, value) => {
    registers.rip = value;
  },
};

const eflags: Register = {
  name: "eflags",
  bits: 32,
  type: "i386_eflags",
  read: ({ eflags }) => word(eflags),
  write: ({ registers }, value) => {
    registers.eflags = toNumber(value);
  },
};

const segments = (["cs", "ss", "ds", "es", "fs", "gs"] as const).map(
  (name): Register => ({
    name,
    bits: 32,
    type: "int32",
    read: ({ system }) => BigInt(system.segments[name].selector),
  }),
);

const segmentBase = (name: SegmentName, bits: number): Register => ({
  name: `${name}_base`,
  bits,
  type: "int",
  ...(bits === 32 ? { group: "system" } : {}),
  read: ({ system }) => BigInt.asUintN(bits, BigInt(system.segments[name].base)),
});

const TOP = 11;
const stack = [0, 1, 2, 3, 4, 5, 6, 7].map(
  (number): Register => ({
    name: `st${number}`,
    bits: 80,
    type: "i387_ext",
    read: ({ floating: { registers, status } }) => registers[((status >>> TOP) + number) & 7]!,
    write: ({ floating: { registers, status } }, value) => {
      registers[((status >>> TOP) + number) & 7] = value;
    },
  }),
);

type FloatingNumber = { [K in keyof FloatingState]: FloatingState[K] extends number ? K : never }[keyof FloatingState];

const floatingControl = (
  [
    ["fctrl", "control"],
    ["fstat", "status"],
    ["ftag", "tags"],
    ["fiseg", "instructionSelector"],
    ["fioff", "instructionPointer"],
    ["foseg", "dataSelector"],
    ["fooff", "dataPointer"],
    ["fop", "opcode"],
  ] as const satisfies readonly (readonly [string, FloatingNumber])[]
).map(
  ([name, field]): Register => ({
    name,
    bits: 32,
    type: "int",
    group: "float",
    read: ({ floating }) => BigInt.asUintN(32, BigInt(floating[field])),
    write: ({ floating }, value) => {
      floating[field] = Number(value);
    },
  }),
);

const vectors = (count: number): readonly Register[] => [
  ...Array.from(
    { length: count },
    (_, number): Register => ({
      name: `xmm${number}`,
      bits: 128,
      type: "vec128",
      read: ({ floating }) => floating.xmm[number]!,
      write: ({ floating }, value) => {
        floating.xmm[number] = value;
      },
    }),
  ),
  {
    name: "mxcsr",
    bits: 32,
    type: "i386_mxcsr",
    group: "vector",
    read: ({ floating }) => word(floating.mxcsr),
    write: ({ floating }, value) => {
      floating.mxcsr = Number(value);
    },
  },
];

const system = (bits: RegisterWidth): readonly Register[] =>
  (["cr0", "cr2", "cr3", "cr4", "efer"] as const).map((name) => ({
    name,
    bits,
    type: name === "cr2" || name === "cr3" ? `int${bits}` : `virtlab_${name}`,
    group: "system",
    // CR0 and CR4 are kept as signed words; addresses as they are.
    read: ({ system: state }) => (name === "cr2" ? BigInt.asUintN(bits, BigInt(state.cr2)) : bitsOf(state[name])),
  }));

/** What is kept as a signed word, or as a number above. */
const bitsOf = (value: number): bigint => (value < 0 ? word(value) : BigInt(value));

/** All registers, by feature, in the order in which `g` gives them. */
export const features: Readonly<Record<RegisterWidth, readonly Feature[]>> = {
  32: [
    {
      name: "org.gnu.gdb.i386.core",
      registers: [...general32, eip, eflags, ...segments, ...stack, ...floatingControl],
    },
    { name: "org.gnu.gdb.i386.sse", registers: vectors(8) },
    {
      name: "org.virtlab.i386.system",
      registers: [segmentBase("fs", 32), segmentBase("gs", 32), ...system(32)],
    },
  ],
  64: [
    {
      name: "org.gnu.gdb.i386.core",
      registers: [...general64, rip, eflags, ...segments, ...stack, ...floatingControl],
    },
    { name: "org.gnu.gdb.i386.sse", registers: vectors(16) },
    { name: "org.gnu.gdb.i386.segments", registers: [segmentBase("fs", 64), segmentBase("gs", 64)] },
    { name: "org.virtlab.i386.system", registers: system(64) },
  ],
};

const listed: Readonly<Record<RegisterWidth, readonly Register[]>> = {
  32: features[32].flatMap(({ registers }) => registers),
  64: features[64].flatMap(({ registers }) => registers),
};

/** The registers by gdb's number. */
export const registersOf = (width: RegisterWidth): readonly Register[] => listed[width];

/** A value in the protocol's form: its bytes in the target's order, in hexadecimal. */
export function encodeRegister({ bits }: Register, value: bigint): string {
  const digits = value.toString(16).padStart(bits / 4, "0");
  return (digits.match(/../g) ?? []).reverse().join("");
}

export function decodeRegister({ bits }: Register, digits: string): bigint | undefined {
  if (digits.length !== bits / 4 || !/^[0-9a-f]+$/i.test(digits)) return undefined;
  return BigInt(`0x${(digits.match(/../g) ?? []).reverse().join("")}`);
}

/** All of them one behind the other, as `g` has it. */
export const encodeAll = (width: RegisterWidth, cpu: CpuState): string =>
  listed[width].map((register) => encodeRegister(register, register.read(cpu))).join("");

/** The machine with registers of a processor written; undefined if one cannot be written, or not to that value. */
export function writeRegisters(
  machine: Machine,
  processor: number,
  writes: readonly (readonly [Register, bigint])[],
): Machine | undefined {
  const cpu = processorState(machine, processor);
  const changed = writes.filter(([register, value]) => register.read(cpu) !== value);
  if (changed.length === 0) return machine;
  if (changed.some(([register]) => register.write === undefined)) return undefined;
  try {
    return machine.edit((draft) => {
      for (const [register, value] of changed) register.write!(draft, value);
    }, processor);
  } catch (error) {
    if (error instanceof VirtlabError) return undefined;
    throw error;
  }
}
