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
import { withDebug } from "../cpu/shared-records.js";
import { encodeEvent } from "./event.js";
import { type ExitInfo, exitInfo, isInstruction } from "./exit-info.js";
import { INVALID, runningGuest } from "./intercepts.js";
import { setSvm } from "./interrupts.js";
import type { SvmGuest } from "./state.js";
import { loadPat, loadState, savePat, saveState } from "./state-save.js";
import { indexOf, newImage, readImage, setQuad, writeImage } from "./vmcb.js";

/** Debug registers of the host are not saved: DR7 is left with nothing enabled. */
const DR7_DISABLED = 0x400;
const DR6 = 4;

/** Where the host's state is; what lies there is the processor's own affair. Here it is a state-save area as a VMCB has it. */
export const hostSaveArea = ({ system: { msrs } }: ProcessorPort): number => Number(msrs["VM_HSAVE_PA"] ?? 0n);

/** The address behind an instruction of the guest. */
function nextAddress(port: ProcessorPort, length: number): bigint {
  const next = port.eip + length;
  return port.codeBits === 64 ? BigInt.asUintN(64, BigInt(next)) : BigInt(next >>> 0);
}

/** Where fields are in an image. */
const AT = {
  /** V_TPR and V_IRQ, in bytes. */
  virtual: indexOf("V_TPR"),
  shadow: indexOf("INTERRUPT_SHADOW"),
  code: indexOf("EXITCODE"),
  info1: indexOf("EXITINFO1"),
  info2: indexOf("EXITINFO2"),
  vectoring: indexOf("EXITINTINFO"),
  event: indexOf("EVENTINJ"),
  next: indexOf("NRIP"),
} as const;
const V_IRQ = 1 << 8;

/** A VMCB as it was found, and as it is left. */
const found = newImage();
const image = newImage();

function saveGuest(port: ProcessorPort, guest: SvmGuest): void {
  const { virtualTaskPriority, virtualInterrupt, nested } = guest;
  saveState(port, image, port.eip);
  if (nested !== undefined) savePat(port, image);
  image[AT.shadow] = (image[AT.shadow]! & ~1) | (port.between.shadow === "none" ? 0 : 1);
  const others = image[AT.virtual]! & ~(0xff | V_IRQ);
  image[AT.virtual] = others | (virtualTaskPriority & 0xff) | (virtualInterrupt === undefined ? 0 : V_IRQ);
}

function putQuad(at: number, value: bigint): void {
  setQuad(image, at, Number(value & WORD), Number((value >> 32n) & WORD));
}
const WORD = 0xffff_ffffn;

function putInfo({ code, info1, info2 }: ExitInfo, vectoring: bigint): void {
  putQuad(AT.code, code);
  putQuad(AT.info1, info1);
  putQuad(AT.info2, info2);
  putQuad(AT.vectoring, vectoring);
  setQuad(image, AT.event, 0, 0);
}

/** The host goes on behind its VMRUN. An NMI that left the guest still waits. */
function loadHost(port: ProcessorPort, nested: boolean, nmi = false): void {
  const area = hostSaveArea(port);
  const { cr2 } = port.system;
  setSvm(port, false, undefined);
  readImage(port, area, image);
  loadState(port, image);
  if (nested) loadPat(port, image);
  const { debug } = port.system;
  // CR2 is not the host's: it stays what the guest left.
  port.setSystem({ cr2, debug: withDebug(debug, debug[DR6], DR7_DISABLED) });
  const { pending } = port.between;
  port.setBetween({ halted: false, shadow: "none", pending: { ...pending, debug: 0, nmi: pending.nmi || nmi } });
  const { cr0, cr3, cr4, efer } = port.system;
  if (!usesPae(cr0, cr4, efer)) return;
  try {
    port.setSystem({ pdptes: readPdptes(port, cr3) });
    port.invalidate();
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
  readImage(port, guest.vmcb, found);
  image.set(found);
  saveGuest(port, guest);
  putInfo(info, encodeEvent(vectoring));
  putQuad(AT.next, tellsNext(port, cause) ? next : 0n);
  writeImage(port, guest.vmcb, image, found);
  loadHost(port, guest.nested !== undefined, cause.kind === "nmi");
}

/** VMRUN refuses: the guest has not run, and its state stays as it was. */
export function leaveInvalid(port: ProcessorPort, vmcb: number, nested: boolean): void {
  readImage(port, vmcb, found);
  image.set(found);
  putInfo({ code: INVALID, info1: 0n, info2: 0n }, 0n);
  writeImage(port, vmcb, image, found);
  loadHost(port, nested);
}
