/**
 * The image that runs cells of long mode: small pieces of code in 64-bit or compatibility mode, one after the other, with
 * every exception recorded. It is a multiboot kernel without a file format, assembled by NASM, that QEMU loads too.
 *
 * For each cell a monitor in ring 0 puts all tables and registers back, runs the cell's `prepare`, enters its mode with
 * IRETQ, and takes down what the handler finds. A cell ends with its first exception: UD2 at `.end`, if nothing comes
 * before.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface LongCell {
  readonly name: string;
  /** Bits of its code; privilege; IOPL. */
  readonly bits?: 64 | 32;
  readonly cpl?: 0 | 1 | 3;
  readonly iopl?: 0 | 3;
  /** `.at:` stands in front of the instruction tested; `.end:`, with UD2, is added behind. */
  readonly code: string;
  /** 64-bit code in ring 0, executed before; ends without RET. `@.at` is the cell's own label. */
  readonly prepare?: string;
  /** More RFLAGS bits to enter with. */
  readonly rflags?: number;
  /** The exception pushes no error code although the one of that number does: INT n. */
  readonly noErrorCode?: boolean;
  /** What it gives by the manual: "runs", "#GP(0)", "INT 0x30 behind", "#UD at target". */
  readonly gives: string;
  /** What QEMU gives, where that is something else; "differs": anything else; "not run": no end. */
  readonly qemu?: string;
  /** Fields that QEMU fills in another way, with the reason. */
  readonly differs?: readonly Field[];
}

export const IMAGE = 0x100000;
const LIVE = 0x200000;
export const LOG = 0x400000;
export const LOG_NEXT = 0x2f0000;
export const VECTORS = 64;

/** What is recorded, in quadwords. */
export const fields = [
  ...["cell", "vector", "error", "rip", "cs", "rflags", "rsp", "ss"],
  ...["rax", "rcx", "rdx", "rbx", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"],
  ...["cr2", "dr6", "handlerFlags", "frame", "handlerCs", "handlerSs", "ds", "es", "fs", "gs"],
  ...["fsBase", "gsBase", "kernelGsBase", "cr0", "cr3", "cr4", "efer", "tr", "ldt"],
  ...["note0", "note1", "note2", "note3", "note4", "note5", "note6", "note7"],
] as const;
export type Field = (typeof fields)[number];

/** Selectors of the GDT; those of system segments have 16 bytes. */
export const selectors = {
  code0: 0x08,
  data0: 0x10,
  compat0: 0x18,
  user32: 0x28,
  data3: 0x30,
  code3: 0x38,
  code1: 0x40,
  data1: 0x48,
  conforming: 0x50,
  absent_code: 0x58,
  both_flags: 0x60,
  absent_data: 0x68,
  read_only: 0x70,
  based: 0x78,
  small: 0x80,
  based16: 0x88,
  task: 0x90,
  ldt_selector: 0xa0,
  spare: 0xb0,
  spare2: 0xc0,
  spare3: 0xd0,
  task2: 0xe0,
  /** Its second half lies beyond the limit. */
  cut: 0xf0,
} as const;

const places = {
  gdt: LIVE,
  idt: LIVE + 0x1000,
  tss: LIVE + 0x2000,
  ldt: LIVE + 0x2800,
  tss2: LIVE + 0x2900,
  data: LIVE + 0x20000,
  notes: LIVE + 0x21000,
  saved: LIVE + 0x22000,
  no_error: LIVE + 0x21800,
  user_stack: 0x280000,
  monitor_stack: 0x290000,
  inner_stack: 0x2a0000,
  stack1: 0x2b0000,
  stack2: 0x2c0000,
  ist1: 0x2d0000,
  ist2: 0x2e0000,
  log: LOG,
  log_next: LOG_NEXT,
} as const;

const equs = (names: Readonly<Record<string, number>>): string =>
  Object.entries(names)
    .map(([name, value]) => `${name} equ 0x${value.toString(16)}`)
    .join("\n");

/** A descriptor of 8 bytes. */
const segment = (type: number, dpl: number, flags: number, base = 0, limit = 0xfffff, present = 1): string =>
  `  dw 0x${(limit & 0xffff).toString(16)}, 0x${(base & 0xffff).toString(16)}
  db 0x${((base >>> 16) & 0xff).toString(16)}, 0x${((present << 7) | (dpl << 5) | type).toString(16)}, 0x${((flags << 4) | (limit >> 16)).toString(16)}, 0x${(base >>> 24).toString(16)}`;

const [CODE, CONFORMING, DATA, READ_ONLY] = [0x1b, 0x1f, 0x13, 0x11];
const [LONG, BIG] = [0xa, 0xc];

const gdt = [
  "  dq 0",
  segment(CODE, 0, LONG),
  segment(DATA, 0, BIG),
  segment(CODE, 0, BIG),
  "  dq 0",
  segment(CODE, 3, BIG),
  segment(DATA, 3, BIG),
  segment(CODE, 3, LONG),
  segment(CODE, 1, LONG),
  segment(DATA, 1, BIG),
  segment(CONFORMING, 0, LONG),
  segment(CODE, 0, LONG, 0, 0xfffff, 0),
  segment(CODE, 0, LONG | BIG),
  segment(DATA, 3, BIG, 0, 0xfffff, 0),
  segment(READ_ONLY, 3, BIG),
  segment(DATA, 3, BIG, 0x12345678),
  segment(DATA, 3, 4, 0x1000, 0xff),
  segment(DATA, 0, 0, 0x270000, 0xffff),
  `${segment(9, 0, 0, places.tss, 0x68 + 0x80)}\n  dq 0`,
  `${segment(2, 0, 0, places.ldt, 0x2f)}\n  dq 0`,
  "  dq 0, 0, 0, 0, 0, 0",
  `${segment(9, 0, 0, places.tss2, 0x67)}\n  dq 0`,
  segment(9, 0, 0, places.tss2, 0x67),
].join("\n");

const handlerGate = (vector: number): string => {
  const open = vector === 3 || vector === 4 || vector >= 0x30;
  const type = vector === 0x31 ? 0xf : 0xe;
  return `  dw stub_${vector} - image + 0, code0
  db 0, 0x${(0x80 | (open ? 0x60 : 0) | type).toString(16)}
  dw 0x10
  dq 0`;
};

const MSRS: readonly (readonly [address: number, low: string, high: string])[] = [
  [0xc0000081, "0", "0x280008"],
  [0xc0000082, "target", "0"],
  [0xc0000083, "target32", "0"],
  [0xc0000084, "0x47700", "0"],
  [0xc0000100, "0", "0"],
  [0xc0000101, "0", "0"],
  [0xc0000102, "0xcafe0000", "0xffff8000"],
  [0x174, "8", "0"],
  [0x175, "inner_stack", "0"],
  [0x176, "target", "0"],
];

const registers = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
];

const monitor = (count: number): string => `
bits 32
start:
  ; Page tables: 1 GiB from 0, and the same below the end of the address space.
  mov edi, 0x210000
  xor eax, eax
  mov ecx, 0x4000
  rep stosd
  mov dword [0x210000], 0x211007
  mov dword [0x210ff8], 0x211007
  mov dword [0x211000], 0x212007
  mov dword [0x211ff0], 0x212007
  mov edi, 0x212000
  mov eax, 0x87
  mov ecx, 512
.page:
  mov [edi], eax
  add eax, 0x200000
  add edi, 8
  loop .page
  mov eax, 0x20
  mov cr4, eax
  mov eax, 0x210000
  mov cr3, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x100
  wrmsr
  mov eax, cr0
  or eax, 0x80000001
  mov cr0, eax
  mov dword [log_next], log
  imul eax, [first], 72
  add eax, cells
  mov [current], eax
  mov eax, [first]
  mov [cell], eax
  lgdt [first_gdt]
  jmp code0:long_start
bits 64
handle:
${registers.map((name, index) => `  mov [saved + ${8 * index}], ${name}`).join("\n")}
  pop rbx
  mov [saved + 0x100], rsp
  cld
  mov rdi, [log_next]
  mov eax, [cell]
  stosq
  mov rax, rbx
  stosq
  mov rax, -1
  cmp dword [no_error], 0
  jne .none
  cmp ebx, 32
  jae .none
  mov edx, 0x27d00
  bt edx, ebx
  jnc .none
  pop rax
.none:
  stosq
  mov rsi, rsp
  mov ecx, 5
  rep movsq
  mov rsi, saved
  mov ecx, 15
  rep movsq
  mov rax, cr2
  stosq
  mov rax, dr6
  stosq
  pushfq
  pop rax
  stosq
  mov rax, [saved + 0x100]
  stosq
${["cs", "ss", "ds", "es", "fs", "gs"].map((name) => `  mov eax, ${name}\n  stosq`).join("\n")}
  mov ecx, 0xc0000100
  call .msr
  mov ecx, 0xc0000101
  call .msr
  mov ecx, 0xc0000102
  call .msr
  mov rax, cr0
  stosq
  mov rax, cr3
  stosq
  mov rax, cr4
  stosq
  mov ecx, 0xc0000080
  call .msr
  xor eax, eax
  str ax
  stosq
  xor eax, eax
  sldt ax
  stosq
  mov rsi, notes
  mov ecx, 8
  rep movsq
  mov rsi, [log_next]
  mov [log_next], rdi
  mov ecx, ${fields.length * 8}
  mov dx, 0xe9
  rep outsb
  inc dword [cell]
  add dword [current], 72
  jmp next_cell
.msr:
  rdmsr
  stosd
  mov eax, edx
  stosd
  ret

long_start:
next_cell:
  mov rsp, monitor_stack
  mov eax, data0
  mov ss, eax
  cmp dword [cell], ${count}
  jae done
  ; Tables and registers as they were.
  mov rsi, tables
  mov rdi, gdt
  mov ecx, (tables_end - tables) / 8
  cld
  rep movsq
  lgdt [live_gdt]
  lidt [live_idt]
  mov eax, data0
  mov ds, eax
  mov es, eax
  mov ss, eax
  xor eax, eax
  mov fs, eax
  mov gs, eax
  lldt ax
  mov ax, task
  ltr ax
  mov rax, 0x20
  mov cr4, rax
  mov rax, 0x210000
  mov cr3, rax
  mov rax, 0x80000031
  mov cr0, rax
  xor eax, eax
  mov cr2, rax
  mov dr7, rax
  mov dr0, rax
  mov dr6, rax
  mov ecx, 0xc0000080
  rdmsr
  mov eax, 0x501
  wrmsr
${MSRS.map(([address, low, high]) => `  mov ecx, 0x${address.toString(16)}\n  mov eax, ${low}\n  mov edx, ${high}\n  wrmsr`).join("\n")}
  mov rdi, data
  mov ecx, 0x400
  xor eax, eax
  rep stosq
  mov rdi, user_stack - 0x800
  mov ecx, 0x200
  rep stosq
  push qword 2
  popfq
  mov al, 0xff
  out 0x21, al
  out 0xa1, al
  mov rbx, [current]
  mov rax, [rbx + 24]
  mov [no_error], rax
  mov r15, rsp
  call [rbx + 40]
  mov rsp, r15
  mov rbx, [current]
  push qword [rbx + 48]
  push qword [rbx + 56]
  push qword [rbx + 16]
  push qword [rbx + 8]
  push qword [rbx]
${registers.map((name, index) => `  mov ${name}, 0x${(0x11111111 * ((index % 7) + 1)).toString(16)}${(0xabc0 + index).toString(16).padStart(8, "0")}`).join("\n")}
  iretq
nothing:
  ret
done:
  mov eax, 0
  out 0xf4, eax
  cli
  hlt
target:
  ud2
target32:
  ud2
align 8
cell dd 0
current dq 0
live_gdt dw ${selectors.cut + 7}
  dq gdt
live_idt dw ${VECTORS * 16 - 1}
  dq idt
first_gdt dw ${selectors.cut + 7}
  dd tables
`;

const tables = `
align 16
tables:
${gdt}
  times 0x1000 - ($ - tables) db 0
${Array.from({ length: VECTORS }, (_, vector) => handlerGate(vector)).join("\n")}
  times 0x2000 - ($ - tables) db 0
  dd 0
  dq inner_stack, stack1, stack2, 0
  dq ist1, ist2 + 8, 0x8000000000000000, 0, 0, 0, 0
  dq 0
  dw 0, 0x68
  times 16 db 0xff
  db 0
  times 111 db 0xff
  db 0xff
  times 0x2800 - ($ - tables) db 0
  dq 0
${segment(CODE, 0, LONG)}
${segment(DATA, 3, BIG)}
${segment(CODE, 3, LONG)}
  dq 0, 0
  times 0x2900 - ($ - tables) db 0
  dd 0
  times 25 dd 0
  times 0x2a00 - ($ - tables) db 0
tables_end:
`;

const codeSelector = ({ bits = 64, cpl = 0 }: LongCell): string => {
  if (bits === 32) return cpl === 3 ? "user32 | 3" : "compat0";
  return cpl === 0 ? "code0" : `code${cpl} | ${cpl}`;
};

const stackSelector = ({ cpl = 0 }: LongCell): string =>
  cpl === 0 ? "data0" : `data${cpl} | ${cpl}`;

const flagsOf = ({ iopl = 0, rflags = 0 }: LongCell): number => 2 | rflags | (iopl << 12);

/** Words of a cell: entry, CS, flags, no_error, at, prepare, SS, RSP, end. */
const cellRow = (cell: LongCell, number: number): string =>
  `  dq ${[
    ...[`cell_${number}`, codeSelector(cell), flagsOf(cell), cell.noErrorCode ? 1 : 0],
    ...[cell.code.includes(".at:") ? `cell_${number}.at` : 0],
    ...[cell.prepare === undefined ? "nothing" : `prepare_${number}`, stackSelector(cell), "user_stack"],
    `cell_${number}.end`,
  ].join(", ")}`;

export interface LongCellImage {
  readonly bytes: Uint8Array;
  /** A place in a cell by name, as an address. */
  readonly at: readonly number[];
  readonly end: readonly number[];
  readonly target: number;
  readonly target32: number;
  /** The same image beginning with a later cell. */
  from(cell: number): Uint8Array;
}

const HEADER = 0x30;
const FIRST = HEADER + 24;

/** Shorthands for cells. */
const macros = `
; gate vector, access byte, stack table, selector
%macro gate 4
  mov byte [idt + 16 * (%1) + 5], %2
  mov byte [idt + 16 * (%1) + 4], %3
  mov word [idt + 16 * (%1) + 2], %4
%endmacro
; call_gate selector, access byte, code selector, offset
%macro call_gate 4
  mov rax, %4
  mov [gdt + (%1)], ax
  mov word [gdt + (%1) + 2], %3
  mov byte [gdt + (%1) + 4], 0
  mov byte [gdt + (%1) + 5], %2
  shr rax, 16
  mov [gdt + (%1) + 6], ax
  shr rax, 16
  mov [gdt + (%1) + 8], eax
  mov dword [gdt + (%1) + 12], 0
%endmacro
; frame ss, rsp, flags, cs, rip: as IRETQ takes it
%macro frame 5
%rep 5
  mov rax, %1
  push rax
%rotate 1
%endrep
%endmacro
; pointer selector, offset: a far pointer at \`data\`
%macro pointer 2
  mov rax, %2
  mov [data], rax
  mov word [data + 8], %1
%endmacro
%macro pointer32 2
  mov dword [data], %2
  mov word [data + 4], %1
%endmacro
%macro jump_far 0
  db 0xff, 0x2c, 0x25
  dd data
%endmacro
%macro jump_far64 0
  db 0x48, 0xff, 0x2c, 0x25
  dd data
%endmacro
%macro call_far 0
  db 0xff, 0x1c, 0x25
  dd data
%endmacro
%macro call_far64 0
  db 0x48, 0xff, 0x1c, 0x25
  dd data
%endmacro
; note_stack: the top of the stack into the notes
%macro note_stack 0
%assign slot 0
%rep 6
  mov rax, [rsp + 8 * slot]
  mov [notes + 8 * slot], rax
%assign slot slot + 1
%endrep
%endmacro
%macro write_msr 2
  mov ecx, %1
  mov rax, %2
  mov rdx, rax
  shr rdx, 32
  wrmsr
%endmacro
%macro reload_task 0
  mov byte [gdt + task + 5], 0x89
  mov ax, task
  ltr ax
%endmacro
`;

/** Builds the image of some cells. */
export function longCellImage(nasm: string, cells: readonly LongCell[]): LongCellImage {
  const text = [
    macros,
    `org 0x${IMAGE.toString(16)}`,
    "default abs",
    equs({ ...selectors, ...places }),
    "image:",
    "bits 32",
    "  dd 0x1badb002, 0x10000, 0xe4514ffe, image, image, 0, 0, start",
    `  times 0x${HEADER.toString(16)} - ($ - image) db 0`,
    "  dq cells, target, target32",
    "first:",
    "  dq 0",
    "  times 0x80 - ($ - image) db 0",
    "bits 64",
    ...Array.from({ length: VECTORS }, (_, vector) => `stub_${vector}:\n  push qword ${vector}\n  jmp near handle`),
    monitor(cells.length),
    ...cells.flatMap((cell, number) => [
      ...(cell.prepare === undefined
        ? []
        : ["bits 64", `prepare_${number}:`, cell.prepare.replaceAll("@.", `cell_${number}.`), "  ret"]),
      `bits ${cell.bits ?? 64}`,
      `cell_${number}:`,
      cell.code,
      ".end:",
      "  ud2",
    ]),
    "bits 64",
    "align 16",
    "cells:",
    ...cells.map(cellRow),
    tables,
  ].join("\n");
  const bytes = assembleWithNasm(nasm, text);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const word = (address: number): number => Number(view.getBigUint64(address - IMAGE, true));
  const rows = word(IMAGE + HEADER);
  return {
    bytes,
    at: cells.map((_, number) => word(rows + 72 * number + 32)),
    end: cells.map((_, number) => word(rows + 72 * number + 64)),
    target: word(IMAGE + HEADER + 8),
    target32: word(IMAGE + HEADER + 16),
    from: (cell) => {
      const later = Uint8Array.from(bytes);
      new DataView(later.buffer).setUint32(FIRST, cell, true);
      return later;
    },
  };
}

function assembleWithNasm(nasm: string, text: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "virtlab-long-"));
  try {
    const source = join(folder, "cells.asm");
    const output = join(folder, "cells.bin");
    writeFileSync(source, text);
    const { status, stderr } = spawnSync(nasm, ["-f", "bin", "-O0", "-w-all", "-o", output, source], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(stderr.split("\n").slice(0, 20).join("\n"));
    return new Uint8Array(readFileSync(output));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
