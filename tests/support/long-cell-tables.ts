/**
 * Tables of the image of long cells, written anew for each cell: GDT, IDT, TSS and LDT; where everything lies, and what is
 * recorded.
 */

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

export const places = {
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

/** As assembly; they are copied to `gdt`. */
export const tables = `
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
