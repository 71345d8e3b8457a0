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
import { physicalOf, readImage, readWord, wordOf, writeAddress, writeField, writeWord } from "./vmcs.js";

/** What ends the delivery of an event instead of interrupting it. */
const endsDelivery = (cause: ExitCause): boolean =>
  cause.kind === "triple-fault" || (cause.kind === "exception" && cause.event.vector === VECTOR.DF);

/** The event that was on its way. */
function recordVectoring(port: ProcessorPort, vmcs: number, vectoring: DeliveredEvent | undefined): void {
  writeWord(port, vmcs, "IDT-vectoring information field", vectoring === undefined ? 0 : informationOf(vectoring));
  if (vectoring?.errorCode !== undefined) writeWord(port, vmcs, "IDT-vectoring error code", vectoring.errorCode);
}

function record(
  port: ProcessorPort,
  vmcs: number,
  guest: VmxGuest,
  cause: ExitCause,
  vectoring: DeliveredEvent | undefined,
  length: number,
): void {
  const acknowledges = has(readWord(port, vmcs, "VM-exit controls"), EXIT["acknowledge interrupt on exit"]);
  const told = informationFor(cause, guest, acknowledges);
  writeWord(port, vmcs, "Exit reason", told.reason);
  writeField(port, vmcs, "Exit qualification", BigInt.asUintN(64, told.qualification ?? 0n));
  writeWord(port, vmcs, "VM-exit interruption information", told.interruption ?? 0);
  if (told.errorCode !== undefined) writeWord(port, vmcs, "VM-exit interruption error code", told.errorCode);
  recordVectoring(port, vmcs, endsDelivery(cause) ? undefined : vectoring);
  const bytes = cause.kind === "exception" ? (cause.event.length ?? vectoring?.length) : vectoring?.length;
  writeWord(port, vmcs, "VM-exit instruction length", bytes ?? length);
  if (told.instruction !== undefined) writeWord(port, vmcs, "VM-exit instruction information", told.instruction);
  if (told.linear !== undefined) writeAddress(port, vmcs, "Guest-linear address", told.linear);
  if (told.physical !== undefined) writeAddress(port, vmcs, "Guest-physical address", told.physical);
  const injected = readWord(port, vmcs, "VM-entry interruption-information field");
  writeWord(port, vmcs, "VM-entry interruption-information field", injected & ~INTERRUPTION.VALID);
}

/** Whether NMIs wait when the host goes on: the one that caused the exit has begun; with virtual NMIs a guest blocks none. */
function blocksNmis(port: ProcessorPort, { pin }: VmxGuest, cause: ExitCause): boolean {
  if (cause.kind === "nmi") return true;
  return !has(pin, PIN["virtual NMIs"]) && port.between.pending.nmiBlocked;
}

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
  record(port, current, guest, cause, vectoring, length);
  settleGuest(port, cause, vectoring);
  saveGuestState(port, current, readWord(port, current, "VM-exit controls"), guest, rip);
  const nmiBlocked = blocksNmis(port, guest, cause);
  if (cause.kind === "nmi") port.setBetween({ pending: { ...port.between.pending, nmi: false } });
  port.setSystem({ virtualization: Object.freeze({ ...state, guest: undefined }) });
  const image = readImage(port, current);
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
