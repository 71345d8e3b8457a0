/**
 * The image that runs cells: small pieces of code, one after the other, each in its own mode, with every exception and
 * interrupt recorded. It is a multiboot kernel without a file format, so that QEMU loads the same bytes.
 *
 * For each cell a monitor in ring 0 puts all tables back, runs the cell's `prepare`, enters its mode with IRET, and takes
 * down what the handlers find on their stack. A cell ends with UD2 at `.end`, or with the first exception unless it
 * resumes. Each record goes to the debug console, too.
 */
import { type Assembled, assemble } from "../../src/hardware/isa/assembler/assembler.js";
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

export const IMAGE = 0x100000;
const BACK = IMAGE + 0x40;
/** Where SYSENTER and SYSEXIT are sent: UD2. */
export const TARGET = IMAGE + 0x60;
const STUBS = IMAGE + 0x80;
/** Code of real, virtual-8086 and 16-bit protected mode, with a data segment of its own. */
export const LOW = 0x10000;
export const LOW_STACK = 0xf000;
/** Tables, written anew for each cell. */
export const LIVE = 0x200000;
export const LOG = 0x400000;
export const WORDS = 24;
/** Where things lie behind LIVE. */
const PLACES = {
  gdt: LIVE,
  idt: LIVE + 0x200,
  tss: LIVE + 0x400,
  io_map: LIVE + 0x468,
  tss1: LIVE + 0x600,
  tss16: LIVE + 0x700,
  tss2: LIVE + 0x800,
  ldt: LIVE + 0x900,
  data: LIVE + 0xe00,
  notes: LIVE + 0xf00,
  no_error: LIVE + 0xf40,
  resume: LIVE + 0xf44,
} as const;
const TABLES = 0xa00;
/** Selectors of the GDT. */
export const SELECTORS = {
  code0: 0x08,
  data0: 0x10,
  code1: 0x18,
  data1: 0x20,
  code2: 0x28,
  data2: 0x30,
  code3: 0x38,
  data3: 0x40,
  code0_16: 0x48,
  data0_16: 0x50,
  main_task: 0x58,
  task1: 0x60,
  task16: 0x68,
  task2: 0x70,
  ldt_selector: 0x78,
  code3_16: 0x80,
  data3_16: 0x88,
  conforming: 0x90,
  absent_data: 0x98,
  absent_code: 0xa0,
  read_only: 0xa8,
  /** Free for a cell. */
  spare: 0xb0,
  spare2: 0xb8,
  spare3: 0xc0,
  spare4: 0xc8,
} as const;
export const STACKS = {
  user_stack: 0x280000,
  monitor_stack: 0x290000,
  inner_stack: 0x2a0000,
  task_stack: 0x2b0000,
} as const;
/** Offsets in the low segment. */
const LOW_PLACES = { data: 0x40 } as const;
const REAL_CODE = 0x80;
export const BUSY_VECTOR = 0x30;
export const PRIVATE_VECTOR = 0x31;
export const TIMER_VECTOR = 0x20;
const VECTORS = 64;

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

/** Real mode's part: enters a cell, and its interrupt handlers. Variables lie at the beginning. */
const realMonitor = `
bits 16
org 0
r_entry dw 0
r_flags dw 0
r_vector dw 0
r_ip dw 0
r_cs dw 0
r_saved dw 0
r_sp dw 0
r_handler dw 0
r_eax dd 0
r_edx dd 0
r_ds dw 0
times ${REAL_CODE} - ($ - r_entry) db 0
real_enter:
  mov ax, 0x50
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  jmp 0x1000:real_now
real_now:
  mov ax, 0x1000
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  mov sp, ${LOW_STACK}
  push word [r_flags]
  push cs
  push word [r_entry]
  mov eax, 0x1111
  mov edx, 0x80
  iret
real_common:
  push bp
  mov bp, sp
  mov [cs:r_eax], eax
  mov [cs:r_edx], edx
  mov ax, [bp + 2]
  mov [cs:r_vector], ax
  mov ax, [bp + 4]
  mov [cs:r_ip], ax
  mov ax, [bp + 6]
  mov [cs:r_cs], ax
  mov ax, [bp + 8]
  mov [cs:r_saved], ax
  lea ax, [bp + 10]
  mov [cs:r_sp], ax
  mov ax, ds
  mov [cs:r_ds], ax
  pushf
  pop ax
  mov [cs:r_handler], ax
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 0x08:0x${BACK.toString(16)}
low_task:
  and esp, 0xffff
low_taken:
  ud2
align 8
real_stubs:
${Array.from({ length: VECTORS }, (_, vector) => `align 8\n  push word ${vector}\n  jmp near real_common`).join("\n")}
`;

/** Whether exceptions of a vector push an error code, as bits. Spec: SDM Vol. 3A, "Exception and Interrupt Vectors". */
const ERROR_CODES = [8, 10, 11, 12, 13, 14, 17].reduce((bits, vector) => bits | (1 << vector), 0);
const VM = 0x20000;

/** The monitor: start, handlers, loop over the cells. */
const monitor = (count: number): string => `
handle:
  pushad
  push ds
  push es
  mov ax, data0
  mov ds, ax
  mov es, ax
  cld
  mov ebx, [ss:esp + 40]
  lea esi, [esp + 44]
  mov edi, [log_next]
  mov eax, [cell]
  stosd
  mov eax, ebx
  stosd
  mov eax, -1
  cmp dword [no_error], 0
  jne .none
  cmp ebx, 32
  jae .none
  mov edx, 0x${ERROR_CODES.toString(16)}
  bt edx, ebx
  jnc .none
  mov eax, [ss:esi]
  add esi, 4
.none:
  mov [frame], esi
  stosd
  mov eax, [ss:esi]
  stosd
  mov eax, [ss:esi + 4]
  stosd
  mov ecx, eax
  mov eax, [ss:esi + 8]
  stosd
  test eax, 0x${VM.toString(16)}
  jnz .outer
  test cl, 3
  jnz .outer
  lea eax, [esi + 12]
  stosd
  mov eax, ss
  stosd
  jmp .stacked
.outer:
  mov eax, [ss:esi + 12]
  stosd
  mov eax, [ss:esi + 16]
  stosd
.stacked:
  mov eax, [ss:esp + 36]
  stosd
  mov eax, [ss:esp + 28]
  stosd
  mov eax, cr2
  stosd
  mov eax, dr6
  stosd
  pushfd
  pop eax
  stosd
  xor eax, eax
  str ax
  stosd
  mov eax, cr0
  stosd
  movzx eax, word [ss:esp + 4]
  stosd
  push esi
  mov esi, notes
  mov ecx, 8
  rep movsd
  call put_record
  pop esi
  cmp dword [resume], 0
  je next_cell
  inc dword [taken]
  cmp dword [taken], 12
  jae next_cell
  mov edx, [current]
  mov eax, [ss:esi]
  cmp ebx, 6
  jne .go_on
  cmp eax, [edx + 16]
  je next_cell
.go_on:
  cmp ebx, 1
  jne .no_breakpoint
  ; What a handler has to do so that an instruction breakpoint does not come again at once.
  mov ecx, dr6
  test cl, 15
  jz .no_breakpoint
  or dword [ss:esi + 8], 0x10000
.no_breakpoint:
  cmp eax, [edx + 12]
  jne .as_saved
  mov eax, [edx + 16]
  mov [ss:esi], eax
.as_saved:
  pop es
  pop ds
  popad
  mov esp, [cs:frame]
  iretd

back_from_real:
  mov ax, data0
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, monitor_stack
  cld
  mov edi, [log_next]
  mov eax, [cell]
  stosd
  movzx eax, word [0x10004]
  stosd
  mov eax, -1
  stosd
  movzx eax, word [0x10006]
  stosd
  movzx eax, word [0x10008]
  stosd
  movzx eax, word [0x1000a]
  stosd
  movzx eax, word [0x1000c]
  stosd
  mov eax, 0x1000
  stosd
  mov eax, [0x10010]
  stosd
  mov eax, [0x10014]
  stosd
  mov eax, cr2
  stosd
  mov eax, dr6
  stosd
  movzx eax, word [0x1000e]
  stosd
  xor eax, eax
  str ax
  stosd
  mov eax, cr0
  stosd
  movzx eax, word [0x10018]
  stosd
  mov esi, notes
  mov ecx, 8
  rep movsd
  call put_record
next_cell:
  mov ax, data0
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, monitor_stack
  cld
  inc dword [cell]
  add dword [current], 40
first_cell:
  push dword 2
  popfd
  mov al, 0xff
  out 0x21, al
  mov al, 0x20
  out 0x20, al
  cmp dword [cell], ${count}
  je finish
  mov eax, 0x11
  mov cr0, eax
  xor eax, eax
  mov cr3, eax
  mov cr4, eax
  mov cr2, eax
  mov dr0, eax
  mov dr1, eax
  mov dr2, eax
  mov dr3, eax
  mov eax, 0x400
  mov dr7, eax
  mov eax, 0xffff0ff0
  mov dr6, eax
  mov fs, [zero]
  mov gs, [zero]
  mov esi, tables
  mov edi, gdt
  mov ecx, 0x${(TABLES / 4).toString(16)}
  rep movsd
  xor eax, eax
  mov ecx, 0x${((0x1000 - TABLES) / 4).toString(16)}
  rep stosd
  mov edi, 0x10040
  mov ecx, 16
  rep stosd
  mov edi, 0x1${LOW_STACK.toString(16)} - 64
  mov ecx, 32
  rep stosd
  mov edi, user_stack - 64
  mov ecx, 32
  rep stosd
  mov dword [taken], 0
  lgdt [gdt_register]
  lidt [idt_register]
  lldt [zero]
  mov ax, main_task
  ltr ax
  mov esi, gdt_register
  mov edi, data
  movsd
  movsd
  movsd
  movsd
  mov eax, [gdt_register]
  mov [0x10040], eax
  mov eax, [gdt_register + 4]
  mov [0x10044], eax
  mov eax, [real_register]
  mov [0x10048], eax
  mov eax, [real_register + 4]
  mov [0x1004c], eax
  mov edx, [current]
  mov eax, [edx + 32]
  mov [resume], eax
  mov eax, [edx + 36]
  mov [no_error], eax
  call [edx + 20]
  mov edx, [current]
  mov eax, [edx + 24]
  cmp eax, 1
  je enter_real
  cmp eax, 2
  je enter_8086
  mov cx, data0
  test byte [edx + 4], 3
  jz .frame
  mov ecx, [edx + 28]
  push ecx
  cmp word [edx + 4], code3_16 | 3
  je .low_stack
  push dword user_stack
  mov cx, data3 | 3
  jmp .frame
.low_stack:
  push dword ${LOW_STACK}
  mov cx, data3_16 | 3
.frame:
  cmp word [edx + 4], code0_16
  jne .wide
  mov cx, data0_16
  mov ss, cx
  mov esp, ${LOW_STACK}
.wide:
  push dword [edx + 8]
  push dword [edx + 4]
  push dword [edx]
  mov ds, cx
  mov es, cx
  mov eax, 0x1111
  mov edx, 0x80
  iretd
enter_8086:
  mov eax, 0x1000
  push eax
  push eax
  push eax
  push eax
  push eax
  push dword ${LOW_STACK}
  push dword [edx + 8]
  push eax
  push dword [edx]
  mov eax, 0x1111
  mov edx, 0x80
  iretd
enter_real:
  mov eax, [edx]
  mov [0x10000], ax
  mov eax, [edx + 8]
  mov [0x10002], ax
  lidt [real_register]
  jmp code0_16:real_enter
put_record:
  mov esi, [log_next]
  mov [log_next], edi
  mov ecx, ${4 * WORDS}
  mov dx, 0xe9
  rep outsb
  ret
finish:
  xor eax, eax
  out 0xf4, al
  hlt
start:
  cli
  cld
  lgdt [boot_gdt_register]
  jmp 0x08:.here
.here:
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, monitor_stack
  mov esi, low_code
  mov edi, 0x10000
  mov ecx, low_code_end - low_code
  rep movsb
  xor edi, edi
  mov eax, 0x10000000 + real_stubs
.vector:
  stosd
  add eax, 8
  cmp edi, ${4 * VECTORS}
  jb .vector
  ; The timer's interrupt at vector 0x20, every other masked.
  mov al, 0x11
  out 0x20, al
  out 0xa0, al
  mov al, 0x20
  out 0x21, al
  mov al, 0x28
  out 0xa1, al
  mov al, 4
  out 0x21, al
  mov al, 2
  out 0xa1, al
  mov al, 3
  out 0x21, al
  out 0xa1, al
  mov al, 0xff
  out 0xa1, al
  out 0x21, al
  mov al, 0x34
  out 0x43, al
  mov al, 0x00
  out 0x40, al
  mov al, 0x10
  out 0x40, al
  jmp first_cell
nothing:
  ret
task_entry:
  ud2
align 4
zero dd 0
cell dd 0
taken dd 0
frame dd 0
current dd cells
log_next dd log
gdt_register:
  dw 0x1ff
  dd gdt
  dw 0
idt_register:
  dw ${8 * VECTORS - 1}
  dd idt
  dw 0
real_register:
  dw 0x3ff
  dd 0
  dw 0
boot_gdt_register:
  dw 0x1ff
  dd tables
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
