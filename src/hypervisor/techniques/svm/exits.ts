/**
 * What a #VMEXIT is answered with, by its code.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "Instruction Intercepts", Appendix C "SVM Intercept Exit Codes".
 */
import { FAULT_CLASS } from "../../../hardware/cpu/exceptions.js";
import type { AccessSize } from "../../../hardware/cpu/processor.js";
import { FLAG } from "../../../hardware/cpu/state.js";
import { refusedState } from "../../../hardware/svm/consistency.js";
import { decodeEvent, isEvent } from "../../../hardware/svm/event.js";
import { exitCodes } from "../../../hardware/svm/exit-codes.js";
import { readField, vmcbField } from "../../../hardware/svm/vmcb.js";
import { countStep, stop } from "../../control.js";
import type { Host } from "../../host.js";
import { hasSeveral } from "../../virtual-processors.js";
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
import { changeVmcb, ownOf, putException, readCpu, readWhole, writeCpu, writeWhole } from "./state-access.js";
import { lowOf, putWords } from "./vmcb.js";

/** An exception for the guest, which the entry delivers. The frame of a fault says RF, as that of a bare machine does. */
function inject(host: Host, number: number, vector: number, errorCode: number | undefined): void {
  if (hasSeveral(host.vm(number))) {
    raise(host, number, access, vector, errorCode);
    return;
  }
  changeVmcb(host, ownOf(host, number).vmcb, (image) => {
    putException(image, vector, errorCode);
    if (((FAULT_CLASS >>> vector) & 1) !== 0) putWords(image, "RFLAGS", lowOf(image, "RFLAGS") | FLAG.RF, 0);
  });
  countException(host, number);
}

export const access: VirtualAccess = { read: readCpu, write: writeCpu, readWhole, writeWhole, inject };
const emulate: Answered = (host, number) => emulateBy(host, number, access);

const offsetOf = (name: string): number => vmcbField(name).offset;
const AT = {
  rax: offsetOf("RAX"),
  rip: offsetOf("RIP"),
  rflags: offsetOf("RFLAGS"),
  dr7: offsetOf("DR7"),
  shadow: offsetOf("INTERRUPT_SHADOW"),
  info1: offsetOf("EXITINFO1"),
  info2: offsetOf("EXITINFO2"),
} as const;
const STRING = 1 << 2;
const IN = 1;
const BREAKPOINTS = 0xff;

/** IN and OUT without strings need nothing but EXITINFO1, and EXITINFO2 for where the guest goes on. */
function portAccess(host: Host, number: number): Answer {
  const { port } = host;
  const { vmcb } = ownOf(host, number);
  const info = port.readPhysical(vmcb + AT.info1);
  const rflags = port.readPhysical(vmcb + AT.rflags);
  const debugged = (rflags & FLAG.TF) !== 0 || (port.readPhysical(vmcb + AT.dr7) & BREAKPOINTS) !== 0;
  if ((info & STRING) !== 0 || debugged) return emulate(host, number);
  const size = ((info >>> 4) & 7) as AccessSize;
  const isIn = (info & IN) !== 0;
  const board = host.board(number);
  const old = port.readPhysical(vmcb + AT.rax);
  const mask = size === 4 ? 0xffff_ffff : 2 ** (8 * size) - 1;
  if (isIn) {
    const value = board.portRead(info >>> 16, size);
    port.writePhysical(vmcb + AT.rax, ((old & ~mask) | value) >>> 0);
    // A write of 32 bits clears the upper half in 64-bit code; where there is none it is clear.
    if (size === 4) port.writePhysical(vmcb + AT.rax + 4, 0);
  } else board.portWrite(info >>> 16, size, (old & mask) >>> 0);
  for (const half of [0, 4]) port.writePhysical(vmcb + AT.rip + half, port.readPhysical(vmcb + AT.info2 + half));
  if ((rflags & FLAG.RF) !== 0) port.writePhysical(vmcb + AT.rflags, (rflags & ~FLAG.RF) >>> 0);
  if (port.readPhysical(vmcb + AT.shadow) !== 0) port.writePhysical(vmcb + AT.shadow, 0);
  countStep(host, number);
  if (!isIn) return { effect: "device access", instruction: "OUT" };
  const goesOn = followPolls(host, number, access, info >>> 16, port.readPhysical(vmcb + AT.info2));
  return { effect: goesOn ? "device access, simulated on" : "device access", instruction: "IN" };
}

/**
 * Memory that the guest has not: its devices, or none. What was on its way to a handler is delivered for it; INT n, INT3 and INTO are
 * instructions that are executed again.
 */
function beyondMemory(host: Host, number: number): Answer {
  const vectoring = readField(host.port, ownOf(host, number).vmcb, "EXITINTINFO");
  if (!isEvent(vectoring)) return emulate(host, number);
  const event = decodeEvent(vectoring, 0);
  const isInstruction = event.type === "software" || event.type === "software exception";
  return isInstruction ? emulate(host, number) : deliverEvent(host, number, access, event);
}

const answersByName: Readonly<Record<string, Answered>> = {
  INTR: (host) => {
    host.interruptWaits = true;
    return { effect: "host interrupt" };
  },
  VINTR: () => ({ effect: "interrupt due" }),
  EXCP6: (host, number) => {
    simulate(host, number, access);
    return { effect: "simulated" };
  },
  SHUTDOWN: (host, number) => {
    // The step that was not made is the guest's last.
    countStep(host, number);
    stop(host, number, { reason: "triple-fault" });
    return { effect: "stopped" };
  },
  IOIO: portAccess,
  NPF: beyondMemory,
  ...Object.fromEntries(
    [
      ...["MSR", "CR8_READ", "CR8_WRITE", "CPUID", "HLT", "INVD", "MONITOR", "MWAIT", "RDPMC", "PAUSE"],
      // A guest has no AMD-V of its own: they are undefined where its EFER says so.
      ...["VMRUN", "VMMCALL", "VMLOAD", "VMSAVE", "STGI", "CLGI", "SKINIT", "INVLPGA"],
    ].map((name) => [name, emulate]),
  ),
};

const PREFIX = "VMEXIT_";
/** By EXITCODE: its name, and what is done. */
const answers = new Map(
  exitCodes.map(({ code, name }) => [code, { name, answered: answersByName[name.slice(PREFIX.length)] }]),
);

/** What is said of an exit that has no answer; of a VMRUN that was refused, the check that did. */
function unanswered(host: Host, number: number, name: string): string {
  const { vmcb } = ownOf(host, number);
  const info = readField(host.port, vmcb, "EXITINFO1").toString(16);
  const refused = refusedState(host.port, vmcb);
  return `${name} (EXITINFO1 0x${info})${refused === undefined ? "" : `: ${refused}`}`;
}

/** Answers the exit that the VMCB tells of, and writes it into the VM's ledger. */
export function answer(host: Host, number: number): void {
  const code = readField(host.port, ownOf(host, number).vmcb, "EXITCODE");
  const { name = `EXITCODE 0x${code.toString(16)}`, answered } = answers.get(code) ?? {};
  let what: Answer;
  if (answered === undefined) {
    stop(host, number, { reason: "unsupported", detail: unanswered(host, number, name) });
    what = { effect: "stopped" };
  } else what = answered(host, number);
  note(host, number, name, Number(BigInt.asIntN(64, code)), what);
}
