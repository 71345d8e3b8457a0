/**
 * What a cost table may hold: primitives, each one thing a processor does or one thing a handler in TypeScript does, by
 * name. What is made of several of them (a system call, a page fault with its handler, a store to a watched page table) is
 * no primitive and has no name here: it is counted.
 */
import { REASON } from "../vmx/exit-reasons.js";

/** Each primitive: what one of it is. Instruction groups are those of the instruction table. */
export const costPrimitives = {
  instruction: "an instruction or REP iteration of which only the number is known",
  "data transfer": "an instruction of this group",
  arithmetic: "an instruction of this group, but for divisions",
  logic: "an instruction of this group",
  "shift and rotate": "an instruction of this group",
  "bit and byte": "an instruction of this group",
  "control transfer": "a jump, near call or near return that was foreseen",
  string: "an iteration of a string instruction",
  "flag control": "an instruction of this group",
  miscellaneous: "an instruction of this group",
  system: "an instruction of this group with no figure of its own",
  x87: "an instruction of this group",
  MMX: "an instruction of this group",
  SSE: "an instruction of this group, or of a later one of the same registers",
  division: "DIV or IDIV that gives a quotient",
  CPUID: "CPUID",
  "control register access": "a move to or from a control or debug register, LMSW, CLTS",
  "MSR access": "RDMSR or WRMSR",
  INVLPG: "INVLPG",
  "port access": "a read or write of a port, by IN, OUT or their string forms, with the instruction",
  "device register access": "a load or store of a device's register in memory, beside the instruction",
  "software interrupt": "INT n, with the change of ring where there is one",
  "interrupt return": "IRET, with the change of ring where there is one",
  "fast ring crossing": "SYSENTER, SYSEXIT, SYSCALL or SYSRET",
  "exception delivery": "the way from a fault to the first instruction of its handler",
  "interrupt delivery": "the way from an interrupt to the first instruction of its handler",
  "branch not foreseen": "a transfer whose target the processor guessed wrong, beside the instruction",
  "page-walk reference": "a read of one entry of a page table by the processor",
  "TLB fill": "a translation put into the TLB, beside the references of its walk",
  "VM entry": "VMLAUNCH or VMRESUME, to the guest's first instruction",
  "VM exit by exception": "the way from an exception or NMI in the guest to the host's first instruction",
  "VM exit by interrupt": "the same for an external interrupt, or a window that opens",
  "VM exit by instruction": "the same for an instruction of the guest",
  "VM exit by EPT": "the same for an EPT violation or misconfiguration",
  VMREAD: "VMREAD outside of a guest",
  VMWRITE: "VMWRITE outside of a guest",
  "handler entry": "the way into a handler in TypeScript and back: registers saved, the case found, registers restored",
  "handler memory access": "a load or store that a handler makes of memory, its own or a guest's",
  "instruction decoded": "an instruction of a guest that a handler decodes",
  "translation look-up": "a look for a guest's address in the table of translated code",
} as const;

/** Name of a primitive. */
export type CostPrimitive = keyof typeof costPrimitives;

/** How often each primitive came, by name; one that is absent did not come. */
export type CostCounts = Readonly<Partial<Record<CostPrimitive, number>>>;

export const primitiveNames: readonly CostPrimitive[] = Object.freeze(Object.keys(costPrimitives) as CostPrimitive[]);

export const isPrimitive = (name: string): name is CostPrimitive => Object.hasOwn(costPrimitives, name);

/** Instructions that have a primitive of their own. */
const byMnemonic: Readonly<Record<string, CostPrimitive>> = {
  // No row of the table, and done all the same: the host call at a supervisor's entry.
  "(bad)": "handler entry",
  DIV: "division",
  IDIV: "division",
  CPUID: "CPUID",
  CLTS: "control register access",
  LMSW: "control register access",
  RDMSR: "MSR access",
  WRMSR: "MSR access",
  INVLPG: "INVLPG",
  INT: "software interrupt",
  INTO: "software interrupt",
  IRET: "interrupt return",
  SYSENTER: "fast ring crossing",
  SYSEXIT: "fast ring crossing",
  SYSCALL: "fast ring crossing",
  SYSRET: "fast ring crossing",
  VMLAUNCH: "VM entry",
  VMRESUME: "VM entry",
  VMREAD: "VMREAD",
  VMWRITE: "VMWRITE",
};

/**
 * The primitive that an instruction is, by mnemonic and group of the instruction table. Undefined for IN, OUT and their
 * string forms: their accesses are counted instead.
 */
export function primitiveOfInstruction(mnemonic: string, group: string): CostPrimitive | undefined {
  if (group === "input and output") return undefined;
  if (group === "system" && mnemonic === "MOV") return "control register access";
  const own = byMnemonic[mnemonic];
  if (own !== undefined) return own;
  if (group.startsWith("SS")) return "SSE";
  return isPrimitive(group) ? group : "instruction";
}

const exitPrimitives: ReadonlyMap<number, CostPrimitive> = new Map<number, CostPrimitive>([
  [REASON.EXCEPTION_OR_NMI, "VM exit by exception"],
  [REASON.EXTERNAL_INTERRUPT, "VM exit by interrupt"],
  [REASON.INTERRUPT_WINDOW, "VM exit by interrupt"],
  [REASON.NMI_WINDOW, "VM exit by interrupt"],
  [REASON.PREEMPTION_TIMER, "VM exit by interrupt"],
  [REASON.TRIPLE_FAULT, "VM exit by exception"],
  [REASON.EPT_VIOLATION, "VM exit by EPT"],
  [REASON.EPT_MISCONFIGURATION, "VM exit by EPT"],
]);

/**
 * The primitive that a VM exit is, by the number of its basic reason (SDM Vol. 3D, Appendix C "VMX Basic Exit Reasons").
 *
 * @example
 * primitiveOfExit(0) // => 'VM exit by exception'
 * primitiveOfExit(30) // => 'VM exit by instruction'
 */
export const primitiveOfExit = (reason: number): CostPrimitive =>
  exitPrimitives.get(reason) ?? "VM exit by instruction";

/** Spec: AMD64 Architecture Programmer's Manual Vol. 2, Appendix C "SVM Intercept Exit Codes". */
const VMEXIT = { EXCEPTIONS: 0x40, INTR: 0x60, VINTR: 0x64, SHUTDOWN: 0x7f, NPF: 0x400 } as const;

/** The primitive that a #VMEXIT of AMD-V is, by its EXITCODE; a nested page fault stands where VT-x has an EPT violation. */
export function primitiveOfVmexit(code: number): CostPrimitive {
  if (code === VMEXIT.NPF) return "VM exit by EPT";
  if (code === VMEXIT.SHUTDOWN || (code >= VMEXIT.EXCEPTIONS && code < VMEXIT.INTR)) return "VM exit by exception";
  return code >= VMEXIT.INTR && code <= VMEXIT.VINTR ? "VM exit by interrupt" : "VM exit by instruction";
}
