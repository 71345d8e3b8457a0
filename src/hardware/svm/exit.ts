/**
 * #VMEXIT: the guest's state goes to its VMCB, with why it was left; the host's is loaded, and GIF is clear.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "#VMEXIT", "Event Injection", "Nested Paging Support".
 */
import { readPdptes, usesPae } from "../cpu/control-registers.js";
import { recorded } from "../cpu/debug.js";
import { TripleFault } from "../cpu/exceptions.js";
import type { DeliveredEvent, ExitCause, VmExit } from "../cpu/guest-operation.js";
import { includes } from "../cpu/model.js";
import { Fault, type ProcessorPort, VECTOR } from "../cpu/processor.js";
import { encodeEvent } from "./event.js";
import { type ExitInfo, exitInfo, isInstruction } from "./exit-info.js";
import { INVALID, runningGuest } from "./intercepts.js";
import { setSvm } from "./interrupts.js";
import type { SvmGuest } from "./state.js";
import { loadPat, loadState, savePat, saveState } from "./state-save.js";
import { writeField } from "./vmcb.js";

/** Debug registers of the host are not saved: DR7 is left with nothing enabled. */
const DR7_DISABLED = 0x400;

/** Where the host's state is; what lies there is the processor's own affair. Here it is a state-save area as a VMCB has it. */
export const hostSaveArea = ({ system: { msrs } }: ProcessorPort): number => Number(msrs["VM_HSAVE_PA"] ?? 0n);

/** The address behind an instruction of the guest. */
function nextAddress(port: ProcessorPort, length: number): bigint {
  const next = port.eip + length;
  return port.codeBits === 64 ? BigInt.asUintN(64, BigInt(next)) : BigInt(next >>> 0);
}

function saveGuest(port: ProcessorPort, guest: SvmGuest): void {
  const { vmcb, virtualTaskPriority, virtualInterrupt, nested } = guest;
  saveState(port, vmcb, port.eip);
  if (nested !== undefined) savePat(port, vmcb);
  writeField(port, vmcb, "INTERRUPT_SHADOW", port.between.shadow === "none" ? 0 : 1);
  writeField(port, vmcb, "V_TPR", virtualTaskPriority);
  writeField(port, vmcb, "V_IRQ", virtualInterrupt === undefined ? 0 : 1);
}

function writeInfo(port: ProcessorPort, vmcb: number, { code, info1, info2 }: ExitInfo, vectoring: bigint): void {
  writeField(port, vmcb, "EXITCODE", code);
  writeField(port, vmcb, "EXITINFO1", info1);
  writeField(port, vmcb, "EXITINFO2", info2);
  writeField(port, vmcb, "EXITINTINFO", vectoring);
  writeField(port, vmcb, "EVENTINJ", 0n);
}

/** The host goes on behind its VMRUN. */
function loadHost(port: ProcessorPort, nested: boolean): void {
  const area = hostSaveArea(port);
  const { cr2 } = port.system;
  setSvm(port, false, undefined);
  loadState(port, area);
  if (nested) loadPat(port, area);
  const [dr0, dr1, dr2, dr3, dr6] = port.system.debug;
  // CR2 is not the host's: it stays what the guest left.
  port.setSystem({ cr2, debug: Object.freeze([dr0, dr1, dr2, dr3, dr6, DR7_DISABLED] as const) });
  port.setBetween({ halted: false, shadow: "none", pending: { ...port.between.pending, debug: 0 } });
  const { cr0, cr3, cr4, efer } = port.system;
  if (!usesPae(cr0, cr4, efer)) return;
  try {
    port.setSystem({ pdptes: readPdptes(port, cr3) });
  } catch (thrown) {
    if (thrown instanceof Fault) throw new TripleFault();
    throw thrown;
  }
}

/** Without decode assists nothing else is told of an instruction. */
const tellsNext = (port: ProcessorPort, cause: ExitCause): boolean =>
  includes(port.system.model, "NRIPS") && isInstruction(cause);

/** A #DB is in DR6 before it leaves the guest. */
function recordDebug(port: ProcessorPort, cause: ExitCause): void {
  if (cause.kind === "exception" && cause.event.vector === VECTOR.DB && cause.event.type === "exception")
    port.setSystem({ debug: recorded(port.system, cause.payload) });
}

/** Leaves the guest that runs. */
export function leave(
  port: ProcessorPort,
  { cause }: VmExit,
  vectoring: DeliveredEvent | undefined,
  length: number,
): void {
  const guest = runningGuest(port);
  if (guest === undefined) throw new TypeError("no guest of AMD-V runs");
  const next = nextAddress(port, length);
  const info = exitInfo(port, guest, cause, next);
  recordDebug(port, cause);
  saveGuest(port, guest);
  writeInfo(port, guest.vmcb, info, encodeEvent(vectoring));
  writeField(port, guest.vmcb, "NRIP", tellsNext(port, cause) ? next : 0n);
  loadHost(port, guest.nested !== undefined);
}

/** VMRUN refuses: the guest has not run, and its state stays as it was. */
export function leaveInvalid(port: ProcessorPort, vmcb: number, nested: boolean): void {
  writeInfo(port, vmcb, { code: INVALID, info1: 0n, info2: 0n }, 0n);
  loadHost(port, nested);
}
