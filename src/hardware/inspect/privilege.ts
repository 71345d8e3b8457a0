/**
 * Which instructions need which privilege.
 * Spec: SDM Vol. 3A, "Privileged Instructions"; Vol. 1, "I/O Privilege Level"; Vol. 3B, "Sensitive Instructions" of
 * "Virtual-8086 Mode".
 */
import { CR4, FLAG, type Mode, modeOf } from "../cpu/state.js";
import type { Row } from "../isa/instruction.js";
import type { Machine } from "../machine.js";

export interface Privilege {
  /** What is needed, in words: "CPL 0". */
  readonly needs: string;
  /** Whether the machine has it now. I/O at a CPL above IOPL is up to the TSS: "ports". */
  readonly allowed: boolean | "ports";
  readonly spec: string;
}

const RING0: ReadonlySet<string> = new Set(
  "LGDT LLDT LTR LIDT LMSW CLTS HLT INVD WBINVD INVLPG RDMSR WRMSR SWAPGS SYSRET SYSEXIT CLAC STAC".split(" "),
);
const RING0_SPEC = 'SDM Vol. 3A, "Privileged Instructions"';
const INPUT_OUTPUT: ReadonlySet<string> = new Set(["IN", "OUT", "INS", "OUTS"]);
const INTERRUPT_FLAG: ReadonlySet<string> = new Set(["CLI", "STI"]);
/** What a program is not to know of the system. Spec: SDM Vol. 3A, "Control Registers" (CR4.UMIP). */
const DESCRIBES_SYSTEM: ReadonlySet<string> = new Set("SGDT SIDT SLDT SMSW STR".split(" "));
/** Sensitive to IOPL in virtual-8086 mode only. */
const VIRTUAL: ReadonlySet<string> = new Set(["PUSHF", "POPF", "INT", "IRET"]);
const PROTECTED_ONLY: ReadonlySet<string> = new Set("SLDT STR LLDT LTR VERR VERW LAR LSL ARPL".split(" "));

const movesToSystemRegister = ({ operands }: Row): boolean =>
  operands.some(({ method }) => method === "C" || method === "D");

/** What of a machine decides whether an instruction is allowed. */
export interface PrivilegeContext {
  readonly cpl: number;
  readonly iopl: number;
  readonly cr4: number;
  readonly mode: Mode;
}

export const privilegeContext = (machine: Machine): PrivilegeContext => ({
  cpl: machine.cpl,
  iopl: (machine.registers.eflags & FLAG.IOPL) >> 12,
  cr4: machine.cpu.system.cr4,
  mode: modeOf(machine.cpu.system, machine.cpu.eflags),
});

/** What an instruction needs; undefined where every program may execute it. */
export function privilegeOf(row: Row, { cpl, iopl, cr4, mode }: PrivilegeContext): Privilege | undefined {
  const { mnemonic } = row;
  if (PROTECTED_ONLY.has(mnemonic) && mode !== "protected")
    return { needs: "protected mode", allowed: false, spec: 'SDM Vol. 3A, "System Instruction Summary"' };
  if (RING0.has(mnemonic) || movesToSystemRegister(row))
    return { needs: "CPL 0", allowed: cpl === 0, spec: RING0_SPEC };
  if (DESCRIBES_SYSTEM.has(mnemonic) && (cr4 & CR4.UMIP) !== 0)
    return { needs: "CPL 0, because CR4.UMIP is set", allowed: cpl === 0, spec: 'SDM Vol. 3A, "Control Registers"' };
  if ((mnemonic === "RDTSC" || mnemonic === "RDTSCP") && (cr4 & CR4.TSD) !== 0)
    return { needs: "CPL 0, because CR4.TSD is set", allowed: cpl === 0, spec: RING0_SPEC };
  if (mnemonic === "RDPMC" && (cr4 & CR4.PCE) === 0)
    return { needs: "CPL 0, because CR4.PCE is clear", allowed: cpl === 0, spec: RING0_SPEC };
  if (INPUT_OUTPUT.has(mnemonic)) {
    if (mode === "virtual-8086")
      return {
        needs: "the port in the I/O permission bitmap of the TSS",
        allowed: "ports",
        spec: 'SDM Vol. 1, "I/O Permission Bit Map"',
      };
    return {
      needs: `CPL at most IOPL (${iopl}), or the port in the I/O permission bitmap of the TSS`,
      allowed: cpl <= iopl || "ports",
      spec: 'SDM Vol. 1, "I/O Privilege Level"',
    };
  }
  if (INTERRUPT_FLAG.has(mnemonic))
    return {
      needs: `CPL at most IOPL (${iopl})`,
      allowed: cpl <= iopl,
      spec: 'SDM Vol. 1, "I/O Privilege Level"',
    };
  if (VIRTUAL.has(mnemonic) && mode === "virtual-8086" && row.opcode !== "CC")
    return {
      needs: `IOPL 3 in virtual-8086 mode (it is ${iopl})`,
      allowed: iopl === 3,
      spec: 'SDM Vol. 3B, "Sensitive Instructions"',
    };
  return undefined;
}
