/**
 * A task-state segment by the names of its fields, and the ports its I/O permission bitmap lets through.
 * Spec: SDM Vol. 3A, "Task-State Segment (TSS)", "16-Bit Task-State Segment (TSS)", "Task Management in 64-bit Mode";
 * Vol. 1, "I/O Permission Bit Map".
 */
import { VirtlabError } from "../../state/error.js";
import { isLong } from "../cpu/state.js";
import type { Machine } from "../machine.js";
import { deepFreeze } from "../machine-content.js";
import { isTaskState, kindName } from "./descriptor.js";
import { addressAt, linearPlus, littleEndian, readIfMapped } from "./reading.js";
import { selector as selectorOf } from "./selector.js";

/** Ports `from` to `to`, both of them in it. */
export interface AllowedPorts {
  readonly from: number;
  readonly to: number;
}

export interface IoPermissions {
  /** Offset of the bitmap in the TSS. */
  readonly base: number;
  /** Whether it begins inside of the limit; where it does not, no port is allowed. */
  readonly present: boolean;
  readonly allowed: readonly AllowedPorts[];
}

export interface TaskState {
  readonly selector: number;
  readonly kind: "tss16" | "tss32" | "tss64";
  readonly busy: boolean;
  readonly base: number;
  readonly limit: number;
  /**
   * Fields inside of the limit by the manual's names: link, esp0, ss0 … ldt; of a 16-bit TSS link, sp0, ss0 … ldt; of a 64-bit
   * one rsp0 to rsp2 and ist1 to ist7, which are linear addresses: signed numbers of 48 bits.
   */
  readonly fields: Readonly<Record<string, number>>;
  /** T: a debug trap when a switch to the task is made. */
  readonly debugTrap: boolean;
  /** A 16-bit TSS has none. */
  readonly io?: IoPermissions;
}

type Field = readonly [name: string, offset: number, size: 2 | 4 | 8];

const dwords = (names: string, from: number): readonly Field[] =>
  names.split(" ").map((name, index): Field => [name, from + index * 4, 4]);
const selectors = (names: string, from: number): readonly Field[] =>
  names.split(" ").map((name, index): Field => [name, from + index * 4, 2]);
const words = (names: string, from: number): readonly Field[] =>
  names.split(" ").map((name, index): Field => [name, from + index * 2, 2]);

const layouts: Readonly<Record<TaskState["kind"], readonly Field[]>> = {
  tss32: [
    ["link", 0, 2],
    ...[0, 1, 2].flatMap((level): Field[] => [
      [`esp${level}`, 4 + level * 8, 4],
      [`ss${level}`, 8 + level * 8, 2],
    ]),
    ...dwords("cr3 eip eflags eax ecx edx ebx esp ebp esi edi", 28),
    ...selectors("es cs ss ds fs gs ldt", 72),
  ],
  tss64: [
    ...[0, 1, 2].map((level): Field => [`rsp${level}`, 4 + level * 8, 8]),
    ...[1, 2, 3, 4, 5, 6, 7].map((number): Field => [`ist${number}`, 28 + number * 8, 8]),
  ],
  tss16: words("link sp0 ss0 sp1 ss1 sp2 ss2 ip flags ax cx dx bx sp bp si di es cs ss ds ldt", 0),
};

const DEBUG_TRAP = 100;
const IO_MAP_BASE = 102;
/** Bytes of a bitmap for all ports. */
const WHOLE_MAP = 8192;

/**
 * The task-state segment that TR, or a selector of the GDT, names.
 *
 * @throws VirtlabError where there is none, or none of it is mapped.
 * @example
 * const machine = Machine.boot({ image: guest("rings") }).run({ until: { serial: "hello" } });
 * const { kind, busy, fields, io } = taskState(machine);
 * [kind, busy, fields.ss0, io?.allowed] // => [ 'tss32', true, 16, [] ]
 */
export function taskState(machine: Machine, selector?: number): TaskState {
  const { value, kind, busy, base, limit } = selector === undefined ? current(machine) : named(machine, selector);
  const bytes = readMapped(machine, base, Math.min(limit + 1, IO_MAP_BASE + 2));
  if (bytes.length === 0)
    throw new VirtlabError(`taskState: nothing is mapped at the TSS, linear 0x${base.toString(16)}`);
  const inside = (offset: number, size: number): boolean => offset + size <= bytes.length;
  const fields = layouts[kind]
    .filter(([, offset, size]) => inside(offset, size))
    .map(([name, offset, size]): [string, number] => [
      name,
      size === 8 ? addressAt(bytes, offset) : littleEndian(bytes, offset, size),
    ]);
  const wide = kind !== "tss16";
  return deepFreeze({
    selector: value,
    kind,
    busy,
    base,
    limit,
    fields: Object.fromEntries(fields),
    debugTrap: kind === "tss32" && inside(DEBUG_TRAP, 2) && (bytes[DEBUG_TRAP]! & 1) !== 0,
    ...(wide && inside(IO_MAP_BASE, 2)
      ? { io: permissions(machine, base, limit, littleEndian(bytes, IO_MAP_BASE, 2)) }
      : {}),
  });
}

interface Place {
  readonly value: number;
  readonly kind: TaskState["kind"];
  readonly busy: boolean;
  readonly base: number;
  readonly limit: number;
}

/** What TR holds: base and limit as they were when it was loaded. */
function current(machine: Machine): Place {
  const { selector: value, base, limit, access } = machine.cpu.system.tr;
  if (access === 0) throw new VirtlabError("taskState: TR holds no task (LTR has not been executed)");
  const kind = isLong(machine.cpu.system) ? "tss64" : (access & 8) === 0 ? "tss16" : "tss32";
  return { value, kind, busy: (access & 2) !== 0, base, limit };
}

function named(machine: Machine, value: number): Place {
  const { descriptor } = selectorOf(machine, value);
  if (descriptor === undefined || !isTaskState(descriptor)) {
    const what =
      descriptor === undefined ? "no descriptor" : `a descriptor of another kind (${kindName(descriptor.kind)})`;
    throw new VirtlabError(`taskState: selector 0x${value.toString(16)} names ${what}`);
  }
  const { kind, base = 0, limit = 0 } = descriptor;
  return { value, kind: kind.slice(0, 5) as Place["kind"], busy: kind.endsWith("busy"), base, limit };
}

/** As many bytes as are mapped, page by page. */
function readMapped(machine: Machine, base: number, length: number): Uint8Array {
  const parts: number[] = [];
  while (parts.length < length) {
    const at = linearPlus(machine, base, parts.length);
    const bytes = readIfMapped(machine, at, Math.min(length - parts.length, 4096 - (at & 4095)));
    if (bytes === undefined) break;
    parts.push(...bytes);
  }
  return Uint8Array.from(parts);
}

/** The processor reads two bytes for every port, so a port counts only when the byte behind its own is inside, too. */
function permissions(machine: Machine, tss: number, limit: number, base: number): IoPermissions {
  const present = base + 1 <= limit;
  if (!present) return { base, present, allowed: [] };
  const bytes = readMapped(machine, linearPlus(machine, tss, base), Math.min(WHOLE_MAP, limit - base));
  const allowed: { from: number; to: number }[] = [];
  for (let port = 0; port < bytes.length * 8; port++) {
    if ((bytes[port >> 3]! & (1 << (port & 7))) !== 0) continue;
    const last = allowed.at(-1);
    if (last?.to === port - 1) last.to = port;
    else allowed.push({ from: port, to: port });
  }
  return { base, present, allowed };
}
