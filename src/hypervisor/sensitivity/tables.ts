/**
 * Descriptor and page tables of the machines that instructions are tried on, as bytes.
 * Spec: SDM Vol. 3A, "Segment Descriptors", "Gate Descriptors", "32-Bit Paging", "4-Level Paging and 5-Level Paging".
 */
import { PTE } from "../../hardware/cpu/paging-levels.js";
import {
  GDT_BYTES,
  GUEST_FRAMES,
  MEMORY_BYTES,
  MONITOR_STACK,
  PAGE_TABLES,
  PORT_AND_VECTOR,
  SELECTORS,
  WINDOW,
  WINDOW_BYTES,
} from "./layout.js";

export type Location = 0 | 1;
export type Bits = 32 | 64;

/** What the segments of a location are relocated by, and their last page. In 64-bit code there is no such thing. */
export const segmentBase = (location: Location, bits: Bits): number => (bits === 32 && location === 1 ? 0x80_0000 : 0);
const LAST_PAGE = [0xf_ffff, 0x0_ffff] as const;

const CODE = 0x9b;
const DATA = 0x93;
const CONFORMING = 0x9f;
const RING_3 = 0x60;
const TSS = 0x89;
const LDT = 0x82;
const CALL_GATE = 0xec;
const GATE_FOR_RING_0 = 0x8e;
const GATE_FOR_RING_3 = 0xee;
/** Vectors whose gates a program may use: INT3, INTO, and a system call. */
const OPEN_VECTORS = [3, 4, PORT_AND_VECTOR];
const VECTORS = 0x40;
const TASK_BYTES = 0x68;

function descriptor(base: number, limit: number, access: number, flags: number): readonly [number, number] {
  const high = (base & 0xff00_0000) | (flags << 20) | (limit & 0xf_0000) | (access << 8) | ((base >>> 16) & 0xff);
  return [((base << 16) | (limit & 0xffff)) >>> 0, high >>> 0];
}

const gate = (offset: number, type: number): readonly [number, number] => [
  ((SELECTORS.monitorCode << 16) | (offset & 0xffff)) >>> 0,
  ((offset & 0xffff_0000) | (type << 8)) >>> 0,
];

const gateBytes = (bits: Bits): number => (bits === 64 ? 16 : 8);

/** Places behind the start of the monitor's tables. */
export const TABLES = { gdt: 0, idt: 0x100, task: 0x1000, ldt: 0x1100, bytes: 0x1200 } as const;

/** GDT, IDT and task state at `address`; every gate leads to `handler`. */
export function descriptorTables(address: number, handler: number, location: Location, bits: Bits): Uint8Array {
  const view = new DataView(new ArrayBuffer(TABLES.bytes));
  const put = (at: number, words: readonly number[]): void =>
    words.forEach((word, index) => void view.setUint32(at + 4 * index, word, true));
  const base = segmentBase(location, bits);
  const flags = { code: bits === 64 ? 0xa : 0xc, data: 0xc };
  const guest = (selector: number, access: number, kind: "code" | "data"): void =>
    put(selector & ~7, descriptor(base, LAST_PAGE[location], access, flags[kind]));
  for (const [code, data] of [
    [SELECTORS.systemCode, SELECTORS.systemData],
    [SELECTORS.otherSystemCode, SELECTORS.otherSystemData],
  ] as const) {
    guest(code, CODE, "code");
    guest(data, DATA, "data");
  }
  for (const [code, data] of [
    [SELECTORS.userCode, SELECTORS.userData],
    [SELECTORS.otherUserCode, SELECTORS.otherUserData],
  ] as const) {
    guest(code, CODE | RING_3, "code");
    guest(data, DATA | RING_3, "data");
  }
  guest(SELECTORS.conforming, CONFORMING, "code");
  if (location === 0) guest(SELECTORS.sometimes, DATA | RING_3, "data");
  put(SELECTORS.monitorCode, descriptor(0, 0xf_ffff, CODE, flags.code));
  put(SELECTORS.monitorData, descriptor(0, 0xf_ffff, DATA, flags.data));
  put(SELECTORS.callGate & ~7, gate(handler, CALL_GATE));
  for (const task of [SELECTORS.task, SELECTORS.otherTask, SELECTORS.spareTask])
    put(task, descriptor(address + TABLES.task, TASK_BYTES - 1, TSS, 0));
  for (const table of [SELECTORS.table, SELECTORS.otherTable]) put(table, descriptor(address + TABLES.ldt, 7, LDT, 0));
  for (let vector = 0; vector < VECTORS; vector++) {
    const type = OPEN_VECTORS.includes(vector) ? GATE_FOR_RING_3 : GATE_FOR_RING_0;
    put(TABLES.idt + vector * gateBytes(bits), gate(handler, type));
  }
  taskState(view, bits);
  return new Uint8Array(view.buffer);
}

/** Where the stack of ring 0 is; no port is allowed. Spec: SDM Vol. 3A, "Task-State Segment (TSS)". */
function taskState(view: DataView, bits: Bits): void {
  view.setUint32(TABLES.task + 4, MONITOR_STACK, true);
  if (bits === 32) view.setUint32(TABLES.task + 8, SELECTORS.monitorData, true);
  view.setUint16(TABLES.task + 102, TASK_BYTES, true);
}

export const gdtLimit = GDT_BYTES - 1;
export const idtLimit = (bits: Bits): number => VECTORS * gateBytes(bits) - 1;

const SUPERVISOR = PTE.P | PTE.W | PTE.A | PTE.D;
const USER = SUPERVISOR | PTE.U;
const TABLE = PTE.P | PTE.W | PTE.U | PTE.A;
const PAGE = 0x1000;

/** Page tables: the monitor's memory as it is, for it alone, and the guest's window. Every accessed flag is set already. */
export function pageTables(location: Location, bits: Bits): Uint8Array {
  const root = PAGE_TABLES[location];
  const bytesOfEntry = bits === 64 ? 8 : 4;
  const perTable = PAGE / bytesOfEntry;
  const view = new DataView(new ArrayBuffer(5 * PAGE));
  const put = (table: number, index: number, entry: number): void =>
    view.setUint32(table * PAGE + index * bytesOfEntry, entry, true);
  const directory = bits === 64 ? 2 : 0;
  if (bits === 64) {
    put(0, 0, (root + PAGE) | TABLE);
    put(1, 0, (root + 2 * PAGE) | TABLE);
  }
  const [own, window] = [directory + 1, directory + 2];
  const linear = segmentBase(location, bits) + WINDOW;
  put(directory, 0, (root + own * PAGE) | TABLE);
  put(directory, Math.floor(linear / (PAGE * perTable)), (root + window * PAGE) | TABLE);
  for (let page = 0; page < Math.min(perTable, MEMORY_BYTES / PAGE); page++) put(own, page, (page * PAGE) | SUPERVISOR);
  for (let page = 0; page < WINDOW_BYTES / PAGE; page++)
    put(window, page, (GUEST_FRAMES[location] + page * PAGE) | USER);
  return new Uint8Array(view.buffer);
}
