/**
 * What CPUID gives: each leaf as a function of the model and of where the processor is.
 * Spec: SDM Vol. 2A, "CPUID—CPU Identification"; AMD64 Architecture Programmer's Manual Vol. 3, appendix "Obtaining
 * Processor Information Via the CPUID Instruction".
 */

import { type FlagWord, flagsOf, REPEATED_BY_AMD } from "./features.js";
import { type CacheDescription, type Model, type ModelName, models } from "./model.js";
import type { ProcessorPort } from "./processor.js";

/** [EAX, EBX, ECX, EDX] as CPUID gives them, signed. */
export type CpuidLeaf = readonly [eax: number, ebx: number, ecx: number, edx: number];

/** What of a machine, and of what a processor is doing, CPUID tells as well. */
export interface CpuidPlace {
  /** There is a local APIC and it is enabled. */
  readonly apic: boolean;
  readonly apicId: number;
  /** Processors of the machine: cores of one package. */
  readonly processors: number;
  /** In 64-bit code: Intel announces SYSCALL only there. */
  readonly code64: boolean;
}
const ALONE: CpuidPlace = { apic: false, apicId: 0, processors: 1, code64: false };

type Leaf = (model: Model, place: CpuidPlace, subleaf: number) => CpuidLeaf;

const EXTENDED = 0x80000000;
const NOTHING: CpuidLeaf = [0, 0, 0, 0];
const CACHE_LINE = 64;
const HTT = 1 << 28;
const CMP_LEGACY = 1 << 1;
const SYSCALL = 1 << 11;
/** Flags that say nothing without a local APIC: APIC itself; x2APIC and the deadline timer. */
const APIC_EDX = 1 << 9;
const APIC_ECX = (1 << 21) | (1 << 24);

const word = (text: string, at: number): number =>
  [0, 1, 2, 3].reduce((bits, index) => bits | ((text.charCodeAt(at + index) || 0) << (8 * index)), 0);

const vendorNames = { intel: "GenuineIntel", amd: "AuthenticAMD" } as const;
/** The name is in EBX, EDX, ECX. */
const withVendor = (eax: number, { vendor }: Model): CpuidLeaf => {
  const name = vendorNames[vendor];
  return [eax | 0, word(name, 0), word(name, 8), word(name, 4)];
};

const flags = ({ features }: Model, name: FlagWord): number => flagsOf(name, features);

/** Family above 15 and model above 15 have fields of their own. */
export function signatureOf(name: ModelName): number {
  const { family, model, stepping } = models[name];
  const extended = Math.max(0, family - 15);
  return (extended << 20) | ((model >> 4) << 16) | ((family - extended) << 8) | ((model & 15) << 4) | stepping;
}

/** Bits that number `count` things. */
const bitsFor = (count: number): number => 32 - Math.clz32(count - 1);

const versionAndFeatures: Leaf = (model, { apic, apicId, processors }) => {
  const clflush = model.features.has("CLFSH") ? (CACHE_LINE / 8) << 8 : 0;
  const several = processors > 1 ? processors << 16 : 0;
  const ecx = flags(model, "1.ecx") & (apic ? -1 : ~APIC_ECX);
  const edx = flags(model, "1.edx") & (apic ? -1 : ~APIC_EDX);
  return [signatureOf(model.name), clflush | several | (apicId << 24), ecx, edx | (processors > 1 ? HTT : 0)];
};

const cacheBytes: Leaf = ({ cacheBytes: bytes = [1] }) => {
  const byte = (at: number): number => (bytes[at] ?? 0) << ((at & 3) * 8);
  const register = (at: number): number => byte(at) | byte(at + 1) | byte(at + 2) | byte(at + 3);
  return [register(0), register(4), register(8), register(12)];
};

const CACHE_KINDS = { data: 1, instructions: 2, unified: 3 } as const;

/** Of each cache its shape, then a type of 0 for "no more". */
const cacheParameters: Leaf = ({ caches }, { processors }, subleaf) => {
  const cache = caches[subleaf];
  if (cache === undefined) return NOTHING;
  const { kind, level, kib, ways } = cache;
  const sharing = level === 3 ? processors - 1 : 0;
  const initializing = 1 << 8;
  const eax = CACHE_KINDS[kind] | (level << 5) | initializing | (sharing << 14) | ((processors - 1) << 26);
  return [eax, (CACHE_LINE - 1) | ((ways - 1) << 22), (kib * 1024) / CACHE_LINE / ways - 1, 0];
};

const structuredFeatures: Leaf = (model, _place, subleaf) =>
  subleaf === 0 ? [0, flags(model, "7.ebx"), flags(model, "7.ecx"), flags(model, "7.edx")] : NOTHING;

/** The x2APIC's view of the package: one thread to a core, all cores in one package. */
const topology: Leaf = (_model, { apic, apicId, processors }, subleaf) => {
  if (!apic) return NOTHING;
  if (subleaf === 0) return [0, 1, 0x100, apicId];
  if (subleaf === 1) return [bitsFor(processors), processors, 0x201, apicId];
  return [0, 0, subleaf & 0xff, apicId];
};

const basicLeaves: Readonly<Record<number, Leaf>> = {
  0: (model) => withVendor(model.lastLeaf, model),
  1: versionAndFeatures,
  2: cacheBytes,
  4: cacheParameters,
  7: structuredFeatures,
  11: topology,
};

const extendedFeatures: Leaf = (model, { code64, apic, processors }) => {
  const amd = model.vendor === "amd";
  const own = flags(model, "extended1.edx");
  const repeated = amd ? flags(model, "1.edx") & REPEATED_BY_AMD & (apic ? -1 : ~APIC_EDX) : 0;
  const legacy = amd && processors > 1 ? CMP_LEGACY : 0;
  const edx = amd || code64 ? own : own & ~SYSCALL;
  return [amd ? signatureOf(model.name) : 0, 0, flags(model, "extended1.ecx") | legacy, edx | repeated];
};

const brand =
  (part: number): Leaf =>
  ({ brand: name = "" }) =>
    [0, 4, 8, 12].map((at) => word(name, part * 16 + at)) as unknown as CpuidLeaf;

/** Associativity as leaf 0x80000006 has it. */
const WAYS: Readonly<Record<number, number>> = { 1: 1, 2: 2, 4: 4, 8: 6, 16: 8, 32: 10 };
const level = ({ caches }: Model, wanted: number, kind: CacheDescription["kind"]): CacheDescription | undefined =>
  caches.find((cache) => cache.level === wanted && cache.kind === kind);
const firstLevel = (cache: CacheDescription | undefined): number =>
  cache === undefined ? 0 : (cache.kib << 24) | (cache.ways << 16) | (1 << 8) | CACHE_LINE;

/** Revision of AMD-V, and how many address-space identifiers there are, as family 10h had them. */
const SVM_REVISION = 1;
const ADDRESS_SPACES = 64;

const extendedLeaves: Readonly<Record<number, Leaf>> = {
  0: (model) =>
    model.vendor === "amd" ? withVendor(model.lastExtendedLeaf!, model) : [model.lastExtendedLeaf! | 0, 0, 0, 0],
  1: extendedFeatures,
  2: brand(0),
  3: brand(1),
  4: brand(2),
  5: (model) =>
    model.vendor === "amd"
      ? [0, 0, firstLevel(level(model, 1, "data")), firstLevel(level(model, 1, "instructions"))]
      : NOTHING,
  6: (model) => {
    const second = level(model, 2, "unified");
    const third = model.vendor === "amd" ? level(model, 3, "unified") : undefined;
    const ecx = second === undefined ? 0 : (second.kib << 16) | (WAYS[second.ways]! << 12) | CACHE_LINE;
    const edx = third === undefined ? 0 : ((third.kib / 512) << 18) | (WAYS[third.ways]! << 12) | (1 << 8) | CACHE_LINE;
    return [0, 0, ecx, edx];
  },
  7: (model) => [0, 0, 0, flags(model, "extended7.edx")],
  8: ({ physicalBits, vendor, features }, { processors }) => {
    const linearBits = features.has("LM") ? 48 : 32;
    const cores = vendor === "amd" && processors > 1 ? (bitsFor(processors) << 12) | (processors - 1) : 0;
    return [(linearBits << 8) | physicalBits, 0, cores, 0];
  },
  10: (model) =>
    model.features.has("SVM") ? [SVM_REVISION, ADDRESS_SPACES, 0, flags(model, "extended10.edx")] : NOTHING,
};

/**
 * What CPUID gives for a leaf (EAX) and subleaf (ECX). A leaf beyond the last one answers as the last basic one does on
 * Intel's parts, and is all zeros on AMD's.
 */
export function identify(name: ModelName, leaf: number, subleaf = 0, place: CpuidPlace = ALONE): CpuidLeaf {
  const model = models[name];
  const number = leaf >>> 0;
  if (number >= EXTENDED && number <= (model.lastExtendedLeaf ?? 0))
    return (extendedLeaves[number - EXTENDED] ?? (() => NOTHING))(model, place, subleaf >>> 0);
  const beyond = number > model.lastLeaf;
  if (beyond && model.vendor === "amd") return NOTHING;
  return (basicLeaves[beyond ? model.lastLeaf : number] ?? (() => NOTHING))(model, place, subleaf >>> 0);
}

const [EAX, ECX, EDX, EBX] = [0, 1, 2, 3] as const;

/** CPUID: of the leaf in EAX and the subleaf in ECX. */
export function loadIdentity(
  registers: Pick<ProcessorPort, "getRegister" | "setRegister">,
  model: ModelName,
  place: CpuidPlace,
): void {
  const [eax, ebx, ecx, edx] = identify(model, registers.getRegister(EAX), registers.getRegister(ECX), place);
  registers.setRegister(EAX, eax);
  registers.setRegister(EBX, ebx);
  registers.setRegister(ECX, ecx);
  registers.setRegister(EDX, edx);
}
