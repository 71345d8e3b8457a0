/**
 * VMRUN behind its checks: saves the host, loads the guest of a VMCB, and lets it go on.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "VMRUN", "Nested Paging Support", "Event Injection", "TLB Control".
 */
import { readPdptes, usesPae } from "../cpu/control-registers.js";
import { VmExit } from "../cpu/guest-operation.js";
import { includes } from "../cpu/model.js";
import { Fault, type ProcessorPort } from "../cpu/processor.js";
import { FLAG } from "../cpu/state.js";
import { refusedState } from "./consistency.js";
import { decodeEvent, isEvent } from "./event.js";
import { hostSaveArea, leave, leaveInvalid } from "./exit.js";
import { setSvm } from "./interrupts.js";
import type { SvmGuest } from "./state.js";
import { loadPat, loadState, savePat, saveState } from "./state-save.js";
import { readField, readNumber } from "./vmcb.js";

const INTERCEPT_WORDS = 6;
const page = (value: bigint): number => Number(value & ~0xfffn);

function nestedControls(port: ProcessorPort, vmcb: number): SvmGuest["nested"] {
  if (readNumber(port, vmcb, "NP_ENABLE") === 0) return undefined;
  const { cr0, cr4, efer } = port.system;
  const cr3 = page(readField(port, vmcb, "N_CR3"));
  const same = last.cr3 === cr3 && last.cr0 === cr0 && last.cr4 === cr4 && last.efer === efer;
  if (!same) last = Object.freeze({ cr3, cr0, cr4, efer });
  return last;
}

/** The same values give the same record: what is remembered of nested translations is known by it. */
let last: NonNullable<SvmGuest["nested"]> = Object.freeze({ cr3: 0, cr0: 0, cr4: 0, efer: 0 });

function interruptControls(port: ProcessorPort, vmcb: number): SvmGuest["virtualInterrupt"] {
  const read = (name: string): number => readNumber(port, vmcb, name);
  if (read("V_IRQ") === 0) return undefined;
  return Object.freeze({
    vector: read("V_INTR_VECTOR"),
    priority: read("V_INTR_PRIO"),
    ignoresPriority: read("V_IGN_TPR") !== 0,
  });
}

/** The controls of a VMCB, as the processor keeps them while the guest runs. */
export function readControls(port: ProcessorPort, vmcb: number): SvmGuest {
  const masking = readNumber(port, vmcb, "V_INTR_MASKING") !== 0;
  return Object.freeze({
    vmcb,
    intercepts: Object.freeze(Array.from({ length: INTERCEPT_WORDS }, (_, word) => port.readPhysical(vmcb + 4 * word))),
    ioPermissions: page(readField(port, vmcb, "IOPM_BASE_PA")),
    msrPermissions: page(readField(port, vmcb, "MSRPM_BASE_PA")),
    timestampOffset: BigInt.asIntN(64, readField(port, vmcb, "TSC_OFFSET")),
    asid: readNumber(port, vmcb, "GUEST_ASID"),
    virtualTaskPriority: readNumber(port, vmcb, "V_TPR"),
    virtualInterrupt: interruptControls(port, vmcb),
    hostInterrupts: masking ? (port.getEflags() & FLAG.IF) !== 0 : undefined,
    nested: nestedControls(port, vmcb),
    shadow: readNumber(port, vmcb, "INTERRUPT_SHADOW") !== 0,
  });
}

/** Bytes between RIP and NRIP, which an injected INT n, INT3 or INTO returns behind; 0 without NRIP. */
function injectedLength(port: ProcessorPort, vmcb: number): number {
  const next = readField(port, vmcb, "NRIP");
  if (!includes(port.system.model, "NRIPS") || next === 0n) return 0;
  return Number(BigInt.asIntN(64, next - readField(port, vmcb, "RIP")));
}

/**
 * PDPTE registers of a guest with PAE paging. False where a reserved bit is set. With nested paging they are read through
 * the nested tables, which may refuse: `VmExit`.
 */
function loadPdptes(port: ProcessorPort): boolean {
  const { cr0, cr3, cr4, efer } = port.system;
  if (!usesPae(cr0, cr4, efer)) return true;
  try {
    port.setSystem({ pdptes: readPdptes(port, cr3) });
    return true;
  } catch (thrown) {
    if (thrown instanceof Fault) return false;
    throw thrown;
  }
}

/** Runs the guest of the VMCB at a physical address; goes on in it, or behind VMRUN where it is refused. */
export function run(port: ProcessorPort, vmcb: number): void {
  const area = hostSaveArea(port);
  const guest = readControls(port, vmcb);
  const nested = guest.nested !== undefined;
  saveState(port, area, port.nextEip);
  if (nested) savePat(port, area);
  if (refusedState(port, vmcb) !== undefined) {
    leaveInvalid(port, vmcb, nested);
    port.inject(undefined);
    return;
  }
  const event = readField(port, vmcb, "EVENTINJ");
  setSvm(port, true, guest);
  loadState(port, vmcb);
  if (nested) loadPat(port, vmcb);
  port.setBetween({
    halted: false,
    shadow: guest.shadow ? "sti" : "none",
    pending: { ...port.between.pending, debug: 0 },
  });
  try {
    const refused = !loadPdptes(port);
    if (refused) leaveInvalid(port, vmcb, nested);
    port.inject(isEvent(event) && !refused ? decodeEvent(event, injectedLength(port, vmcb)) : undefined);
  } catch (thrown) {
    if (!(thrown instanceof VmExit)) throw thrown;
    leave(port, thrown, undefined, 0);
    port.inject(undefined);
  }
}
