/** Registers as a list, with what they were in another machine. */
import type { Machine, NumberRegisterName } from "../machine.js";
import { deepFreeze } from "../machine-content.js";
import { isWide, type LongRegisters } from "../registers.js";

interface Value<Bits, Name, Type> {
  readonly name: Name;
  readonly bits: Bits;
  /** Unsigned. */
  readonly value: Type;
  /** As a two's complement number of its width. */
  readonly signed: Type;
  /** The value in the other machine, if there is one. */
  readonly before?: Type;
  /** Whether it differs from the other machine's. */
  readonly changed: boolean;
}

/** 16 bits for segment registers, else 32. In long mode those that have 64 bits are bigints. */
export type RegisterValue =
  | Value<16 | 32, NumberRegisterName | "efer", number>
  | Value<64, keyof LongRegisters | "cr2" | "cr3" | "fs base" | "gs base", bigint>;

type Name = RegisterValue["name"];

/** In the order they are shown in. */
const namesOf = (text: string): readonly Name[] => text.split(" ") as Name[];
const system = namesOf("cs ss ds es fs gs cr0 cr2 cr3 cr4");
const narrowNames = [...namesOf("eax ebx ecx edx esi edi ebp esp eip eflags"), ...system];
const wideNames: readonly Name[] = [
  ...namesOf("rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags"),
  ...([...system, "efer", "fs base", "gs base"] as const),
];

/** The value of a register, unsigned: a bigint where it has 64 bits. */
function read(machine: Machine, name: Name, wide: boolean): number | bigint {
  const { segments, efer } = machine.cpu.system;
  if (name === "efer") return efer;
  if (name === "fs base" || name === "gs base")
    return BigInt.asUintN(64, BigInt(segments[name === "fs base" ? "fs" : "gs"].base));
  const value = machine.registers[name];
  return wide && (name === "cr2" || name === "cr3") ? BigInt.asUintN(64, BigInt(value)) : value;
}

/**
 * The machine's registers; with `since`, what they were in that machine and whether they differ. In long mode they are RAX
 * to R15 and the like, as bigints.
 *
 * @example
 * const machine = Machine.boot({ image: Uint8Array.of(0x48) }); // dec eax
 * const [eax] = registersOf(machine.step(), { since: machine });
 * [eax?.value, eax?.signed, eax?.before, eax?.changed] // => [ 4294967295, -1, 0, true ]
 */
export function registersOf(machine: Machine, { since }: { readonly since?: Machine } = {}): readonly RegisterValue[] {
  const wide = isWide(machine.cpu) || (since !== undefined && isWide(since.cpu));
  return deepFreeze(
    (wide ? wideNames : narrowNames).map((name) => {
      const value = read(machine, name, wide);
      const before = since === undefined ? undefined : read(since, name, wide);
      const bits = typeof value === "bigint" ? 64 : name.length === 2 ? 16 : 32;
      return {
        ...{ name, bits, value, signed: signedOf(value, bits) },
        ...(before === undefined ? {} : { before }),
        changed: before !== undefined && before !== value,
      } as RegisterValue;
    }),
  );
}

function signedOf(value: number | bigint, bits: 16 | 32 | 64): number | bigint {
  if (typeof value === "bigint") return BigInt.asIntN(64, value);
  return bits === 16 ? (value << 16) >> 16 : value | 0;
}
