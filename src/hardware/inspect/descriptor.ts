/**
 * Descriptors as values: what the eight bytes of an entry of the GDT, the LDT or the IDT say; in long mode those of system
 * segments and gates have sixteen.
 * Spec: SDM Vol. 3A, "Segment Descriptors", "System Descriptor Types", "Call Gates", "IDT Descriptors", "64-Bit Mode IDT",
 * "Segment Descriptor Tables in IA-32e Mode", "TSS Descriptor in 64-bit mode".
 */
import { baseOf, limitOf, SYSTEM_TYPE } from "../cpu/descriptors.js";
import { ACCESS, dplOf } from "../cpu/state.js";

export type DescriptorTableName = "gdt" | "ldt" | "idt";

/** Kinds of descriptors; "vector" is an entry of the real-mode interrupt vector table. */
export type DescriptorKind =
  | "empty"
  | "reserved"
  | "code"
  | "data"
  | "ldt"
  | "tss16"
  | "tss16-busy"
  | "tss32"
  | "tss32-busy"
  | "tss64"
  | "tss64-busy"
  | "call-gate16"
  | "call-gate32"
  | "call-gate64"
  | "task-gate"
  | "interrupt-gate16"
  | "interrupt-gate32"
  | "interrupt-gate64"
  | "trap-gate16"
  | "trap-gate32"
  | "trap-gate64"
  | "vector";

export interface DescriptorEntry {
  readonly table: DescriptorTableName;
  readonly index: number;
  /** With RPL 0. Absent in the IDT, whose entries are named by vectors. */
  readonly selector?: number;
  /** In the IDT: "#GP", or "vector 32". */
  readonly name?: string;
  readonly kind: DescriptorKind;
  /** Linear address of the entry. */
  readonly address: number;
  /** The two dwords as they stand in memory, unsigned. */
  readonly low: number;
  readonly high: number;
  /** Of an entry of 16 bytes, the third: bits 32 to 63 of a base or an offset. */
  readonly upper?: number;
  readonly dpl: number;
  readonly present: boolean;

  /** Of segments, LDTs and TSSs: first linear address; above 4 GiB a signed number of 48 bits. */
  readonly base?: number;
  /** Highest offset, in bytes; of expand-down data, the highest that is not in the segment. */
  readonly limit?: number;

  // Of code and data.
  readonly accessed?: boolean;
  readonly readable?: boolean;
  readonly writable?: boolean;
  readonly executable?: boolean;
  readonly conforming?: boolean;
  readonly expandDown?: boolean;
  /** D/B: 32-bit code or stack. */
  readonly big?: boolean;
  /** G: the limit counts pages. */
  readonly granular?: boolean;
  /** L: 64-bit code, in long mode; absent else. */
  readonly long?: boolean;

  /** Of gates: where they lead; a task gate has no offset. */
  readonly target?: { readonly selector: number; readonly offset?: number };
  /** Of call gates: words or dwords copied from the caller's stack. */
  readonly parameters?: number;
  /** Of gates of an IDT in long mode: the stack of the TSS that is used, 1 to 7; 0 leaves that to the privilege. */
  readonly ist?: number;
}

const systemKinds: Readonly<Record<number, DescriptorKind>> = {
  [SYSTEM_TYPE.TSS16]: "tss16",
  [SYSTEM_TYPE.LDT]: "ldt",
  [SYSTEM_TYPE.BUSY_TSS16]: "tss16-busy",
  [SYSTEM_TYPE.CALL_GATE16]: "call-gate16",
  [SYSTEM_TYPE.TASK_GATE]: "task-gate",
  [SYSTEM_TYPE.INTERRUPT_GATE16]: "interrupt-gate16",
  [SYSTEM_TYPE.TRAP_GATE16]: "trap-gate16",
  [SYSTEM_TYPE.TSS32]: "tss32",
  [SYSTEM_TYPE.BUSY_TSS32]: "tss32-busy",
  [SYSTEM_TYPE.CALL_GATE32]: "call-gate32",
  [SYSTEM_TYPE.INTERRUPT_GATE32]: "interrupt-gate32",
  [SYSTEM_TYPE.TRAP_GATE32]: "trap-gate32",
};

/** In long mode, where all of these but LDTs have 64-bit addresses in them. */
const longKinds: Readonly<Record<number, DescriptorKind>> = {
  [SYSTEM_TYPE.LDT]: "ldt",
  [SYSTEM_TYPE.TSS32]: "tss64",
  [SYSTEM_TYPE.BUSY_TSS32]: "tss64-busy",
  [SYSTEM_TYPE.CALL_GATE32]: "call-gate64",
  [SYSTEM_TYPE.INTERRUPT_GATE32]: "interrupt-gate64",
  [SYSTEM_TYPE.TRAP_GATE32]: "trap-gate64",
};

/** "a", "the" and the like are for the one who writes the sentence: "32-bit call gate, not present". */
const kindNames: Readonly<Record<DescriptorKind, string>> = {
  empty: "empty entry",
  reserved: "entry of a reserved type",
  code: "code segment",
  data: "data segment",
  ldt: "LDT",
  tss16: "16-bit TSS",
  "tss16-busy": "busy 16-bit TSS",
  tss32: "32-bit TSS",
  "tss32-busy": "busy 32-bit TSS",
  tss64: "64-bit TSS",
  "tss64-busy": "busy 64-bit TSS",
  "call-gate16": "16-bit call gate",
  "call-gate32": "32-bit call gate",
  "call-gate64": "64-bit call gate",
  "task-gate": "task gate",
  "interrupt-gate16": "16-bit interrupt gate",
  "interrupt-gate32": "32-bit interrupt gate",
  "interrupt-gate64": "64-bit interrupt gate",
  "trap-gate16": "16-bit trap gate",
  "trap-gate32": "32-bit trap gate",
  "trap-gate64": "64-bit trap gate",
  vector: "interrupt vector",
};

/** A kind in words: "busy 32-bit TSS". */
export const kindName = (kind: DescriptorKind): string => kindNames[kind];

export const isSegment = ({ kind }: DescriptorEntry): boolean => kind === "code" || kind === "data";
export const isTaskState = ({ kind }: DescriptorEntry): boolean => kind.startsWith("tss");

const isGate = (kind: DescriptorKind): boolean => kind.includes("gate");

type Place = Pick<DescriptorEntry, "table" | "index" | "address" | "selector" | "name">;

/** Whether an entry with such a high dword has 16 bytes in long mode: all in the IDT, and all but segments elsewhere. */
export const isDoubled = (table: DescriptorTableName, high: number): boolean =>
  table === "idt" || ((high & SEGMENT) === 0 && longKinds[(high >>> 8) & 15] !== undefined);

const SEGMENT = ACCESS.S << 8;

/** What the words of an entry say in long mode; `upper` is the third of an entry that has 16 bytes. */
export function decodeLongDescriptor(place: Place, low: number, high: number, upper: number): DescriptorEntry {
  const doubled = isDoubled(place.table, high);
  if (!doubled || (low === 0 && high === 0)) {
    const entry = decodeDescriptor(place, low, high);
    if (entry.kind === "code") return { ...entry, long: (high & (ACCESS.LONG << 8)) !== 0 };
    return isSegment(entry) || entry.kind === "empty" ? entry : { ...partsOf(place, low, high), kind: "reserved" };
  }
  const common = { ...partsOf(place, low, high), upper: upper >>> 0 };
  const kind = (high & SEGMENT) === 0 ? (longKinds[(high >>> 8) & 15] ?? "reserved") : "reserved";
  const wide = (word: number): number => Number(BigInt.asIntN(64, (BigInt(upper >>> 0) << 32n) | BigInt(word)));
  if (kind === "reserved") return { ...common, kind };
  if (!isGate(kind)) return { ...common, kind, base: wide(baseOf(low, high)), limit: limitOf(low, high) };
  const target = { selector: low >>> 16, offset: wide(((high & 0xffff0000) | (low & 0xffff)) >>> 0) };
  return { ...common, kind, target, ...(place.table === "idt" ? { ist: high & 7 } : {}) };
}

const partsOf = (place: Place, low: number, high: number): Omit<DescriptorEntry, "kind"> => ({
  ...place,
  low: low >>> 0,
  high: high >>> 0,
  dpl: dplOf((high >>> 8) & 0xf0ff),
  present: (high & 0x8000) !== 0,
});

/** What the two dwords of an entry say. */
export function decodeDescriptor(place: Place, low: number, high: number): DescriptorEntry {
  const base = baseOf(low, high);
  const limit = limitOf(low, high);
  const access = (high >>> 8) & 0xf0ff;
  const common = partsOf(place, low, high);
  if (low === 0 && high === 0) return { ...common, kind: "empty" };
  if ((access & ACCESS.S) !== 0) return { ...common, ...segmentOf(access), base, limit };
  const kind = systemKinds[access & 15] ?? "reserved";
  if (!isGate(kind)) return kind === "reserved" ? { ...common, kind } : { ...common, kind, base, limit };
  const selector = low >>> 16;
  if (kind === "task-gate") return { ...common, kind, target: { selector } };
  const wide = kind.endsWith("32");
  const offset = ((wide ? high & 0xffff0000 : 0) | (low & 0xffff)) >>> 0;
  const parameters = kind.startsWith("call") ? { parameters: high & 31 } : {};
  return { ...common, kind, target: { selector, offset }, ...parameters };
}

function segmentOf(
  access: number,
): Omit<DescriptorEntry, "table" | "index" | "address" | "low" | "high" | "dpl" | "present"> {
  const has = (bit: number): boolean => (access & bit) !== 0;
  const common = { accessed: has(ACCESS.ACCESSED), big: has(ACCESS.BIG), granular: has(ACCESS.GRANULAR) };
  return has(ACCESS.CODE)
    ? {
        kind: "code",
        ...common,
        executable: true,
        readable: has(ACCESS.WRITABLE),
        writable: false,
        conforming: has(ACCESS.CONFORMING),
      }
    : {
        kind: "data",
        ...common,
        executable: false,
        readable: true,
        writable: has(ACCESS.WRITABLE),
        expandDown: has(ACCESS.EXPAND_DOWN),
      };
}
