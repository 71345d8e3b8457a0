/**
 * The model-specific registers there are. One without `read` and `write` keeps what is written to it in
 * `SystemState.msrs`, and does nothing else: what it would change (caches, microcode, the kind of memory) is not here.
 * Spec: SDM Vol. 4, "Model-Specific Registers (MSRs)"; Vol. 3A, "Memory Type Range Registers", "Page Attribute Table";
 * Vol. 3B, "Machine-Check MSRs", "Time-Stamp Counter"; AMD64 Architecture Programmer's Manual Vol. 2, appendix
 * "MSR Cross-Reference".
 */
import { vmxCapabilities } from "../vmx/capabilities.js";
import type { Needs } from "./features.js";
import { type Model, models } from "./model.js";
import { type ProcessorPort, Unsupported } from "./processor.js";
import type { RuleName } from "./rules.js";
import { CR0, EFER, type SegmentName } from "./state.js";

export interface ModelSpecificRegister {
  readonly name: string;
  readonly address: number;
  readonly summary: string;
  /** What of a model it comes with. */
  readonly needs: Needs;
  /** It is there only where there is a local APIC, which is the machine's to have. */
  readonly ofApic?: true;
  /** What else of a model it comes with. */
  readonly isThere?: (model: Model) => boolean;
  readonly reset: bigint;
  /** Bits WRMSR may change; another value of the rest is #GP(0). */
  readonly writable: (model: Model) => bigint;
  readonly access?: "read-only" | "write-only";
  /** The check that a value fails, if any. */
  readonly refuse?: (value: bigint, port: ProcessorPort) => RuleName | undefined;
  /** Where the value is, if not in `msrs`. */
  readonly read?: (port: ProcessorPort) => bigint;
  readonly write?: (port: ProcessorPort, value: bigint) => void;
}

type Row = Omit<ModelSpecificRegister, "writable" | "reset"> & {
  readonly reset?: bigint;
  readonly writable?: bigint | ((model: Model) => bigint);
};

const WORD = 0xffff_ffffn;
const QUAD = 0xffff_ffff_ffff_ffffn;
export const TIME_STAMP_COUNTER = "IA32_TIME_STAMP_COUNTER";

const register = ({ reset = 0n, writable = 0n, ...row }: Row): ModelSpecificRegister => ({
  ...row,
  reset,
  writable: typeof writable === "bigint" ? () => writable : writable,
});

/** Whether bits 47 to 63 are the same. */
export const isCanonicalWord = (value: bigint): boolean => BigInt.asIntN(48, value) === BigInt.asIntN(64, value);
const notCanonical = (value: bigint): RuleName | undefined =>
  isCanonicalWord(value) ? undefined : "address-not-canonical";

const stored = (port: ProcessorPort, name: string, value: bigint): void =>
  port.setSystem({ msrs: Object.freeze({ ...port.system.msrs, [name]: value }) });

/** Bits of a physical address that name a page of 4 KiB. */
const pageBits = ({ physicalBits }: Model): bigint => ((1n << BigInt(physicalBits)) - 1n) & ~0xfffn;

/** Memory types that exist, by number: UC, WC, WT, WP, WB; in the PAT also UC-. */
const MEMORY_TYPES = 0b0111_0011;
const PAT_TYPES = 0b1111_0011;
const hasType = (types: number, type: number): boolean => type < 8 && ((types >> type) & 1) !== 0;
/** Each of the `count` lowest bytes must be a memory type. */
const refuseTypes =
  (types: number, count: number) =>
  (value: bigint): RuleName | undefined => {
    for (let index = 0; index < count; index++)
      if (!hasType(types, Number((value >> BigInt(8 * index)) & 0xffn))) return "msr-memory-type";
    return undefined;
  };

const timeStampCounter: readonly ModelSpecificRegister[] = [
  register({
    name: TIME_STAMP_COUNTER,
    address: 0x10,
    summary: "Ticks since reset or since it was written. The 32-bit models take the low half and clear the high one.",
    needs: "TSC",
    writable: QUAD,
    read: timestampCounter,
    write: (port, value) => {
      const whole = models[port.system.model].features.has("LM");
      setTimestampOffset(port, (whole ? value : value & WORD) - BigInt(port.now));
    },
  }),
  register({
    name: "IA32_TSC_ADJUST",
    address: 0x3b,
    summary: "What has been added to the time-stamp counter since reset.",
    needs: "TSC_ADJUST",
    writable: QUAD,
    read: (port) => BigInt.asUintN(64, timestampOffset(port)),
    write: (port, value) => setTimestampOffset(port, BigInt.asIntN(64, value)),
  }),
];

/** The ticks since reset, moved by what was written to the counter. */
export function timestampCounter(port: ProcessorPort): bigint {
  return BigInt.asUintN(64, BigInt(port.now) + timestampAhead(port));
}

/** What it is ahead of them, in a guest by its host's will too. */
export function timestampAhead(port: ProcessorPort): bigint {
  return timestampOffset(port) + (port.guest?.timestampOffset(port) ?? 0n);
}

/** What the time-stamp counter is ahead of the ticks since reset. */
function timestampOffset({ system }: ProcessorPort): bigint {
  return system.msrs[TIME_STAMP_COUNTER] ?? 0n;
}

/** A deadline of the local APIC's timer is one of the counter, and not of the ticks. */
function setTimestampOffset(port: ProcessorPort, offset: bigint): void {
  const deadline = port.localApic?.deadline;
  const before = timestampOffset(port);
  stored(port, TIME_STAMP_COUNTER, offset);
  if (deadline !== undefined) port.localApic!.deadline = deadline + before - offset;
}

/** SYSENTER_ESP and _EIP hold 64 bits, and canonical ones, where there is long mode. */
const wideWithLong = ({ features }: Model): bigint => (features.has("LM") ? QUAD : WORD);

const sysenter: readonly ModelSpecificRegister[] = [
  register({
    name: "IA32_SYSENTER_CS",
    address: 0x174,
    summary: "CS that SYSENTER loads; the other selectors lie behind it.",
    needs: "SEP",
    writable: WORD,
  }),
  register({
    name: "IA32_SYSENTER_ESP",
    address: 0x175,
    summary: "ESP that SYSENTER loads.",
    needs: "SEP",
    writable: wideWithLong,
    refuse: notCanonical,
  }),
  register({
    name: "IA32_SYSENTER_EIP",
    address: 0x176,
    summary: "EIP that SYSENTER loads.",
    needs: "SEP",
    writable: wideWithLong,
    refuse: notCanonical,
  }),
];

const APIC_EXTD = 1n << 10n;
const APIC_ENABLED = 1n << 11n;

/** Spec: SDM Vol. 3A, "x2APIC State Transitions". */
function refuseApicBase(value: bigint, { localApic }: ProcessorPort): RuleName | undefined {
  const before = localApic!.base;
  const enabled = (value & APIC_ENABLED) !== 0n;
  const extended = (value & APIC_EXTD) !== 0n;
  if (extended && !enabled) return "apic-mode";
  if (enabled && !extended && (before & APIC_EXTD) !== 0n) return "apic-mode";
  return extended && (before & APIC_ENABLED) === 0n ? "apic-mode" : undefined;
}

const processor: readonly ModelSpecificRegister[] = [
  register({
    name: "IA32_PLATFORM_ID",
    address: 0x17,
    summary: "Which slot or socket the part is made for; told by no model.",
    needs: "P6",
    access: "read-only",
  }),
  register({
    name: "IA32_APIC_BASE",
    address: 0x1b,
    summary: "Where the local APIC is, whether it is on, and whether this is the processor that boots.",
    needs: "APIC",
    ofApic: true,
    writable: (model) => pageBits(model) | APIC_ENABLED | 0x100n | (model.features.has("X2APIC") ? APIC_EXTD : 0n),
    refuse: refuseApicBase,
    read: ({ localApic }) => localApic!.base,
    write: ({ localApic }, value) => {
      localApic!.base = value;
    },
  }),
  register({
    name: "IA32_TSC_DEADLINE",
    address: 0x6e0,
    summary: "The time-stamp counter's value at which the local APIC's timer interrupts; 0: none.",
    needs: "TSC_DEADLINE",
    ofApic: true,
    writable: QUAD,
    read: (port) => {
      const { deadline } = port.localApic!;
      return deadline === undefined ? 0n : BigInt.asUintN(64, deadline + timestampOffset(port));
    },
    write: (port, value) => {
      port.localApic!.deadline = value === 0n ? undefined : value - timestampOffset(port);
    },
  }),
  register({
    name: "IA32_BIOS_UPDT_TRIG",
    address: 0x79,
    summary: "Loads microcode, of which there is none.",
    needs: "P6",
    access: "write-only",
    writable: QUAD,
    write: () => {},
  }),
  register({
    name: "IA32_BIOS_SIGN_ID",
    address: 0x8b,
    summary: "Revision of the microcode, in the high half. What is written is let go.",
    needs: "P6",
    reset: 1n << 32n,
    writable: QUAD,
    write: () => {},
  }),
  register({
    name: "IA32_ARCH_CAPABILITIES",
    address: 0x10a,
    summary: "The flaws of speculation that are not here, which is all of them: nothing is executed ahead of its time.",
    needs: "ARCH_CAPABILITIES",
    // RDCL_NO, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, and the later ones up to RFDS_NO.
    reset: 0x0d10_e179n,
    access: "read-only",
  }),
  register({
    name: "IA32_MISC_ENABLE",
    address: 0x1a0,
    summary: "Fast strings; there is neither branch trace nor precise event sampling.",
    needs: "MISC_ENABLE",
    reset: 0x1801n,
    writable: 1n | (1n << 3n) | (1n << 16n) | (1n << 18n) | (1n << 23n),
  }),
  register({
    name: "IA32_DEBUGCTL",
    address: 0x1d9,
    summary: "Nothing of it is here: branches are neither recorded nor single-stepped.",
    needs: "P6",
  }),
];

/** The first eight, of which the first ones are for the whole processor. */
const BANKS = 5;
const banks = Array.from({ length: BANKS }, (_, bank): readonly ModelSpecificRegister[] => {
  const first = 0x400 + 4 * bank;
  const about = `of machine-check bank ${bank}`;
  return [
    register({
      name: `IA32_MC${bank}_CTL`,
      address: first,
      summary: `Which errors are reported, ${about}.`,
      needs: "MCA",
      writable: QUAD,
    }),
    register({ name: `IA32_MC${bank}_STATUS`, address: first + 1, summary: `The error ${about}: none.`, needs: "MCA" }),
    register({ name: `IA32_MC${bank}_ADDR`, address: first + 2, summary: `Its address, ${about}.`, needs: "MCA" }),
    register({ name: `IA32_MC${bank}_MISC`, address: first + 3, summary: `More of it, ${about}.`, needs: "MCA" }),
  ];
}).flat();

const machineCheck: readonly ModelSpecificRegister[] = [
  register({
    name: "P5_MC_ADDR",
    address: 0x00,
    summary: "Address of the bus cycle that raised #MC. None ever does.",
    needs: "MCE",
    access: "read-only",
  }),
  register({
    name: "P5_MC_TYPE",
    address: 0x01,
    summary: "Kind of the bus cycle that raised #MC. None ever does.",
    needs: "MCE",
    access: "read-only",
  }),
  register({
    name: "IA32_MCG_CAP",
    address: 0x179,
    summary: "How many banks of machine-check registers there are.",
    needs: "MCA",
    reset: BigInt(BANKS),
    access: "read-only",
  }),
  register({
    name: "IA32_MCG_STATUS",
    address: 0x17a,
    summary: "What is known of the machine check that goes on.",
    needs: "MCA",
    writable: 7n,
  }),
  ...banks,
];

const RANGES = 8;
const variableRanges = Array.from({ length: RANGES }, (_, range): readonly ModelSpecificRegister[] => [
  register({
    name: `IA32_MTRR_PHYSBASE${range}`,
    address: 0x200 + 2 * range,
    summary: `Base and memory type of range ${range}.`,
    needs: "MTRR",
    writable: (model) => pageBits(model) | 0xffn,
    refuse: refuseTypes(MEMORY_TYPES, 1),
  }),
  register({
    name: `IA32_MTRR_PHYSMASK${range}`,
    address: 0x201 + 2 * range,
    summary: `Size of range ${range}, and whether it is one.`,
    needs: "MTRR",
    writable: (model) => pageBits(model) | 0x800n,
  }),
]).flat();

const fixedRanges: readonly (readonly [address: number, range: string])[] = [
  [0x250, "64K_00000"],
  [0x258, "16K_80000"],
  [0x259, "16K_A0000"],
  ...Array.from(
    { length: 8 },
    (_, index) => [0x268 + index, `4K_${(0xc0 + 8 * index).toString(16).toUpperCase()}000`] as const,
  ),
];

const memoryTypes: readonly ModelSpecificRegister[] = [
  register({
    name: "IA32_MTRRCAP",
    address: 0xfe,
    summary: "Eight variable ranges, fixed ranges, write combining.",
    needs: "MTRR",
    reset: BigInt(RANGES) | 0x500n,
    access: "read-only",
  }),
  ...variableRanges,
  ...fixedRanges.map(([address, range]) =>
    register({
      name: `IA32_MTRR_FIX${range}`,
      address,
      summary: "Memory types of eight ranges below 1 MiB.",
      needs: "MTRR",
      writable: QUAD,
      refuse: refuseTypes(MEMORY_TYPES, 8),
    }),
  ),
  register({
    name: "IA32_PAT",
    address: 0x277,
    summary: "The memory types that pages choose from.",
    needs: "PAT",
    reset: 0x0007_0406_0007_0406n,
    writable: QUAD,
    refuse: refuseTypes(PAT_TYPES, 8),
  }),
  register({
    name: "IA32_MTRR_DEF_TYPE",
    address: 0x2ff,
    summary: "Memory type outside of all ranges, and which ranges count.",
    needs: "MTRR",
    writable: 0xcffn,
    refuse: refuseTypes(MEMORY_TYPES, 1),
  }),
];

/** Spec: SDM Vol. 3A, "Initializing IA-32e Mode": LME stays while paging is on. */
function refuseEfer(value: bigint, { system }: ProcessorPort): RuleName | undefined {
  if ((Number(value & WORD) & EFER.SVME) !== 0 && ((system.msrs[VM_CR] ?? 0n) & SVMDIS) !== 0n) return "svm-disabled";
  const changed = Number(value & WORD) ^ system.efer;
  return (changed & EFER.LME) !== 0 && (system.cr0 & CR0.PG) !== 0 ? "efer-lme-with-paging" : undefined;
}

function writeEfer(port: ProcessorPort, value: bigint): void {
  const { efer: old } = port.system;
  port.setSystem({ efer: (Number(value & WORD) & ~EFER.LMA) | (old & EFER.LMA) });
  if (((old ^ port.system.efer) & EFER.NXE) !== 0) port.invalidate();
}

const baseOf = (name: SegmentName, address: number, needs: Needs): ModelSpecificRegister =>
  register({
    name: `IA32_${name.toUpperCase()}_BASE`,
    address,
    summary: `Base of ${name.toUpperCase()}, as segment loads and 64-bit code see it.`,
    needs,
    writable: QUAD,
    refuse: notCanonical,
    read: ({ system }) => BigInt.asUintN(64, BigInt(system.segments[name].base)),
    write: (port, value) =>
      port.setSegment(name, { ...port.system.segments[name], base: Number(BigInt.asIntN(64, value)) }),
  });

const longMode: readonly ModelSpecificRegister[] = [
  register({
    name: "IA32_EFER",
    address: 0xc0000080,
    summary: "SYSCALL, long mode, and pages without execution.",
    needs: "SYSCALL",
    // LMA says what is, and is let go.
    writable: ({ efer }) => BigInt(efer | EFER.LMA),
    refuse: refuseEfer,
    read: ({ system }) => BigInt(system.efer),
    write: writeEfer,
  }),
  register({
    name: "IA32_STAR",
    address: 0xc0000081,
    summary: "CS and SS that SYSCALL and SYSRET load; EIP for SYSCALL of 32-bit code on AMD's parts.",
    needs: "SYSCALL",
    writable: QUAD,
  }),
  register({
    name: "IA32_LSTAR",
    address: 0xc0000082,
    summary: "RIP that SYSCALL of 64-bit code loads.",
    needs: "LM",
    writable: QUAD,
    refuse: notCanonical,
  }),
  register({
    name: "IA32_CSTAR",
    address: 0xc0000083,
    summary: "RIP that SYSCALL of compatibility mode loads on AMD's parts.",
    needs: "LM",
    writable: QUAD,
    refuse: notCanonical,
  }),
  register({
    name: "IA32_FMASK",
    address: 0xc0000084,
    summary: "The flags SYSCALL clears.",
    needs: "LM",
    writable: WORD,
  }),
  baseOf("fs", 0xc0000100, "LM"),
  baseOf("gs", 0xc0000101, "LM"),
  register({
    name: "IA32_KERNEL_GS_BASE",
    address: 0xc0000102,
    summary: "What SWAPGS exchanges with the base of GS.",
    needs: "LM",
    writable: QUAD,
    refuse: notCanonical,
  }),
  register({
    name: "IA32_TSC_AUX",
    address: 0xc0000103,
    summary: "What RDTSCP and RDPID give as the processor's number.",
    needs: "RDTSCP",
    writable: WORD,
  }),
];

const VM_CR = "VM_CR";
const VM_CR_LOCK = 1n << 3n;
const SVMDIS = 1n << 4n;
const SVM_BITS = VM_CR_LOCK | SVMDIS;

/** What is locked stays; and nothing unlocks it, as there is no key. */
function writeVmControl(port: ProcessorPort, value: bigint): void {
  const before = port.system.msrs[VM_CR] ?? 0n;
  if ((value & ~SVM_BITS) !== 0n)
    throw new Unsupported("WRMSR of VM_CR: bits that change INIT, A20 and the debug port");
  if ((before & VM_CR_LOCK) === 0n) stored(port, VM_CR, value);
}

/** AMD-V. Spec: AMD64 Vol. 2, "SVM Related MSRs". */
const svm: readonly ModelSpecificRegister[] = [
  register({
    name: VM_CR,
    address: 0xc0010114,
    summary: "Whether AMD-V may be switched on, and whether that may be changed.",
    needs: "SVM",
    writable: 0x1fn,
    refuse: (value, { system }) =>
      (value & SVMDIS) !== 0n && (system.efer & EFER.SVME) !== 0 ? "svm-in-use" : undefined,
    read: ({ system }) => system.msrs[VM_CR] ?? 0n,
    write: writeVmControl,
  }),
  register({
    name: "VM_HSAVE_PA",
    address: 0xc0010117,
    summary: "Physical address of the page that VMRUN saves the host's state to.",
    needs: "SVM",
    writable: pageBits,
  }),
];

/** AMD's own: they keep what is written. */
const k8: readonly ModelSpecificRegister[] = (
  [
    [0xc0010010, "SYSCFG", "System configuration.", 0n],
    [
      0xc0010015,
      "HWCR",
      "Hardware configuration. Its TscFreqSel says that the time-stamp counter runs at one rate.",
      1n << 24n,
    ],
    [0xc0010016, "IORR_BASE0", "Base of I/O range 0.", 0n],
    [0xc0010017, "IORR_MASK0", "Size of I/O range 0.", 0n],
    [0xc0010018, "IORR_BASE1", "Base of I/O range 1.", 0n],
    [0xc0010019, "IORR_MASK1", "Size of I/O range 1.", 0n],
    [0xc001001a, "TOP_MEM", "End of memory below 4 GiB.", 0n],
    [0xc001001d, "TOP_MEM2", "End of memory above 4 GiB.", 0n],
    [0xc001001f, "NB_CFG", "Northbridge configuration.", 0n],
    [0xc0010055, "INT_PENDING", "Interrupt pending and C1E messages.", 0n],
    [0xc0010058, "MMIO_CFG_BASE", "Where the configuration space is in memory.", 0n],
    [0xc0010112, "SMM_ADDR", "Where system-management memory is.", 0n],
    [0xc0010113, "SMM_MASK", "How much of it there is.", 0n],
    [0xc0011020, "LS_CFG", "Load-store configuration.", 0n],
    [0xc0011022, "DC_CFG", "Data-cache configuration.", 0n],
    [0xc0011023, "BU_CFG", "Bus-unit configuration.", 0n],
    [0xc001102a, "BU_CFG2", "More of it.", 0n],
  ] as const
).map(([address, name, summary, reset]) => register({ name, address, summary, needs: "K8", reset, writable: QUAD }));

/** The registers there are, by address. */
export const modelSpecificRegisters: readonly ModelSpecificRegister[] = Object.freeze(
  [
    ...[...timeStampCounter, ...sysenter, ...processor, ...machineCheck, ...memoryTypes, ...longMode, ...k8, ...svm],
    ...vmxCapabilities,
  ].sort((a, b) => a.address - b.address),
);
