/**
 * Basic exit reasons by number, and what the exit qualification of each means: as VM exits write them and as people read
 * them.
 * Spec: SDM Vol. 3D, Appendix C "VMX Basic Exit Reasons"; Vol. 3C, "Basic VM-Exit Information", "VM-Entry Failures During or
 * After Loading Guest State".
 */

/** Numbers of the reasons there are here, under short names. */
export const REASON = {
  EXCEPTION_OR_NMI: 0,
  EXTERNAL_INTERRUPT: 1,
  TRIPLE_FAULT: 2,
  INIT: 3,
  SIPI: 4,
  INTERRUPT_WINDOW: 7,
  NMI_WINDOW: 8,
  TASK_SWITCH: 9,
  CPUID: 10,
  HLT: 12,
  INVD: 13,
  INVLPG: 14,
  RDPMC: 15,
  RDTSC: 16,
  VMCALL: 18,
  VMCLEAR: 19,
  VMLAUNCH: 20,
  VMPTRLD: 21,
  VMPTRST: 22,
  VMREAD: 23,
  VMRESUME: 24,
  VMWRITE: 25,
  VMXOFF: 26,
  VMXON: 27,
  CONTROL_REGISTER: 28,
  DEBUG_REGISTER: 29,
  IO_INSTRUCTION: 30,
  RDMSR: 31,
  WRMSR: 32,
  INVALID_GUEST_STATE: 33,
  MSR_LOADING: 34,
  MWAIT: 36,
  MONITOR_TRAP_FLAG: 37,
  MONITOR: 39,
  PAUSE: 40,
  TPR_BELOW_THRESHOLD: 43,
  GDTR_OR_IDTR: 46,
  LDTR_OR_TR: 47,
  EPT_VIOLATION: 48,
  EPT_MISCONFIGURATION: 49,
  INVEPT: 50,
  RDTSCP: 51,
  PREEMPTION_TIMER: 52,
  INVVPID: 53,
  WBINVD: 54,
  XSETBV: 55,
  RDRAND: 57,
  INVPCID: 58,
  VMFUNC: 59,
  RDSEED: 61,
} as const;

/** Bit 31 of the exit reason: the VM entry failed. */
export const ENTRY_FAILURE = 0x8000_0000;

type Told = Readonly<Record<string, string | number | boolean>>;
type Qualification = (qualification: bigint) => Told;

export interface ExitReason {
  readonly number: number;
  /** As Appendix C names it. */
  readonly name: string;
  /** What the qualification says; absent where it says nothing. */
  readonly told?: Qualification;
}

/** Bits `low` to `high` of a qualification. */
const bits = (value: bigint, low: number, high: number): number =>
  Number((value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n));
const bit = (value: bigint, index: number): boolean => ((value >> BigInt(index)) & 1n) !== 0n;
const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

const registers = ["RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI"];
const register = (number: number): string => registers[number] ?? `R${number}`;

const controlAccesses = ["MOV to CR", "MOV from CR", "CLTS", "LMSW"] as const;
const taskSources = ["CALL instruction", "IRET instruction", "JMP instruction", "Task gate in IDT"] as const;
const entryFailures: Readonly<Record<number, string>> = {
  0: "a check on the guest-state area",
  2: "loading the PDPTEs",
  3: "an NMI injected while events are blocked by STI",
  4: "the VMCS link pointer",
};

const linearAddress: Qualification = (value) => ({ "linear address": hex(value) });
const displacement: Qualification = (value) => ({ displacement: hex(value) });

function controlAccess(value: bigint): Told {
  const access = bits(value, 4, 5);
  const told: Record<string, string | number> = {
    access: controlAccesses[access]!,
    register: `CR${bits(value, 0, 3)}`,
  };
  if (access < 2) told["general register"] = register(bits(value, 8, 11));
  if (access === 3) {
    told["operand"] = bit(value, 6) ? "memory" : "register";
    told["source data"] = hex(bits(value, 16, 31));
  }
  return told;
}

const table: readonly (readonly [name: string, number: number, told?: Qualification])[] = [
  [
    "Exception or non-maskable interrupt (NMI)",
    REASON.EXCEPTION_OR_NMI,
    (value) => ({ "page-fault address or debug conditions": hex(value) }),
  ],
  ["External interrupt", REASON.EXTERNAL_INTERRUPT],
  ["Triple fault", REASON.TRIPLE_FAULT],
  ["INIT signal", REASON.INIT],
  ["Start-up IPI (SIPI)", REASON.SIPI, (value) => ({ vector: hex(bits(value, 0, 7)) })],
  ["Interrupt window", REASON.INTERRUPT_WINDOW],
  ["NMI window", REASON.NMI_WINDOW],
  [
    "Task switch",
    REASON.TASK_SWITCH,
    (value) => ({ selector: hex(bits(value, 0, 15)), source: taskSources[bits(value, 30, 31)]! }),
  ],
  ["CPUID", REASON.CPUID],
  ["HLT", REASON.HLT],
  ["INVD", REASON.INVD],
  ["INVLPG", REASON.INVLPG, linearAddress],
  ["RDPMC", REASON.RDPMC],
  ["RDTSC", REASON.RDTSC],
  ["VMCALL", REASON.VMCALL],
  ["VMCLEAR", REASON.VMCLEAR, displacement],
  ["VMLAUNCH", REASON.VMLAUNCH],
  ["VMPTRLD", REASON.VMPTRLD, displacement],
  ["VMPTRST", REASON.VMPTRST, displacement],
  ["VMREAD", REASON.VMREAD, displacement],
  ["VMRESUME", REASON.VMRESUME],
  ["VMWRITE", REASON.VMWRITE, displacement],
  ["VMXOFF", REASON.VMXOFF],
  ["VMXON", REASON.VMXON, displacement],
  ["Control-register accesses", REASON.CONTROL_REGISTER, controlAccess],
  [
    "MOV DR",
    REASON.DEBUG_REGISTER,
    (value) => ({
      access: bit(value, 4) ? "MOV from DR" : "MOV to DR",
      register: `DR${bits(value, 0, 2)}`,
      "general register": register(bits(value, 8, 11)),
    }),
  ],
  [
    "I/O instruction",
    REASON.IO_INSTRUCTION,
    (value) => ({
      size: bits(value, 0, 2) + 1,
      direction: bit(value, 3) ? "in" : "out",
      string: bit(value, 4),
      repeated: bit(value, 5),
      operand: bit(value, 6) ? "immediate" : "DX",
      port: hex(bits(value, 16, 31)),
    }),
  ],
  ["RDMSR", REASON.RDMSR],
  ["WRMSR", REASON.WRMSR],
  [
    "VM-entry failure due to invalid guest state",
    REASON.INVALID_GUEST_STATE,
    (value) => ({ cause: entryFailures[Number(value)] ?? hex(value) }),
  ],
  ["VM-entry failure due to MSR loading", REASON.MSR_LOADING, (value) => ({ entry: Number(value) })],
  ["MWAIT", REASON.MWAIT, (value) => ({ armed: bit(value, 0) })],
  ["Monitor trap flag", REASON.MONITOR_TRAP_FLAG],
  ["MONITOR", REASON.MONITOR],
  ["PAUSE", REASON.PAUSE],
  ["TPR below threshold", REASON.TPR_BELOW_THRESHOLD],
  ["Access to GDTR or IDTR", REASON.GDTR_OR_IDTR, displacement],
  ["Access to LDTR or TR", REASON.LDTR_OR_TR, displacement],
  [
    "EPT violation",
    REASON.EPT_VIOLATION,
    (value) => ({
      read: bit(value, 0),
      write: bit(value, 1),
      fetch: bit(value, 2),
      readable: bit(value, 3),
      writable: bit(value, 4),
      executable: bit(value, 5),
      "linear address is valid": bit(value, 7),
      "of the translation of a linear address": bit(value, 8),
      "NMI unblocking due to IRET": bit(value, 12),
    }),
  ],
  ["EPT misconfiguration", REASON.EPT_MISCONFIGURATION],
  ["INVEPT", REASON.INVEPT, displacement],
  ["RDTSCP", REASON.RDTSCP],
  ["VMX-preemption timer expired", REASON.PREEMPTION_TIMER],
  ["INVVPID", REASON.INVVPID, displacement],
  ["WBINVD or WBNOINVD", REASON.WBINVD],
  ["XSETBV", REASON.XSETBV],
  ["RDRAND", REASON.RDRAND],
  ["INVPCID", REASON.INVPCID, displacement],
  ["VMFUNC", REASON.VMFUNC],
  ["RDSEED", REASON.RDSEED],
];

/** The reasons by number. */
export const exitReasons: ReadonlyMap<number, ExitReason> = new Map(
  table.map(([name, number, told]) => [
    number,
    Object.freeze({ number, name, ...(told === undefined ? {} : { told }) }),
  ]),
);

/** A VM exit in words. */
export interface ExplainedExit {
  readonly number: number;
  readonly name: string;
  /** VM entry failed: the guest did not run. */
  readonly entryFailed: boolean;
  /** What the qualification says; empty where it says nothing. */
  readonly qualification: Told;
}

/**
 * What an exit reason and its qualification, as the VMCS has them, mean. Bits 15:0 of the reason are its number, bit 31 says
 * that VM entry failed. Spec: SDM Vol. 3C, "Basic VM-Exit Information".
 *
 * @example
 * explainExit(30, 0x3f8_0009n).qualification.port // => "0x3f8"
 */
export function explainExit(reason: number, qualification: bigint): ExplainedExit {
  const number = reason & 0xffff;
  const known = exitReasons.get(number);
  return Object.freeze({
    number,
    name: known?.name ?? `reason ${number}`,
    entryFailed: (reason & ENTRY_FAILURE) !== 0,
    qualification: Object.freeze(known?.told?.(qualification) ?? {}),
  });
}
