/**
 * What a VM exit is answered with, by its reason.
 * Spec: SDM Vol. 3C, "VM Exits", and Appendix C "VMX Basic Exit Reasons".
 */

import { loadIdentity } from "../../../hardware/cpu/cpuid.js";
import { FAULT_CLASS } from "../../../hardware/cpu/exceptions.js";
import type { AccessSize } from "../../../hardware/cpu/processor.js";
import { VECTOR, vectorNames } from "../../../hardware/cpu/processor.js";
import { ACCESS, EFER, FLAG } from "../../../hardware/cpu/state.js";
import { entryContext } from "../../../hardware/vmx/check-context.js";
import { firstFailed } from "../../../hardware/vmx/entry-checks.js";
import { eventOf, INTERRUPTION } from "../../../hardware/vmx/events.js";
import { ENTRY_FAILURE, exitReasons, REASON } from "../../../hardware/vmx/exit-reasons.js";
import { countStep, halt, stop } from "../../control.js";
import type { Host } from "../../host.js";
import { hasSeveral } from "../../virtual-processors.js";
import { endTurn } from "../../vm-turns.js";
import {
  type Answer,
  type Answered,
  countException,
  deliverEvent,
  emulate as emulateBy,
  note,
  raise,
  simulate,
  type VirtualAccess,
} from "../emulation.js";
import { followPolls } from "../polling.js";
import { ownOf, readCpu, readWhole, writeCpu, writeWhole } from "./state-access.js";
import { readAddress, readQuad, readWord, write } from "./vmcs.js";

const RAX = 0;
const BLOCKED = 3;
const TRAP_FLAG = 1 << 8;

/** The guest goes on behind the instruction that left it, which was executed for it. Gives where that is. */
function skip({ port }: Host): number {
  const rip = readAddress(port, "Guest RIP") + readWord(port, "VM-exit instruction length");
  const long = (readWord(port, "Guest IA32_EFER") & EFER.LMA) !== 0;
  write(port, "Guest RIP", long ? rip : rip >>> 0);
  const blocking = readWord(port, "Guest interruptibility state");
  if ((blocking & BLOCKED) !== 0) write(port, "Guest interruptibility state", blocking & ~BLOCKED);
  if ((readWord(port, "Guest RFLAGS") & TRAP_FLAG) !== 0) write(port, "Guest pending debug exceptions", 0x4000);
  return rip;
}

/** An exception for the guest, which the entry delivers. The frame of a fault says RF, as that of a bare machine does. */
export function inject(host: Host, number: number, vector: number, errorCode: number | undefined): void {
  if (hasSeveral(host.vm(number))) {
    raise(host, number, access, vector, errorCode);
    return;
  }
  const { VALID, TYPE, TYPE_SHIFT, ERROR_CODE } = INTERRUPTION;
  const type = TYPE.HARDWARE_EXCEPTION << TYPE_SHIFT;
  const withCode = errorCode === undefined ? 0 : ERROR_CODE;
  write(host.port, "VM-entry interruption-information field", (VALID | type | withCode | vector) >>> 0);
  if (errorCode !== undefined) write(host.port, "VM-entry exception error code", errorCode);
  if (((FAULT_CLASS >>> vector) & 1) !== 0)
    write(host.port, "Guest RFLAGS", (readWord(host.port, "Guest RFLAGS") | FLAG.RF) >>> 0);
  countException(host, number);
}

export const access: VirtualAccess = { read: readCpu, write: writeCpu, readWhole, writeWhole, inject };
export const emulate: Answered = (host, number) => emulateBy(host, number, access);

/**
 * What was on its way to a handler is delivered for the guest: through memory that it has not, or a task gate. INT n, INT3 and INTO are
 * instructions that are executed again.
 */
function emulateOrDeliver(host: Host, number: number): Answer {
  const vectoring = readWord(host.port, "IDT-vectoring information field");
  const event = eventOf(vectoring, readWord(host.port, "IDT-vectoring error code"), 0);
  if (event === undefined || event === "mtf" || event.length !== undefined) return emulate(host, number);
  return deliverEvent(host, number, access, event);
}

/** IN and OUT without strings need nothing but the qualification. */
function portAccess(host: Host, number: number): Answer {
  const qualification = readWord(host.port, "Exit qualification");
  if ((qualification & (1 << 4)) !== 0) return emulate(host, number);
  const size = ((qualification & 7) + 1) as AccessSize;
  const port = qualification >>> 16;
  const board = host.board(number);
  if ((qualification & (1 << 3)) !== 0) {
    const value = board.portRead(port, size);
    const old = host.port.getRegister(RAX);
    const kept = size === 4 ? 0 : old - (old % 2 ** (8 * size));
    // A write of 32 bits clears the upper half in 64-bit code; where there is none it is clear.
    if (size === 4) host.port.setRegister(RAX, value);
    else host.port.setRegister(RAX, kept + value, host.port.getRegisterHigh(RAX));
  } else {
    const value = host.port.getRegister(RAX);
    board.portWrite(port, size, size === 4 ? value : value % 2 ** (8 * size));
  }
  const at = skip(host);
  countStep(host, number);
  if ((qualification & (1 << 3)) === 0) return { effect: "device access", instruction: "OUT" };
  const goesOn = followPolls(host, number, access, port, at);
  return { effect: goesOn ? "device access, simulated on" : "device access", instruction: "IN" };
}

/** CPUID needs nothing but registers that are where they are, and the guest's mode. */
function cpuid(host: Host, number: number): Answer {
  const { port } = host;
  const { localApic, apicId, processors } = host.board(number);
  const long = (readWord(port, "Guest IA32_EFER") & EFER.LMA) !== 0;
  const code64 = long && (readWord(port, "Guest CS access rights") & ACCESS.LONG) !== 0;
  const place = { apic: localApic?.on ?? false, apicId, processors, code64 };
  loadIdentity(port, host.vm(number).cpu.system.model, place);
  skip(host);
  countStep(host, number);
  return { effect: "emulated", instruction: "CPUID" };
}

/** VMX instructions of a guest: it has no VT-x of its own. */
function undefinedInstruction(host: Host, number: number): Answer {
  inject(host, number, 6, undefined);
  return { effect: "#UD injected" };
}

export const answers: Readonly<Record<number, Answered>> = {
  [REASON.EXCEPTION_OR_NMI]: (host, number) => {
    const vector = readWord(host.port, "VM-exit interruption information") & 0xff;
    if (vector === VECTOR.UD && host.vm(number).supervisors !== undefined) {
      simulate(host, number, access);
      return { effect: "simulated" };
    }
    inject(host, number, vector, undefined);
    return { effect: `${vectorNames[vector]} injected` };
  },
  [REASON.EXTERNAL_INTERRUPT]: (host) => {
    host.endOfInterrupt(readWord(host.port, "VM-exit interruption information") & 0xff);
    return { effect: "host interrupt" };
  },
  [REASON.TRIPLE_FAULT]: (host, number) => {
    // RF is saved for the fault; a processor that shuts down is as it was before. The step that was not made is the guest's last.
    write(host.port, "Guest RFLAGS", (readWord(host.port, "Guest RFLAGS") & ~FLAG.RF) >>> 0);
    countStep(host, number);
    stop(host, number, { reason: "triple-fault" });
    return { effect: "stopped" };
  },
  [REASON.INTERRUPT_WINDOW]: () => ({ effect: "interrupt due" }),
  [REASON.HLT]: (host, number) => {
    skip(host);
    countStep(host, number);
    halt(host, number, (readWord(host.port, "Guest RFLAGS") & FLAG.IF) !== 0);
    return { effect: "halted", instruction: "HLT" };
  },
  [REASON.PAUSE]: (host, number) => {
    skip(host);
    countStep(host, number);
    endTurn(host, number, "PAUSE");
    return { effect: "end of turn", instruction: "PAUSE" };
  },
  [REASON.IO_INSTRUCTION]: portAccess,
  [REASON.CPUID]: cpuid,
  [REASON.RDPMC]: emulate,
  [REASON.RDTSC]: emulate,
  [REASON.RDTSCP]: emulate,
  [REASON.CONTROL_REGISTER]: emulate,
  [REASON.RDMSR]: emulate,
  [REASON.WRMSR]: emulate,
  [REASON.MWAIT]: emulate,
  [REASON.MONITOR]: emulate,
  [REASON.INVLPG]: emulate,
  [REASON.INVD]: emulate,
  [REASON.WBINVD]: emulate,
  [REASON.RDRAND]: emulate,
  [REASON.RDSEED]: emulate,
  [REASON.TASK_SWITCH]: emulateOrDeliver,
  [REASON.EPT_VIOLATION]: emulateOrDeliver,
  ...Object.fromEntries(
    (
      [
        ...([
          "VMCALL",
          "VMCLEAR",
          "VMLAUNCH",
          "VMPTRLD",
          "VMPTRST",
          "VMREAD",
          "VMRESUME",
          "VMWRITE",
          "VMXOFF",
        ] as const),
        ...(["VMXON", "INVEPT", "INVVPID", "VMFUNC"] as const),
      ] as const
    ).map((name) => [REASON[name], undefinedInstruction]),
  ),
};

/** What is said of an exit that has no answer; of an entry that failed, the check that did. */
function unanswered(host: Host, number: number, told: number, name: string): string {
  const qualification = readQuad(host.port, "Exit qualification").toString(16);
  const failed =
    (told & ENTRY_FAILURE) !== 0 ? firstFailed("guest", entryContext(host.port, ownOf(host, number).vmcs)) : undefined;
  return `VM exit "${name}" (0x${told.toString(16)}, qualification 0x${qualification})${failed === undefined ? "" : `: ${failed.sentence}`}`;
}

/** Answers the exit that the current VMCS tells of, and writes it into the VM's ledger. */
export function answer(host: Host, number: number, first: Readonly<Record<number, Answered>> = {}): void {
  const told = readWord(host.port, "Exit reason");
  const reason = told & 0xffff;
  const name = exitReasons.get(reason)?.name ?? `reason ${reason}`;
  const answered = (told & ENTRY_FAILURE) === 0 ? (first[reason] ?? answers[reason]) : undefined;
  let what: Answer;
  if (answered === undefined) {
    stop(host, number, { reason: "unsupported", detail: unanswered(host, number, told, name) });
    what = { effect: "stopped" };
  } else what = answered(host, number);
  note(host, number, name, reason, what);
}
