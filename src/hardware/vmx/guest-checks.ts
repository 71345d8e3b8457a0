/**
 * Checks of VM entry on the guest-state area, but those on segment registers, in the manual's order.
 * Spec: SDM Vol. 3C, "Checks on the Guest State Area".
 */
import { pdpteReserved } from "../cpu/paging-levels.js";
import { CR0, CR4, EFER, FLAG } from "../cpu/state.js";
import { supportsCr0, supportsCr4 } from "./capabilities.js";
import {
  type EntryCheck,
  type EntryContext,
  implies,
  isCanonicalField,
  isEfer,
  isLow,
  isPage,
  isPat,
  isPhysical,
  section,
} from "./check-context.js";
import { ENTRY, has, PIN, SECONDARY } from "./controls.js";
import { INTERRUPTION } from "./events.js";
import { LAYOUT } from "./fields.js";
import { indexOf, physicalOf, REVISION, upperOf, wordOf } from "./vmcs.js";

/** Bits of the interruptibility state and of pending debug exceptions; activity states. */
export const INTERRUPTIBILITY = { STI: 1, MOV_SS: 2, SMI: 4, NMI: 8 } as const;
export const PENDING_DEBUG = { BREAKPOINTS: 15, ENABLED: 1 << 12, BS: 1 << 14 } as const;
export const ACTIVITY = { ACTIVE: 0, HLT: 1, SHUTDOWN: 2, WAIT_FOR_SIPI: 3 } as const;

const isLongGuest = ({ entry }: EntryContext): boolean => has(entry, ENTRY["IA-32e mode guest"]);
const cr0 = ({ image }: EntryContext): number => wordOf(image, "Guest CR0");
const cr4 = ({ image }: EntryContext): number => wordOf(image, "Guest CR4");
const flags = ({ image }: EntryContext): number => wordOf(image, "Guest RFLAGS");
const isUnrestricted = ({ secondary }: EntryContext): boolean => has(secondary, SECONDARY["unrestricted guest"]);
const loadsDebug = ({ entry }: EntryContext): boolean => has(entry, ENTRY["load debug controls"]);

const registers = section("Checks on Guest Control Registers, Debug Registers, and MSRs", [
  [
    "CR0 has no bit set to a value that VMX operation does not support.",
    (context) => isLow(context, "Guest CR0") && supportsCr0(cr0(context), isUnrestricted(context)),
  ],
  [
    "If CR0.PG is 1, CR0.PE is 1.",
    (context) => implies((cr0(context) & CR0.PG) !== 0, () => (cr0(context) & CR0.PE) !== 0),
  ],
  [
    "CR4 has no bit set to a value that VMX operation does not support.",
    (context) => isLow(context, "Guest CR4") && supportsCr4(context.model, cr4(context)),
  ],
  [
    "If debug controls are loaded, reserved bits of IA32_DEBUGCTL are 0.",
    (context) =>
      implies(
        loadsDebug(context),
        () => wordOf(context.image, "Guest IA32_DEBUGCTL") === 0 && isLow(context, "Guest IA32_DEBUGCTL"),
      ),
  ],
  [
    'If "IA-32e mode guest" is 1, CR0.PG and CR4.PAE are 1.',
    (context) => implies(isLongGuest(context), () => (cr0(context) & CR0.PG) !== 0 && (cr4(context) & CR4.PAE) !== 0),
  ],
  ["CR3 has no bit set beyond physical addresses.", (context) => isPhysical(context, "Guest CR3")],
  [
    "If debug controls are loaded, bits 63:32 of DR7 are 0.",
    (context) => implies(loadsDebug(context), () => isLow(context, "Guest DR7")),
  ],
  [
    "IA32_SYSENTER_ESP and IA32_SYSENTER_EIP are canonical.",
    (context) =>
      isCanonicalField(context, "Guest IA32_SYSENTER_ESP") && isCanonicalField(context, "Guest IA32_SYSENTER_EIP"),
  ],
  [
    "If IA32_PAT is loaded, each byte is a memory type.",
    (context) => implies(has(context.entry, ENTRY["load IA32_PAT"]), () => isPat(context, "Guest IA32_PAT")),
  ],
  [
    "If IA32_EFER is loaded, reserved bits are 0.",
    (context) => implies(has(context.entry, ENTRY["load IA32_EFER"]), () => isEfer(context, "Guest IA32_EFER")),
  ],
  [
    'If IA32_EFER is loaded, LMA is "IA-32e mode guest" and, with CR0.PG, LME.',
    (context) =>
      implies(has(context.entry, ENTRY["load IA32_EFER"]), () => {
        const efer = wordOf(context.image, "Guest IA32_EFER");
        const active = (efer & EFER.LMA) !== 0;
        const paged = (cr0(context) & CR0.PG) !== 0;
        return active === isLongGuest(context) && (!paged || active === ((efer & EFER.LME) !== 0));
      }),
  ],
]);

const tables = section("Checks on Guest Descriptor-Table Registers", [
  [
    "The bases of GDTR and IDTR are canonical.",
    (context) => isCanonicalField(context, "Guest GDTR base") && isCanonicalField(context, "Guest IDTR base"),
  ],
  [
    "Bits 31:16 of the limits of GDTR and IDTR are 0.",
    ({ image }) => wordOf(image, "Guest GDTR limit") < 0x1_0000 && wordOf(image, "Guest IDTR limit") < 0x1_0000,
  ],
]);

const CODE_LONG = 1 << 13;
/** Bits 63:22, 15, 5 and 3 of RFLAGS. */
const RESERVED_FLAGS = 0xffc0_8028;

const event = ({ image }: EntryContext): number => wordOf(image, "VM-entry interruption-information field");
const { VALID, TYPE_SHIFT, TYPE } = INTERRUPTION;
const injects = (context: EntryContext, type: number): boolean =>
  (event(context) & VALID) !== 0 && ((event(context) >>> TYPE_SHIFT) & 7) === type;

const instruction = section("Checks on Guest RIP, RFLAGS, and SSP", [
  [
    "Bits 63:32 of RIP are 0 but in 64-bit mode, where bits 63:48 are the same.",
    (context) => {
      const upper = upperOf(context.image, "Guest RIP");
      if (!isLongGuest(context) || (wordOf(context.image, "Guest CS access rights") & CODE_LONG) === 0)
        return upper === 0;
      const top = upper >>> 16;
      return top === 0 || top === 0xffff;
    },
  ],
  [
    "Reserved bits of RFLAGS are 0, and bit 1 is 1.",
    (context) =>
      isLow(context, "Guest RFLAGS") &&
      (flags(context) & RESERVED_FLAGS) === 0 &&
      (flags(context) & FLAG.RESERVED) !== 0,
  ],
  [
    "RFLAGS.VM is 0 in IA-32e mode and while CR0.PE is 0.",
    (context) => implies(isLongGuest(context) || (cr0(context) & CR0.PE) === 0, () => (flags(context) & FLAG.VM) === 0),
  ],
  [
    "RFLAGS.IF is 1 if an external interrupt is injected.",
    (context) => implies(injects(context, TYPE.EXTERNAL), () => (flags(context) & FLAG.IF) !== 0),
  ],
]);

const activity = ({ image }: EntryContext): number => wordOf(image, "Guest activity state");
const blocking = ({ image }: EntryContext): number => wordOf(image, "Guest interruptibility state");
const isBlocked = (context: EntryContext): boolean =>
  (blocking(context) & (INTERRUPTIBILITY.STI | INTERRUPTIBILITY.MOV_SS)) !== 0;

/** Events that a halted processor takes: interrupts, NMIs, #DB and #MC, and a pending MTF VM exit. */
function wakes(context: EntryContext): boolean {
  const type = (event(context) >>> TYPE_SHIFT) & 7;
  const vector = event(context) & 0xff;
  if (type === TYPE.HARDWARE_EXCEPTION) return vector === 1 || vector === 18;
  return type === TYPE.EXTERNAL || type === TYPE.NMI || (type === TYPE.OTHER && vector === 0);
}

/** BS, as RFLAGS.TF has it. */
function isStepPending(context: EntryContext): boolean {
  const pending = (wordOf(context.image, "Guest pending debug exceptions") & PENDING_DEBUG.BS) !== 0;
  return pending === ((flags(context) & FLAG.TF) !== 0);
}

/** Of the region that a link pointer leads to. */
const linkedRevision = ({ port, image }: EntryContext): number =>
  port.readPhysical(physicalOf(image, "VMCS link pointer") + LAYOUT.REVISION);

export const isLinked = ({ image }: EntryContext): boolean =>
  wordOf(image, "VMCS link pointer") !== 0xffff_ffff || upperOf(image, "VMCS link pointer") !== 0xffff_ffff;

const other = section("Checks on Guest Non-Register State", [
  [
    "The activity state is one that the processor has: active or HLT.",
    (context) => activity(context) === ACTIVITY.ACTIVE || activity(context) === ACTIVITY.HLT,
  ],
  [
    "The activity state is not HLT if the DPL of SS is not 0.",
    (context) =>
      implies(activity(context) === ACTIVITY.HLT, () => (wordOf(context.image, "Guest SS access rights") & 0x60) === 0),
  ],
  [
    "The activity state is active while STI or MOV SS block events.",
    (context) => implies(isBlocked(context), () => activity(context) === ACTIVITY.ACTIVE),
  ],
  [
    "An event that is injected into HLT is one that ends it.",
    (context) => implies(activity(context) === ACTIVITY.HLT && (event(context) & VALID) !== 0, () => wakes(context)),
  ],
  ["Reserved bits of the interruptibility state are 0.", (context) => (blocking(context) & ~15) === 0],
  [
    "STI and MOV SS do not block at once.",
    (context) => (blocking(context) & 3) !== (INTERRUPTIBILITY.STI | INTERRUPTIBILITY.MOV_SS),
  ],
  [
    "STI does not block while RFLAGS.IF is 0.",
    (context) => implies((flags(context) & FLAG.IF) === 0, () => (blocking(context) & INTERRUPTIBILITY.STI) === 0),
  ],
  [
    "Neither STI nor MOV SS block if an external interrupt is injected.",
    (context) => implies(injects(context, TYPE.EXTERNAL), () => !isBlocked(context)),
  ],
  [
    "MOV SS does not block if an NMI is injected.",
    (context) => implies(injects(context, TYPE.NMI), () => (blocking(context) & INTERRUPTIBILITY.MOV_SS) === 0),
  ],
  [
    "SMIs are not blocked, as the processor is not in SMM.",
    (context) => (blocking(context) & INTERRUPTIBILITY.SMI) === 0,
  ],
  [
    "STI does not block if an NMI is injected.",
    (context) => implies(injects(context, TYPE.NMI), () => (blocking(context) & INTERRUPTIBILITY.STI) === 0),
    3,
  ],
  [
    "With virtual NMIs, NMIs are not blocked if one is injected.",
    (context) =>
      implies(
        injects(context, TYPE.NMI) && has(context.pin, PIN["virtual NMIs"]),
        () => (blocking(context) & INTERRUPTIBILITY.NMI) === 0,
      ),
  ],
  [
    "Reserved bits of the pending debug exceptions are 0.",
    (context) =>
      isLow(context, "Guest pending debug exceptions") &&
      (wordOf(context.image, "Guest pending debug exceptions") &
        ~(PENDING_DEBUG.BREAKPOINTS | PENDING_DEBUG.ENABLED | PENDING_DEBUG.BS)) ===
        0,
  ],
  [
    "While STI or MOV SS block, or in HLT, a single step is pending exactly with RFLAGS.TF.",
    (context) => implies(isBlocked(context) || activity(context) === ACTIVITY.HLT, () => isStepPending(context)),
  ],
  [
    "The VMCS link pointer is FFFFFFFF_FFFFFFFFH or the address of a page.",
    (context) => implies(isLinked(context), () => isPage(context, "VMCS link pointer")),
    4,
  ],
  [
    "The VMCS that the link pointer names has the revision identifier of the processor and is no shadow VMCS.",
    (context) => implies(isLinked(context), () => linkedRevision(context) === REVISION),
    4,
  ],
  [
    "The VMCS link pointer is not the current-VMCS pointer.",
    (context) => implies(isLinked(context), () => physicalOf(context.image, "VMCS link pointer") !== context.vmcs),
    4,
  ],
]);

/** Whether the guest has PDPTE registers. */
export const usesPdptes = (context: EntryContext): boolean =>
  (cr0(context) & CR0.PG) !== 0 && (cr4(context) & CR4.PAE) !== 0 && !isLongGuest(context);

const WORDS = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const PDPTES = indexOf("Guest PDPTE0");

/** The PDPTEs VM entry loads, as low and high words: from the VMCS with EPT, from memory without. */
export function guestPdptes({ port, image, secondary }: EntryContext): readonly number[] {
  if (has(secondary, SECONDARY["enable EPT"])) {
    return WORDS.map((word) => image[PDPTES + word]! | 0);
  }
  const table = (wordOf(image, "Guest CR3") & ~31) >>> 0;
  return Array.from({ length: 8 }, (_, index) => port.readPhysical(table + 4 * index) | 0);
}

/** No entry that is present has a reserved bit set. */
export function arePdptes(model: EntryContext["model"], words: readonly number[]): boolean {
  const [reservedLow, reservedHigh] = pdpteReserved(model.name);
  return [0, 2, 4, 6].every((index) => {
    const low = words[index]!;
    return (low & 1) === 0 || ((low & reservedLow) | (words[index + 1]! & reservedHigh)) === 0;
  });
}

const pdptes = section("Checks on Guest Page-Directory-Pointer-Table Entries", [
  [
    "With PAE paging, no PDPTE that is present has a reserved bit set.",
    (context) => implies(usesPdptes(context), () => arePdptes(context.model, guestPdptes(context))),
    2,
  ],
]);

export const guestRegisterChecks: readonly EntryCheck[] = Object.freeze(registers);
/** Those behind the checks on segment registers. */
export const otherGuestChecks: readonly EntryCheck[] = Object.freeze([...tables, ...instruction, ...other, ...pdptes]);
