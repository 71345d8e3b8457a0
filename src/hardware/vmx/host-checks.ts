/**
 * Checks of VM entry on the host-state area, in the manual's order.
 * Spec: SDM Vol. 3C, "Checks on the Host-State Area".
 */
import { CR4, EFER } from "../cpu/state.js";
import { supportsCr0, supportsCr4 } from "./capabilities.js";
import {
  type EntryCheck,
  type EntryContext,
  implies,
  isCanonicalField,
  isEfer,
  isLow,
  isPat,
  isPhysical,
  section,
} from "./check-context.js";
import { ENTRY, EXIT, has } from "./controls.js";
import { wordOf } from "./vmcs.js";

const is64 = ({ exit }: EntryContext): boolean => has(exit, EXIT["host address-space size"]);

const registers = section("Checks on Host Control Registers, MSRs, and SSP", [
  [
    "CR0 has no bit set to a value that VMX operation does not support.",
    (context) => isLow(context, "Host CR0") && supportsCr0(wordOf(context.image, "Host CR0")),
  ],
  [
    "CR4 has no bit set to a value that VMX operation does not support.",
    (context) => isLow(context, "Host CR4") && supportsCr4(context.model, wordOf(context.image, "Host CR4")),
  ],
  ["CR3 has no bit set beyond physical addresses.", (context) => isPhysical(context, "Host CR3")],
  [
    "IA32_SYSENTER_ESP and IA32_SYSENTER_EIP are canonical.",
    (context) =>
      isCanonicalField(context, "Host IA32_SYSENTER_ESP") && isCanonicalField(context, "Host IA32_SYSENTER_EIP"),
  ],
  [
    "If IA32_PAT is loaded, each byte is a memory type.",
    (context) => implies(has(context.exit, EXIT["load IA32_PAT"]), () => isPat(context, "Host IA32_PAT")),
  ],
  [
    "If IA32_EFER is loaded, reserved bits are 0.",
    (context) => implies(has(context.exit, EXIT["load IA32_EFER"]), () => isEfer(context, "Host IA32_EFER")),
  ],
  [
    'If IA32_EFER is loaded, LMA and LME are "host address-space size".',
    (context) =>
      implies(has(context.exit, EXIT["load IA32_EFER"]), () => {
        const both = EFER.LMA | EFER.LME;
        return (wordOf(context.image, "Host IA32_EFER") & both) === (is64(context) ? both : 0);
      }),
  ],
]);

const segments = section("Checks on Host Segment and Descriptor-Table Registers", [
  ...(["CS", "SS", "DS", "ES", "FS", "GS", "TR"] as const).map(
    (name) =>
      [
        `RPL and TI of the ${name} selector are 0.`,
        ({ image }: EntryContext) => (wordOf(image, `Host ${name} selector`) & 7) === 0,
      ] as const,
  ),
  ["The CS selector is not 0.", ({ image }) => wordOf(image, "Host CS selector") !== 0],
  ["The TR selector is not 0.", ({ image }) => wordOf(image, "Host TR selector") !== 0],
  [
    'If "host address-space size" is 0, the SS selector is not 0.',
    (context) => implies(!is64(context), () => wordOf(context.image, "Host SS selector") !== 0),
  ],
  ...(["FS", "GS", "GDTR", "IDTR", "TR"] as const).map(
    (name) =>
      [
        `The base of ${name} is canonical.`,
        (context: EntryContext) => isCanonicalField(context, `Host ${name} base`),
      ] as const,
  ),
]);

const size = section("Checks Related to Address-Space Size", [
  [
    'Outside of IA-32e mode, "IA-32e mode guest" and "host address-space size" are 0.',
    (context) => implies(!context.port.long, () => !has(context.entry, ENTRY["IA-32e mode guest"]) && !is64(context)),
  ],
  ['In IA-32e mode, "host address-space size" is 1.', (context) => implies(context.port.long, () => is64(context))],
  [
    'If "host address-space size" is 0, "IA-32e mode guest" is 0 and bits 63:32 of RIP are 0.',
    (context) =>
      implies(!is64(context), () => !has(context.entry, ENTRY["IA-32e mode guest"]) && isLow(context, "Host RIP")),
  ],
  [
    'If "host address-space size" is 1, CR4.PAE is 1.',
    (context) => implies(is64(context), () => (wordOf(context.image, "Host CR4") & CR4.PAE) !== 0),
  ],
  [
    'If "host address-space size" is 1, RIP is canonical.',
    (context) => implies(is64(context), () => isCanonicalField(context, "Host RIP")),
  ],
]);

export const hostChecks: readonly EntryCheck[] = [...registers, ...segments, ...size];
