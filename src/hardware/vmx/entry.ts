/**
 * VM entry: the checks, the guest's state, the MSR-load area, and the event that is injected.
 * Spec: SDM Vol. 3C, "VM Entries".
 */
import type { ProcessorPort } from "../cpu/processor.js";
import { CR3_TARGETS } from "./capabilities.js";
import { type EntryContext, entryContext } from "./check-context.js";
import { has, PIN, PRIMARY, SECONDARY } from "./controls.js";
import { firstFailed, looksBeyond } from "./entry-checks.js";
import { eventOf } from "./events.js";
import { ENTRY_FAILURE, REASON } from "./exit-reasons.js";
import { type FieldName, fieldNames, fields } from "./fields.js";
import { loadGuestState, timerExpiry } from "./guest-state.js";
import { loadHostState } from "./host-state.js";
import { injects, knownEntry, OF_THE_ENTRY, rememberEntry } from "./known-entries.js";
import { loadMsrs } from "./msr-areas.js";
import { rememberedBy } from "./remembered.js";
import type { VmxGuest, VmxState } from "./state.js";
import { VM_ERROR } from "./vm-errors.js";
import { newImage, physicalOf, quadOf, setLaunched, wordOf, writeWord } from "./vmcs.js";

/** What the guest is held to, but for what time and the event that is injected make of it. */
function controlsOf(context: EntryContext): VmxGuest {
  const { image, pin, primary, secondary } = context;
  const word = (name: FieldName): number => wordOf(image, name);
  const targets = Array.from({ length: Math.min(word("CR3-target count"), CR3_TARGETS) }, (_, index) =>
    quadOf(image, `CR3-target value ${index as 0 | 1 | 2 | 3}`),
  );
  const ept = has(secondary, SECONDARY["enable EPT"]);
  return Object.freeze({
    pin,
    primary,
    secondary,
    exceptionBitmap: word("Exception bitmap"),
    pageFaultMask: word("Page-fault error-code mask"),
    pageFaultMatch: word("Page-fault error-code match"),
    ioBitmapA: physicalOf(image, "Address of I/O bitmap A"),
    ioBitmapB: physicalOf(image, "Address of I/O bitmap B"),
    msrBitmap: physicalOf(image, "Address of MSR bitmaps"),
    cr0Mask: word("CR0 guest/host mask"),
    cr0Shadow: word("CR0 read shadow"),
    cr4Mask: word("CR4 guest/host mask"),
    cr4Shadow: word("CR4 read shadow"),
    cr3Targets: Object.freeze(targets),
    timestampOffset: 0n,
    virtualApic: physicalOf(image, "Virtual-APIC address"),
    tprThreshold: word("TPR threshold"),
    eptp: ept ? quadOf(image, "EPT pointer") : undefined,
    vpid: has(secondary, SECONDARY["enable VPID"]) ? word("Virtual-processor identifier (VPID)") : 0,
    preemption: undefined,
    trapPending: false,
    functions: has(secondary, SECONDARY["enable VM functions"]) ? quadOf(image, "VM-function controls") : 0n,
    eptpList: physicalOf(image, "EPTP-list address"),
  });
}

const controls = rememberedBy<VmxGuest>(
  fieldNames.filter((name) => fields[name].type === "control" && !OF_THE_ENTRY.includes(name)),
);

/** The controls of a VMCS that is entered anew. */
function settledControls(context: EntryContext): VmxGuest {
  const { vmcs, image } = context;
  let guest = controls.get(vmcs, image);
  if (guest === undefined) {
    guest = controlsOf(context);
    controls.set(vmcs, image, guest);
  }
  if (!looksBeyond(context)) rememberEntry(context, guest);
  return guest;
}

/** What the guest is held to, by its controls and by what is the entry's own. */
function guestOf(port: ProcessorPort, context: EntryContext, guest: VmxGuest): VmxGuest {
  const { image, pin, primary } = context;
  const timer = has(pin, PIN["activate VMX-preemption timer"]);
  const trapPending = injects(image) && injectedEvent(context) === "mtf";
  const offset = has(primary, PRIMARY["use TSC offsetting"]) ? BigInt.asIntN(64, quadOf(image, "TSC offset")) : 0n;
  if (!timer && !trapPending && offset === guest.timestampOffset) return guest;
  const preemption = timer ? timerExpiry(port, wordOf(image, "VMX-preemption timer value")) : undefined;
  return { ...guest, timestampOffset: offset, preemption, trapPending };
}

/** The entry failed behind its first checks: the host goes on as after a VM exit, but nothing of a guest is saved. */
function failEntry(port: ProcessorPort, { vmcs, image }: EntryContext, reason: number, qualification: number): void {
  writeWord(port, vmcs, "Exit reason", (reason | ENTRY_FAILURE) >>> 0);
  writeWord(port, vmcs, "Exit qualification", qualification);
  loadHostState(port, vmcs, image, port.between.pending.nmiBlocked);
  port.inject(undefined);
}

const injectedEvent = ({ image }: EntryContext): ReturnType<typeof eventOf> =>
  eventOf(
    wordOf(image, "VM-entry interruption-information field"),
    wordOf(image, "VM-entry exception error code"),
    wordOf(image, "VM-entry instruction length"),
  );

function inject(port: ProcessorPort, context: EntryContext): void {
  const event = injects(context.image) ? injectedEvent(context) : undefined;
  if (event === undefined || event === "mtf") {
    port.inject(undefined);
    return;
  }
  const { pending } = port.between;
  const nmi = event.type === "nmi";
  port.setBetween({
    halted: false,
    shadow: "none",
    pending: nmi ? { ...pending, nmiBlocked: true } : pending,
  });
  port.inject(event);
}

/** Of the VMCS that is entered. */
const image = newImage();

/**
 * Enters the guest of the current VMCS, whose launch state has been checked. The guest runs from `port.nextEip` on; so does
 * the host where the entry failed late. Gives the number of the VM-instruction error where it failed at once.
 */
export function enterGuest(port: ProcessorPort, root: VmxState, launch: boolean): number | undefined {
  const context = entryContext(port, root.current!, image);
  const known = knownEntry(context);
  if (known === undefined) {
    if (firstFailed("control", context) !== undefined) return VM_ERROR.INVALID_CONTROLS;
    if (firstFailed("host", context) !== undefined) return VM_ERROR.INVALID_HOST_STATE;
    const failed = firstFailed("guest", context);
    if (failed !== undefined) {
      failEntry(port, context, REASON.INVALID_GUEST_STATE, failed.qualification ?? 0);
      return undefined;
    }
  }
  const { vmcs } = context;
  const held = known?.guest ?? settledControls(context);
  loadGuestState(port, context, known);
  const refused = loadMsrs(
    port,
    physicalOf(image, "VM-entry MSR-load address"),
    wordOf(image, "VM-entry MSR-load count"),
  );
  if (refused !== undefined) {
    failEntry(port, context, REASON.MSR_LOADING, refused);
    return undefined;
  }
  if (launch) setLaunched(port, vmcs, true);
  const guest = guestOf(port, context, held);
  port.setSystem({ virtualization: { kind: "vmx", region: root.region, current: vmcs, guest } });
  port.invalidate();
  inject(port, context);
  return undefined;
}
