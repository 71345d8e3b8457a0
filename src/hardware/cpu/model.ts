/**
 * Processor models as data: what each says of itself (CPUID) and which control-register bits it has.
 *
 * A model says only what is implemented here: MMX, the local APIC, MTRRs and the machine-check architecture,
 * which these parts had, are not, and so no flag announces them. Instructions name the model they came with
 * (`Definition.since`), and so do model-specific registers (`msr.ts`).
 * Spec: SDM Vol. 2A, "CPUID—CPU Identification"; Vol. 3A, "Control Registers"; Intel AP-485, "Intel Processor
 * Identification and the CPUID Instruction".
 */
import { VirtlabError } from "../../state/error.js";
import { CR0, CR4 } from "./state.js";

/** Processor models, oldest first. */
export const modelNames = ["486", "pentium", "pentium2"] as const;
export type ModelName = (typeof modelNames)[number];

/** Whether `model` has what came with `since`. */
export const includes = (model: ModelName, since: ModelName | undefined): boolean =>
  since === undefined || modelNames.indexOf(model) >= modelNames.indexOf(since);

/** Features: their flag in EDX of CPUID leaf 1, and the CR4 bits that come with them. */
const FEATURES = {
  /** x87. */
  FPU: { flag: 1 << 0, cr4: 0 },
  /** A virtual interrupt flag in virtual-8086 and protected mode. */
  VME: { flag: 1 << 1, cr4: CR4.VME | CR4.PVI },
  /** Debugging extensions: breakpoints on ports, DR4 and DR5 as no registers. */
  DE: { flag: 1 << 2, cr4: CR4.DE },
  /** Pages of 4 MiB. */
  PSE: { flag: 1 << 3, cr4: CR4.PSE },
  /** RDTSC, and CR4.TSD to forbid it. */
  TSC: { flag: 1 << 4, cr4: CR4.TSD },
  /** RDMSR and WRMSR. */
  MSR: { flag: 1 << 5, cr4: 0 },
  /** Physical addresses of 36 bits. */
  PAE: { flag: 1 << 6, cr4: CR4.PAE },
  /** #MC and the Pentium's two registers for it. Nothing here ever fails, so they stay zero. */
  MCE: { flag: 1 << 7, cr4: CR4.MCE },
  /** CMPXCHG8B. */
  CX8: { flag: 1 << 8, cr4: 0 },
  /** SYSENTER and SYSEXIT. */
  SEP: { flag: 1 << 11, cr4: 0 },
  /** Global pages. */
  PGE: { flag: 1 << 13, cr4: CR4.PGE },
  /** CMOVcc. */
  CMOV: { flag: 1 << 15, cr4: 0 },
  /** FXSAVE and FXRSTOR, and CR4.OSFXSR. */
  FXSR: { flag: 1 << 24, cr4: CR4.OSFXSR },
} as const;
export type Feature = keyof typeof FEATURES;

/** [EAX, EBX, ECX, EDX] as CPUID gives them. */
export type CpuidLeaf = readonly [eax: number, ebx: number, ecx: number, edx: number];

export interface Model {
  readonly name: ModelName;
  /** The part whose signature it has. */
  readonly part: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  readonly features: readonly Feature[];
  /** The control registers there are; MOV of any other is #UD. */
  readonly controlRegisters: readonly number[];
  /** Bits that keep what is written. CR0: others stay as they are; CR3: others stay clear; CR4: setting others is #GP(0). */
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  /** By leaf number, from 0. */
  readonly cpuid: readonly CpuidLeaf[];
}

/** All of CR0 that the 486 brought is in its successors, too; ET reads as 1 whatever is written. */
const CR0_BITS = CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.WP | CR0.AM | CR0.NW | CR0.CD | CR0.PG;
/** Base of the page directory, PCD and PWT. */
const CR3_BITS = 0xfffff018 | 0;
/** PAE's pointer table lies on 32 bytes: bits 5 to 11 are part of its base. */
const CR3_BITS_PAE = 0xfffffff8 | 0;

const word = (text: string): number =>
  text.charCodeAt(0) | (text.charCodeAt(1) << 8) | (text.charCodeAt(2) << 16) | (text.charCodeAt(3) << 24);

type Differing = Pick<Model, "name" | "part" | "family" | "model" | "stepping" | "features" | "controlRegisters"> & {
  readonly cr3: number;
  /** CR4 bits that no feature flag announces. */
  readonly moreCr4?: number;
  /** Leaves beyond 1. */
  readonly moreLeaves?: readonly CpuidLeaf[];
};

function describeModel({ moreCr4 = 0, moreLeaves = [], ...model }: Differing): Model {
  const flags = model.features.reduce((bits, name) => bits | FEATURES[name].flag, 0);
  const cr4 = model.features.reduce((bits, name) => bits | FEATURES[name].cr4, moreCr4);
  const signature = (model.family << 8) | (model.model << 4) | model.stepping;
  const leaves: CpuidLeaf[] = [
    [1 + moreLeaves.length, word("Genu"), word("ntel"), word("ineI")],
    [signature, 0, 0, flags],
    ...moreLeaves,
  ];
  return Object.freeze({ ...model, cr0: CR0_BITS, cr4, cpuid: Object.freeze(leaves) });
}

export const models: Readonly<Record<ModelName, Model>> = Object.freeze({
  "486": describeModel({
    name: "486",
    part: "Intel486 SX, SL enhanced",
    family: 4,
    model: 2,
    stepping: 10,
    features: [],
    controlRegisters: [0, 2, 3],
    cr3: CR3_BITS,
  }),
  pentium: describeModel({
    name: "pentium",
    part: "Pentium (P54C)",
    family: 5,
    model: 2,
    stepping: 12,
    features: ["FPU", "VME", "DE", "PSE", "TSC", "MSR", "MCE", "CX8"],
    controlRegisters: [0, 2, 3, 4],
    cr3: CR3_BITS,
  }),
  pentium2: describeModel({
    name: "pentium2",
    part: "Pentium II (Deschutes)",
    family: 6,
    model: 5,
    stepping: 2,
    features: ["FPU", "VME", "DE", "PSE", "TSC", "MSR", "PAE", "MCE", "CX8", "SEP", "PGE", "CMOV", "FXSR"],
    controlRegisters: [0, 2, 3, 4],
    cr3: CR3_BITS_PAE,
    moreCr4: CR4.PCE,
    // One round, and no descriptor in it: there are no caches to tell of.
    moreLeaves: [[1, 0, 0, 0]],
  }),
});

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

/** The name of a model that exists; the newest unless said otherwise. @throws VirtlabError for a name that none has. */
export const checkedModel = (name: string = "pentium2"): ModelName => modelOf(name).name;

/**
 * What CPUID gives for a leaf. A leaf beyond the last one answers as the last one does.
 */
export function identify(model: ModelName, leaf: number): CpuidLeaf {
  const { cpuid } = models[model];
  return cpuid[Math.min(leaf >>> 0, cpuid.length - 1)]!;
}

/** Type, family, model and stepping as one number: what EDX holds after reset. */
export const signatureOf = (model: ModelName): number => identify(model, 1)[0];
