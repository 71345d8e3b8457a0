/**
 * Pieces of guest code, each run under AMD-V with a VMCB of its own: what it differs in from the common one, and which
 * exit is expected. `svm-image.ts` makes one image of all; both QEMU and this library run it.
 *
 * The guest runs in 32-bit protected mode with flat segments unless its fields say otherwise. Every piece ends in VMMCALL.
 */
import { CR0, CR4, EFER } from "../../src/hardware/cpu/state.js";
import { exitCodeOf, INVALID, interceptNamed, NPF } from "../../src/hardware/svm/intercepts.js";

export interface SvmCell {
  readonly name: string;
  /** Assembly of the guest. */
  readonly code: string;
  /** Names of intercepts, beside VMRUN, VMMCALL and SHUTDOWN. */
  readonly intercepts?: readonly string[];
  /** Fields of the VMCB with their values. */
  readonly fields?: Readonly<Record<string, bigint | number | string>>;
  /** EXITCODE that the manual says; by name of the intercept. */
  readonly exit: string;
  /** Fields in which QEMU differs from the manual, or "all", and why. */
  readonly differs?: Readonly<Record<string, string>>;
  /** What this library has not yet: here it must differ. */
  readonly missing?: string;
}

/** EXITCODE of the name of an intercept. */
export function expectedCode({ exit }: SvmCell): bigint {
  if (exit === "INVALID") return INVALID;
  return BigInt(exit === "NPF" ? NPF : exitCodeOf(interceptNamed(exit)));
}

/** Places in memory. */
export const AT = {
  vmcb: 0x300000,
  hostSave: 0x301000,
  ports: 0x302000,
  registers: 0x306000,
  hostTables: 0x310000,
  nestedTables: 0x311000,
  guestTables: 0x312000,
  /** Of a guest, too; these lack nothing. */
  wholeTables: 0x313000,
  hostDirectory: 0x314000,
  nestedDirectory: 0x315000,
  /** Of a guest in long mode: level 4, level 3; their directory is the host's. */
  longTables: 0x316000,
  /** Of 4 MiB each: absent in nested and guest tables; read-only in both. */
  absent: 0x800000,
  readOnly: 0xc00000,
} as const;

const nested = { NP_ENABLE: 1, N_CR3: AT.nestedTables, G_PAT: 0x0007040600070406n };
const paged = { CR0: BigInt(CR0.PE | CR0.ET) | 0x8000_0000n, CR3: AT.guestTables, CR4: CR4.PSE };
const event = (vector: number, type: number, code?: number): bigint =>
  BigInt(vector) | (BigInt(type) << 8n) | (1n << 31n) | (code === undefined ? 0n : (1n << 11n) | (BigInt(code) << 32n));

const simple = (code: string, intercept: string, more: Partial<SvmCell> = {}): SvmCell => ({
  name: code.replace(/\n/g, "; "),
  code,
  intercepts: [intercept],
  exit: intercept,
  ...more,
});

const instructions: readonly SvmCell[] = [
  { name: "vmmcall", code: "mov eax, 0x12345678", exit: "VMMCALL" },
  simple("mov eax, 1\ncpuid", "CPUID"),
  { name: "cpuid without its intercept", code: "mov eax, 0x40000000\ncpuid\nmov eax, 7", exit: "VMMCALL" },
  simple("hlt", "HLT"),
  simple("rdtsc", "RDTSC"),
  simple("rdtscp", "RDTSCP", { differs: { all: "QEMU does not intercept it" } }),
  simple("rdpmc", "RDPMC"),
  simple("pushfd", "PUSHF"),
  simple("db 0x66\npushfd", "PUSHF", { name: "PUSHF of 16 bits" }),
  simple("popfd", "POPF"),
  simple("iretd", "IRET"),
  simple("int 0x40", "SWINT"),
  simple("invd", "INVD", { differs: { all: "QEMU does not intercept it" } }),
  simple("wbinvd", "WBINVD"),
  simple("pause", "PAUSE"),
  simple("invlpg [0x1234]", "INVLPG"),
  simple("sidt [0x250000]", "IDTR_READ"),
  simple("sgdt [0x250000]", "GDTR_READ"),
  simple("sldt ax", "LDTR_READ"),
  simple("str ax", "TR_READ"),
  simple("lidt [0x250000]", "IDTR_WRITE"),
  simple("lgdt [0x250000]", "GDTR_WRITE"),
  simple("xor eax, eax\nlldt ax", "LDTR_WRITE"),
  simple("xor eax, eax\nltr ax", "TR_WRITE"),
  simple("vmload", "VMLOAD", { fields: { EFER: EFER.SVME, RAX: 0x250000 } }),
  simple("vmsave", "VMSAVE", { fields: { RAX: 0x250000 } }),
  simple("vmrun", "VMRUN", { fields: { RAX: 0x250000 } }),
  simple("stgi", "STGI"),
  simple("clgi", "CLGI"),
  simple("invlpga", "INVLPGA"),
];

const registers: readonly SvmCell[] = [
  simple("mov eax, cr0", "CR0_READ"),
  simple("mov ecx, cr3", "CR3_READ"),
  simple("mov ecx, cr4", "CR4_READ"),
  simple("smsw ax", "CR0_READ"),
  simple("mov eax, 0x11\nmov cr0, eax", "CR0_WRITE"),
  simple("xor eax, eax\nmov cr3, eax", "CR3_WRITE"),
  simple("xor eax, eax\nmov cr4, eax", "CR4_WRITE"),
  simple("clts", "CR0_WRITE"),
  simple("mov eax, 1\nlmsw ax", "CR0_WRITE"),
  simple("mov eax, cr0\nor eax, 0x10000\nmov cr0, eax", "CR0_SEL_WRITE"),
  {
    name: "CR0_SEL_WRITE lets TS and MP be",
    code: "mov eax, cr0\nxor eax, 10\nmov cr0, eax\nmov eax, 9",
    intercepts: ["CR0_SEL_WRITE"],
    exit: "VMMCALL",
  },
  simple("mov eax, dr7", "DR7_READ"),
  simple("mov dr2, eax", "DR2_WRITE"),
];

const maps: readonly SvmCell[] = [
  // The map has ports 70h, 2F8h and 4D1h, and 8000h.
  simple("in al, 0x70", "IOIO"),
  simple("mov al, 0\nout 0x70, al", "IOIO"),
  simple("mov dx, 0x8000\nin eax, dx", "IOIO"),
  simple("mov dx, 0x4d0\nin ax, dx", "IOIO"),
  simple("mov dx, 0x2f5\nout dx, eax", "IOIO"),
  simple("mov dx, 0x2f8\nmov esi, 0x250000\nmov ecx, 3\nrep outsb", "IOIO"),
  simple("mov dx, 0x2f8\nmov edi, 0x250000\ninsw", "IOIO"),
  { name: "a port the map has not", code: "mov al, 1\nout 0x80, al", intercepts: ["IOIO"], exit: "VMMCALL" },
  // The map has reads of EFER, writes of STAR, and both of SYSENTER_EIP.
  simple("mov ecx, 0xc0000080\nrdmsr", "MSR"),
  simple("mov ecx, 0xc0000081\nwrmsr", "MSR"),
  simple("mov ecx, 0x176\nwrmsr", "MSR"),
  simple("mov ecx, 0x40000000\nrdmsr", "MSR"),
  {
    name: "a register the map has not",
    code: "mov ecx, 0xc0000081\nrdmsr\nmov eax, 5",
    intercepts: ["MSR"],
    exit: "VMMCALL",
  },
];

const exceptions: readonly SvmCell[] = [
  simple("ud2", "EXCP6"),
  simple("xor ecx, ecx\ndiv ecx", "EXCP0"),
  simple("int3", "EXCP3", { differs: { all: "QEMU takes INT3 for INT n" } }),
  simple("mov eax, 0xf0\nmov ds, ax", "EXCP13"),
  simple("mov eax, [0x800010]", "EXCP14", { fields: paged }),
  simple("mov dword [0xc00020], 1", "EXCP14", { fields: { ...paged, CR0: BigInt(paged.CR0) | 0x10000n, CR2: 0x777 } }),
  { name: "#PF in the guest", code: "mov eax, [0x800010]", fields: paged, exit: "VMMCALL" },
  { name: "#UD in the guest", code: "ud2", exit: "VMMCALL" },
  {
    name: "a triple fault",
    code: "ud2",
    fields: { "IDTR.limit": 0 },
    exit: "SHUTDOWN",
    differs: { EXITINTINFO: "QEMU tells the first exception, not the double fault" },
  },
  simple("hlt", "EXCP13", {
    name: "HLT of ring 3 with both intercepts",
    intercepts: ["HLT", "EXCP13"],
    fields: {
      CPL: 3,
      "CS.selector": 0x1b,
      "CS.attrib": 0xcfb,
      "SS.selector": 0x23,
      "SS.attrib": 0xcf3,
      "DS.selector": 0x23,
      "DS.attrib": 0xcf3,
    },
  }),
];

/** QEMU lets a guest without paging past nested tables, so these have it. */
const whole = { ...nested, ...paged, CR3: AT.wholeTables };

const nestedPaging: readonly SvmCell[] = [
  { name: "nested paging", code: "mov eax, [0x250000]\nmov eax, 3", fields: whole, exit: "VMMCALL" },
  simple("mov eax, [0x800014]", "NPF", { fields: whole, intercepts: [] }),
  simple("mov dword [0x800018], 1", "NPF", { fields: whole, intercepts: [] }),
  simple("mov dword [0xc00018], 1", "NPF", { fields: whole, intercepts: [] }),
  simple("jmp 0x800020", "NPF", { fields: whole, intercepts: [] }),
  simple("mov eax, [0x800010]", "EXCP14", { name: "#PF with nested paging", fields: { ...paged, ...nested } }),
  {
    name: "guest tables that nested tables have not",
    code: "mov eax, [0x250000]",
    fields: { ...whole, CR3: AT.absent },
    exit: "NPF",
  },
];

const injected: readonly SvmCell[] = [
  { name: "injection of an interrupt", code: "ud2", fields: { EVENTINJ: event(0x40, 0) }, exit: "VMMCALL" },
  { name: "injection of #GP with a code", code: "ud2", fields: { EVENTINJ: event(13, 3, 0x58) }, exit: "VMMCALL" },
  {
    name: "an injected interrupt whose gate is absent",
    code: "ud2",
    intercepts: ["EXCP13"],
    fields: { EVENTINJ: event(0x41, 0) },
    exit: "EXCP13",
    differs: { EXITINFO1: "QEMU leaves EXT out of the error code" },
  },
  {
    name: "a virtual interrupt with VINTR",
    code: "nop",
    intercepts: ["VINTR"],
    fields: { V_IRQ: 1, V_INTR_PRIO: 4, V_INTR_VECTOR: 0x40, V_INTR_MASKING: 1, RFLAGS: 0x202 },
    exit: "VINTR",
  },
  {
    name: "a virtual interrupt",
    code: "nop",
    fields: { V_IRQ: 1, V_INTR_PRIO: 4, V_INTR_VECTOR: 0x40, V_INTR_MASKING: 1, RFLAGS: 0x202 },
    exit: "VMMCALL",
  },
  {
    name: "a virtual interrupt below V_TPR",
    code: "mov eax, 6",
    fields: { V_IRQ: 1, V_TPR: 4, V_INTR_PRIO: 4, V_INTR_VECTOR: 0x40, V_INTR_MASKING: 1, RFLAGS: 0x202 },
    exit: "VMMCALL",
    differs: { all: "QEMU takes an interrupt of the same priority" },
  },
  {
    name: "a virtual interrupt that ignores V_TPR",
    code: "mov eax, 6",
    fields: { V_IRQ: 1, V_TPR: 4, V_IGN_TPR: 1, V_INTR_VECTOR: 0x40, V_INTR_MASKING: 1, RFLAGS: 0x202 },
    exit: "VMMCALL",
  },
];

const real = {
  CR0: CR0.ET,
  "CS.selector": 0x2000,
  "CS.base": 0x200000,
  "CS.limit": 0xffff,
  "CS.attrib": 0x9b,
  "SS.attrib": 0x93,
  "SS.limit": 0xffff,
  "DS.attrib": 0x93,
  "DS.limit": 0xffff,
  "ES.attrib": 0x93,
  "ES.limit": 0xffff,
};

const wide = {
  EFER: EFER.SVME | EFER.LME | EFER.LMA,
  CR0: paged.CR0,
  CR3: AT.longTables,
  CR4: CR4.PAE,
  "CS.attrib": 0xa9b,
};
const virtual8086 = {
  RFLAGS: 0x20002,
  CPL: 3,
  ...Object.fromEntries(
    ["CS", "SS", "DS", "ES"].flatMap((name) => [
      [`${name}.selector`, 0x2000],
      [`${name}.base`, 0x20000],
      [`${name}.limit`, 0xffff],
      [`${name}.attrib`, 0xf3],
    ]),
  ),
};

const modes: readonly SvmCell[] = [
  {
    name: "real mode",
    code: "bits 16\nmov ax, 0x1234\nvmmcall\nbits 32",
    fields: { ...real, RIP: "code - 0x200000" },
    exit: "VMMCALL",
  },
  {
    name: "paged real mode",
    code: "bits 16\nmov ax, 0x1235\nvmmcall\nbits 32",
    intercepts: ["EXCP14"],
    fields: { ...real, CR0: 0x8000_0010n, CR3: AT.wholeTables, CR4: CR4.PSE, RIP: "code - 0x200000" },
    exit: "VMMCALL",
  },
  {
    name: "64-bit code",
    code: "bits 64\nmov rax, 0x123456789abcdef0\nvmmcall\nbits 32",
    fields: { ...wide, RSP: 0xffff_8000_0000_1000n },
    exit: "VMMCALL",
  },
  {
    name: "#PF of 64-bit code",
    code: "bits 64\nmov rax, 0xffff800000001000\nmov rax, [rax]\nbits 32",
    intercepts: ["EXCP14"],
    fields: wide,
    exit: "EXCP14",
  },
  {
    name: "64-bit code with nested paging",
    code: "bits 64\nmov rax, [abs 0x800028]\nbits 32",
    fields: { ...wide, ...nested },
    exit: "NPF",
  },
  {
    name: "CR8 that is V_TPR",
    code: "bits 64\nmov rbx, cr8\nmov eax, 9\nmov cr8, rax\nmov rax, cr8\nshl rbx, 8\nor rax, rbx\nbits 32",
    fields: { ...wide, V_INTR_MASKING: 1, V_TPR: 3 },
    exit: "VMMCALL",
  },
  {
    name: "the time-stamp counter with an offset",
    code: "rdtsc\nmov eax, edx\nand eax, 0xffffff00",
    fields: { TSC_OFFSET: 0x1234_5600_0000_0000n },
    exit: "VMMCALL",
  },
  {
    name: "compatibility mode",
    code: "mov eax, 0x55",
    fields: { ...wide, "CS.attrib": 0xc9b },
    exit: "VMMCALL",
  },
  {
    name: "virtual-8086 mode, whose code is not there",
    code: "nop",
    intercepts: ["EXCP14"],
    fields: { ...paged, ...virtual8086, CR3: AT.absent - 0x1000, RIP: 0x100 },
    exit: "EXCP14",
  },
];

/** The timer has asked since the start; the hypervisor keeps its line closed. */
const OPEN = "mov al, 0xfe\nout 0x21, al";

const physical: readonly SvmCell[] = [
  {
    name: "a physical interrupt",
    code: `${OPEN}\njmp $`,
    intercepts: ["INTR"],
    fields: { RFLAGS: 0x202 },
    exit: "INTR",
  },
  {
    name: "a physical interrupt that the guest masks",
    code: `${OPEN}\nmov eax, 8`,
    intercepts: ["INTR"],
    exit: "VMMCALL",
  },
  {
    name: "a physical interrupt that the host masks",
    code: `${OPEN}\nmov eax, 9`,
    intercepts: ["INTR"],
    fields: { RFLAGS: 0x202, V_INTR_MASKING: 1 },
    exit: "VMMCALL",
  },
  {
    name: "a physical interrupt behind STI",
    code: `${OPEN}\nsti\nmov eax, 3\njmp $`,
    intercepts: ["INTR"],
    exit: "INTR",
  },
  {
    name: "a physical interrupt for the guest",
    code: `${OPEN}\njmp $`,
    fields: { RFLAGS: 0x202 },
    exit: "VMMCALL",
  },
  { name: "injection of an NMI", code: "ud2", fields: { EVENTINJ: event(2, 2) }, exit: "VMMCALL" },
];

const refused: readonly SvmCell[] = (
  [
    ["EFER.SVME clear", { EFER: 0 }],
    ["NW without CD", { CR0: 0x2000_0011 }],
    ["wide CR0", { CR0: 0x1_0000_0011n }],
    ["a reserved bit of CR4", { CR4: 0x8000_0000 }],
    ["a wide DR6", { DR6: 0x1_ffff_0ff0n }],
    ["a wide DR7", { DR7: 0x1_0000_0400n }],
    ["ASID 0", { GUEST_ASID: 0 }],
    ["no intercept of VMRUN", { INTERCEPT_MISC2: 2 }],
    ["long mode without PAE", { EFER: EFER.SVME | EFER.LME, CR0: 0x8000_0011n, CR4: 0 }],
  ] as const
).map(([name, fields]) => ({ name, code: "nop", fields, exit: "INVALID" }));

const others: readonly SvmCell[] = [
  {
    name: "an injected #UD whose intercept is set",
    code: "nop",
    intercepts: ["EXCP6"],
    fields: { EVENTINJ: event(6, 3) },
    exit: "VMMCALL",
  },
  { name: "injection of INT n", code: "ud2", fields: { EVENTINJ: event(0x40, 4) }, exit: "VMMCALL" },
  simple("int 0x40", "EXCP14", { name: "INT n onto a stack that is absent", fields: { ...paged, RSP: 0x800010 } }),
  simple("ud2", "EXCP14", { name: "#UD onto a stack that is absent", fields: { ...paged, RSP: 0x800010 } }),
  simple("mov eax, 0xf0\nmov ds, ax", "EXCP8", {
    name: "a double fault",
    fields: { "IDTR.limit": 0x5f },
    differs: { all: "QEMU asks before it makes one fault of two" },
  }),
  simple("xor ecx, ecx\ndiv ecx", "EXCP13", {
    name: "#GP while #DE is delivered",
    fields: { "IDTR.limit": 0 },
    differs: { EXITINFO1: "QEMU has no EXT in error codes" },
  }),
  simple("int 0x40", "NPF", {
    name: "INT n onto a stack that nested tables have not",
    intercepts: [],
    fields: { ...whole, RSP: 0x800010 },
  }),
  simple("int1", "ICEBP", { differs: { all: "QEMU does not intercept it" } }),
  simple("mov eax, 0x7fffffff\nadd eax, 1\ninto", "EXCP4", { differs: { all: "QEMU takes INTO for INT n" } }),
  simple("sti\nhlt", "HLT", { name: "HLT behind STI" }),
  simple("mov eax, 0x12\nmov dr6, eax", "DR6_WRITE"),
  simple("skinit", "EXCP6", { name: "SKINIT that is not there" }),
  { name: "STGI and CLGI that are not intercepted", code: "clgi\nstgi\nmov eax, 3", exit: "VMMCALL" },
  {
    name: "INVLPGA that is not intercepted",
    code: "mov eax, 0x1000\nmov ecx, 1\ninvlpga\nmov eax, 4",
    exit: "VMMCALL",
  },
  {
    name: "VMSAVE that is not intercepted",
    code: "mov eax, 0x250000\nvmsave\nmov eax, [0x250440]",
    exit: "VMMCALL",
    differs: { all: "in QEMU it always leaves" },
  },
  {
    name: "VMLOAD that is not intercepted",
    differs: { all: "in QEMU it always leaves" },
    code: "mov eax, 0x250000\nvmsave\nmov dword [0x250628], 0x77\nvmload\nmov ecx, 0x174\nrdmsr",
    exit: "VMMCALL",
  },
  {
    name: "a word at port FFFFh",
    code: "mov dx, 0xffff\nin ax, dx\nmov eax, 1",
    intercepts: ["IOIO"],
    exit: "VMMCALL",
  },
  simple("mov ecx, 0x2000\nrdmsr", "MSR"),
  simple("mov ecx, 0xc0002000\nwrmsr", "MSR"),
  simple("mov ecx, 0xc0010114\nrdmsr\nmov eax, 3", "MSR", { exit: "VMMCALL" }),
  { name: "clean bits", code: "mov eax, 3", fields: { VMCB_CLEAN: 0xffff_ffffn }, exit: "VMMCALL" },
  {
    name: "virtualization of branch records",
    code: "mov eax, 3",
    fields: { LBR_VIRTUALIZATION_ENABLE: 1 },
    exit: "VMMCALL",
  },
  {
    name: "a virtual interrupt while IF is clear",
    code: "mov eax, 6",
    fields: { V_IRQ: 1, V_INTR_PRIO: 4, V_INTR_VECTOR: 0x40, V_INTR_MASKING: 1 },
    exit: "VMMCALL",
  },
  {
    name: "a virtual interrupt behind STI",
    code: "sti\nmov eax, 6\nmov eax, 7",
    fields: { V_IRQ: 1, V_INTR_PRIO: 4, V_INTR_VECTOR: 0x40, V_INTR_MASKING: 1 },
    exit: "VMMCALL",
  },
  simple("sti\nmov eax, 6\nmov eax, 7", "VINTR", {
    name: "a virtual interrupt behind STI with VINTR",
    fields: { V_IRQ: 1, V_INTR_PRIO: 4, V_INTR_VECTOR: 0x40, V_INTR_MASKING: 1 },
  }),
  {
    name: "a virtual interrupt in an interrupt shadow",
    code: "mov eax, 6\nmov eax, 7",
    fields: { V_IRQ: 1, V_INTR_PRIO: 4, V_INTR_VECTOR: 0x40, V_INTR_MASKING: 1, RFLAGS: 0x202, INTERRUPT_SHADOW: 1 },
    exit: "VMMCALL",
  },
  {
    name: "a virtual interrupt that ends HLT",
    code: "sti\nhlt",
    fields: { V_IRQ: 1, V_INTR_PRIO: 4, V_INTR_VECTOR: 0x40, V_INTR_MASKING: 1 },
    exit: "VMMCALL",
  },
  simple("bits 64\nmov rbx, cr8\nbits 32", "CR8_READ", { name: "a read of CR8", fields: wide }),
  simple("bits 64\nmov cr8, rbx\nbits 32", "CR8_WRITE", { name: "a write of CR8", fields: wide }),
  ...(
    [
      ["an event of a reserved type", { EVENTINJ: event(0x40, 1) }],
      ["an exception above 31", { EVENTINJ: event(32, 3) }],
      ["an NMI as an exception", { EVENTINJ: event(2, 3) }],
      ["an MSR map beyond physical addresses", { MSRPM_BASE_PA: 1n << 52n }],
      ["an I/O map beyond physical addresses", { IOPM_BASE_PA: 1n << 52n }],
      ["a reserved bit of EFER", { EFER: EFER.SVME | 0x2 }],
      ["64-bit code that is 32-bit code", { ...wide, "CS.attrib": 0xe9b }],
    ] as const
  ).map(
    ([name, fields]): SvmCell => ({
      name,
      code: "nop",
      fields,
      exit: "INVALID",
      differs: { EXITINTINFO: "QEMU tells the event that it refuses" },
    }),
  ),
  {
    name: "a G_PAT with a reserved type",
    code: "nop",
    fields: { ...whole, G_PAT: 2 },
    exit: "INVALID",
    differs: { all: "QEMU does not check it" },
  },
];

export const svmCells: readonly SvmCell[] = [
  ...instructions,
  ...registers,
  ...maps,
  ...exceptions,
  ...nestedPaging,
  ...injected,
  ...modes,
  ...physical,
  ...refused,
  ...others,
];
