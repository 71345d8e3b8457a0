/** Hosts of one guest each in machine code, by VT-x and by AMD-V, both with nested paging: guest and host are in 64-bit mode. */
import { assemble } from "../isa/assembler/assembler.js";
import { Machine } from "../machine.js";
import { vmcbField } from "../svm/vmcb.js";
import { type FieldName, fields } from "../vmx/fields.js";

export const AT = {
  host: 0x10_0000,
  tables: 0x2_0000,
  vmxon: 0x4_0000,
  control: 0x4_1000,
  saveArea: 0x4_2000,
  permissions: 0x4_4000,
  nested: 0x5_0000,
  /** Where the guest's memory is in the host's. */
  memory: 0x40_0000,
  /** Guest-physical. */
  guestTables: 0x1000,
  guest: 0x8000,
  stack: 0x7000,
} as const;

const quads = (values: readonly number[]): Uint8Array => {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  values.forEach((value, index) => {
    view.setUint32(8 * index, value % 2 ** 32, true);
    view.setUint32(8 * index + 4, Math.floor(value / 2 ** 32), true);
  });
  return new Uint8Array(view.buffer);
};
const pages = Array.from({ length: 512 }, (_, page) => page * 4096);

/** Four levels of tables from `at` on, whose last has a page for each 4 KiB below 2 MiB. */
const tablesAt = (machine: Machine, at: number, means: number, table: number, page: (of: number) => number): Machine =>
  [0, 1, 2]
    .reduce((next, level) => next.write(at + 4096 * level, quads([means + 4096 * (level + 1) + table])), machine)
    .write(at + 3 * 4096, quads(pages.map(page)));

const longMode = `
  mov eax, 0xb0
  mov cr4, eax
  mov eax, ${AT.tables}
  mov cr3, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x900
  wrmsr
  mov eax, 0x80010031
  mov cr0, eax
  lgdt [gdtr]
  jmp 8:long
gdt: dq 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr: dw 0x17
  dd gdt
pointers: dq ${AT.vmxon}, ${AT.control}
  bits 64
long: mov esp, 0x9000`;

const write = (name: FieldName, value: number | string): string =>
  `mov eax, ${fields[name].encoding}\n mov rbx, ${value}\n vmwrite rax, rbx`;

export type VmcsValues = Partial<Record<FieldName, number | string>>;

const SEGMENTS = ["ES", "SS", "DS", "FS", "GS"] as const;
const vmcsValues: VmcsValues = {
  "Pin-based VM-execution controls": 0x16,
  "Primary processor-based VM-execution controls": 0x0400_6172 + (1 << 7) + 2 ** 31,
  "Secondary processor-based VM-execution controls": 2,
  "VM-exit controls": 0x36dff + (1 << 9),
  "VM-entry controls": 0x11ff + (1 << 9),
  "EPT pointer": AT.nested + 0x1e + 0x40,
  "VMCS link pointer": -1,
  "Host CS selector": 8,
  "Host SS selector": 16,
  "Host DS selector": 16,
  "Host TR selector": 24,
  "Host CR0": "cr0",
  "Host CR3": "cr3",
  "Host CR4": "cr4",
  "Host RSP": 0x9000,
  "Host RIP": "handler",
  "Guest CR0": "cr0",
  "Guest CR3": AT.guestTables,
  "Guest CR4": "cr4",
  "Guest CS selector": 8,
  "Guest CS access rights": 0xa09b,
  "Guest CS limit": -1,
  ...Object.fromEntries(SEGMENTS.map((name) => [`Guest ${name} access rights`, 0xc093])),
  ...Object.fromEntries(SEGMENTS.map((name) => [`Guest ${name} limit`, -1])),
  "Guest LDTR access rights": 0x10000,
  "Guest TR access rights": 0x8b,
  "Guest TR limit": 0x67,
  "Guest RIP": AT.guest,
  "Guest RSP": AT.stack,
  "Guest RFLAGS": 2,
  "Guest DR7": 0x400,
};

const vmxProgram = (more: VmcsValues): string => `${longMode}
  mov rax, cr4
  or rax, 0x2000
  mov cr4, rax
  mov ecx, 0x3a
  mov eax, 5
  xor edx, edx
  wrmsr
  mov ecx, 0x480
  rdmsr
  mov [${AT.vmxon}], eax
  mov [${AT.control}], eax
  vmxon [pointers]
  vmclear [pointers+8]
  vmptrld [pointers+8]
  ${Object.entries({ ...vmcsValues, ...more })
    .map(([name, value]) => write(name as FieldName, value))
    .join("\n")}
entry: vmlaunch
  hlt
handler: mov eax, ${fields["Guest RIP"].encoding}
  vmread rbx, rax
  mov ecx, ${fields["VM-exit instruction length"].encoding}
  vmread rcx, rcx
  add rbx, rcx
  vmwrite rax, rbx
again: vmresume
  hlt`;

export type VmcbValues = Readonly<Record<string, number | string>>;
const flat = (name: string, attributes: number): VmcbValues => ({
  [`${name}.selector`]: name === "CS" ? 8 : 16,
  [`${name}.attrib`]: attributes,
  [`${name}.limit`]: 0xffff_ffff,
});
const vmcbValues: VmcbValues = {
  // CPUID and HLT, VMRUN and VMMCALL.
  INTERCEPT_MISC1: (1 << 18) + (1 << 24),
  INTERCEPT_MISC2: 3,
  IOPM_BASE_PA: AT.permissions,
  MSRPM_BASE_PA: AT.permissions + 0x4000,
  GUEST_ASID: 1,
  NP_ENABLE: 1,
  N_CR3: AT.nested,
  ...flat("CS", 0xa9b),
  ...flat("SS", 0xc93),
  ...flat("DS", 0xc93),
  ...flat("ES", 0xc93),
  EFER: 0x1d00,
  CR0: 0x8001_0031,
  CR3: AT.guestTables,
  CR4: 0xb0,
  DR6: 0xffff_0ff0,
  DR7: 0x400,
  RFLAGS: 2,
  RIP: AT.guest,
  RSP: AT.stack,
  G_PAT: 0x0007_0406_0007_0406,
};

const svmProgram = `${longMode}
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x1000
  wrmsr
  mov ecx, 0xc0010117
  mov eax, ${AT.saveArea}
  xor edx, edx
  wrmsr
  mov rax, ${AT.control}
entry: vmrun
  mov rbx, [rax+0xc8]
  mov [rax+0x578], rbx
  jmp entry`;

const hosts = new Map<string, Machine>();

/** At the label "entry" of the host, whose guest is a program. */
export function hostOf(technology: "vmx" | "svm", guest: string, more: VmcbValues = {}): Machine {
  const key = JSON.stringify([technology, guest, more]);
  const host = hosts.get(key) ?? newHost(technology, guest, more);
  hosts.set(key, host);
  return host;
}

function newHost(technology: "vmx" | "svm", guest: string, more: VmcbValues): Machine {
  const isVmx = technology === "vmx";
  const { bytes, symbols } = assemble(isVmx ? vmxProgram(more as VmcsValues) : svmProgram, {
    address: AT.host,
    bits: 32,
  });
  let machine = Machine.boot({ image: bytes, memory: "8M", model: isVmx ? "max" : "phenom" });
  for (const level of [0, 1])
    machine = machine.write(AT.tables + 4096 * level, quads([AT.tables + 4096 * (level + 1) + 3]));
  machine = machine.write(AT.tables + 0x2000, quads([0, 1, 2, 3].map((page) => page * 2 ** 21 + 0x83)));
  machine = tablesAt(machine, AT.nested, AT.nested, 7, (of) => AT.memory + of + (isVmx ? 0x37 : 7));
  machine = tablesAt(machine, AT.memory + AT.guestTables, AT.guestTables, 3, (of) => of + 3);
  machine = machine.write(AT.memory + AT.guest, assemble(guest, { address: AT.guest, bits: 64 }).bytes);
  if (!isVmx) {
    for (const [name, value] of Object.entries({ ...vmcbValues, ...more })) {
      const { offset, bits } = vmcbField(name);
      machine = machine.write(AT.control + offset, quads([Number(value)]).subarray(0, Math.ceil(bits / 8)));
    }
  }
  return machine.run({ until: symbols["entry"]!, maxInstructions: 2000 });
}
