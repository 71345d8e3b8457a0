/**
 * Checks of VM entry on the VMX controls, in the manual's order.
 * Spec: SDM Vol. 3C, "Checks on VMX Controls".
 */
import { CR0 } from "../cpu/state.js";
import { CR3_TARGETS, hasEptDirty } from "./capabilities.js";
import { type EntryCheck, type EntryContext, implies, isPage, section } from "./check-context.js";
import { EXIT, has, isAllowed, PIN, PRIMARY, SECONDARY, VM_FUNCTION } from "./controls.js";
import { INTERRUPTION } from "./events.js";
import type { FieldName } from "./fields.js";
import { physicalOf, upperOf, wordOf } from "./vmcs.js";

/** EPT pointer: memory type, and the number of levels less one. */
const EPTP = { WRITE_BACK: 6, LEVELS: 3 << 3, ACCESSED_DIRTY: 1 << 6, RESERVED: 0xf80 } as const;

/** Whether a processor accepts an EPT pointer; INVEPT and EPTP switching ask the same. */
export function isEptPointer({ model }: Pick<EntryContext, "model">, low: number, high: number): boolean {
  const type = low & 7;
  if (type !== 0 && type !== EPTP.WRITE_BACK) return false;
  if ((low & 0x38) !== EPTP.LEVELS || (low & EPTP.RESERVED) !== 0) return false;
  if ((low & EPTP.ACCESSED_DIRTY) !== 0 && !hasEptDirty(model)) return false;
  return high >>> 0 < 2 ** (model.physicalBits - 32);
}

/** An area for `count` MSRs: on 16 bytes, all of it within physical addresses. */
function isArea(context: EntryContext, countName: FieldName, addressName: FieldName): boolean {
  const { image, model } = context;
  const count = wordOf(image, countName);
  if (count === 0) return true;
  const address = physicalOf(image, addressName);
  return (wordOf(image, addressName) & 15) === 0 && address + 16 * count <= 2 ** model.physicalBits;
}

/** Byte 80H of the virtual-APIC page, bits 7:4. */
const virtualTaskPriority = ({ port, image }: EntryContext): number =>
  (port.readPhysical(physicalOf(image, "Virtual-APIC address") + 0x80) >>> 4) & 15;

const functions = ({ image }: EntryContext): readonly [low: number, high: number] => [
  wordOf(image, "VM-function controls"),
  upperOf(image, "VM-function controls"),
];

const execution = section("VM-Execution Control Fields", [
  [
    "Reserved bits of the pin-based controls are set as the capability registers say.",
    ({ port, pin }) => isAllowed(port.system.model, "pin", pin),
  ],
  [
    "Reserved bits of the primary processor-based controls are set as the capability registers say.",
    ({ port, primary }) => isAllowed(port.system.model, "primary", primary),
  ],
  [
    "If secondary controls are activated, reserved bits of them are 0.",
    ({ port, secondary }) => isAllowed(port.system.model, "secondary", secondary),
  ],
  ["The CR3-target count is not above 4.", ({ image }) => wordOf(image, "CR3-target count") <= CR3_TARGETS],
  [
    "If I/O bitmaps are used, their addresses are those of pages.",
    (context) =>
      implies(
        has(context.primary, PRIMARY["use I/O bitmaps"]),
        () => isPage(context, "Address of I/O bitmap A") && isPage(context, "Address of I/O bitmap B"),
      ),
  ],
  [
    "If MSR bitmaps are used, their address is that of a page.",
    (context) =>
      implies(has(context.primary, PRIMARY["use MSR bitmaps"]), () => isPage(context, "Address of MSR bitmaps")),
  ],
  [
    "If the TPR shadow is used, the virtual-APIC address is that of a page.",
    (context) =>
      implies(has(context.primary, PRIMARY["use TPR shadow"]), () => isPage(context, "Virtual-APIC address")),
  ],
  [
    "If the TPR shadow is used, bits 31:4 of the TPR threshold are 0.",
    ({ primary, image }) =>
      implies(has(primary, PRIMARY["use TPR shadow"]), () => wordOf(image, "TPR threshold") <= 15),
  ],
  [
    "If the TPR shadow is used, the TPR threshold is not above bits 7:4 of the virtual task priority.",
    (context) =>
      implies(
        has(context.primary, PRIMARY["use TPR shadow"]),
        () => wordOf(context.image, "TPR threshold") <= virtualTaskPriority(context),
      ),
  ],
  [
    'If "NMI exiting" is 0, "virtual NMIs" is 0.',
    ({ pin }) => implies(!has(pin, PIN["NMI exiting"]), () => !has(pin, PIN["virtual NMIs"])),
  ],
  [
    'If "virtual NMIs" is 0, "NMI-window exiting" is 0.',
    ({ pin, primary }) => implies(!has(pin, PIN["virtual NMIs"]), () => !has(primary, PRIMARY["NMI-window exiting"])),
  ],
  [
    'If "enable VPID" is 1, the VPID is not 0.',
    ({ secondary, image }) =>
      implies(
        has(secondary, SECONDARY["enable VPID"]),
        () => wordOf(image, "Virtual-processor identifier (VPID)") !== 0,
      ),
  ],
  [
    'If "enable EPT" is 1, the EPT pointer has a memory type, four levels and no reserved bit set.',
    (context) =>
      implies(has(context.secondary, SECONDARY["enable EPT"]), () =>
        isEptPointer(context, wordOf(context.image, "EPT pointer"), upperOf(context.image, "EPT pointer")),
      ),
  ],
  [
    'If "unrestricted guest" is 1, "enable EPT" is 1.',
    ({ secondary }) =>
      implies(has(secondary, SECONDARY["unrestricted guest"]), () => has(secondary, SECONDARY["enable EPT"])),
  ],
  [
    "If VM functions are enabled, reserved bits of the VM-function controls are 0.",
    (context) =>
      implies(has(context.secondary, SECONDARY["enable VM functions"]), () => {
        const [low, high] = functions(context);
        return (low & ~(1 << VM_FUNCTION.EPTP_SWITCHING)) === 0 && high === 0;
      }),
  ],
  [
    'If EPTP switching is enabled, "enable EPT" is 1 and the EPTP-list address is that of a page.',
    (context) =>
      implies(
        has(context.secondary, SECONDARY["enable VM functions"]) && (functions(context)[0] & 1) !== 0,
        () => has(context.secondary, SECONDARY["enable EPT"]) && isPage(context, "EPTP-list address"),
      ),
  ],
]);

const exits = section("VM-Exit Control Fields", [
  [
    "Reserved bits of the VM-exit controls are set as the capability registers say.",
    ({ port, exit }) => isAllowed(port.system.model, "exit", exit),
  ],
  [
    "If the VMX-preemption timer is not active, its value is not saved.",
    ({ pin, exit }) =>
      implies(
        !has(pin, PIN["activate VMX-preemption timer"]),
        () => !has(exit, EXIT["save VMX-preemption timer value"]),
      ),
  ],
  [
    "If the VM-exit MSR-store count is not 0, the area is on 16 bytes and within physical addresses.",
    (context) => isArea(context, "VM-exit MSR-store count", "VM-exit MSR-store address"),
  ],
  [
    "If the VM-exit MSR-load count is not 0, the area is on 16 bytes and within physical addresses.",
    (context) => isArea(context, "VM-exit MSR-load count", "VM-exit MSR-load address"),
  ],
]);

/** Exceptions that push an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC. */
const WITH_ERROR_CODE = (1 << 8) | (0x1f << 10) | (1 << 17);
const { HARDWARE_EXCEPTION, SOFTWARE_INTERRUPT, NMI, OTHER } = INTERRUPTION.TYPE;

const event = ({ image }: EntryContext): number => wordOf(image, "VM-entry interruption-information field");
const isInjecting = (context: EntryContext): boolean => (event(context) & INTERRUPTION.VALID) !== 0;
const typeOf = (context: EntryContext): number => (event(context) >>> INTERRUPTION.TYPE_SHIFT) & 7;
const vectorOf = (context: EntryContext): number => event(context) & 0xff;
const hasErrorCode = (context: EntryContext): boolean => (event(context) & INTERRUPTION.ERROR_CODE) !== 0;

/** Whether exceptions of the guest push error codes: protected mode, which only an unrestricted guest can be out of. */
const isProtected = ({ secondary, image }: EntryContext): boolean =>
  !has(secondary, SECONDARY["unrestricted guest"]) || (wordOf(image, "Guest CR0") & CR0.PE) !== 0;

function isVector(context: EntryContext): boolean {
  const type = typeOf(context);
  const vector = vectorOf(context);
  if (type === NMI) return vector === 2;
  if (type === HARDWARE_EXCEPTION) return vector < 32;
  return type !== OTHER || vector === 0;
}

const pushesErrorCode = (context: EntryContext): boolean => {
  const vector = vectorOf(context);
  const exception = typeOf(context) === HARDWARE_EXCEPTION && vector < 32 && ((WITH_ERROR_CODE >>> vector) & 1) !== 0;
  return exception && isProtected(context);
};

const entries = section("VM-Entry Control Fields", [
  [
    "Reserved bits of the VM-entry controls are set as the capability registers say.",
    ({ port, entry }) => isAllowed(port.system.model, "entry", entry),
  ],
  [
    "The type of an injected event is not the reserved one.",
    (context) => implies(isInjecting(context), () => typeOf(context) !== 1),
  ],
  [
    "The vector of an injected event is one of its type: 2 of an NMI, below 32 of an exception, 0 of others.",
    (context) => implies(isInjecting(context), () => isVector(context)),
  ],
  [
    "An error code is delivered with exactly the exceptions that have one, and never in real mode.",
    (context) => implies(isInjecting(context), () => hasErrorCode(context) === pushesErrorCode(context)),
  ],
  [
    "Reserved bits 30:12 of the VM-entry interruption-information field are 0.",
    (context) => implies(isInjecting(context), () => (event(context) & 0x7fff_f000) === 0),
  ],
  [
    "Bits 31:16 of an error code that is delivered are 0.",
    (context) =>
      implies(
        isInjecting(context) && hasErrorCode(context),
        () => wordOf(context.image, "VM-entry exception error code") < 0x1_0000,
      ),
  ],
  [
    "The VM-entry instruction length of a software event is 1 to 15.",
    (context) =>
      implies(isInjecting(context) && typeOf(context) >= SOFTWARE_INTERRUPT && typeOf(context) !== OTHER, () => {
        const length = wordOf(context.image, "VM-entry instruction length");
        return length >= 1 && length <= 15;
      }),
  ],
  [
    "If the VM-entry MSR-load count is not 0, the area is on 16 bytes and within physical addresses.",
    (context) => isArea(context, "VM-entry MSR-load count", "VM-entry MSR-load address"),
  ],
]);

export const controlChecks: readonly EntryCheck[] = [...execution, ...exits, ...entries];
