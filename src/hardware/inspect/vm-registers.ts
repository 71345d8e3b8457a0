/** What VM entries and exits load and save, of a processor's state, by name and as the numbers that fields have. */
import { type CpuState, cplOf, type Segment, type SegmentName, segmentNames } from "../cpu/state.js";
import { longRegisters } from "../registers.js";

export type RegisterReader = (cpu: CpuState) => bigint;

const quad = (value: number): bigint => BigInt.asUintN(64, BigInt(value));
const word = (value: number): bigint => BigInt(value >>> 0);
/** CR3 and the like: a signed word below 2^32, or a whole number. */
const wide = (value: number): bigint => (value < 0 ? word(value) : BigInt(value));

type Attributes = (segment: Segment, cpu: CpuState, name: string) => bigint;

/** Spec: SDM Vol. 3C, "Guest Register State", the access-rights format. */
const UNUSABLE = 0x10000;
const accessRights: Attributes = ({ access }, cpu, name) => {
  if (access !== 0) return BigInt(access);
  const level = name === "ss" ? cplOf(cpu.system, cpu.eflags) << 5 : 0;
  return BigInt(UNUSABLE | level);
};
/** Spec: AMD64 Architecture Programmer's Manual Vol. 2, "Segment State in the VMCB". */
const attributes: Attributes = ({ access }) => BigInt((access & 0xff) | ((access >>> 4) & 0xf00));

type Segments = Readonly<Record<SegmentName | "ldtr" | "tr", Segment>>;
const segmentsOf = ({ system: { segments, ldtr, tr } }: CpuState): Segments => ({ ...segments, ldtr, tr });
const allSegments = [...segmentNames, "ldtr", "tr"] as const;

function segmentReaders(format: Attributes): readonly (readonly [string, RegisterReader])[] {
  return allSegments.flatMap((name) => {
    const of =
      (part: (segment: Segment, cpu: CpuState) => bigint): RegisterReader =>
      (cpu) =>
        part(segmentsOf(cpu)[name], cpu);
    return [
      [`${name}.selector`, of(({ selector }) => BigInt(selector))],
      [`${name}.base`, of(({ base }) => quad(base))],
      [`${name}.limit`, of(({ limit }) => word(limit))],
      [`${name}.access`, of((segment, cpu) => format(segment, cpu, name))],
    ] as const;
  });
}

const msr =
  (name: string, atReset = 0n): RegisterReader =>
  ({ system: { msrs } }) =>
    msrs[name] ?? atReset;
/** Spec: SDM Vol. 3A, "IA32_PAT MSR". */
const PAT_AT_RESET = 0x0007_0406_0007_0406n;

const BLOCKING = { none: 0, sti: 1, "mov-ss": 2 } as const;
const NMI_BLOCKED = 8;
const DEBUG = { breakpoints: 15, enabled: 1 << 12, step: 1 << 14 } as const;

/** Spec: SDM Vol. 3C, "Guest Non-Register State". */
function pendingDebug({ pending: { debug } }: CpuState): bigint {
  const met = debug & DEBUG.breakpoints;
  return BigInt(met | (met === 0 ? 0 : DEBUG.enabled) | (debug & DEBUG.step));
}

const pdpte =
  (index: number): RegisterReader =>
  ({ system: { pdptes } }) =>
    (word(pdptes[2 * index + 1] ?? 0) << 32n) | word(pdptes[2 * index] ?? 0);

const common: readonly (readonly [string, RegisterReader])[] = [
  ["cr0", ({ system }) => word(system.cr0)],
  ["cr2", ({ system }) => quad(system.cr2)],
  ["cr3", ({ system }) => wide(system.cr3)],
  ["cr4", ({ system }) => word(system.cr4)],
  ["dr6", ({ system }) => word(system.debug[4])],
  ["dr7", ({ system }) => word(system.debug[5])],
  ["rax", (cpu) => longRegisters(cpu).rax],
  ["rsp", (cpu) => longRegisters(cpu).rsp],
  ["rip", (cpu) => longRegisters(cpu).rip],
  ["rflags", ({ eflags }) => word(eflags)],
  ["cpl", ({ system, eflags }) => BigInt(cplOf(system, eflags))],
  ["IA32_EFER", ({ system }) => word(system.efer)],
  ["IA32_PAT", msr("IA32_PAT", PAT_AT_RESET)],
  ...["IA32_SYSENTER_CS", "IA32_SYSENTER_ESP", "IA32_SYSENTER_EIP"].map((name) => [name, msr(name)] as const),
  ...(["gdtr", "idtr"] as const).flatMap((name): [string, RegisterReader][] => [
    [`${name}.base`, ({ system }) => quad(system[name].base)],
    [`${name}.limit`, ({ system }) => word(system[name].limit)],
  ]),
  ...[0, 1, 2, 3].map((index) => [`pdpte${index}`, pdpte(index)] as const),
  ["activity", ({ halted }) => (halted ? 1n : 0n)],
  ["blocking", ({ shadow, pending }) => BigInt(BLOCKING[shadow] | (pending.nmiBlocked ? NMI_BLOCKED : 0))],
  ["interrupt shadow", ({ shadow }) => (shadow === "none" ? 0n : 1n)],
  ["pending debug exceptions", pendingDebug],
];

const readers = (format: Attributes): ReadonlyMap<string, RegisterReader> =>
  new Map([...common, ...segmentReaders(format)]);

/** How each register is read, in the format of the fields of either technology. */
export const registerReaders = Object.freeze({ vmx: readers(accessRights), svm: readers(attributes) });
