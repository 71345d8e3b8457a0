/**
 * What VM exits write for each cause: reason, qualification, interruption information, addresses.
 * Spec: SDM Vol. 3C, "Recording VM-Exit Information and Updating VM-Entry Control Fields".
 */
import type { ExitCause, InterceptedInstruction, NestedFault } from "../cpu/guest-operation.js";
import { INTERRUPTION, informationOf } from "./events.js";
import { REASON } from "./exit-reasons.js";
import {
  addressSizeBits,
  displacementOf,
  instructionInformation,
  isToldByDisplacement,
} from "./instruction-information.js";
import type { VmxGuest } from "./state.js";

export interface ExitInformation {
  readonly reason: number;
  /** 64 bits; 0 where it says nothing. */
  readonly qualification?: bigint;
  /** Interruption information and error code. */
  readonly interruption?: number;
  readonly errorCode?: number;
  readonly linear?: number;
  readonly physical?: number;
  readonly instruction?: number;
}

const instructionReasons: Partial<Record<InterceptedInstruction, number>> = {
  CPUID: REASON.CPUID,
  HLT: REASON.HLT,
  INVD: REASON.INVD,
  INVLPG: REASON.INVLPG,
  INVPCID: REASON.INVPCID,
  LGDT: REASON.GDTR_OR_IDTR,
  LIDT: REASON.GDTR_OR_IDTR,
  SGDT: REASON.GDTR_OR_IDTR,
  SIDT: REASON.GDTR_OR_IDTR,
  LLDT: REASON.LDTR_OR_TR,
  LTR: REASON.LDTR_OR_TR,
  SLDT: REASON.LDTR_OR_TR,
  STR: REASON.LDTR_OR_TR,
  MONITOR: REASON.MONITOR,
  MWAIT: REASON.MWAIT,
  PAUSE: REASON.PAUSE,
  RDPMC: REASON.RDPMC,
  RDRAND: REASON.RDRAND,
  RDSEED: REASON.RDSEED,
  RDTSC: REASON.RDTSC,
  RDTSCP: REASON.RDTSCP,
  WBINVD: REASON.WBINVD,
  XSETBV: REASON.XSETBV,
  INVEPT: REASON.INVEPT,
  INVVPID: REASON.INVVPID,
  VMCALL: REASON.VMCALL,
  VMCLEAR: REASON.VMCLEAR,
  VMFUNC: REASON.VMFUNC,
  VMLAUNCH: REASON.VMLAUNCH,
  VMPTRLD: REASON.VMPTRLD,
  VMPTRST: REASON.VMPTRST,
  VMREAD: REASON.VMREAD,
  VMRESUME: REASON.VMRESUME,
  VMWRITE: REASON.VMWRITE,
  VMXOFF: REASON.VMXOFF,
  VMXON: REASON.VMXON,
};

type Cause<Kind extends ExitCause["kind"]> = Extract<ExitCause, { readonly kind: Kind }>;

function ofInstruction({ name, instruction, operand }: Cause<"instruction">): ExitInformation {
  const reason = instructionReasons[name];
  if (reason === undefined) throw new TypeError(`${name} never leaves a guest of VT-x`);
  const told = instructionInformation(name, instruction);
  const displacement = isToldByDisplacement(name) && instruction !== undefined ? displacementOf(instruction) : 0n;
  const qualification = operand === undefined ? displacement : BigInt(operand);
  return { reason, qualification, ...(told === undefined ? {} : { instruction: told }) };
}

const controlAccesses = { write: 0, read: 1, clts: 2, lmsw: 3, smsw: 1 } as const;

function ofControlRegister({ access, number, register, value, linear }: Cause<"control-register">): ExitInformation {
  const type = controlAccesses[access];
  const moved = access === "write" || access === "read" ? (register ?? 0) << 8 : 0;
  const loaded = access === "lmsw" ? (Number((value ?? 0n) & 0xffffn) << 16) | (linear === undefined ? 0 : 1 << 6) : 0;
  const qualification = BigInt((number | (type << 4) | moved | loaded) >>> 0);
  return { reason: REASON.CONTROL_REGISTER, qualification, ...(linear === undefined ? {} : { linear }) };
}

function ofPort({ port, size, direction, immediate, string, repeated }: Cause<"port">): ExitInformation {
  const bits =
    (size - 1) |
    (direction === "in" ? 1 << 3 : 0) |
    (string === undefined ? 0 : 1 << 4) |
    (repeated ? 1 << 5 : 0) |
    (immediate ? 1 << 6 : 0);
  const qualification = BigInt(((port << 16) | bits) >>> 0);
  if (string === undefined) return { reason: REASON.IO_INSTRUCTION, qualification };
  // INS always goes through ES, which is not told.
  const segment = direction === "out" ? string.segment << 15 : 0;
  const instruction = addressSizeBits(string.addressSize) | segment;
  return { reason: REASON.IO_INSTRUCTION, qualification, linear: string.linear, instruction };
}

const EPTP_ACCESSED_DIRTY = 1n << 6n;

/** With accessed and dirty flags, an access to an entry of the guest's tables counts as a write, too. */
function ofNestedFault(fault: NestedFault, { eptp }: VmxGuest): ExitInformation {
  const { guestPhysical: physical, linear, access, ofWalk, rights, misconfigured } = fault;
  if (misconfigured) return { reason: REASON.EPT_MISCONFIGURATION, physical };
  const asWrite = ofWalk && ((eptp ?? 0n) & EPTP_ACCESSED_DIRTY) !== 0n;
  const write = access.write || asWrite;
  const read = asWrite || (!access.write && !access.fetch);
  const bits =
    (read ? 1 : 0) |
    (write ? 2 : 0) |
    (access.fetch && !ofWalk ? 4 : 0) |
    (rights.read ? 8 : 0) |
    (rights.write ? 16 : 0) |
    (rights.execute ? 32 : 0) |
    (linear === undefined ? 0 : 1 << 7) |
    (linear === undefined || ofWalk ? 0 : 1 << 8);
  return {
    reason: REASON.EPT_VIOLATION,
    qualification: BigInt(bits),
    physical,
    ...(linear === undefined ? {} : { linear }),
  };
}

const taskSources = { call: 0, return: 1, jump: 2, interrupt: 3 } as const;

const { VALID, TYPE_SHIFT, TYPE } = INTERRUPTION;
const NMI = (VALID | (TYPE.NMI << TYPE_SHIFT) | 2) >>> 0;

const simple = {
  init: REASON.INIT,
  "interrupt-window": REASON.INTERRUPT_WINDOW,
  "nmi-window": REASON.NMI_WINDOW,
  "preemption-timer": REASON.PREEMPTION_TIMER,
  "monitor-trap": REASON.MONITOR_TRAP_FLAG,
  "triple-fault": REASON.TRIPLE_FAULT,
  "tpr-below-threshold": REASON.TPR_BELOW_THRESHOLD,
} as const;

/** `acknowledges`: "acknowledge interrupt on exit". */
export function informationFor(cause: ExitCause, guest: VmxGuest, acknowledges: boolean): ExitInformation {
  switch (cause.kind) {
    case "instruction":
      return ofInstruction(cause);
    case "control-register":
      return ofControlRegister(cause);
    case "debug-register": {
      const bits = cause.number | (cause.access === "read" ? 1 << 4 : 0) | (cause.register << 8);
      return { reason: REASON.DEBUG_REGISTER, qualification: BigInt(bits) };
    }
    case "port":
      return ofPort(cause);
    case "msr":
      return { reason: cause.access === "read" ? REASON.RDMSR : REASON.WRMSR };
    case "exception": {
      const { event, payload } = cause;
      const { errorCode } = event;
      return {
        reason: REASON.EXCEPTION_OR_NMI,
        qualification: BigInt(payload),
        interruption: informationOf(event),
        ...(errorCode === undefined ? {} : { errorCode }),
      };
    }
    case "nmi":
      return { reason: REASON.EXCEPTION_OR_NMI, interruption: NMI };
    case "interrupt": {
      if (!acknowledges) return { reason: REASON.EXTERNAL_INTERRUPT };
      const interruption = informationOf({ vector: cause.acknowledge(), type: "interrupt" });
      return { reason: REASON.EXTERNAL_INTERRUPT, interruption };
    }
    case "sipi":
      return { reason: REASON.SIPI, qualification: BigInt(cause.vector) };
    case "task-switch": {
      const bits = (cause.selector | (taskSources[cause.source] << 30)) >>> 0;
      return { reason: REASON.TASK_SWITCH, qualification: BigInt(bits) };
    }
    case "nested-fault":
      return ofNestedFault(cause.fault, guest);
    case "virtual-interrupt":
      throw new TypeError("virtual interrupts are AMD-V's");
    default:
      return { reason: simple[cause.kind] };
  }
}
