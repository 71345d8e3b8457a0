/**
 * The image that runs cells: small pieces of code, one after the other, each in its own mode, with every exception and
 * interrupt recorded. It is a multiboot kernel without a file format, so that QEMU loads the same bytes.
 *
 * For each cell a monitor in ring 0 puts all tables back, runs the cell's `prepare`, enters its mode with IRET, and takes
 * down what the handlers find on their stack. A cell ends with UD2 at `.end`, or with the first exception unless it
 * resumes. Each record goes to the debug console, too.
 */
import { type Assembled, assemble } from "../../src/hardware/isa/assembler/assembler.js";
import {
  BACK,
  BUSY_VECTOR,
  IMAGE,
  LOG,
  LOW,
  LOW_PLACES,
  PLACES,
  SELECTORS,
  STACKS,
  STUBS,
  TABLES,
  TARGET,
  VECTORS,
} from "./cell-layout.js";
import { monitor, realMonitor, VM } from "./cell-monitor.js";
import { dwords, gate, segment, TYPE } from "./cell-tables.js";

export type CellMode =
  | { readonly kind: "real" }
  | { readonly kind: "protected"; readonly cpl: 0 | 1 | 2 | 3; readonly iopl?: 0 | 3; readonly bits?: 16 }
  | { readonly kind: "virtual-8086"; readonly iopl?: 0 | 3 };

export interface Cell {
  readonly name: string;
  readonly mode: CellMode;
  /** `.at:` stands in front of the instruction tested; `.end:`, with UD2, is added behind. */
  readonly code: string;
  /** 32-bit code in ring 0, executed before; ends without RET. `@.at` is the cell's own label `.at`. */
  readonly prepare?: string;
  /** More EFLAGS bits to enter with. */
  readonly eflags?: number;
  /** Go on behind an exception: at `.end` if it was saved at `.at`, else where it was saved. */
  readonly resume?: boolean;
  /** Vectors that push no error code in this cell although the exception of that number does: INT n. */
  readonly noErrorCode?: boolean;
}

const equs = (names: Readonly<Record<string, number>>): string =>
  Object.entries(names)
    .map(([name, value]) => `${name} equ 0x${value.toString(16)}`)
    .join("\n");

function gdtWords(): number[] {
  const flat = (type: number, dpl: number, absent = false): readonly number[] =>
    segment({ limit: 0xfffff, pages: true, big: true, type, dpl, absent });
  const low = (type: number, dpl: number): readonly number[] => segment({ base: LOW, limit: 0xffff, type, dpl });
  const task = (base: number, limit: number, type: number): readonly number[] => segment({ base, limit, type });
  const rings = [0, 1, 2, 3].flatMap((dpl) => [...flat(TYPE.CODE, dpl), ...flat(TYPE.DATA, dpl)]);
  return [
    ...[0, 0, ...rings, ...low(TYPE.CODE, 0), ...low(TYPE.DATA, 0)],
    // The permission bitmap of the main task ends with port 0x3ff.
    ...task(PLACES.tss, 0x68 + 0x80, TYPE.TSS32),
    ...task(PLACES.tss1, 0x67, TYPE.TSS32),
    ...task(PLACES.tss16, 0x2b, TYPE.TSS16),
    ...task(PLACES.tss2, 0x67, TYPE.TSS32),
    ...segment({ base: PLACES.ldt, limit: 0x3f, type: TYPE.LDT }),
    ...[...low(TYPE.CODE, 3), ...low(TYPE.DATA, 3), ...flat(TYPE.CONFORMING, 0)],
    ...[...flat(TYPE.DATA, 3, true), ...flat(TYPE.CODE, 0, true), ...flat(TYPE.READ_ONLY, 3)],
  ];
}

function idtWords(): number[] {
  return Array.from({ length: VECTORS }, (_, vector) => {
    const open = vector === 3 || vector === 4 || vector === BUSY_VECTOR;
    const type = vector === BUSY_VECTOR ? TYPE.TRAP_GATE32 : TYPE.INTERRUPT_GATE32;
    return gate({ selector: SELECTORS.code0, offset: STUBS + 16 * vector, type, dpl: open ? 3 : 0 });
  }).flat();
}

/** Main task: inner stacks, I/O permission bitmap with ports 0x80 to 0x87 and 0xE9 open. */
const mainTask = `
tables_tss:
  dd 0, inner_stack, data0, inner_stack + 0x2000, data1 | 1, inner_stack + 0x4000, data2 | 2
  times 18 dd 0
  dd 0x680000
  times 16 db 0xff
  db 0
  times 12 db 0xff
  db 0xfd
  times 99 db 0xff
tables_end_of_tss:
`;

/** Two 32-bit tasks and a 16-bit one, which begin at \`task_entry\` and \`task16_entry\` unless a cell says otherwise. */
const task32 = (stack: string): string => `
  dd 0, inner_stack, data0, 0, 0, 0, 0, 0, task_entry, 2
  dd 0x1001, 0x1002, 0x1003, 0x1004, ${stack}, 0x1006, 0x1007, 0x1008
  dd data0, code0, data0, data0, data0, data0, 0, 0x680000
`;
const otherTasks = `
tables_tss1:
${task32("task_stack")}
  times 0x700 - 0x668 db 0
tables_tss16:
  dw 0, 0xe000, data0_16, 0, 0, 0, 0, low_task, 2
  dw 0x2001, 0x2002, 0x2003, 0x2004, 0xd000, 0x2006, 0x2007, 0x2008
  dw data0_16, code0_16, data0_16, data0_16, 0
  times 0x800 - 0x72c db 0
tables_tss2:
${task32("task_stack + 0x2000")}
`;

const isLow = ({ mode }: Cell): boolean => mode.kind !== "protected" || mode.bits === 16;
const IOPL = 12;

const flagsOf = ({ mode, eflags = 0 }: Cell): number =>
  2 | eflags | (mode.kind === "real" ? 0 : (mode.iopl ?? 0) << IOPL) | (mode.kind === "virtual-8086" ? VM : 0);

function codeSelector({ mode }: Cell): string {
  if (mode.kind !== "protected") return "0x1000";
  if (mode.bits === 16) return mode.cpl === 0 ? "code0_16" : "code3_16 | 3";
  return `code${mode.cpl} | ${mode.cpl}`;
}

const stackSelector = ({ mode }: Cell): string =>
  mode.kind === "protected" && mode.cpl > 0 && mode.bits !== 16 ? `data${mode.cpl} | ${mode.cpl}` : "data3_16 | 3";

const KINDS = { protected: 0, real: 1, "virtual-8086": 2 } as const;

function cellRow(cell: Cell, number: number, low: Readonly<Record<string, number>>): string {
  const name = `cell_${number}`;
  const label = (local: string): string => {
    const full = local === "" ? name : `${name}.${local}`;
    return isLow(cell)
      ? String(low[full] ?? 0)
      : /at|here/.test(local) && !cell.code.includes(`.${local}:`)
        ? "0"
        : full;
  };
  return `  dd ${[
    ...[label(""), codeSelector(cell), flagsOf(cell), label("at"), label("end")],
    ...[cell.prepare === undefined ? "nothing" : `prepare_${number}`, KINDS[cell.mode.kind], stackSelector(cell)],
    ...[cell.resume ? 1 : 0, cell.noErrorCode ? 1 : 0],
  ].join(", ")}`;
}

const codeOf = (cell: Cell, number: number): string => `cell_${number}:\n${cell.code}\n.end:\n  ud2\n`;

export interface CellImage {
  readonly bytes: Uint8Array;
  /** The symbols of the image, and of the code below 1 MiB. */
  readonly high: Assembled;
  readonly low: Assembled;
  /** A label of a cell, as an offset in its code segment. */
  readonly label: (cell: number, name: string) => number | undefined;
}

/** Builds the image of some cells. `more` is further 32-bit code and data: handlers, tasks. */
export function cellImage(cells: readonly Cell[], more = "", moreLow = ""): CellImage {
  const shared = equs({ ...SELECTORS });
  const lowText = [
    ...[realMonitor, shared, equs(LOW_PLACES), moreLow],
    ...cells.map((cell, number) => (isLow(cell) ? codeOf(cell, number) : "")),
  ].join("\n");
  const low = assemble(lowText, { bits: 16, name: "low code" });
  const text = [
    "bits 32",
    `org 0x${IMAGE.toString(16)}`,
    equs({ ...SELECTORS, ...STACKS, ...PLACES, log: LOG }),
    // Names of the low code that 32-bit code uses.
    ...["real_enter", "real_stubs", "low_task", "low_handler", "int40"]
      .filter((name) => name in low.symbols)
      .map((name) => `${name} equ ${low.symbols[name]}`),
    "image:",
    "  dd 0x1badb002, 0x10000, 0xe4514ffe, image, image, 0, 0, start",
    `  times 0x${BACK.toString(16)} - $ db 0`,
    "  jmp back_from_real",
    `  times 0x${TARGET.toString(16)} - $ db 0`,
    "target:",
    "  ud2",
    `  times 0x${STUBS.toString(16)} - $ db 0`,
    ...Array.from({ length: VECTORS }, (_, vector) => `  align 16\n  push dword ${vector}\n  jmp near handle`),
    monitor(cells.length),
    more,
    ...cells.map((cell, number) =>
      cell.prepare === undefined
        ? ""
        : `prepare_${number}:\n${cell.prepare.replaceAll("@.", `cell_${number}.`)}\n  ret\n`,
    ),
    ...cells.map((cell, number) => (isLow(cell) ? "" : codeOf(cell, number))),
    "align 16",
    "cells:",
    ...cells.map((cell, number) => cellRow(cell, number, low.symbols)),
    "tables:",
    dwords(gdtWords()),
    "  times 0x200 - ($ - tables) db 0",
    dwords(idtWords()),
    "  times 0x400 - ($ - tables) db 0",
    mainTask,
    "  times 0x600 - ($ - tables) db 0",
    otherTasks,
    `  times 0x${TABLES.toString(16)} - ($ - tables) db 0`,
    "low_code:",
    `  db ${[...low.bytes].join(", ")}`,
    "low_code_end:",
  ].join("\n");
  const high = assemble(text, { name: "cells" });
  return {
    bytes: high.bytes,
    high,
    low,
    label: (cell, name) => (isLow(cells[cell]!) ? low : high).symbols[`cell_${cell}.${name}`],
  };
}
