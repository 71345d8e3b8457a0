/**
 * Features of processors: where CPUID announces each, and the CR4 and EFER bits that come with it. A row of an instruction
 * names what it needs (`Definition.needs`), and so does a model-specific register: a feature that a model has not is
 * really off.
 * Spec: SDM Vol. 2A, "CPUID—CPU Identification"; AMD64 Architecture Programmer's Manual Vol. 3, appendix "Obtaining
 * Processor Information Via the CPUID Instruction"; SDM Vol. 3A, "Control Registers".
 */
import { CR4, EFER } from "./state.js";

/** The words of CPUID that have feature flags, by leaf and register. */
export type FlagWord =
  | "1.ecx"
  | "1.edx"
  | "7.ebx"
  | "7.ecx"
  | "7.edx"
  | "extended1.ecx"
  | "extended1.edx"
  | "extended7.edx"
  | "extended10.edx";

interface Described {
  /** Where CPUID announces it; absent: nowhere, family and model say it. */
  readonly flag?: readonly [word: FlagWord, bit: number];
  readonly cr4?: number;
  readonly efer?: number;
}

const described = {
  /** What the 486 brought: BSWAP, CMPXCHG, XADD, INVLPG, INVD, WBINVD, and CPUID in its later parts. */
  I486: {},
  /** What the Pentium Pro brought: RDPMC, UD2, NOP of several bytes, the microcode revision. */
  P6: { cr4: CR4.PCE },
  /** IA32_MISC_ENABLE, which came with the Pentium 4 and M. */
  MISC_ENABLE: {},
  /** The model-specific registers of AMD's K8 and later: system configuration, hardware configuration, memory tops. */
  K8: {},

  FPU: { flag: ["1.edx", 0] },
  /** A virtual interrupt flag in virtual-8086 and protected mode. */
  VME: { flag: ["1.edx", 1], cr4: CR4.VME | CR4.PVI },
  /** Debugging extensions: breakpoints on ports, DR4 and DR5 as no registers. */
  DE: { flag: ["1.edx", 2], cr4: CR4.DE },
  /** Pages of 4 MiB. */
  PSE: { flag: ["1.edx", 3], cr4: CR4.PSE },
  /** RDTSC, and CR4.TSD to forbid it. */
  TSC: { flag: ["1.edx", 4], cr4: CR4.TSD },
  /** RDMSR and WRMSR. */
  MSR: { flag: ["1.edx", 5] },
  /** Physical addresses of more than 32 bits. */
  PAE: { flag: ["1.edx", 6], cr4: CR4.PAE },
  /** #MC. Nothing here ever fails. */
  MCE: { flag: ["1.edx", 7], cr4: CR4.MCE },
  /** CMPXCHG8B. */
  CX8: { flag: ["1.edx", 8] },
  /** A local APIC, where the machine has one. */
  APIC: { flag: ["1.edx", 9] },
  /** SYSENTER and SYSEXIT. */
  SEP: { flag: ["1.edx", 11] },
  /** Memory types by range: registers that keep what is written, as nothing here is cached. */
  MTRR: { flag: ["1.edx", 12] },
  /** Global pages. */
  PGE: { flag: ["1.edx", 13], cr4: CR4.PGE },
  /** Banks of machine-check registers. */
  MCA: { flag: ["1.edx", 14] },
  CMOV: { flag: ["1.edx", 15] },
  /** Memory types by page. */
  PAT: { flag: ["1.edx", 16] },
  /** Pages of 4 MiB above 4 GiB. */
  PSE36: { flag: ["1.edx", 17] },
  CLFSH: { flag: ["1.edx", 19] },
  MMX: { flag: ["1.edx", 23] },
  FXSR: { flag: ["1.edx", 24], cr4: CR4.OSFXSR },
  SSE: { flag: ["1.edx", 25], cr4: CR4.OSXMMEXCPT },
  SSE2: { flag: ["1.edx", 26] },
  /** Self-snooping caches. */
  SS: { flag: ["1.edx", 27] },

  SSE3: { flag: ["1.ecx", 0] },
  PCLMULQDQ: { flag: ["1.ecx", 1] },
  /** Virtual-machine extensions (VT-x). */
  VMX: { flag: ["1.ecx", 5], cr4: CR4.VMXE },
  SSSE3: { flag: ["1.ecx", 9] },
  /** CMPXCHG16B. */
  CX16: { flag: ["1.ecx", 13] },
  SSE4_1: { flag: ["1.ecx", 19] },
  SSE4_2: { flag: ["1.ecx", 20] },
  X2APIC: { flag: ["1.ecx", 21] },
  MOVBE: { flag: ["1.ecx", 22] },
  POPCNT: { flag: ["1.ecx", 23] },
  /** The timer of the local APIC takes a value of the time-stamp counter. */
  TSC_DEADLINE: { flag: ["1.ecx", 24] },
  AES: { flag: ["1.ecx", 25] },
  RDRAND: { flag: ["1.ecx", 30] },

  /** RDFSBASE and its kin. */
  FSGSBASE: { flag: ["7.ebx", 0], cr4: CR4.FSGSBASE },
  /** IA32_TSC_ADJUST. */
  TSC_ADJUST: { flag: ["7.ebx", 1] },
  /** The supervisor does not execute pages of the user. */
  SMEP: { flag: ["7.ebx", 7], cr4: CR4.SMEP },
  /** REP MOVSB and STOSB are as fast as any. */
  ERMS: { flag: ["7.ebx", 9] },
  RDSEED: { flag: ["7.ebx", 18] },
  /** The supervisor does not access pages of the user unless AC is set: CLAC and STAC. */
  SMAP: { flag: ["7.ebx", 20], cr4: CR4.SMAP },
  /** SGDT, SIDT, SLDT, SMSW and STR are the supervisor's. */
  UMIP: { flag: ["7.ecx", 2], cr4: CR4.UMIP },
  RDPID: { flag: ["7.ecx", 22] },
  /** IA32_ARCH_CAPABILITIES: says which flaws of speculation a processor has not. None here, as nothing is speculated. */
  ARCH_CAPABILITIES: { flag: ["7.edx", 29] },

  /** LAHF and SAHF in 64-bit code. */
  LAHF_LM: { flag: ["extended1.ecx", 0] },
  /** AMD-V: guests that VMRUN runs. */
  SVM: { flag: ["extended1.ecx", 2], efer: EFER.SVME },
  /** LOCK MOV CR0 is MOV CR8 outside of 64-bit code. */
  ALTMOVCR8: { flag: ["extended1.ecx", 4] },
  /** LZCNT. */
  ABM: { flag: ["extended1.ecx", 5] },
  SSE4A: { flag: ["extended1.ecx", 6] },
  MISALIGNSSE: { flag: ["extended1.ecx", 7] },
  /** PREFETCH and PREFETCHW. */
  PREFETCHW: { flag: ["extended1.ecx", 8] },
  /** Starts trusted software that the processor has measured. */
  SKINIT: { flag: ["extended1.ecx", 12] },
  SYSCALL: { flag: ["extended1.edx", 11], efer: EFER.SCE },
  /** Pages from which nothing is executed. */
  NX: { flag: ["extended1.edx", 20], efer: EFER.NXE },
  /** AMD's part of SSE that works on MMX registers. */
  MMXEXT: { flag: ["extended1.edx", 22] },
  /** FXSAVE without XMM registers in ring 0. */
  FFXSR: { flag: ["extended1.edx", 25], efer: EFER.FFXSR },
  /** Pages of 1 GiB. */
  PDPE1GB: { flag: ["extended1.edx", 26] },
  RDTSCP: { flag: ["extended1.edx", 27] },
  /** Long mode. */
  LM: { flag: ["extended1.edx", 29], efer: EFER.LME },
  "3DNOWEXT": { flag: ["extended1.edx", 30] },
  "3DNOW": { flag: ["extended1.edx", 31] },
  /** The time-stamp counter goes on at one rate, also in HLT. */
  INVTSC: { flag: ["extended7.edx", 8] },
  /** Nested paging of AMD-V. */
  NPT: { flag: ["extended10.edx", 0] },
  /** #VMEXIT tells where the instruction ends that left the guest. */
  NRIPS: { flag: ["extended10.edx", 3] },
} as const satisfies Readonly<Record<string, Described>>;

export type Feature = keyof typeof described;

/** What an instruction or a register needs: one feature, or all of several. */
export type Needs = Feature | readonly Feature[];

export const features: Readonly<Record<Feature, Described>> = Object.freeze(described);

/** Flags of AMD's leaf 0x80000001 EDX that repeat those of leaf 1. */
export const REPEATED_BY_AMD = 0x0183f3ff;

/** The bits of a word of flags for a set of features. */
export function flagsOf(word: FlagWord, present: ReadonlySet<Feature>): number {
  let bits = 0;
  for (const name of present) {
    const { flag } = features[name];
    if (flag !== undefined && flag[0] === word) bits |= 1 << flag[1];
  }
  return bits;
}
