/**
 * The fields of a VMCS: their names and encodings, and where in the region this processor keeps them. An encoding says the
 * width of a field and whose it is, so the table has nothing else.
 * Spec: SDM Vol. 3D, Appendix B "Field Encoding in VMCS"; Vol. 3C, "VMCS Data", "Software Use of the VMREAD and VMWRITE
 * Instructions".
 */
import type { SecondaryControl } from "./controls.js";

const encodings = {
  // 16 bits.
  "Virtual-processor identifier (VPID)": 0x0000,
  "Guest ES selector": 0x0800,
  "Guest CS selector": 0x0802,
  "Guest SS selector": 0x0804,
  "Guest DS selector": 0x0806,
  "Guest FS selector": 0x0808,
  "Guest GS selector": 0x080a,
  "Guest LDTR selector": 0x080c,
  "Guest TR selector": 0x080e,
  "Host ES selector": 0x0c00,
  "Host CS selector": 0x0c02,
  "Host SS selector": 0x0c04,
  "Host DS selector": 0x0c06,
  "Host FS selector": 0x0c08,
  "Host GS selector": 0x0c0a,
  "Host TR selector": 0x0c0c,
  // 64 bits.
  "Address of I/O bitmap A": 0x2000,
  "Address of I/O bitmap B": 0x2002,
  "Address of MSR bitmaps": 0x2004,
  "VM-exit MSR-store address": 0x2006,
  "VM-exit MSR-load address": 0x2008,
  "VM-entry MSR-load address": 0x200a,
  "Executive-VMCS pointer": 0x200c,
  "TSC offset": 0x2010,
  "Virtual-APIC address": 0x2012,
  "VM-function controls": 0x2018,
  "EPT pointer": 0x201a,
  "EPTP-list address": 0x2024,
  "Guest-physical address": 0x2400,
  "VMCS link pointer": 0x2800,
  "Guest IA32_DEBUGCTL": 0x2802,
  "Guest IA32_PAT": 0x2804,
  "Guest IA32_EFER": 0x2806,
  "Guest PDPTE0": 0x280a,
  "Guest PDPTE1": 0x280c,
  "Guest PDPTE2": 0x280e,
  "Guest PDPTE3": 0x2810,
  "Host IA32_PAT": 0x2c00,
  "Host IA32_EFER": 0x2c02,
  // 32 bits.
  "Pin-based VM-execution controls": 0x4000,
  "Primary processor-based VM-execution controls": 0x4002,
  "Exception bitmap": 0x4004,
  "Page-fault error-code mask": 0x4006,
  "Page-fault error-code match": 0x4008,
  "CR3-target count": 0x400a,
  "VM-exit controls": 0x400c,
  "VM-exit MSR-store count": 0x400e,
  "VM-exit MSR-load count": 0x4010,
  "VM-entry controls": 0x4012,
  "VM-entry MSR-load count": 0x4014,
  "VM-entry interruption-information field": 0x4016,
  "VM-entry exception error code": 0x4018,
  "VM-entry instruction length": 0x401a,
  "TPR threshold": 0x401c,
  "Secondary processor-based VM-execution controls": 0x401e,
  "VM-instruction error": 0x4400,
  "Exit reason": 0x4402,
  "VM-exit interruption information": 0x4404,
  "VM-exit interruption error code": 0x4406,
  "IDT-vectoring information field": 0x4408,
  "IDT-vectoring error code": 0x440a,
  "VM-exit instruction length": 0x440c,
  "VM-exit instruction information": 0x440e,
  "Guest ES limit": 0x4800,
  "Guest CS limit": 0x4802,
  "Guest SS limit": 0x4804,
  "Guest DS limit": 0x4806,
  "Guest FS limit": 0x4808,
  "Guest GS limit": 0x480a,
  "Guest LDTR limit": 0x480c,
  "Guest TR limit": 0x480e,
  "Guest GDTR limit": 0x4810,
  "Guest IDTR limit": 0x4812,
  "Guest ES access rights": 0x4814,
  "Guest CS access rights": 0x4816,
  "Guest SS access rights": 0x4818,
  "Guest DS access rights": 0x481a,
  "Guest FS access rights": 0x481c,
  "Guest GS access rights": 0x481e,
  "Guest LDTR access rights": 0x4820,
  "Guest TR access rights": 0x4822,
  "Guest interruptibility state": 0x4824,
  "Guest activity state": 0x4826,
  "Guest SMBASE": 0x4828,
  "Guest IA32_SYSENTER_CS": 0x482a,
  "VMX-preemption timer value": 0x482e,
  "Host IA32_SYSENTER_CS": 0x4c00,
  // Natural width.
  "CR0 guest/host mask": 0x6000,
  "CR4 guest/host mask": 0x6002,
  "CR0 read shadow": 0x6004,
  "CR4 read shadow": 0x6006,
  "CR3-target value 0": 0x6008,
  "CR3-target value 1": 0x600a,
  "CR3-target value 2": 0x600c,
  "CR3-target value 3": 0x600e,
  "Exit qualification": 0x6400,
  "I/O RCX": 0x6402,
  "I/O RSI": 0x6404,
  "I/O RDI": 0x6406,
  "I/O RIP": 0x6408,
  "Guest-linear address": 0x640a,
  "Guest CR0": 0x6800,
  "Guest CR3": 0x6802,
  "Guest CR4": 0x6804,
  "Guest ES base": 0x6806,
  "Guest CS base": 0x6808,
  "Guest SS base": 0x680a,
  "Guest DS base": 0x680c,
  "Guest FS base": 0x680e,
  "Guest GS base": 0x6810,
  "Guest LDTR base": 0x6812,
  "Guest TR base": 0x6814,
  "Guest GDTR base": 0x6816,
  "Guest IDTR base": 0x6818,
  "Guest DR7": 0x681a,
  "Guest RSP": 0x681c,
  "Guest RIP": 0x681e,
  "Guest RFLAGS": 0x6820,
  "Guest pending debug exceptions": 0x6822,
  "Guest IA32_SYSENTER_ESP": 0x6824,
  "Guest IA32_SYSENTER_EIP": 0x6826,
  "Host CR0": 0x6c00,
  "Host CR3": 0x6c02,
  "Host CR4": 0x6c04,
  "Host FS base": 0x6c06,
  "Host GS base": 0x6c08,
  "Host TR base": 0x6c0a,
  "Host GDTR base": 0x6c0c,
  "Host IDTR base": 0x6c0e,
  "Host IA32_SYSENTER_ESP": 0x6c10,
  "Host IA32_SYSENTER_EIP": 0x6c12,
  "Host RSP": 0x6c14,
  "Host RIP": 0x6c16,
} as const;

export type FieldName = keyof typeof encodings;
/** Of the guest-state area the parts each of these registers has. */
export type GuestSegmentName = "ES" | "CS" | "SS" | "DS" | "FS" | "GS" | "LDTR" | "TR";

export interface Field {
  readonly name: FieldName;
  readonly encoding: number;
  readonly width: 16 | 32 | 64 | "natural";
  readonly type: "control" | "read-only" | "guest" | "host";
  /** Where it is in the region, in bytes: a dword, or two of them for 64 bits and natural width. */
  readonly offset: number;
  /** The control that it comes with: without it there is no such field. */
  readonly needs: SecondaryControl | undefined;
}

/** Where the region begins: what the manual says of it, the launch state, and then the fields in the table's order. */
export const LAYOUT = { REVISION: 0, ABORT: 4, LAUNCH_STATE: 8, FIELDS: 16, BYTES: 4096 } as const;

const widths = [16, 64, 32, "natural"] as const;
const types = ["control", "read-only", "guest", "host"] as const;

const neededBy: Partial<Record<FieldName, SecondaryControl>> = {
  "Virtual-processor identifier (VPID)": "enable VPID",
  "VM-function controls": "enable VM functions",
  "EPTP-list address": "enable VM functions",
  "EPT pointer": "enable EPT",
  "Guest-physical address": "enable EPT",
  "Guest PDPTE0": "enable EPT",
  "Guest PDPTE1": "enable EPT",
  "Guest PDPTE2": "enable EPT",
  "Guest PDPTE3": "enable EPT",
  // The preemption timer is in no secondary control, but came with EPT.
  "VMX-preemption timer value": "enable EPT",
};

function describe(): Readonly<Record<FieldName, Field>> {
  const all: Partial<Record<FieldName, Field>> = {};
  let offset: number = LAYOUT.FIELDS;
  for (const name of Object.keys(encodings) as FieldName[]) {
    const encoding = encodings[name];
    const width = widths[encoding >> 13]!;
    all[name] = Object.freeze({
      name,
      encoding,
      width,
      type: types[(encoding >> 10) & 3]!,
      offset,
      needs: neededBy[name],
    });
    offset += width === 64 || width === "natural" ? 8 : 4;
  }
  return Object.freeze(all as Record<FieldName, Field>);
}

/** The fields by name. */
export const fields = describe();
export const fieldNames: readonly FieldName[] = Object.freeze(Object.keys(encodings) as FieldName[]);
/** Bytes of the region that are in use. */
export const USED_BYTES = Math.max(...fieldNames.map((name) => fields[name].offset)) + 8;

const byEncoding = new Map(fieldNames.map((name) => [fields[name].encoding, fields[name]]));

/** What VMREAD and VMWRITE are given: a field, and whether its upper half is meant, which 64-bit fields have a number for. */
export interface Component {
  readonly field: Field;
  readonly high: boolean;
}

/** The component of an encoding; undefined where there is none. Bit 0 is "high", which only fields of 64 bits have. */
export function componentAt(encoding: bigint): Component | undefined {
  if (encoding > 0xffffn) return undefined;
  const number = Number(encoding);
  const field = byEncoding.get(number & ~1);
  if (field === undefined) return undefined;
  const high = (number & 1) !== 0;
  return high && field.width !== 64 ? undefined : { field, high };
}

/** Bits 9 to 1 of the highest index, as IA32_VMX_VMCS_ENUM tells it. */
export const HIGHEST_INDEX = Math.max(...fieldNames.map((name) => (encodings[name] >> 1) & 0x1ff));
