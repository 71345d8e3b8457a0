/** Flags that any program may set, read and load. CLI, STI and POPF are in system.ts. Spec: SDM Vol. 1, "Flag Control (EFLAG) Instructions". */
import type { Needs } from "../../cpu/features.js";
import { pushFlags } from "../../cpu/flags.js";
import { FLAG } from "../../cpu/state.js";
import { and, type Code, i32, isZero, type Replay, shl, sub, widenUnsigned, xor } from "../code.js";
import { type Definition, define } from "../instruction.js";
import { intercepted, stackSize } from "./common.js";

const flag = { group: "flag control" } as const;

/** OF stays, so OF xor CF changes with CF. */
function setCarry(c: Code, carry: ReturnType<Code["let"]>): void {
  c.flags({ carry, carries: xor(c.carries(), shl(xor(carry, c.carry()), i32(31))) });
}

/** Virtual-8086 mode has rules of its own, and some hosts want to see it. */
function pushFlagsAgain(c: Replay): void {
  c.unlessLeaves("PUSHF");
  const flags = c.let(c.eflags());
  c.require(isZero(and(flags, i32(FLAG.VM))));
  const pushed = and(flags, i32(~FLAG.RF));
  c.push(c.size === 64 ? widenUnsigned(pushed) : c.signExtend(pushed));
  c.done();
}

/** LAHF and SAHF, which the first processors with 64-bit code did not have there. */
const lowFlags = (where: "only64" | "not64", needs?: Needs): readonly Definition[] => [
  {
    ...flag,
    mnemonic: "LAHF",
    summary: "Loads AH from the low byte of EFLAGS.",
    spec: "SDM Vol. 2A, LAHF—Load Status Flags Into AH Register",
    forms: [["9F", "", where]],
    ...(needs === undefined ? {} : { needs }),
    semantics: (c) => c.setRegister(4, 8, c.eflags()),
  },
  {
    ...flag,
    mnemonic: "SAHF",
    summary: "Sets SF, ZF, AF, PF and CF from AH.",
    spec: "SDM Vol. 2B, SAHF—Store AH Into Flags",
    forms: [["9E", "", where]],
    ...(needs === undefined ? {} : { needs }),
    flags: { written: "SZAPC" },
    semantics: (c) => c.setLowFlags(c.register(4, 8)),
  },
];

const definitions: readonly Definition[] = [
  {
    ...flag,
    mnemonic: "CLC",
    summary: "Clears CF.",
    spec: "SDM Vol. 2A, CLC—Clear Carry Flag",
    forms: [["F8"]],
    flags: { written: "C" },
    semantics: (c) => setCarry(c, i32(0)),
  },
  {
    ...flag,
    mnemonic: "STC",
    summary: "Sets CF.",
    spec: "SDM Vol. 2B, STC—Set Carry Flag",
    forms: [["F9"]],
    flags: { written: "C" },
    semantics: (c) => setCarry(c, i32(1)),
  },
  {
    ...flag,
    mnemonic: "CMC",
    summary: "Complements CF.",
    spec: "SDM Vol. 2A, CMC—Complement Carry Flag",
    forms: [["F5"]],
    flags: { written: "C" },
    semantics: (c) => setCarry(c, c.let(isZero(c.carry()))),
  },
  {
    ...flag,
    mnemonic: "CLD",
    summary: "Clears DF: string instructions go up.",
    spec: "SDM Vol. 2A, CLD—Clear Direction Flag",
    forms: [["FC"]],
    semantics: (c) => c.setDirection(0),
  },
  {
    ...flag,
    mnemonic: "STD",
    summary: "Sets DF: string instructions go down.",
    spec: "SDM Vol. 2B, STD—Set Direction Flag",
    forms: [["FD"]],
    semantics: (c) => c.setDirection(1),
  },
  ...lowFlags("not64"),
  ...lowFlags("only64", "LAHF_LM"),
  {
    ...flag,
    mnemonic: "PUSHF",
    summary: "Pushes EFLAGS; VM and RF read as zero.",
    spec: "SDM Vol. 2B, PUSHF/PUSHFD/PUSHFQ—Push EFLAGS Register Onto the Stack",
    forms: [["9C"]],
    sized: true,
    in64: "defaults",
    system: intercepted((port, instruction) => pushFlags(port, stackSize(instruction))),
    replay: pushFlagsAgain,
  },
  {
    ...flag,
    mnemonic: "SALC",
    summary: "Fills AL with CF.",
    spec: 'SDM Vol. 3B, "Undocumented Opcodes" (opcode D6)',
    forms: [["D6", "", "not64"]],
    semantics: (c) => c.setRegister(0, 8, sub(i32(0), c.carry())),
  },
];

export const flagControlRows = definitions.flatMap(define);
