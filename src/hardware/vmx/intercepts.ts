/**
 * Which causes leave a guest of VT-x: by the controls that VM entry read.
 * Spec: SDM Vol. 3C, "Instructions That Cause VM Exits", "Other Causes of VM Exits".
 */
import { type ExitCause, type InterceptedInstruction, VmExit } from "../cpu/guest-operation.js";
import { Fault, type ProcessorPort, VECTOR } from "../cpu/processor.js";
import { CR0 } from "../cpu/state.js";
import { has, PIN, PRIMARY, SECONDARY } from "./controls.js";
import type { VmxGuest } from "./state.js";

/** What makes an instruction leave: a control, or nothing does, or it always leaves. */
type Control = "always" | "never" | { readonly word: "primary" | "secondary"; readonly mask: number };
const primary = (name: keyof typeof PRIMARY): Control => ({ word: "primary", mask: PRIMARY[name] });
const secondary = (name: keyof typeof SECONDARY): Control => ({ word: "secondary", mask: SECONDARY[name] });
const descriptorTable = secondary("descriptor-table exiting");

export const instructionControls: Readonly<Record<InterceptedInstruction, Control>> = Object.freeze({
  CPUID: "always",
  INVD: "always",
  XSETBV: "always",
  HLT: primary("HLT exiting"),
  INVLPG: primary("INVLPG exiting"),
  INVPCID: primary("INVLPG exiting"),
  LGDT: descriptorTable,
  LIDT: descriptorTable,
  LLDT: descriptorTable,
  LTR: descriptorTable,
  SGDT: descriptorTable,
  SIDT: descriptorTable,
  SLDT: descriptorTable,
  STR: descriptorTable,
  MONITOR: primary("MONITOR exiting"),
  MWAIT: primary("MWAIT exiting"),
  PAUSE: primary("PAUSE exiting"),
  RDPMC: primary("RDPMC exiting"),
  RDRAND: secondary("RDRAND exiting"),
  RDSEED: secondary("RDSEED exiting"),
  RDTSC: primary("RDTSC exiting"),
  RDTSCP: primary("RDTSC exiting"),
  WBINVD: secondary("WBINVD exiting"),
  PUSHF: "never",
  POPF: "never",
  IRET: "never",
  INT: "never",
  INVEPT: "always",
  INVVPID: "always",
  VMCALL: "always",
  VMCLEAR: "always",
  VMFUNC: "always",
  VMLAUNCH: "always",
  VMPTRLD: "always",
  VMPTRST: "always",
  VMREAD: "always",
  VMRESUME: "always",
  VMWRITE: "always",
  VMXOFF: "always",
  VMXON: "always",
  // Instructions of AMD-V are none on processors with VT-x.
  CLGI: "never",
  INVLPGA: "never",
  SKINIT: "never",
  STGI: "never",
  VMLOAD: "never",
  VMMCALL: "never",
  VMRUN: "never",
  VMSAVE: "never",
});

/** Instructions that are #UD in a guest unless a control enables them; INVPCID, which no model has, has none here. */
const enabledBy: Partial<Record<InterceptedInstruction, number>> = { RDTSCP: SECONDARY["enable RDTSCP"], INVPCID: 0 };

export function isEnabled({ secondary: enabled }: VmxGuest, name: InterceptedInstruction): boolean {
  const needed = enabledBy[name];
  return needed === undefined || has(enabled, needed);
}

/** Throws #UD where it is not enabled. Spec: SDM Vol. 3C, "Changes to Instruction Behavior in VMX Non-Root Operation". */
export function requireEnabled(guest: VmxGuest, name: InterceptedInstruction): void {
  if (!isEnabled(guest, name)) throw new Fault(VECTOR.UD, undefined, "disabled-for-guest");
}

/** Whether a control makes an instruction leave, or it always does. */
export function isAskedFor(guest: VmxGuest, name: InterceptedInstruction): boolean {
  const control = instructionControls[name];
  if (typeof control === "string") return control === "always";
  return has(guest[control.word], control.mask);
}

type Cause<Kind extends ExitCause["kind"]> = Extract<ExitCause, { readonly kind: Kind }>;
type Leaves<Kind extends ExitCause["kind"]> = (guest: VmxGuest, cause: Cause<Kind>, port: ProcessorPort) => boolean;

function instructionLeaves(guest: VmxGuest, { name }: Cause<"instruction">): boolean {
  requireEnabled(guest, name);
  return isAskedFor(guest, name);
}

/** LMSW loads bits 3:0 and cannot clear PE. */
function lmswLeaves({ cr0Mask, cr0Shadow }: VmxGuest, source: number): boolean {
  const setsPe = (cr0Mask & source & ~cr0Shadow & CR0.PE) !== 0;
  return setsPe || ((source ^ cr0Shadow) & cr0Mask & 14) !== 0;
}

/** A write leaves if it gives a bit that the host owns another value than the guest sees. */
const differs = (mask: number, shadow: number, value: bigint): boolean =>
  ((Number(value & 0xffff_ffffn) ^ shadow) & mask) !== 0;

const controlWrites: Readonly<Record<number, (guest: VmxGuest, value: bigint) => boolean>> = {
  0: ({ cr0Mask, cr0Shadow }, value) => differs(cr0Mask, cr0Shadow, value),
  3: (guest, value) => has(guest.primary, PRIMARY["CR3-load exiting"]) && !guest.cr3Targets.includes(value),
  4: ({ cr4Mask, cr4Shadow }, value) => differs(cr4Mask, cr4Shadow, value),
  8: (guest) => has(guest.primary, PRIMARY["CR8-load exiting"]),
};
const controlReads: Readonly<Record<number, number>> = {
  3: PRIMARY["CR3-store exiting"],
  8: PRIMARY["CR8-store exiting"],
};

function controlLeaves(guest: VmxGuest, { access, number, value = 0n }: Cause<"control-register">): boolean {
  switch (access) {
    case "write":
      return controlWrites[number]?.(guest, BigInt.asUintN(64, value)) ?? false;
    case "read":
      return has(guest.primary, controlReads[number] ?? 0);
    case "clts":
      return (guest.cr0Mask & guest.cr0Shadow & CR0.TS) !== 0;
    case "lmsw":
      return lmswLeaves(guest, Number(value & 15n));
    case "smsw":
      return false;
  }
}

/** Whether a bit of a bitmap in memory is set. */
const bitAt = (port: ProcessorPort, bitmap: number, bit: number): boolean =>
  ((port.readPhysical(bitmap + ((bit >>> 5) << 2)) >>> (bit & 31)) & 1) !== 0;

const HALF = 0x8000;
const PORTS = 0x1_0000;

/** One bit a port, 0 to 7FFFH in bitmap A; an access that goes around behind FFFFH leaves. */
function portLeaves(guest: VmxGuest, { port: first, size }: Cause<"port">, port: ProcessorPort): boolean {
  if (!has(guest.primary, PRIMARY["use I/O bitmaps"])) return has(guest.primary, PRIMARY["unconditional I/O exiting"]);
  if (first + size > PORTS) return true;
  for (let number = first; number < first + size; number++) {
    const bitmap = number < HALF ? guest.ioBitmapA : guest.ioBitmapB;
    if (bitAt(port, bitmap, number & (HALF - 1))) return true;
  }
  return false;
}

const MSRS = 0x2000;
const HIGH_MSRS = 0xc000_0000;

/** Four bitmaps of 1 KiB: reads of low and of high addresses, writes of both; any other address leaves. */
function msrLeaves(guest: VmxGuest, { access, address }: Cause<"msr">, port: ProcessorPort): boolean {
  if (!has(guest.primary, PRIMARY["use MSR bitmaps"])) return true;
  const bitmap = guest.msrBitmap + (access === "write" ? 2048 : 0);
  if (address < MSRS) return bitAt(port, bitmap, address);
  if (address < HIGH_MSRS || address >= HIGH_MSRS + MSRS) return true;
  return bitAt(port, bitmap + 1024, address - HIGH_MSRS);
}

const PAGE_FAULT = 14;

function exceptionLeaves(guest: VmxGuest, { event }: Cause<"exception">): boolean {
  const { vector, type, errorCode = 0 } = event;
  if (type === "software" || type === "interrupt" || type === "nmi") return false;
  const chosen = ((guest.exceptionBitmap >>> vector) & 1) !== 0;
  if (vector !== PAGE_FAULT) return chosen;
  const matches = (errorCode & guest.pageFaultMask) >>> 0 === guest.pageFaultMatch;
  return matches === chosen;
}

/** Exceptions that leave the guest, bit n for vector n: of page faults, if there is any error code with which they do. */
export function exceptionsThatMayLeave({ exceptionBitmap, pageFaultMask, pageFaultMatch }: VmxGuest): number {
  const chosen = ((exceptionBitmap >>> PAGE_FAULT) & 1) !== 0;
  const neverMatches = (pageFaultMatch & ~pageFaultMask) !== 0;
  const alwaysMatches = pageFaultMask === 0 && pageFaultMatch === 0;
  const stays = chosen ? neverMatches : alwaysMatches;
  return stays ? exceptionBitmap & ~(1 << PAGE_FAULT) : exceptionBitmap | (1 << PAGE_FAULT);
}

/** Bits 7:4 of the virtual task priority. */
export const virtualTaskPriority = (port: ProcessorPort, { virtualApic }: VmxGuest): number =>
  (port.readPhysical(virtualApic + VTPR) >>> 4) & 15;
export const VTPR = 0x80;

const always = (): boolean => true;
const byPin =
  (mask: number) =>
  (guest: VmxGuest): boolean =>
    has(guest.pin, mask);
const byPrimary =
  (mask: number) =>
  (guest: VmxGuest): boolean =>
    has(guest.primary, mask);

const causes: { readonly [Kind in ExitCause["kind"]]: Leaves<Kind> } = {
  instruction: instructionLeaves,
  "control-register": controlLeaves,
  "debug-register": byPrimary(PRIMARY["MOV-DR exiting"]),
  port: portLeaves,
  msr: msrLeaves,
  exception: exceptionLeaves,
  interrupt: byPin(PIN["external-interrupt exiting"]),
  nmi: byPin(PIN["NMI exiting"]),
  init: always,
  sipi: always,
  "interrupt-window": byPrimary(PRIMARY["interrupt-window exiting"]),
  "nmi-window": byPrimary(PRIMARY["NMI-window exiting"]),
  "preemption-timer": ({ preemption }, _cause, port) => preemption !== undefined && port.now >= preemption,
  "monitor-trap": byPrimary(PRIMARY["monitor trap flag"]),
  "virtual-interrupt": () => false,
  "triple-fault": always,
  "task-switch": always,
  "nested-fault": always,
  "tpr-below-threshold": (guest, _cause, port) =>
    has(guest.primary, PRIMARY["use TPR shadow"]) && virtualTaskPriority(port, guest) < guest.tprThreshold,
};

/** Whether a cause leaves the guest. Throws #UD for an instruction that is not enabled. */
export function leaves(port: ProcessorPort, guest: VmxGuest, cause: ExitCause): boolean {
  const decide = causes[cause.kind] as (guest: VmxGuest, cause: ExitCause, port: ProcessorPort) => boolean;
  return decide(guest, cause, port);
}

/** The exit that a cause is, where the guest's controls say so. */
export const exitFor = (port: ProcessorPort, guest: VmxGuest, cause: ExitCause): VmExit | undefined =>
  leaves(port, guest, cause) ? new VmExit(cause) : undefined;
