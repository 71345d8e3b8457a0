/**
 * VM exit: what happened is written to the VMCS, the guest's state is saved, and the host's is loaded.
 * Spec: SDM Vol. 3C, "VM Exits".
 */
import type { DeliveredEvent, ExitCause } from "../cpu/guest-operation.js";
import { type ProcessorPort, VECTOR } from "../cpu/processor.js";
import { isLong } from "../cpu/state.js";
import { EXIT, has, PIN } from "./controls.js";
import { INTERRUPTION, informationOf } from "./events.js";
import { informationFor } from "./exit-information.js";
import { saveGuestState } from "./guest-state.js";
import { ABORT, abort, loadHostState } from "./host-state.js";
import { storeMsrs } from "./msr-areas.js";
import { settleGuest } from "./settled-guest.js";
import type { VmxGuest, VmxState } from "./state.js";
import {
  indexOf,
  newImage,
  physicalOf,
  readImage,
  setAddress,
  setQuad,
  type VmcsImage,
  wordOf,
  writeImage,
} from "./vmcs.js";

const AT = {
  exitControls: indexOf("VM-exit controls"),
  reason: indexOf("Exit reason"),
  qualification: indexOf("Exit qualification"),
  interruption: indexOf("VM-exit interruption information"),
  errorCode: indexOf("VM-exit interruption error code"),
  vectoring: indexOf("IDT-vectoring information field"),
  vectoringErrorCode: indexOf("IDT-vectoring error code"),
  length: indexOf("VM-exit instruction length"),
  instruction: indexOf("VM-exit instruction information"),
  linear: indexOf("Guest-linear address"),
  physical: indexOf("Guest-physical address"),
  injected: indexOf("VM-entry interruption-information field"),
} as const;

/** What ends the delivery of an event instead of interrupting it. */
const endsDelivery = (cause: ExitCause): boolean =>
  cause.kind === "triple-fault" || (cause.kind === "exception" && cause.event.vector === VECTOR.DF);

/** The event that was on its way. */
function recordVectoring(image: VmcsImage, vectoring: DeliveredEvent | undefined): void {
  image[AT.vectoring] = vectoring === undefined ? 0 : informationOf(vectoring);
  if (vectoring?.errorCode !== undefined) image[AT.vectoringErrorCode] = vectoring.errorCode;
}

function record(
  image: VmcsImage,
  guest: VmxGuest,
  cause: ExitCause,
  vectoring: DeliveredEvent | undefined,
  length: number,
): void {
  const acknowledges = has(image[AT.exitControls]!, EXIT["acknowledge interrupt on exit"]);
  const told = informationFor(cause, guest, acknowledges);
  image[AT.reason] = told.reason;
  setQuad(image, AT.qualification, BigInt.asUintN(64, told.qualification ?? 0n));
  image[AT.interruption] = told.interruption ?? 0;
  if (told.errorCode !== undefined) image[AT.errorCode] = told.errorCode;
  recordVectoring(image, endsDelivery(cause) ? undefined : vectoring);
  const bytes = cause.kind === "exception" ? (cause.event.length ?? vectoring?.length) : vectoring?.length;
  image[AT.length] = bytes ?? length;
  if (told.instruction !== undefined) image[AT.instruction] = told.instruction;
  if (told.linear !== undefined) setAddress(image, AT.linear, told.linear);
  if (told.physical !== undefined) setAddress(image, AT.physical, told.physical);
  image[AT.injected]! &= ~INTERRUPTION.VALID;
}

/** Whether NMIs wait when the host goes on: the one that caused the exit has begun; with virtual NMIs a guest blocks none. */
function blocksNmis(port: ProcessorPort, { pin }: VmxGuest, cause: ExitCause): boolean {
  if (cause.kind === "nmi") return true;
  return !has(pin, PIN["virtual NMIs"]) && port.between.pending.nmiBlocked;
}

/** The region as it was found, and as it is left. */
const found = newImage();
const image = newImage();

/**
 * Leaves the guest. `rip` is where it would go on. Throws `TripleFault` where the exit cannot be completed: the processor
 * shuts down.
 */
export function leaveGuest(
  port: ProcessorPort,
  cause: ExitCause,
  vectoring: DeliveredEvent | undefined,
  length: number,
  rip: number,
): void {
  const state = port.system.virtualization as VmxState;
  const { current, guest } = state;
  if (current === undefined || guest === undefined) throw new TypeError("there is no guest to leave");
  readImage(port, current, found);
  image.set(found);
  record(image, guest, cause, vectoring, length);
  settleGuest(port, cause, vectoring);
  saveGuestState(port, image, image[AT.exitControls]!, guest, rip);
  writeImage(port, current, image, found);
  const nmiBlocked = blocksNmis(port, guest, cause);
  if (cause.kind === "nmi") port.setBetween({ pending: { ...port.between.pending, nmi: false } });
  port.setSystem({ virtualization: { kind: "vmx", region: state.region, current, guest: undefined } });
  const stored = storeMsrs(
    port,
    physicalOf(image, "VM-exit MSR-store address"),
    wordOf(image, "VM-exit MSR-store count"),
  );
  if (stored !== undefined) abort(port, current, ABORT.SAVING_MSRS);
  const long = has(wordOf(image, "VM-exit controls"), EXIT["host address-space size"]);
  if (isLong(port.system) && !long) abort(port, current, ABORT.HOST_SIZE);
  loadHostState(port, current, image, nmiBlocked);
}
