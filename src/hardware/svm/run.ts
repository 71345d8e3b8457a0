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
import { fieldOf, indexOf, newImage, numberOf, quadAt, readImage, type VmcbImage, writeImage } from "./vmcb.js";

const INTERCEPT_WORDS = 6;
const page = (value: bigint): number => Number(value & ~0xfffn);

function nestedControls(port: ProcessorPort, image: VmcbImage): SvmGuest["nested"] {
  if (numberOf(image, "NP_ENABLE") === 0) return undefined;
  const { cr0, cr4, efer } = port.system;
  const cr3 = image[N_CR3 + 1]! * 2 ** 32 + ((image[N_CR3]! & ~0xfff) >>> 0);
  const same = last.cr3 === cr3 && last.cr0 === cr0 && last.cr4 === cr4 && last.efer === efer;
  if (!same) last = Object.freeze({ cr3, cr0, cr4, efer });
  return last;
}
const N_CR3 = indexOf("N_CR3");

/** The same values give the same record: what is remembered of nested translations is known by it. */
let last: NonNullable<SvmGuest["nested"]> = Object.freeze({ cr3: 0, cr0: 0, cr4: 0, efer: 0 });

function interruptControls(image: VmcbImage): SvmGuest["virtualInterrupt"] {
  const read = (name: string): number => numberOf(image, name);
  if (read("V_IRQ") === 0) return undefined;
  return Object.freeze({
    vector: read("V_INTR_VECTOR"),
    priority: read("V_INTR_PRIO"),
    ignoresPriority: read("V_IGN_TPR") !== 0,
  });
}

/** The controls of a VMCB, as the processor keeps them while the guest runs. */
function controlsOf(port: ProcessorPort, vmcb: number, image: VmcbImage, nested: SvmGuest["nested"]): SvmGuest {
  const masking = numberOf(image, "V_INTR_MASKING") !== 0;
  return Object.freeze({
    vmcb,
    intercepts: Object.freeze([...image.subarray(0, INTERCEPT_WORDS)]),
    ioPermissions: page(fieldOf(image, "IOPM_BASE_PA")),
    msrPermissions: page(fieldOf(image, "MSRPM_BASE_PA")),
    timestampOffset: BigInt.asIntN(64, fieldOf(image, "TSC_OFFSET")),
    asid: numberOf(image, "GUEST_ASID"),
    virtualTaskPriority: numberOf(image, "V_TPR"),
    virtualInterrupt: interruptControls(image),
    hostInterrupts: masking ? (port.getEflags() & FLAG.IF) !== 0 : undefined,
    nested,
  });
}

/** What controls follow from: the dwords up to the interrupt shadow, the nested tables, and IF of the host. Each entry has time of its own. */
interface Known {
  readonly words: Uint32Array;
  readonly enabled: boolean;
  readonly guest: SvmGuest;
}
const CONTROL_WORDS = indexOf("INTERRUPT_SHADOW") + 1;
const TIME = indexOf("TSC_OFFSET");
const LIMIT = 64;
const known = new Map<number, Known>();

function isSame(words: Uint32Array, image: VmcbImage): boolean {
  for (let index = 0; index < CONTROL_WORDS; index++)
    if (words[index] !== image[index] && index !== TIME && index !== TIME + 1) return false;
  return true;
}

function withOffset(guest: SvmGuest, image: VmcbImage): SvmGuest {
  const timestampOffset = BigInt.asIntN(64, quadAt(image, TIME));
  return timestampOffset === guest.timestampOffset ? guest : { ...guest, timestampOffset };
}

/** The same of the same words: a hypervisor enters a guest again and again without changing its controls. */
function readControls(port: ProcessorPort, vmcb: number, image: VmcbImage): SvmGuest {
  const nested = nestedControls(port, image);
  const enabled = (port.getEflags() & FLAG.IF) !== 0;
  const before = known.get(vmcb);
  if (before?.enabled === enabled && before.guest.nested === nested && isSame(before.words, image))
    return withOffset(before.guest, image);
  const guest = controlsOf(port, vmcb, image, nested);
  if (known.size >= LIMIT) known.clear();
  known.set(vmcb, { words: image.slice(0, CONTROL_WORDS), enabled, guest });
  return guest;
}

/** Bytes between RIP and NRIP, which an injected INT n, INT3 or INTO returns behind; 0 without NRIP. */
function injectedLength(port: ProcessorPort, image: VmcbImage): number {
  const next = fieldOf(image, "NRIP");
  if (!includes(port.system.model, "NRIPS") || next === 0n) return 0;
  return Number(BigInt.asIntN(64, next - fieldOf(image, "RIP")));
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
    port.invalidate();
    return true;
  } catch (thrown) {
    if (thrown instanceof Fault) return false;
    throw thrown;
  }
}

/** What the host's save area was, and what it becomes; and the VMCB. */
const found = newImage();
const host = newImage();
const image = newImage();
const NP_ENABLE = indexOf("NP_ENABLE");
const EVENT = indexOf("EVENTINJ");

/** Runs the guest of the VMCB at a physical address; goes on in it, or behind VMRUN where it is refused. */
export function run(port: ProcessorPort, vmcb: number): void {
  const area = hostSaveArea(port);
  const nested = (port.readPhysical(vmcb + 4 * NP_ENABLE) & 1) !== 0;
  readImage(port, area, found);
  host.set(found);
  saveState(port, host, port.nextEip);
  if (nested) savePat(port, host);
  writeImage(port, area, host, found);
  readImage(port, vmcb, image);
  const guest = readControls(port, vmcb, image);
  if (refusedState(port, vmcb, image) !== undefined) {
    leaveInvalid(port, vmcb, nested);
    port.inject(undefined);
    return;
  }
  const event = image[EVENT]! >>> 31 !== 0 ? quadAt(image, EVENT) : 0n;
  setSvm(port, true, guest);
  loadState(port, image);
  if (nested) loadPat(port, image);
  port.setBetween({
    halted: false,
    shadow: numberOf(image, "INTERRUPT_SHADOW") !== 0 ? "sti" : "none",
    pending: { ...port.between.pending, debug: 0 },
  });
  try {
    const refused = !loadPdptes(port);
    if (refused) leaveInvalid(port, vmcb, nested);
    port.inject(isEvent(event) && !refused ? decodeEvent(event, injectedLength(port, image)) : undefined);
  } catch (thrown) {
    if (!(thrown instanceof VmExit)) throw thrown;
    leave(port, thrown, undefined, 0);
    port.inject(undefined);
  }
}
