/**
 * Where everything lies in the machines that instructions are tried on.
 *
 * The guest has one window of memory, at the same offsets of its segments in every machine. Where its frames are, which
 * tables lead there and which system registers hold is the location, of which there are two.
 */

/** Offset of the guest's window in its segments. Its code comes first. */
export const WINDOW = 0x40_0000;
export const WINDOW_BYTES = 0x2_0000;
/** Bytes for each instruction in the window, and where the first one is. */
export const SLOT_BYTES = 16;
export const SLOTS = WINDOW + 0x40;
/** Where the operands stand: the stack pointer, and behind a few words the memory operand. */
export const STACK = WINDOW + 0x1_f400;
export const DATA = STACK + 0x40;
/** Between them: the address of the instruction that is tried. */
export const TARGET = STACK + 0x30;
/** String instructions write here, and XLAT reads. */
export const STRINGS = WINDOW + 0x1_f800;

/** An I/O port that keeps what is written (the mask of the interrupt controller), and the vector of a gate that is open. */
export const PORT_AND_VECTOR = 0x21;
/** IA32_TIME_STAMP_COUNTER: every processor that has RDMSR has it. */
export const MSR = 0x10;

/** Selectors. The GDT has every segment of the guest twice; which one a guest uses is the location. */
export const SELECTORS = {
  systemCode: 0x08,
  systemData: 0x10,
  userCode: 0x1b,
  userData: 0x23,
  otherSystemCode: 0x28,
  otherSystemData: 0x30,
  otherUserCode: 0x3b,
  otherUserData: 0x43,
  /** Code of ring 0 that any ring may jump to, and stays in its ring. */
  conforming: 0x4b,
  /** Data of ring 3 in one location, nothing in the other. */
  sometimes: 0x53,
  monitorCode: 0x58,
  monitorData: 0x60,
  /** Into the monitor's code, for ring 3 too. Of 16 bytes in long mode, as the ones that follow. */
  callGate: 0x6b,
  task: 0x78,
  otherTask: 0x88,
  /** Nobody's: what LTR may load. */
  spareTask: 0x98,
  table: 0xa8,
  otherTable: 0xb8,
} as const;

export const GDT_BYTES = 0xc8;

/** Physical addresses: the monitor with its tables, page tables, the region VMXON wants, and the monitor's stack. */
export const MONITOR = 0x10_0000;
export const PAGE_TABLES = [0x2_0000, 0x3_0000] as const;
export const VMXON_REGION = 0x4_0000;
export const MONITOR_STACK = 0x9_0000;
/** The frames of the guest's window, by location. */
export const GUEST_FRAMES = [0x20_0000, 0x28_0000] as const;
export const MEMORY_BYTES = 0x40_0000;
