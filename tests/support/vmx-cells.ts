/**
 * Pieces of guest code, each run under VT-x with a VMCS of its own: the controls it has, the fields it differs in from the
 * common one, and how it is left. `vmx-image.ts` makes one image of all; both Bochs and this library run it.
 *
 * The guest runs in 32-bit protected mode with flat segments and identity paging unless its fields say otherwise. Every piece
 * ends in VMCALL.
 */
import type { ControlWord, controlWords } from "../../src/hardware/vmx/controls.js";
import type { REASON } from "../../src/hardware/vmx/exit-reasons.js";
import type { FieldName } from "../../src/hardware/vmx/fields.js";
import type { VM_ERROR } from "../../src/hardware/vmx/vm-errors.js";

type Controls = { readonly [Word in ControlWord]?: readonly (keyof (typeof controlWords)[Word]["masks"])[] };
type Fields = Readonly<Partial<Record<FieldName, bigint | number | string>>>;

/** How an entry ends: a basic exit reason, a failed entry, or VMfail with an error. */
export type Ending =
  | keyof typeof REASON
  | { readonly failedEntry: keyof typeof REASON }
  | { readonly error: keyof typeof VM_ERROR };

export interface VmxCell {
  readonly name: string;
  /** Assembly of the guest. */
  readonly code: string;
  readonly bits?: 16 | 32;
  /** Beside those that must be 1. */
  readonly controls?: Controls;
  /** Fields of the VMCS with their values; `code` in a text is where the piece is. */
  readonly fields?: Fields;
  /** How often the guest is entered; `skips`: behind the instruction that left it. */
  readonly entries?: number;
  readonly skips?: boolean;
  /** The piece is copied below 1 MiB, for real and virtual-8086 mode, with its first instruction at 600H:0. */
  readonly low?: boolean;
  /** How each entry ends. */
  readonly ends: readonly Ending[];
  /** Fields in which Bochs differs from the manual, or "all", and why. */
  readonly differs?: Readonly<Record<string, string>>;
}

/** Places in memory: all but the code of real mode is cleared at first. */
export const AT = {
  realVectors: 0x4000,
  realHandlers: 0x5000,
  lowCode: 0x6000,
  first: 0x300000,
  region: 0x300000,
  vmcs: 0x301000,
  portsA: 0x302000,
  portsB: 0x303000,
  registers: 0x304000,
  virtualApic: 0x305000,
  loadedMsrs: 0x306000,
  storedMsrs: 0x307000,
  hostTables: 0x310000,
  wholeTables: 0x311000,
  /** The guest's: the third page of 4 MiB is absent, the fourth read-only. */
  guestTables: 0x312000,
  paeTables: 0x313000,
  badPaeTables: 0x313020,
  paeDirectory: 0x314000,
  ept: 0x315000,
  eptPointers: 0x316000,
  eptDirectory: 0x317000,
  otherEpt: 0x318000,
  eptpList: 0x319000,
  end: 0x31a000,
  /** Pages of 2 MiB in EPT: absent, without execution, read-only, write-only, of a reserved memory type. */
  absent: 0x800000,
  data: 0xa00000,
  readOnly: 0xc00000,
  writeOnly: 0xe00000,
  badType: 0x1000000,
} as const;

const cell = (code: string, controls: Controls, end: Ending, more: Partial<VmxCell> = {}): VmxCell => ({
  name: code.replace(/\n/g, "; "),
  code,
  controls,
  ends: [end],
  ...more,
});

const ring3: Fields = {
  "Guest CS selector": 0x1b,
  "Guest CS access rights": 0xc0fb,
  "Guest SS selector": 0x23,
  "Guest SS access rights": 0xc0f3,
  "Guest DS selector": 0x23,
  "Guest DS access rights": 0xc0f3,
};

const instructions: readonly VmxCell[] = [
  cell("mov eax, 0x12345678", {}, "VMCALL"),
  cell("mov eax, 1\ncpuid", {}, "CPUID"),
  cell("hlt", { primary: ["HLT exiting"] }, "HLT"),
  cell("rdtsc", { primary: ["RDTSC exiting"] }, "RDTSC"),
  cell("rdtscp", { primary: ["RDTSC exiting"], secondary: ["enable RDTSCP"] }, "RDTSCP"),
  cell("rdtscp", { primary: ["RDTSC exiting"] }, "VMCALL", { name: "RDTSCP that is not enabled" }),
  cell("rdtscp", {}, "EXCEPTION_OR_NMI", {
    name: "RDTSCP that is not enabled, with CR4.TSD in ring 3",
    fields: { ...ring3, "Guest CR4": 0x2014, "Exception bitmap": (1 << 6) | (1 << 13) },
  }),
  cell("rdtsc", { primary: ["RDTSC exiting"] }, "EXCEPTION_OR_NMI", {
    name: "RDTSC with CR4.TSD in ring 3",
    fields: { ...ring3, "Guest CR4": 0x2014, "Exception bitmap": 1 << 13 },
  }),
  cell("cpuid", {}, "CPUID", { name: "CPUID of ring 3", fields: ring3 }),
  cell("vmxoff", {}, "VMXOFF", { name: "VMXOFF of ring 3", fields: ring3 }),
  cell("vmread eax, ebx", {}, "VMREAD", { name: "VMREAD of ring 3", fields: ring3 }),
  cell("mov eax, dr6", { primary: ["MOV-DR exiting"] }, "DEBUG_REGISTER", { name: "MOV DR of ring 3", fields: ring3 }),
  cell("mov eax, dr4", { primary: ["MOV-DR exiting"] }, "DEBUG_REGISTER", {
    name: "MOV of DR4 with CR4.DE",
    fields: { "Guest CR4": 0x2018 },
  }),
  cell("wbinvd", { secondary: ["WBINVD exiting"] }, "EXCEPTION_OR_NMI", {
    name: "WBINVD of ring 3",
    fields: { ...ring3, "Exception bitmap": 1 << 13 },
  }),
  cell("in al, 0x70", { primary: ["unconditional I/O exiting"] }, "EXCEPTION_OR_NMI", {
    name: "IN of ring 3",
    fields: { ...ring3, "Exception bitmap": 1 << 13 },
  }),
  cell("sgdt [esi]", { secondary: ["descriptor-table exiting"] }, "GDTR_OR_IDTR", {
    name: "SGDT of ring 3",
    fields: ring3,
  }),
  cell("lgdt [esi]", { secondary: ["descriptor-table exiting"] }, "EXCEPTION_OR_NMI", {
    name: "LGDT of ring 3",
    fields: { ...ring3, "Exception bitmap": 1 << 13 },
  }),
  cell("rdtsc\nmov eax, edx\nand eax, 0xffffff00", { primary: ["use TSC offsetting"] }, "VMCALL", {
    name: "the time-stamp counter with an offset",
    fields: { "TSC offset": 0x1234_5600_0000_0000n },
  }),
  cell(
    "mov eax, 2",
    { exit: ["save debug controls", "save IA32_PAT", "load IA32_PAT", "save IA32_EFER", "load IA32_EFER"] },
    "VMCALL",
    {
      name: "what exits may save and load",
      fields: { "Host IA32_PAT": 0x0007_0406_0007_0406n },
      controls: {
        exit: ["save debug controls", "save IA32_PAT", "load IA32_PAT", "save IA32_EFER", "load IA32_EFER"],
        entry: ["load debug controls", "load IA32_PAT", "load IA32_EFER"],
      },
    },
  ),
  cell("rdpmc", { primary: ["RDPMC exiting"] }, "RDPMC"),
  cell("invd", {}, "INVD"),
  cell("wbinvd", { secondary: ["WBINVD exiting"] }, "WBINVD"),
  cell("wbinvd\nmov eax, 4", {}, "VMCALL"),
  cell("pause", { primary: ["PAUSE exiting"] }, "PAUSE"),
  cell("invlpg [0x1234]", { primary: ["INVLPG exiting"] }, "INVLPG"),
  cell("mov ebx, 0x800000\ninvlpg [ebx+8]", { primary: ["INVLPG exiting"] }, "INVLPG"),
  cell("sgdt [0x250000]", { secondary: ["descriptor-table exiting"] }, "GDTR_OR_IDTR"),
  cell("sidt [edi+ecx*4+0x10]", { secondary: ["descriptor-table exiting"] }, "GDTR_OR_IDTR"),
  cell("lgdt [esi-8]", { secondary: ["descriptor-table exiting"] }, "GDTR_OR_IDTR"),
  cell("lidt [ebp]", { secondary: ["descriptor-table exiting"] }, "GDTR_OR_IDTR"),
  cell("sldt edx", { secondary: ["descriptor-table exiting"] }, "LDTR_OR_TR"),
  cell("sldt [fs:eax]", { secondary: ["descriptor-table exiting"] }, "LDTR_OR_TR"),
  cell("str ebx", { secondary: ["descriptor-table exiting"] }, "LDTR_OR_TR"),
  cell("lldt cx", { secondary: ["descriptor-table exiting"] }, "LDTR_OR_TR"),
  cell("ltr [esi+2]", { secondary: ["descriptor-table exiting"] }, "LDTR_OR_TR"),
  cell("sgdt [0x250000]\nsldt eax", {}, "VMCALL"),
  cell("rdrand edx", { secondary: ["RDRAND exiting"] }, "RDRAND"),
  cell("rdrand cx", { secondary: ["RDRAND exiting"] }, "RDRAND"),
  cell("rdseed esi", { secondary: ["RDSEED exiting"] }, "RDSEED", { differs: { all: "a Haswell has no RDSEED" } }),
  cell("vmclear [0x250000]", {}, "VMCLEAR"),
  cell("vmptrld [esi+0x20]", {}, "VMPTRLD"),
  cell("vmptrst [esi+edi*2]", {}, "VMPTRST"),
  cell("vmread ebx, edx", {}, "VMREAD"),
  cell("vmread [esi], ecx", {}, "VMREAD"),
  cell("vmwrite ecx, ebx", {}, "VMWRITE"),
  cell("vmwrite ecx, [ebp+0x40]", {}, "VMWRITE"),
  cell("vmlaunch", {}, "VMLAUNCH"),
  cell("vmresume", {}, "VMRESUME"),
  cell("vmxoff", {}, "VMXOFF"),
  cell("vmxon [esi]", {}, "VMXON"),
  cell("invept eax, [esi]", {}, "INVEPT"),
  cell("invvpid ecx, [edi+8]", {}, "INVVPID"),
];

const cr0Owned = { "CR0 guest/host mask": 0x0000_000a, "CR0 read shadow": 0x0000_0008 } as const;
const cr4Owned = { "CR4 guest/host mask": 0x2080, "CR4 read shadow": 0x80 } as const;

const registers: readonly VmxCell[] = [
  cell("mov eax, cr0", {}, "VMCALL", { fields: cr0Owned, name: "CR0 as the guest sees it" }),
  cell("mov eax, cr4", {}, "VMCALL", { fields: cr4Owned, name: "CR4 as the guest sees it" }),
  cell("smsw eax", {}, "VMCALL", { fields: cr0Owned }),
  cell("mov ebx, cr0\nxor ebx, 2\nmov cr0, ebx", {}, "CONTROL_REGISTER", { fields: cr0Owned }),
  cell("mov ebx, cr0\nxor ebx, 0x10000\nmov cr0, ebx\nmov eax, cr0", {}, "VMCALL", { fields: cr0Owned }),
  cell("mov edx, cr4\nxor edx, 0x80\nmov cr4, edx", {}, "CONTROL_REGISTER", { fields: cr4Owned }),
  cell("mov edx, cr4\nxor edx, 4\nmov cr4, edx\nmov eax, cr4", {}, "VMCALL", { fields: cr4Owned }),
  cell("mov eax, cr0\nand eax, 0xffffffdf\nmov cr0, eax", {}, "VMCALL", { name: "CR0.NE that VMX operation holds" }),
  cell("xor eax, eax\nmov cr4, eax", {}, "VMCALL", { name: "CR4.VMXE that VMX operation holds" }),
  cell("clts", {}, "CONTROL_REGISTER", { fields: cr0Owned }),
  cell("clts\nmov eax, cr0", {}, "VMCALL", {
    fields: { "CR0 guest/host mask": 8, "CR0 read shadow": 0, "Guest CR0": 0x8000_0039 },
    name: "CLTS of a TS that the guest sees clear",
  }),
  cell("mov ax, 0xb\nlmsw ax", {}, "CONTROL_REGISTER", { fields: cr0Owned }),
  cell("mov word [0x250000], 5\nlmsw [0x250000]", {}, "CONTROL_REGISTER", { fields: cr0Owned }),
  cell("mov ax, 0x9\nlmsw ax\nmov eax, cr0", {}, "VMCALL", { fields: cr0Owned }),
  cell("mov eax, 5\nlmsw ax\nmov eax, cr0", {}, "VMCALL", { name: "LMSW of bits the guest has" }),
  cell("mov ecx, cr3", { primary: ["CR3-store exiting"] }, "CONTROL_REGISTER"),
  cell("mov eax, cr3\nmov cr3, eax", { primary: ["CR3-load exiting"] }, "CONTROL_REGISTER"),
  cell("mov eax, cr3\nmov cr3, eax\nmov eax, 3", { primary: ["CR3-load exiting"] }, "VMCALL", {
    name: "a CR3 that is a target",
    fields: { "CR3-target count": 2, "CR3-target value 1": AT.wholeTables },
  }),
  cell("mov eax, cr3\nmov cr3, eax", { primary: ["CR3-load exiting"] }, "CONTROL_REGISTER", {
    name: "a CR3 that is a target beyond the count",
    fields: { "CR3-target count": 1, "CR3-target value 1": AT.wholeTables },
  }),
  cell("mov dr2, ebx", { primary: ["MOV-DR exiting"] }, "DEBUG_REGISTER"),
  cell("mov esi, dr7", { primary: ["MOV-DR exiting"] }, "DEBUG_REGISTER"),
  cell("mov eax, dr6", { primary: ["MOV-DR exiting"] }, "DEBUG_REGISTER", {
    name: "MOV DR with general detect",
    fields: { "Guest DR7": 0x2400 },
    controls: { primary: ["MOV-DR exiting"], entry: ["load debug controls"] },
  }),
];

const bitmaps = { primary: ["use I/O bitmaps"] } as const;
const msrBitmaps = { primary: ["use MSR bitmaps"] } as const;
const maps: readonly VmxCell[] = [
  cell("in al, 0x80", { primary: ["unconditional I/O exiting"] }, "IO_INSTRUCTION"),
  cell("mov dx, 0x3f8\nout dx, ax", { primary: ["unconditional I/O exiting"] }, "IO_INSTRUCTION"),
  cell("in al, 0x70", bitmaps, "IO_INSTRUCTION"),
  cell("out 0x71, al\nmov eax, 1", bitmaps, "VMCALL"),
  cell("out 0x71, al\nmov eax, 1", { primary: ["use I/O bitmaps", "unconditional I/O exiting"] }, "VMCALL", {
    name: "bitmaps in front of unconditional exits",
  }),
  cell("mov dx, 0x8000\nin eax, dx", bitmaps, "IO_INSTRUCTION"),
  cell("mov dx, 0x7ffd\nin eax, dx", bitmaps, "IO_INSTRUCTION"),
  cell("mov dx, 0x4d0\nin ax, dx", bitmaps, "IO_INSTRUCTION"),
  cell("mov dx, 0xffff\nin al, dx\nmov eax, 1", bitmaps, "VMCALL"),
  cell("mov dx, 0xffff\nin ax, dx", bitmaps, "IO_INSTRUCTION"),
  cell("mov dx, 0xfffe\nout dx, eax", bitmaps, "IO_INSTRUCTION"),
  cell("mov dx, 0x2f8\nmov ecx, 3\nrep outsb", bitmaps, "IO_INSTRUCTION"),
  cell("mov dx, 0x2f8\nfs outsd", bitmaps, "IO_INSTRUCTION"),
  cell("mov dx, 0x2f8\ninsw", bitmaps, "IO_INSTRUCTION"),
  cell("mov dx, 0x2f8\na16 insb", bitmaps, "IO_INSTRUCTION"),
  cell("mov ecx, 0xc0000080\nrdmsr", msrBitmaps, "RDMSR"),
  cell("mov ecx, 0xc0000081\nwrmsr", msrBitmaps, "WRMSR"),
  cell("mov ecx, 0x176\nwrmsr", msrBitmaps, "WRMSR"),
  cell("mov ecx, 0x175\nrdmsr\nmov eax, 2", msrBitmaps, "VMCALL"),
  cell("mov ecx, 0x2000\nrdmsr", msrBitmaps, "RDMSR"),
  cell("mov ecx, 0xc0002000\nwrmsr", msrBitmaps, "WRMSR"),
  cell("mov ecx, 0x175\nrdmsr", {}, "RDMSR"),
];

const paged: Fields = { "Guest CR3": AT.guestTables };
const exceptions: readonly VmxCell[] = [
  cell("ud2", {}, "EXCEPTION_OR_NMI", { fields: { "Exception bitmap": 1 << 6 } }),
  cell("ud2", {}, "VMCALL", { name: "#UD in the guest" }),
  cell("xor ecx, ecx\ndiv ecx", {}, "EXCEPTION_OR_NMI", { fields: { "Exception bitmap": 1 } }),
  cell("int3", {}, "EXCEPTION_OR_NMI", { fields: { "Exception bitmap": 8 } }),
  cell("int 3", {}, "VMCALL", { name: "INT n of vector 3", fields: { "Exception bitmap": 8 } }),
  cell("mov eax, 0x7fffffff\nadd eax, 1\ninto", {}, "EXCEPTION_OR_NMI", { fields: { "Exception bitmap": 16 } }),
  cell("int1", {}, "EXCEPTION_OR_NMI", { fields: { "Exception bitmap": 2 } }),
  cell("mov eax, 0xf0\nmov ds, ax", {}, "EXCEPTION_OR_NMI", { fields: { "Exception bitmap": 1 << 13 } }),
  cell("mov eax, [0x800010]", {}, "EXCEPTION_OR_NMI", { fields: { ...paged, "Exception bitmap": 1 << 14 } }),
  cell("mov dword [0xc00020], 1", {}, "EXCEPTION_OR_NMI", {
    fields: { ...paged, "Guest CR0": 0x8001_0031, "Exception bitmap": 1 << 14 },
  }),
  cell("mov eax, [0x800010]", {}, "VMCALL", { name: "#PF in the guest", fields: paged }),
  cell("mov eax, [0x800010]", {}, "VMCALL", {
    name: "#PF whose code does not match",
    fields: {
      ...paged,
      "Exception bitmap": 1 << 14,
      "Page-fault error-code mask": 1,
      "Page-fault error-code match": 1,
    },
  }),
  cell("mov eax, [0x800010]", {}, "EXCEPTION_OR_NMI", {
    name: "#PF whose code does not match, the bit clear",
    fields: { ...paged, "Page-fault error-code mask": 1, "Page-fault error-code match": 1 },
  }),
  cell("mov dword [0x800010], 2", {}, "EXCEPTION_OR_NMI", {
    name: "#PF whose code matches",
    fields: {
      ...paged,
      "Exception bitmap": 1 << 14,
      "Page-fault error-code mask": 3,
      "Page-fault error-code match": 2,
    },
  }),
  cell("ud2", {}, "TRIPLE_FAULT", { name: "a triple fault", fields: { "Guest IDTR limit": 0 } }),
  cell("ud2", {}, "EXCEPTION_OR_NMI", {
    name: "#GP while #UD is delivered",
    fields: { "Guest IDTR limit": 0x2f, "Exception bitmap": 1 << 13 },
  }),
  cell("mov eax, 0xf0\nmov ds, ax", {}, "EXCEPTION_OR_NMI", {
    name: "a double fault",
    fields: { "Guest IDTR limit": 0x5f, "Exception bitmap": 1 << 8 },
  }),
  cell("xor ecx, ecx\ndiv ecx", {}, "EXCEPTION_OR_NMI", {
    name: "#GP while #DE is delivered",
    fields: { "Guest IDTR limit": 0, "Exception bitmap": 1 << 13 },
  }),
  cell("mov [0x800010], eax", {}, "EXCEPTION_OR_NMI", {
    name: "a page fault while another is delivered",
    fields: {
      ...paged,
      "Guest IDTR base": 0x800000,
      "Exception bitmap": 1 << 14,
      "Page-fault error-code mask": 2,
      "Page-fault error-code match": 0,
    },
  }),
  cell("int 0x41", {}, "EXCEPTION_OR_NMI", {
    name: "INT n of a gate that is absent",
    fields: { "Exception bitmap": (1 << 13) | (1 << 11) },
  }),
  cell("int 0x42", {}, "TASK_SWITCH"),
  cell("jmp 0x30:0", {}, "TASK_SWITCH"),
  cell("call 0x30:0", {}, "TASK_SWITCH"),
  cell("pushfd\npop eax\nor eax, 0x4000\npush eax\npopfd\niretd", {}, "VMCALL", {
    name: "IRET of a task without a link",
  }),
  cell("mov eax, 1", {}, "EXCEPTION_OR_NMI", {
    name: "a single step",
    fields: { "Guest RFLAGS": 0x102, "Exception bitmap": 2 },
  }),
  cell("mov ax, ss\nmov ss, ax\nud2", {}, "EXCEPTION_OR_NMI", {
    name: "#UD behind MOV to SS",
    differs: { "Guest interruptibility state": "Bochs ends the shadow in front of the exception" },
    fields: { "Exception bitmap": 1 << 6 },
  }),
  cell(
    "mov eax, 0x250000\nmov dr0, eax\nmov eax, [eax]\nmov ecx, 1",
    { entry: ["load debug controls"] },
    "EXCEPTION_OR_NMI",
    {
      name: "a data breakpoint",
      fields: { "Guest DR7": 0xf0402, "Exception bitmap": 2 },
    },
  ),
  cell("hlt", { primary: ["HLT exiting"] }, "EXCEPTION_OR_NMI", {
    name: "HLT of ring 3",
    fields: {
      "Exception bitmap": 1 << 13,
      "Guest CS selector": 0x1b,
      "Guest CS access rights": 0xc0fb,
      "Guest SS selector": 0x23,
      "Guest SS access rights": 0xc0f3,
      "Guest DS selector": 0x23,
      "Guest DS access rights": 0xc0f3,
      "Guest CR3": AT.wholeTables,
    },
    controls: { primary: ["HLT exiting"] },
  }),
];

const ept = { secondary: ["enable EPT"] } as const;
const extended: readonly VmxCell[] = [
  cell("mov eax, [0x250000]\nmov eax, 3", ept, "VMCALL", { name: "EPT" }),
  cell("mov eax, [0x800014]", ept, "EPT_VIOLATION"),
  cell("mov dword [0x800018], 1", ept, "EPT_VIOLATION"),
  cell("add dword [0x800018], 1", ept, "EPT_VIOLATION"),
  cell("jmp 0x800020", ept, "EPT_VIOLATION"),
  cell("jmp 0xa00020", ept, "EPT_VIOLATION"),
  cell("mov dword [0xc00018], 1", ept, "EPT_VIOLATION"),
  cell("inc dword [0xc00018]", ept, "EPT_VIOLATION"),
  cell("mov eax, [0xe00018]", ept, "EPT_MISCONFIGURATION"),
  cell("mov eax, [0x1000018]", ept, "EPT_MISCONFIGURATION"),
  cell("push eax", ept, "EPT_VIOLATION", { fields: { "Guest RSP": 0x800010 } }),
  cell("ud2", ept, "EPT_VIOLATION", {
    name: "delivery onto a stack that EPT has not",
    fields: { "Guest RSP": 0x800010 },
  }),
  cell("int 0x40", ept, "EPT_VIOLATION", {
    name: "INT n onto a stack that EPT has not",
    fields: { "Guest RSP": 0x800010 },
  }),
  cell("mov eax, [0x250000]", ept, "EPT_VIOLATION", {
    name: "guest tables that EPT has not",
    fields: { "Guest CR3": AT.absent },
  }),
  cell("mov eax, [0x250000]", ept, "EPT_VIOLATION", {
    name: "guest tables that EPT has not, with accessed flags",
    differs: { "Exit qualification": "Bochs says no read beside the write" },
    fields: { "Guest CR3": AT.absent, "EPT pointer": AT.ept | 6 | (3 << 3) | 64 },
  }),
  cell("mov eax, [0x800010]", ept, "EXCEPTION_OR_NMI", {
    name: "#PF with EPT",
    fields: { ...paged, "Exception bitmap": 1 << 14 },
  }),
  cell("nop", ept, "VMCALL", {
    name: "PDPTEs of the VMCS",
    fields: { "Guest CR4": 0x2030, "Guest CR3": AT.absent, "Guest PDPTE0": AT.paeDirectory + 1 },
  }),
  cell("xor eax, eax\nxor ecx, ecx\nvmfunc", { secondary: ["enable EPT", "enable VM functions"] }, "VMCALL", {
    fields: { "VM-function controls": 1 },
  }),
  cell("xor eax, eax\nmov ecx, 1\nvmfunc", { secondary: ["enable EPT", "enable VM functions"] }, "VMFUNC", {
    fields: { "VM-function controls": 1 },
  }),
  cell("xor eax, eax\nmov ecx, 512\nvmfunc", { secondary: ["enable EPT", "enable VM functions"] }, "VMFUNC", {
    fields: { "VM-function controls": 1 },
  }),
  cell("mov eax, 1\nvmfunc", { secondary: ["enable EPT", "enable VM functions"] }, "VMFUNC", {
    fields: { "VM-function controls": 1 },
  }),
  cell("xor eax, eax\nvmfunc", { secondary: ["enable EPT", "enable VM functions"] }, "VMFUNC", {
    name: "a VM function that is not enabled",
  }),
  cell("mov eax, 64\nvmfunc", { secondary: ["enable EPT", "enable VM functions"] }, "EXCEPTION_OR_NMI", {
    fields: { "VM-function controls": 1, "Exception bitmap": 1 << 6 },
  }),
  cell("xor eax, eax\nvmfunc", ept, "EXCEPTION_OR_NMI", {
    name: "VMFUNC that is not enabled",
    fields: { "Exception bitmap": 1 << 6 },
  }),
  cell("mov eax, 5", { secondary: ["enable VPID"] }, "VMCALL", { name: "VPID" }),
];

const event = (vector: number, type: number, more = 0): number => ((1 << 31) | more | (type << 8) | vector) >>> 0;
const WITH_CODE = 1 << 11;
const INJECT = "VM-entry interruption-information field";
const OPEN = "mov al, 0xfe\nout 0x21, al";

const events: readonly VmxCell[] = [
  cell("ud2", {}, "VMCALL", {
    name: "injection of an interrupt",
    fields: { [INJECT]: event(0x40, 0), "Guest RFLAGS": 0x202 },
  }),
  cell("ud2", {}, "VMCALL", { name: "injection of an NMI", fields: { [INJECT]: event(2, 2) } }),
  cell("ud2", {}, "VMCALL", {
    name: "injection of #GP with a code",
    fields: { [INJECT]: event(13, 3, WITH_CODE), "VM-entry exception error code": 0x58 },
  }),
  cell("ud2", {}, "VMCALL", {
    name: "injection of INT n",
    fields: { [INJECT]: event(0x40, 4), "VM-entry instruction length": 2 },
  }),
  cell("ud2", {}, "VMCALL", {
    name: "injection of INT3",
    fields: { [INJECT]: event(3, 6), "VM-entry instruction length": 1 },
  }),
  cell("ud2", {}, "VMCALL", {
    name: "injection of INT1",
    fields: { [INJECT]: event(1, 5), "VM-entry instruction length": 1 },
  }),
  cell("ud2", {}, "EXCEPTION_OR_NMI", {
    name: "an injected interrupt whose gate is absent",
    fields: { [INJECT]: event(0x41, 0), "Guest RFLAGS": 0x202, "Exception bitmap": (1 << 11) | (1 << 13) },
  }),
  cell("ud2", {}, "EXCEPTION_OR_NMI", {
    name: "an injected INT n whose gate is absent",
    fields: { [INJECT]: event(0x41, 4), "VM-entry instruction length": 2, "Exception bitmap": (1 << 11) | (1 << 13) },
  }),
  cell("nop", {}, "VMCALL", {
    name: "an injected #DE whose bit is set",
    fields: { [INJECT]: event(0, 3), "Exception bitmap": 1 },
  }),
  cell("nop", { pin: ["NMI exiting"] }, "VMCALL", {
    name: "an injected NMI with NMI exiting",
    fields: { [INJECT]: event(2, 2) },
  }),
  cell("ud2", {}, "TASK_SWITCH", {
    name: "an injected interrupt through a task gate",
    fields: { [INJECT]: event(0x42, 0), "Guest RFLAGS": 0x202 },
  }),
  cell("nop", ept, "EPT_VIOLATION", {
    name: "an injected #PF onto a stack that EPT has not",
    fields: { [INJECT]: event(14, 3, WITH_CODE), "VM-entry exception error code": 2, "Guest RSP": 0x800010 },
  }),
  cell("mov eax, 7", {}, "MONITOR_TRAP_FLAG", {
    name: "injection of a pending MTF exit",
    fields: { [INJECT]: event(0, 7) },
    differs: { all: "Bochs ends" },
  }),
  cell("mov eax, 7\nmov eax, 8", { primary: ["monitor trap flag"] }, "MONITOR_TRAP_FLAG", {
    name: "the monitor trap flag",
    entries: 2,
    ends: ["MONITOR_TRAP_FLAG", "MONITOR_TRAP_FLAG"],
  }),
  cell("nop", { primary: ["monitor trap flag"] }, "MONITOR_TRAP_FLAG", {
    name: "the monitor trap flag behind an injected interrupt",
    fields: { [INJECT]: event(0x40, 0), "Guest RFLAGS": 0x202 },
  }),
  cell("ud2", { primary: ["monitor trap flag"] }, "MONITOR_TRAP_FLAG", { name: "the monitor trap flag behind #UD" }),
  cell("hlt", { primary: ["monitor trap flag"] }, "MONITOR_TRAP_FLAG", { name: "the monitor trap flag behind HLT" }),
  cell("mov ecx, 3\nrep movsb", { primary: ["monitor trap flag"] }, "MONITOR_TRAP_FLAG", {
    name: "the monitor trap flag with REP",
    entries: 4,
    ends: ["MONITOR_TRAP_FLAG", "MONITOR_TRAP_FLAG", "MONITOR_TRAP_FLAG", "MONITOR_TRAP_FLAG"],
  }),
  cell("cpuid", { primary: ["monitor trap flag"] }, "CPUID", { name: "an exit in front of the monitor trap flag" }),
  cell("nop", { primary: ["interrupt-window exiting"] }, "INTERRUPT_WINDOW", {
    fields: { "Guest RFLAGS": 0x202 },
    name: "an interrupt window",
  }),
  cell("nop\nsti\nmov eax, 1\nmov eax, 2", { primary: ["interrupt-window exiting"] }, "INTERRUPT_WINDOW", {
    name: "an interrupt window behind STI",
  }),
  cell("sti\nhlt", { primary: ["interrupt-window exiting"] }, "INTERRUPT_WINDOW", {
    name: "an interrupt window in HLT",
    differs: { all: "in Bochs it does not end HLT" },
  }),
  cell("mov eax, 1\nmov eax, 2", { primary: ["interrupt-window exiting"] }, "INTERRUPT_WINDOW", {
    name: "an interrupt window behind a shadow of MOV to SS",
    fields: { "Guest RFLAGS": 0x202, "Guest interruptibility state": 2 },
  }),
  cell("nop", { primary: ["interrupt-window exiting"] }, "INTERRUPT_WINDOW", {
    name: "an interrupt window of a guest that was entered in HLT",
    differs: { all: "in Bochs it does not end HLT" },
    fields: { "Guest RFLAGS": 0x202, "Guest activity state": 1 },
  }),
  cell("nop", { pin: ["NMI exiting", "virtual NMIs"], primary: ["NMI-window exiting"] }, "NMI_WINDOW", {
    name: "an NMI window",
  }),
  cell(
    "nop\npush 0x2\npush 8\npush after\niretd\nafter:\nmov eax, 4",
    { pin: ["NMI exiting", "virtual NMIs"], primary: ["NMI-window exiting"] },
    "NMI_WINDOW",
    {
      name: "an NMI window behind IRET",
      fields: { "Guest interruptibility state": 8 },
    },
  ),
  cell(
    "mov eax, 1\nmov eax, 2",
    { pin: ["NMI exiting", "virtual NMIs"], primary: ["NMI-window exiting"] },
    "NMI_WINDOW",
    {
      name: "an NMI window behind a shadow of MOV to SS",
      fields: { "Guest interruptibility state": 2 },
    },
  ),
  cell(`${OPEN}\njmp $`, { pin: ["external-interrupt exiting"] }, "EXTERNAL_INTERRUPT", {
    name: "an interrupt of the host",
    fields: { "Guest RFLAGS": 0x202 },
  }),
  // Bochs notices that IF does not count where it is changed.
  cell(`sti\nnop\ncli\n${OPEN}\njmp $`, { pin: ["external-interrupt exiting"] }, "EXTERNAL_INTERRUPT", {
    name: "an interrupt of the host while the guest's IF is clear",
  }),
  cell(
    `${OPEN}\njmp $`,
    { pin: ["external-interrupt exiting"], exit: ["acknowledge interrupt on exit"] },
    "EXTERNAL_INTERRUPT",
    {
      name: "an interrupt that is acknowledged",
      fields: { "Guest RFLAGS": 0x202 },
    },
  ),
  cell("hlt", { pin: ["external-interrupt exiting"] }, "EXTERNAL_INTERRUPT", {
    name: "an interrupt of the host that ends HLT with IF clear",
    differs: { "Guest RIP": "Bochs's timer asks before HLT", "Guest activity state": "Bochs's timer asks before HLT" },
    code: `sti\nnop\ncli\n${OPEN}\nhlt\nmov eax, 3`,
  }),
  cell(`${OPEN}\njmp $`, {}, "VMCALL", { name: "an interrupt of the guest", fields: { "Guest RFLAGS": 0x202 } }),
  cell(`${OPEN}\nsti\nhlt`, {}, "VMCALL", { name: "an interrupt of the guest that ends HLT" }),
  cell("nop", { pin: ["activate VMX-preemption timer"] }, "PREEMPTION_TIMER", { name: "a preemption timer of 0" }),
  cell(
    "jmp $",
    { pin: ["activate VMX-preemption timer"], exit: ["save VMX-preemption timer value"] },
    "PREEMPTION_TIMER",
    {
      name: "a preemption timer that counts down",
      fields: { "VMX-preemption timer value": 20 },
      code: "again: jmp again",
    },
  ),
  cell("hlt", { pin: ["activate VMX-preemption timer"] }, "PREEMPTION_TIMER", {
    name: "a preemption timer that ends HLT with IF clear",
    fields: { "VMX-preemption timer value": 200 },
  }),
  cell("ud2", { pin: ["activate VMX-preemption timer"] }, "PREEMPTION_TIMER", {
    name: "a preemption timer of 0 behind an injected interrupt",
    fields: { [INJECT]: event(0x40, 0), "Guest RFLAGS": 0x202 },
  }),
  cell("mov eax, 1", {}, "EXCEPTION_OR_NMI", {
    name: "a pending single step",
    fields: { "Guest RFLAGS": 0x102, "Guest pending debug exceptions": 0x4000, "Exception bitmap": 2 },
  }),
  cell("cpuid", {}, "CPUID", {
    name: "what is written again behind an exit",
    entries: 3,
    skips: true,
    code: "cpuid\nrdmsr\nhlt",
    controls: { primary: ["HLT exiting"] },
    ends: ["CPUID", "RDMSR", "HLT"],
  }),
];

const unrestricted = { secondary: ["enable EPT", "unrestricted guest"] } as const;
const real: Fields = {
  "Guest CR0": 0x30,
  "Guest CR3": 0,
  "Guest CR4": 0x2000,
  "Guest RIP": 0,
  "Guest RSP": 0x3f00,
  "Guest IDTR base": AT.realVectors,
  "Guest IDTR limit": 0x3ff,
  ...Object.fromEntries(
    ["ES", "CS", "SS", "DS", "FS", "GS"].flatMap((name) => [
      [`Guest ${name} selector`, name === "CS" ? 0x600 : 0],
      [`Guest ${name} base`, name === "CS" ? 0x6000 : 0],
      [`Guest ${name} limit`, 0xffff],
      [`Guest ${name} access rights`, name === "CS" ? 0x9b : 0x93],
    ]),
  ),
};
const inReal = (code: string, end: Ending, more: Partial<VmxCell> = {}): VmxCell => ({
  name: `real mode: ${code.replace(/\n/g, "; ")}`,
  code,
  bits: 16,
  low: true,
  controls: { ...unrestricted, ...more.controls },
  ends: [end],
  ...more,
  fields: { ...real, ...more.fields },
  differs: { "Guest CS access rights": "Bochs changes the type of code in real mode", ...more.differs },
});

const realMode: readonly VmxCell[] = [
  inReal("mov ax, 0x1234", "VMCALL"),
  inReal("cpuid", "CPUID"),
  inReal("int 0x21", "VMCALL"),
  inReal("ud2", "VMCALL", { name: "real mode: #UD through a vector" }),
  inReal("ud2", "EXCEPTION_OR_NMI", { fields: { "Exception bitmap": 1 << 6 } }),
  inReal("xor bx, bx\ndiv bx", "EXCEPTION_OR_NMI", { fields: { "Exception bitmap": 1 } }),
  inReal("mov bx, 0xffff\nmov ax, [bx]", "EXCEPTION_OR_NMI", { fields: { "Exception bitmap": 1 << 13 } }),
  inReal("nop", "VMCALL", {
    name: "real mode: an injected interrupt",
    fields: { [INJECT]: event(0x33, 0), "Guest RFLAGS": 0x202 },
  }),
  inReal("nop", "VMCALL", { name: "real mode: an injected #GP", fields: { [INJECT]: event(13, 3) } }),
  inReal("nop", "VMCALL", {
    name: "real mode: an injected INT n",
    fields: { [INJECT]: event(0x10, 4), "VM-entry instruction length": 2 },
  }),
  inReal("mov ax, 0x700\nmov ds, ax\nmov ax, 0x1234\njmp 0x600:far_target - code_place\nfar_target:", "VMCALL", {
    name: "real mode: segments",
    code: "mov ax, 0x700\nmov ss, ax\nmov ds, ax\nmov ax, 7",
  }),
  inReal("mov eax, cr0\nor al, 1\nmov cr0, eax\nmov eax, cr0", "VMCALL", { name: "real mode: into protected mode" }),
  inReal("mov eax, cr0\nor al, 1\nmov cr0, eax", "CONTROL_REGISTER", {
    name: "real mode: a PE that the host owns",
    fields: { "CR0 guest/host mask": 1 },
  }),
  inReal("in al, 0x70", "IO_INSTRUCTION", { controls: { ...unrestricted, primary: ["use I/O bitmaps"] } }),
  inReal("mov si, 0x100\nmov dx, 0x2f8\nrep outsb", "IO_INSTRUCTION", {
    controls: { ...unrestricted, primary: ["use I/O bitmaps"] },
  }),
  inReal("sti\nhlt", "HLT", { controls: { ...unrestricted, primary: ["HLT exiting"] } }),
  inReal("lgdt [0x100]", "GDTR_OR_IDTR", {
    controls: { secondary: ["enable EPT", "unrestricted guest", "descriptor-table exiting"] },
  }),
  inReal("o32 lidt [bx+si+4]", "GDTR_OR_IDTR", {
    controls: { secondary: ["enable EPT", "unrestricted guest", "descriptor-table exiting"] },
  }),
  inReal("int 0x40", "TRIPLE_FAULT", { name: "real mode: a triple fault", fields: { "Guest IDTR limit": 0 } }),
  inReal("vmxon [0x100]", "VMCALL", { name: "real mode: VMXON" }),
];

const virtual8086: Fields = {
  "Guest RFLAGS": 0x23002,
  "Guest RIP": 0,
  "Guest RSP": 0x3f00,
  ...Object.fromEntries(
    ["ES", "CS", "SS", "DS", "FS", "GS"].flatMap((name) => [
      [`Guest ${name} selector`, name === "CS" ? 0x600 : 0],
      [`Guest ${name} base`, name === "CS" ? 0x6000 : 0],
      [`Guest ${name} limit`, 0xffff],
      [`Guest ${name} access rights`, 0xf3],
    ]),
  ),
};
const in8086: readonly VmxCell[] = [
  { name: "virtual-8086 mode: CPUID", code: "cpuid", bits: 16, low: true, fields: virtual8086, ends: ["CPUID"] },
  {
    name: "virtual-8086 mode: HLT",
    code: "hlt",
    bits: 16,
    low: true,
    fields: { ...virtual8086, "Exception bitmap": 1 << 13 },
    controls: { primary: ["HLT exiting"] },
    ends: ["EXCEPTION_OR_NMI"],
  },
];

const fails = (name: string, fields: Fields, end: Ending, controls: Controls = {}): VmxCell => ({
  name,
  code: "nop",
  controls,
  fields,
  ends: [end],
});
const control = { error: "INVALID_CONTROLS" } as const;
const hostState = { error: "INVALID_HOST_STATE" } as const;
const guestState = { failedEntry: "INVALID_GUEST_STATE" } as const;

const refused: readonly VmxCell[] = [
  fails("a CR3-target count of 5", { "CR3-target count": 5 }, control),
  fails("an I/O bitmap that is no page", { "Address of I/O bitmap A": 0x302010 }, control, bitmaps),
  fails("MSR bitmaps that are no page", { "Address of MSR bitmaps": 0x302800 }, control, msrBitmaps),
  fails("a TPR threshold above 15", { "TPR threshold": 16 }, control, { primary: ["use TPR shadow"] }),
  fails("a TPR threshold above the task priority", { "TPR threshold": 6 }, control, { primary: ["use TPR shadow"] }),
  fails("a TPR threshold that is the task priority", { "TPR threshold": 5 }, "VMCALL", { primary: ["use TPR shadow"] }),
  fails("virtual NMIs without NMI exiting", {}, control, { pin: ["virtual NMIs"] }),
  fails("NMI windows without virtual NMIs", {}, control, { primary: ["NMI-window exiting"] }),
  fails("VPID 0", { "Virtual-processor identifier (VPID)": 0 }, control, { secondary: ["enable VPID"] }),
  fails("an EPT pointer of another memory type", { "EPT pointer": AT.ept | 5 | (3 << 3) }, control, ept),
  fails("an EPT pointer of three levels", { "EPT pointer": AT.ept | 6 | (2 << 3) }, control, ept),
  fails("an EPT pointer with a reserved bit", { "EPT pointer": AT.ept | 6 | (3 << 3) | 0x800 }, control, ept),
  fails("an unrestricted guest without EPT", {}, control, { secondary: ["unrestricted guest"] }),
  fails("a VM function that there is not", { "VM-function controls": 2 }, control, {
    secondary: ["enable EPT", "enable VM functions"],
  }),
  fails("an EPTP list that is no page", { "VM-function controls": 1, "EPTP-list address": 8 }, control, {
    secondary: ["enable EPT", "enable VM functions"],
  }),
  fails("a timer that is saved and not active", {}, control, { exit: ["save VMX-preemption timer value"] }),
  fails(
    "an MSR-store area that is not on 16 bytes",
    { "VM-exit MSR-store count": 1, "VM-exit MSR-store address": AT.storedMsrs + 8 },
    control,
  ),
  fails(
    "an MSR-load area beyond physical addresses",
    { "VM-exit MSR-load count": 1, "VM-exit MSR-load address": 1n << 52n },
    control,
  ),
  fails("an injected event of a reserved type", { [INJECT]: event(0x40, 1) }, control),
  fails("an injected NMI of another vector", { [INJECT]: event(3, 2) }, control),
  fails("an injected exception above 31", { [INJECT]: event(32, 3) }, control),
  {
    ...fails("an injected MTF exit of another vector", { [INJECT]: event(1, 7) }, control),
    differs: { all: "Bochs ends" },
  },
  fails("an injected #GP without a code", { [INJECT]: event(13, 3) }, control),
  fails("an injected #UD with a code", { [INJECT]: event(6, 3, WITH_CODE) }, control),
  fails("an injected event with a reserved bit", { [INJECT]: event(0x40, 0, 1 << 13) }, control),
  fails(
    "an injected error code above 15 bits",
    { [INJECT]: event(13, 3, WITH_CODE), "VM-entry exception error code": 0x1_0000 },
    control,
  ),
  fails("an injected INT n without a length", { [INJECT]: event(0x40, 4) }, control),
  fails("an injected INT n of 16 bytes", { [INJECT]: event(0x40, 4), "VM-entry instruction length": 16 }, control),
  fails("a host CR0 without NE", { "Host CR0": 0x8000_0011 }, hostState),
  fails("a host CR4 without VMXE", { "Host CR4": 0x10 }, hostState),
  fails("a host CS with an RPL", { "Host CS selector": 9 }, hostState),
  fails("a host CS of 0", { "Host CS selector": 0 }, hostState),
  fails("a host TR of 0", { "Host TR selector": 0 }, hostState),
  fails("a host SS of 0", { "Host SS selector": 0 }, hostState),
  fails("a host with 64 bits outside of IA-32e mode", {}, hostState, { exit: ["host address-space size"] }),
  fails("a guest with 64 bits outside of IA-32e mode", {}, hostState, { entry: ["IA-32e mode guest"] }),
  fails("a host PAT with a reserved type", { "Host IA32_PAT": 2 }, hostState, { exit: ["load IA32_PAT"] }),
  fails("a host EFER with long mode", { "Host IA32_EFER": 0x500 }, hostState, { exit: ["load IA32_EFER"] }),
  fails("a guest CR0 without NE", { "Guest CR0": 0x8000_0011 }, guestState),
  fails("a guest CR0 without PE", { "Guest CR0": 0x8000_0030 }, guestState),
  fails("a guest CR4 without VMXE", { "Guest CR4": 0x10 }, guestState),
  fails("a guest CR4 with a bit that is not there", { "Guest CR4": 0x8000_2010 }, guestState),
  {
    ...fails("a guest DEBUGCTL with a reserved bit", { "Guest IA32_DEBUGCTL": 4 }, guestState, {
      entry: ["load debug controls"],
    }),
    differs: { all: "Bochs does not check it" },
  },
  fails("a guest PAT with a reserved type", { "Guest IA32_PAT": 3 }, guestState, { entry: ["load IA32_PAT"] }),
  fails("a guest EFER with LMA", { "Guest IA32_EFER": 0x500 }, guestState, { entry: ["load IA32_EFER"] }),
  fails("RFLAGS without bit 1", { "Guest RFLAGS": 0 }, guestState),
  fails("RFLAGS with a reserved bit", { "Guest RFLAGS": 0x8002 }, guestState),
  fails("an injected interrupt with IF clear", { [INJECT]: event(0x40, 0) }, guestState),
  fails("a TR in the LDT", { "Guest TR selector": 0x2c }, guestState),
  fails("a TR that is not busy", { "Guest TR access rights": 0x89 }, guestState),
  fails("a TR that is unusable", { "Guest TR access rights": 0x1008b }, guestState),
  fails("an LDTR of another type", { "Guest LDTR access rights": 0x8b }, guestState),
  fails("an SS with another RPL than CS", { "Guest SS selector": 0x13 }, guestState),
  fails("a CS of data", { "Guest CS access rights": 0xc093 }, guestState),
  fails("a CS that was not accessed", { "Guest CS access rights": 0xc09a }, guestState),
  fails("an SS of code", { "Guest SS access rights": 0xc09b }, guestState),
  fails("an SS of another DPL", { "Guest SS access rights": 0xc0f3 }, guestState),
  fails("a DS that is not present", { "Guest DS access rights": 0xc013 }, guestState),
  fails("a DS with a reserved bit", { "Guest DS access rights": 0xc193 }, guestState),
  fails("a DS whose limit is not granular", { "Guest DS limit": 0xffff_fff0 }, guestState),
  fails("a DS that ought to be granular", { "Guest DS access rights": 0x4093 }, guestState),
  fails("an ES whose DPL is below its RPL", { "Guest ES selector": 0x13 }, guestState),
  fails("a GDTR limit of 17 bits", { "Guest GDTR limit": 0x1_0000 }, guestState),
  fails("an activity state of 4", { "Guest activity state": 4 }, guestState),
  fails(
    "HLT of ring 3",
    {
      "Guest activity state": 1,
      "Guest CS selector": 0x1b,
      "Guest CS access rights": 0xc0fb,
      "Guest SS selector": 0x23,
      "Guest SS access rights": 0xc0f3,
    },
    guestState,
  ),
  fails(
    "HLT behind STI",
    { "Guest activity state": 1, "Guest interruptibility state": 1, "Guest RFLAGS": 0x202 },
    guestState,
  ),
  {
    ...fails("HLT with an injected #GP", { "Guest activity state": 1, [INJECT]: event(13, 3, WITH_CODE) }, guestState),
    differs: { all: "Bochs does not check it" },
  },
  fails("an interruptibility state with a reserved bit", { "Guest interruptibility state": 32 }, guestState),
  fails("STI and MOV SS at once", { "Guest interruptibility state": 3, "Guest RFLAGS": 0x202 }, guestState),
  fails("STI with IF clear", { "Guest interruptibility state": 1 }, guestState),
  fails(
    "an injected interrupt behind STI",
    { "Guest interruptibility state": 1, "Guest RFLAGS": 0x202, [INJECT]: event(0x40, 0) },
    guestState,
  ),
  fails("an injected NMI behind MOV SS", { "Guest interruptibility state": 2, [INJECT]: event(2, 2) }, guestState),
  {
    ...fails(
      "an injected virtual NMI while they are blocked",
      { "Guest interruptibility state": 8, [INJECT]: event(2, 2) },
      guestState,
      { pin: ["NMI exiting", "virtual NMIs"] },
    ),
    differs: { all: "Bochs does not check it" },
  },
  fails("blocking by SMI outside of SMM", { "Guest interruptibility state": 4 }, guestState),
  fails("pending debug exceptions with a reserved bit", { "Guest pending debug exceptions": 0x20 }, guestState),
  {
    ...fails(
      "TF without a pending step behind MOV SS",
      { "Guest RFLAGS": 0x102, "Guest interruptibility state": 2 },
      guestState,
    ),
    differs: { all: "Bochs does not check it" },
  },
  fails("a link pointer that is no page", { "VMCS link pointer": 0x301010 }, guestState),
  fails("a link pointer to the VMCS itself", { "VMCS link pointer": AT.vmcs }, guestState),
  fails("a link pointer to another revision", { "VMCS link pointer": AT.storedMsrs }, guestState),
  fails("a PDPTE with a reserved bit", { "Guest CR4": 0x2030, "Guest CR3": AT.badPaeTables }, guestState),
  fails("PDPTEs that are right", { "Guest CR4": 0x2030, "Guest CR3": AT.paeTables }, "VMCALL"),
  fails("virtual-8086 mode with other rights", { ...virtual8086, "Guest DS access rights": 0x93 }, guestState),
  fails("virtual-8086 mode with another base", { ...virtual8086, "Guest DS base": 0x10 }, guestState),
  fails("virtual-8086 mode with another limit", { ...virtual8086, "Guest DS limit": 0x1_0fff }, guestState),
  fails(
    "an MSR that is loaded",
    { "VM-entry MSR-load count": 1, "VM-entry MSR-load address": AT.loadedMsrs },
    "VMCALL",
  ),
  fails(
    "an MSR that must not be loaded",
    { "VM-entry MSR-load count": 2, "VM-entry MSR-load address": AT.loadedMsrs },
    { failedEntry: "MSR_LOADING" },
  ),
];

/** Bochs has no monitor trap flag. */
const withoutBochs = (cell: VmxCell): VmxCell =>
  cell.controls?.primary?.includes("monitor trap flag") === true
    ? { ...cell, differs: { all: "Bochs has no monitor trap flag" } }
    : cell;

export const vmxCells: readonly VmxCell[] = [
  ...instructions,
  ...registers,
  ...maps,
  ...exceptions,
  ...extended,
  ...events,
  ...realMode,
  ...in8086,
  ...refused,
].map(withoutBochs);
