/**
 * SYSENTER, SYSEXIT, SYSCALL, SYSRET, and what 64-bit system software needs around them: the bases of FS and GS.
 * Spec: SDM Vol. 3A, "Performing Fast Calls to System Procedures with the SYSENTER and SYSEXIT Instructions", "Fast System
 * Calls in 64-Bit Mode".
 */
import {
  callSystem,
  enterSystem,
  exitSystem,
  readBase,
  requireFsGsBase,
  returnFromSystem,
  swapGs,
  writeBase,
} from "../../cpu/fast-calls.js";
import { CR4 } from "../../cpu/state.js";
import { type Definition, define, type SystemInstruction } from "../instruction.js";

const system = { group: "system" } as const;

type UseBase = typeof readBase;
const usesBase =
  (name: "fs" | "gs", use: UseBase): SystemInstruction =>
  (port, { operands: [operand], size }) => {
    requireFsGsBase(port, CR4.FSGSBASE);
    if (operand?.kind === "register") use(port, name, operand.number, size === 64);
  };

const baseOf = (digit: number, name: "fs" | "gs", reads: boolean): Definition => ({
  ...system,
  mnemonic: `${reads ? "RD" : "WR"}${name.toUpperCase()}BASE`,
  summary: `${reads ? "Reads" : "Loads"} the base of ${name.toUpperCase()}, where CR4.FSGSBASE allows it.`,
  spec: reads
    ? "SDM Vol. 2B, RDFSBASE/RDGSBASE—Read FS/GS Segment Base"
    : "SDM Vol. 2D, WRFSBASE/WRGSBASE—Write FS/GS Segment Base",
  forms: [[`F3 0F AE ${(0xc0 + 8 * digit).toString(16).toUpperCase()}+i`, "Ry", "only64"]],
  needs: "FSGSBASE",
  system: usesBase(name, reads ? readBase : writeBase),
});

const definitions: readonly Definition[] = [
  {
    ...system,
    mnemonic: "SYSENTER",
    summary: "Goes to the procedure that IA32_SYSENTER_CS, _ESP and _EIP name, at CPL 0 with interrupts off.",
    spec: "SDM Vol. 2B, SYSENTER—Fast System Call",
    forms: [["0F 34"]],
    needs: "SEP",
    system: enterSystem,
  },
  {
    ...system,
    mnemonic: "SYSEXIT",
    summary: "Goes to EDX at CPL 3, with the stack at ECX.",
    spec: "SDM Vol. 2B, SYSEXIT—Fast Return from Fast System Call",
    forms: [["0F 35"]],
    rexSized: true,
    needs: "SEP",
    system: (port, { size }) => exitSystem(port, size === 64),
  },
  {
    ...system,
    mnemonic: "SYSCALL",
    summary: "Goes to the procedure that IA32_STAR and IA32_LSTAR name, at CPL 0; RCX and R11 say where it was.",
    spec: "SDM Vol. 2B, SYSCALL—Fast System Call",
    forms: [["0F 05"]],
    needs: "SYSCALL",
    system: callSystem,
  },
  {
    ...system,
    mnemonic: "SYSRET",
    summary: "Goes to RCX at CPL 3, with the flags of R11.",
    spec: "SDM Vol. 2B, SYSRET—Return From Fast System Call",
    forms: [["0F 07"]],
    rexSized: true,
    needs: "SYSCALL",
    system: (port, { size }) => returnFromSystem(port, size === 64),
  },
  {
    ...system,
    mnemonic: "SWAPGS",
    summary: "Exchanges the base of GS with IA32_KERNEL_GS_BASE.",
    spec: "SDM Vol. 2B, SWAPGS—Swap GS Base Register",
    forms: [["0F 01 F8", "", "only64"]],
    needs: "LM",
    system: swapGs,
  },
  baseOf(0, "fs", true),
  baseOf(1, "gs", true),
  baseOf(2, "fs", false),
  baseOf(3, "gs", false),
];

export const fastSystemCallRows = definitions.flatMap(define);
