/**
 * Descriptors, gates and task-state segments as data, for programs of tests.
 * Spec: SDM Vol. 3A, "Segment Descriptors", "Gate Descriptors", "Task-State Segment (TSS)".
 */

export interface SegmentData {
  readonly base?: number;
  /** As it stands in the descriptor: in units of 4 KiB with `pages`. */
  readonly limit: number;
  readonly pages?: boolean;
  readonly big?: boolean;
  /** Type with S flag: 0x1b is readable code, 0x13 writable data, both accessed. */
  readonly type: number;
  readonly dpl?: number;
  readonly absent?: boolean;
}

/** Types with the S flag, accessed where there is such a bit. */
export const TYPE = {
  DATA: 0x13,
  READ_ONLY: 0x11,
  EXPAND_DOWN: 0x17,
  CODE: 0x1b,
  EXECUTE_ONLY: 0x19,
  CONFORMING: 0x1f,
  TSS16: 0x01,
  LDT: 0x02,
  BUSY_TSS16: 0x03,
  CALL_GATE16: 0x04,
  TASK_GATE: 0x05,
  INTERRUPT_GATE16: 0x06,
  TRAP_GATE16: 0x07,
  TSS32: 0x09,
  BUSY_TSS32: 0x0b,
  CALL_GATE32: 0x0c,
  INTERRUPT_GATE32: 0x0e,
  TRAP_GATE32: 0x0f,
} as const;

const access = (type: number, dpl = 0, absent = false): number => type | (dpl << 5) | (absent ? 0 : 0x80);

/** The two words of a segment descriptor. */
export function segment(data: SegmentData): readonly [number, number] {
  const { base = 0, limit, pages = false, big = false, type, dpl, absent } = data;
  const high =
    (base & 0xff000000) |
    (pages ? 1 << 23 : 0) |
    (big ? 1 << 22 : 0) |
    (limit & 0xf0000) |
    (access(type, dpl, absent) << 8) |
    ((base >>> 16) & 0xff);
  return [((base << 16) | (limit & 0xffff)) >>> 0, high >>> 0];
}

export interface GateData {
  readonly selector: number;
  readonly offset?: number;
  readonly type: number;
  readonly dpl?: number;
  readonly absent?: boolean;
  readonly parameters?: number;
}

/** The two words of a call, interrupt, trap or task gate. */
export function gate({ selector, offset = 0, type, dpl, absent, parameters = 0 }: GateData): readonly [number, number] {
  return [
    ((selector << 16) | (offset & 0xffff)) >>> 0,
    ((offset & 0xffff0000) | (access(type, dpl, absent) << 8) | parameters) >>> 0,
  ];
}

/** Words as a line of data for the assembler. */
export const dwords = (words: readonly number[]): string =>
  `dd ${words.map((word) => `0x${word.toString(16)}`).join(", ")}`;
