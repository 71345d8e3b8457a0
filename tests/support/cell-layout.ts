/** Where everything lies in the image of cells and in memory behind it, and the selectors of its GDT. */

export const IMAGE = 0x100000;
export const BACK = IMAGE + 0x40;
/** Where SYSENTER and SYSEXIT are sent: UD2. */
export const TARGET = IMAGE + 0x60;
export const STUBS = IMAGE + 0x80;
/** Code of real, virtual-8086 and 16-bit protected mode, with a data segment of its own. */
export const LOW = 0x10000;
export const LOW_STACK = 0xf000;
/** Tables, written anew for each cell. */
export const LIVE = 0x200000;
export const LOG = 0x400000;
export const WORDS = 24;
/** Where things lie behind LIVE. */
export const PLACES = {
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
export const TABLES = 0xa00;
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
export const LOW_PLACES = { data: 0x40 } as const;
export const REAL_CODE = 0x80;
export const BUSY_VECTOR = 0x30;
export const PRIVATE_VECTOR = 0x31;
export const TIMER_VECTOR = 0x20;
export const VECTORS = 64;
