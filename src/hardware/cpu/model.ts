/**
 * Processor models as data: the features each has, and from them its control-register bits.
 *
 * A model announces only what is implemented here: what its part had and this library has not is in `NOT_HERE`.
 * Instructions name the features they need (`Definition.needs`), and so do model-specific registers (`msr.ts`); what each
 * says of itself is `cpuid.ts`.
 * Spec: SDM Vol. 3A, "Control Registers"; Intel AP-485, "Intel Processor Identification and the CPUID Instruction";
 * AMD, "BIOS and Kernel Developer's Guide For AMD Family 10h Processors".
 */
import { VirtlabError } from "../../state/error.js";
import type { SecondaryControl } from "../vmx/controls.js";
import { type Feature, features, type Needs } from "./features.js";
import { CR0 } from "./state.js";

/** Processor models, oldest first; `max` has all that is implemented here. */
export const modelNames = ["486", "pentium", "pentium2", "pentium3", "core2", "nehalem", "phenom", "max"] as const;
export type ModelName = (typeof modelNames)[number];

/** A cache as CPUID tells of it: nothing here is cached, so only programs that ask ever see it. */
export interface CacheDescription {
  readonly level: 1 | 2 | 3;
  readonly kind: "data" | "instructions" | "unified";
  readonly kib: number;
  readonly ways: number;
}

export interface Model {
  readonly name: ModelName;
  /** The part whose signature it has. */
  readonly part: string;
  readonly vendor: "intel" | "amd";
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  readonly features: ReadonlySet<Feature>;
  /** The name CPUID gives; absent on parts that have none. */
  readonly brand?: string;
  /** Highest basic leaf of CPUID, and highest extended one. */
  readonly lastLeaf: number;
  readonly lastExtendedLeaf?: number;
  /** Bytes of leaf 2, Intel's list of caches. */
  readonly cacheBytes?: readonly number[];
  readonly caches: readonly CacheDescription[];
  /** The control registers there are; MOV of any other is #UD. */
  readonly controlRegisters: readonly number[];
  /** Width of physical addresses. */
  readonly physicalBits: number;
  /** Bits that keep what is written. CR0: others stay as they are; CR3: others stay clear; CR4: setting others is #GP(0). */
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  /** Bits of EFER that may be set; 0 where there is no such register. */
  readonly efer: number;
  /** Secondary controls of its VT-x, oldest first. */
  readonly secondaryControls: readonly SecondaryControl[];
}

/** What some of these parts had and this library has not: no model announces any of it. */
const NOT_HERE: ReadonlySet<Feature> = new Set<Feature>([
  "PCLMULQDQ",
  "AES",
  "MOVBE",
  "ABM",
  "SSE4A",
  "MISALIGNSSE",
  "MMXEXT",
  "3DNOW",
  "3DNOWEXT",
  "FFXSR",
  "ALTMOVCR8",
  "SKINIT",
]);

/** All of CR0 that the 486 brought is in its successors, too; ET reads as 1 whatever is written. */
const CR0_BITS = CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.WP | CR0.AM | CR0.NW | CR0.CD | CR0.PG;
/** Base of the page directory, PCD and PWT. */
const CR3_BITS = 0xfffff018 | 0;
/** PAE's pointer table lies on 32 bytes: bits 5 to 11 are part of its base. */
const CR3_BITS_PAE = 0xfffffff8 | 0;

type Differing = Omit<
  Model,
  "features" | "controlRegisters" | "cr0" | "cr3" | "cr4" | "efer" | "caches" | "secondaryControls"
> & {
  readonly has: readonly Feature[];
  readonly caches?: readonly CacheDescription[];
  readonly secondaryControls?: readonly SecondaryControl[];
};

function describeModel({ has, caches = [], secondaryControls = [], ...model }: Differing): Model {
  const present = new Set(has.filter((name) => !NOT_HERE.has(name)));
  const all = (register: "cr4" | "efer"): number =>
    [...present].reduce((bits, name) => bits | (features[name][register] ?? 0), 0);
  const controlRegisters = [0, 2, 3];
  if (model.family > 4) controlRegisters.push(4);
  if (present.has("LM")) controlRegisters.push(8);
  return Object.freeze({
    ...model,
    caches,
    secondaryControls,
    features: present,
    controlRegisters: Object.freeze(controlRegisters),
    cr0: CR0_BITS,
    cr3: present.has("PAE") ? CR3_BITS_PAE : CR3_BITS,
    cr4: all("cr4"),
    efer: all("efer"),
  });
}

const PENTIUM = ["I486", "FPU", "VME", "DE", "PSE", "TSC", "MSR", "MCE", "CX8"] as const satisfies readonly Feature[];
const PENTIUM2 = [
  ...PENTIUM,
  ...(["P6", "PAE", "APIC", "SEP", "MTRR", "PGE", "MCA", "CMOV", "PAT", "PSE36", "MMX", "FXSR"] as const),
] as const satisfies readonly Feature[];
const PENTIUM3 = [...PENTIUM2, "SSE"] as const satisfies readonly Feature[];
const CORE2 = [
  ...PENTIUM3,
  ...([
    "MISC_ENABLE",
    "CLFSH",
    "SSE2",
    "SS",
    "SSE3",
    "VMX",
    "SSSE3",
    "CX16",
    "LAHF_LM",
    "SYSCALL",
    "NX",
    "LM",
  ] as const),
] as const satisfies readonly Feature[];
const NEHALEM = [
  ...CORE2,
  ...(["SSE4_1", "SSE4_2", "X2APIC", "POPCNT", "RDTSCP", "INVTSC"] as const),
] as const satisfies readonly Feature[];
const PHENOM = [
  ...PENTIUM3,
  ...([
    "K8",
    "CLFSH",
    "SSE2",
    "SSE3",
    "CX16",
    "POPCNT",
    "LAHF_LM",
    "SVM",
    "ALTMOVCR8",
    "ABM",
    "SSE4A",
    "MISALIGNSSE",
    "SKINIT",
  ] as const),
  ...([
    "PREFETCHW",
    "SYSCALL",
    "NX",
    "MMXEXT",
    "FFXSR",
    "PDPE1GB",
    "RDTSCP",
    "LM",
    "3DNOWEXT",
    "3DNOW",
    "INVTSC",
    "NPT",
    // What the part's own stepping had not, and the next one of its family (Shanghai) brought.
    "NRIPS",
  ] as const),
] as const satisfies readonly Feature[];
const MAX = [
  ...NEHALEM,
  ...([
    "PCLMULQDQ",
    "MOVBE",
    "TSC_DEADLINE",
    "AES",
    "RDRAND",
    "FSGSBASE",
    "TSC_ADJUST",
    "SMEP",
    "ERMS",
    "RDSEED",
  ] as const),
  ...(["SMAP", "UMIP", "RDPID", "ARCH_CAPABILITIES", "ABM", "PREFETCHW", "PDPE1GB"] as const),
] as const satisfies readonly Feature[];

const CORE2_CONTROLS = ["WBINVD exiting"] as const satisfies readonly SecondaryControl[];
const NEHALEM_CONTROLS = [
  ...CORE2_CONTROLS,
  ...(["enable EPT", "enable VPID", "descriptor-table exiting", "enable RDTSCP"] as const),
] as const satisfies readonly SecondaryControl[];
const MAX_CONTROLS = [
  ...NEHALEM_CONTROLS,
  ...(["unrestricted guest", "RDRAND exiting", "RDSEED exiting", "enable VM functions"] as const),
] as const satisfies readonly SecondaryControl[];

const CORE_CACHES: readonly CacheDescription[] = [
  { level: 1, kind: "data", kib: 32, ways: 8 },
  { level: 1, kind: "instructions", kib: 32, ways: 8 },
];

export const models: Readonly<Record<ModelName, Model>> = Object.freeze({
  "486": describeModel({
    name: "486",
    part: "Intel486 SX, SL enhanced",
    vendor: "intel",
    family: 4,
    model: 2,
    stepping: 10,
    has: ["I486"],
    lastLeaf: 1,
    physicalBits: 32,
  }),
  pentium: describeModel({
    name: "pentium",
    part: "Pentium (P54C)",
    vendor: "intel",
    family: 5,
    model: 2,
    stepping: 12,
    has: PENTIUM,
    lastLeaf: 1,
    physicalBits: 32,
  }),
  pentium2: describeModel({
    name: "pentium2",
    part: "Pentium II (Deschutes)",
    vendor: "intel",
    family: 6,
    model: 5,
    stepping: 2,
    has: PENTIUM2,
    lastLeaf: 2,
    // Once; TLBs of 4 KiB and 4 MiB pages; 16 KiB of instructions, 16 KiB of data, 512 KiB behind both.
    cacheBytes: [0x01, 0x01, 0x02, 0x03, 0x43, 0x08, 0x04, 0x0c],
    physicalBits: 36,
  }),
  pentium3: describeModel({
    name: "pentium3",
    part: "Pentium III (Katmai)",
    vendor: "intel",
    family: 6,
    model: 7,
    stepping: 3,
    has: PENTIUM3,
    lastLeaf: 2,
    cacheBytes: [0x01, 0x01, 0x02, 0x03, 0x43, 0x08, 0x04, 0x0c],
    physicalBits: 36,
  }),
  core2: describeModel({
    name: "core2",
    part: "Core 2 Duo T7700 (Merom)",
    vendor: "intel",
    family: 6,
    model: 15,
    stepping: 11,
    has: CORE2,
    secondaryControls: CORE2_CONTROLS,
    brand: "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz",
    lastLeaf: 10,
    lastExtendedLeaf: 0x80000008,
    // Once; TLBs of the Core; 32 KiB of each, 4 MiB behind both.
    cacheBytes: [0x01, 0xb1, 0xb0, 0x05, 0xf0, 0x57, 0x56, 0x49, 0x2c, 0x30, 0xb4],
    caches: [...CORE_CACHES, { level: 2, kind: "unified", kib: 4096, ways: 16 }],
    physicalBits: 36,
  }),
  nehalem: describeModel({
    name: "nehalem",
    part: "Core i7 9xx (Bloomfield)",
    vendor: "intel",
    family: 6,
    model: 26,
    stepping: 3,
    has: NEHALEM,
    secondaryControls: NEHALEM_CONTROLS,
    brand: "Intel Core i7 9xx (Nehalem Class Core i7)",
    lastLeaf: 11,
    lastExtendedLeaf: 0x80000008,
    // Once; TLBs; "see leaf 4".
    cacheBytes: [0x01, 0x5a, 0x03, 0x55, 0xff, 0xb2, 0xca],
    caches: [
      { level: 1, kind: "data", kib: 32, ways: 8 },
      { level: 1, kind: "instructions", kib: 32, ways: 4 },
      { level: 2, kind: "unified", kib: 256, ways: 8 },
      { level: 3, kind: "unified", kib: 8192, ways: 16 },
    ],
    physicalBits: 36,
  }),
  phenom: describeModel({
    name: "phenom",
    part: "Phenom 9550 (Agena)",
    vendor: "amd",
    family: 16,
    model: 2,
    stepping: 3,
    has: PHENOM,
    brand: "AMD Phenom(tm) 9550 Quad-Core Processor",
    lastLeaf: 5,
    lastExtendedLeaf: 0x8000001a,
    caches: [
      { level: 1, kind: "data", kib: 64, ways: 2 },
      { level: 1, kind: "instructions", kib: 64, ways: 2 },
      { level: 2, kind: "unified", kib: 512, ways: 16 },
      { level: 3, kind: "unified", kib: 2048, ways: 32 },
    ],
    physicalBits: 48,
  }),
  max: describeModel({
    name: "max",
    part: "no part: all that virtlab implements",
    vendor: "intel",
    family: 6,
    // A number that no part has: systems repair the faults of parts they know.
    model: 127,
    stepping: 0,
    has: MAX,
    secondaryControls: MAX_CONTROLS,
    brand: "virtlab processor, all features",
    lastLeaf: 11,
    lastExtendedLeaf: 0x80000008,
    cacheBytes: [0x01, 0xff],
    caches: [...CORE_CACHES, { level: 2, kind: "unified", kib: 4096, ways: 16 }],
    physicalBits: 40,
  }),
});

/** Whether `model` has all that is needed. */
export function includes(model: ModelName, needs: Needs | undefined): boolean {
  if (needs === undefined) return true;
  const present = models[model].features;
  return typeof needs === "string" ? present.has(needs) : needs.every((name) => present.has(name));
}

/** The first model that has all that is needed, if any has. */
export const firstWith = (needs: Needs): ModelName | undefined => modelNames.find((name) => includes(name, needs));

/**
 * A model by name.
 *
 * @throws VirtlabError for a name that none has.
 */
export function modelOf(name: string): Model {
  const found = modelNames.find((known) => known === name);
  if (found === undefined) throw new VirtlabError(`model "${name}" is unknown (known: ${modelNames.join(", ")})`);
  return models[found];
}

/** The name of a model that exists; `pentium2` unless said otherwise. @throws VirtlabError for a name that none has. */
export const checkedModel = (name: string = "pentium2"): ModelName => modelOf(name).name;
