/**
 * Where everything lies in the engine's WebAssembly memory. One table for the generated code and for the TypeScript
 * around it; every entry says why it is there. All addresses and sizes in bytes.
 */

/** Record 0 is the record of a block that is not known yet: an empty link leads here without a test (see `miss`). */
export const NO_BLOCK = 0;

/** Where the TLB's parts of the side in use are, behind those of the first one. */
export const TLB_SIDE = 32;

/** General registers: 16 slots of 8 bytes, in encoding order, so that Intel 64 needs no other layout. */
export const REGISTERS = 64;
export const REGISTER_SIZE = 8;
/** Always zero: stands for an absent base or index register. */
export const ZERO_SLOT = REGISTERS + 16 * REGISTER_SIZE;

/**
 * The arithmetic flags as four words: ZF is RESULT = 0; SF is the sign of SIGN and PF the parity of its low byte; CF is
 * CARRY (0 or 1); AF is bit 4 of CARRIES and OF is bit 31 of CARRIES xor CARRY. Any combination can be represented, and
 * an instruction that leaves a flag alone leaves its word alone.
 */
export const FLAG_RESULT = 200;
export const FLAG_SIGN = 204;
export const FLAG_CARRY = 208;
export const FLAG_CARRIES = 212;
/** The other EFLAGS bits in their own places (TF, IF, DF, IOPL, NT, RF, VM, AC, VIF, VIP, ID). */
export const EFLAGS_REST = 216;

/** The direct branch that was taken last. */
export const LAST_BRANCH = 224;
/** What `go` leaves behind. */
export const EXIT_TARGET = 220;
export const EXIT_VECTOR = 228;
export const EXIT_ERROR_CODE = 232;
/** Upper half of EXIT_TARGET. */
export const EXIT_TARGET_HIGH = 236;
export const EXIT_LEFT = 240;
export const EXIT_RECORD = 244;
/** TLB half of the current privilege (supervisor or user), jump cache of the current mode and privilege. */
export const TLB_BASE = 248;
export const JUMP_CACHE_BASE = 252;
/** An exit code set by a slow load that could not be done; 0 otherwise. */
export const SLOW_EXIT = 256;
/** REP iterations that were not the last one of their instruction, since the count was last collected. */
export const REPEATS = 260;

/** Bases of the segment registers in 64-bit code, 8 bytes each, in encoding order: only FS and GS have one. */
export const LONG_BASES = 264;
/** Address of the 4 GiB that code runs in (8): what a record's EIP is to be added to. 0 but in 64-bit code. */
export const RIP_BASE = 312;
export const RIP_HIGH = RIP_BASE + 4;
/**
 * Segment registers as the generated code checks them, in encoding order: base (4), number of bytes from offset 0 that
 * may be read (4), that may be written (4), spare. 0 bytes: every access takes the slow path, which knows the reason.
 */
export const SEGMENTS = 320;
export const SEGMENT_SIZE = 16;
export const SEGMENT_READABLE = 4;
export const SEGMENT_WRITABLE = 8;
/** What of ESP is the stack pointer: 0xFFFF or all. */
export const STACK_MASK = 416;
/** Highest offset in the code segment: what a jump is checked against. */
export const CODE_LIMIT = 420;

/**
 * RF that was set when the next instruction began, and the steps that were left then: RF is set again if that instruction
 * did not come to its end. Steps of the budget that an instruction running alone was not given.
 */
export const RESUME = 424;
export const RESUME_LEFT = 428;
export const RESERVE = 432;
/** Exceptions delivered and ports read in generated code since the counts were last collected. */
export const EXCEPTIONS = 436;
export const PORT_READS = 440;
/** Not 0: an interrupt is requested; an NMI or a debug trap waits or is blocked. */
export const INTERRUPT_WAITS = 444;
export const EVENTS_WAIT = 448;
/** A port may be read again in generated code while more steps than this are left. */
export const PORT_LIMIT = 452;
/** Current privilege level, and bit 2 in a guest. */
export const CPL = 476;
export const CPL_GUEST = 4;
/** Where the processor is, as `ways.ts` numbers places; 0: nowhere that is known. */
export const PLACE = 456;
/** The exception that generated code delivered last: place (0: none since it was asked for), vector, code, EIP, 16 bytes there. */
export const LOG_PLACE = 460;
export const LOG_VECTOR = 464;
export const LOG_ERROR_CODE = 468;
export const LOG_EIP = 472;
export const LOG_BYTES = 480;

/** An operand of more than 4 bytes on its way to or from a slow path. */
export const SLOW_VALUE = 496;

/**
 * R0 to R7 of x87 in the low 10 bytes of 16, which MMX shares, and XMM0 to XMM15. An instruction that writes any of these or
 * the words below sets FLOAT_CHANGED.
 */
export const X87_REGISTERS = 512;
export const XMM_REGISTERS = 640;
export const FLOAT_REGISTER_SIZE = 16;
export const XMM_REGISTER_COUNT = 16;
/** x87 control word, status word with TOP, and tag word of two bits a register, 0 or 3; opcode, and addresses of 8 bytes. */
export const FCW = 896;
export const FSW = 900;
export const FTW = 904;
export const FOP = 908;
export const FIP = 912;
export const FDP = 920;
export const MXCSR = 928;
export const FLOAT_CHANGED = 932;
/** Selectors of the addresses. */
export const FCS = 936;
export const FDS = 940;
/** What any x87, SSE or MMX instruction raises as control registers are: 0 for nothing, or a vector. */
export const FLOAT_FAULT = 944;
export const SSE_FAULT = 948;
export const MMX_FAULT = 952;
/** What TypeScript has to look at, as it may leave the guest that runs, or is forbidden: a bit for each of these instructions. */
export const INSTRUCTIONS_LEAVE = 956;
export const LEAVES = { PUSHF: 1, INT: 2, IRET: 4, INVLPG: 8, PAUSE: 16, RDTSC: 32, RDTSCP: 64 } as const;
/** The same of exceptions: a bit for each of the first 32 vectors. */
export const EXCEPTIONS_LEAVE = 960;
/** Tick at which the budget of a run is used up; what the time-stamp counter is ahead of ticks; IA32_TSC_AUX. */
export const BUDGET_END = 968;
export const TIMESTAMP_OFFSET = 976;
export const TSC_AUX = 984;

/** Records of the end of a run: copies of the last few, then a stop record. */
export const SCRATCH = 1024;
export const MAX_BLOCK = 48;

export const TLB_ENTRIES = 1024;
/**
 * Entry: read tag (8), write tag (8), host address minus linear address (4), and of a page that may be written with care
 * a tag (4) and, where it is a page table of 4-byte entries, the number of the linear page that the first one is for (4).
 * Tags are linear page addresses.
 */
export const TLB_ENTRY_SIZE = 32;
export const TLB_WRITE_TAG = 8;
export const TLB_DELTA = 16;
export const TLB_CARE_TAG = 20;
export const TLB_TABLE_OF = 24;
/** There: more depends on the page than one page for each entry. */
export const TABLE_OF_MANY = -0x200000;
/** A tag no address matches: its low bits are not zero. */
export const TLB_INVALID = 1;
export const TLB_SUPERVISOR = 4096;
const TLB_PART = TLB_ENTRIES * TLB_ENTRY_SIZE;
export const TLB_USER = TLB_SUPERVISOR + TLB_PART;
/** The same of 64-bit code: there tags are 8 bytes wide. */
export const TLB_LONG_SUPERVISOR = TLB_USER + TLB_PART;
export const TLB_LONG_USER = TLB_LONG_SUPERVISOR + TLB_PART;
/** Sides: the four parts of a processor's own, then those of a guest of VT-x or AMD-V, which outlive its exits as the others its entries. */
export const TLB_SIDE_SIZE = 4 * TLB_PART;
export const TLB_SIDE_COUNT = 2;
/** Never filled: for 64-bit code each of whose accesses has to be looked at. */
export const TLB_EMPTY = TLB_SUPERVISOR + TLB_SIDE_COUNT * TLB_SIDE_SIZE;
const TLB_END = TLB_EMPTY + TLB_PART;

export const JUMP_CACHE_ENTRIES = 16384;
/** Entry: EIP (8), address of the block's first record (4), spare. Only 64-bit code has an upper half of EIP. */
export const JUMP_CACHE_ENTRY_SIZE = 16;
export const JUMP_CACHE_HIGH = 4;
export const JUMP_CACHE_RECORD = 8;
/** One for each code mode and privilege that was used of late: going to and fro between them forgets nothing. */
export const JUMP_CACHES = TLB_END;
export const JUMP_CACHE_COUNT = 8;
export const JUMP_CACHE_SIZE = JUMP_CACHE_ENTRIES * JUMP_CACHE_ENTRY_SIZE;

/**
 * What generated code may do again by itself: ways through gates by vector, whether a guest goes them and whether they begin at
 * CPL 2 or 3, ways back by code selector and place.
 */
export const GATE_WAYS = JUMP_CACHES + JUMP_CACHE_COUNT * JUMP_CACHE_SIZE;
/** Stands for a fault with more to it than vector and error code: there is never a way for it. */
export const NO_VECTOR = 256;
export const GATE_WAY_COUNT = 4 * (NO_VECTOR + 1);
/** A way: where it begins, where it leads, and the words of memory it depends on. Widths in bytes. */
export const WAY_SIZE = 128;
export const RETURN_WAYS = GATE_WAYS + GATE_WAY_COUNT * WAY_SIZE;
export const RETURN_WAY_COUNT = 64;
export const WAY = {
  /** 4: place; of a gate twice that, plus 1 for INT n. */
  from: 0,
  /** 4 each: place, TLB half and jump cache behind it. */
  to: 4,
  tlb: 8,
  jumpCache: 12,
  /** 4: linear address of the gate; of a return the code selector. 4: EFLAGS kept, or loaded. */
  gate: 16,
  flags: 20,
  /** 8: the gate's words. */
  gateWords: 24,
  /** 4 each: linear address of the code descriptor; the handler's EIP, or the IOPL that `flags` are loaded with. */
  code: 32,
  handler: 36,
  iopl: 36,
  /** 8 */
  codeWords: 40,
  /** 4 each: CS and SS as pushed. */
  cs: 48,
  ss: 52,
  /** 4 each: where the TSS has the inner stack pointer, 0 if the stack stays; linear address of the new stack's descriptor. */
  tss: 56,
  stack: 60,
  /** 8: its words. 4: its selector. */
  stackWords: 64,
  stackSelector: 72,
  /** 4: privilege level it leads to. */
  cpl: 76,
} as const;

/** Ports that read the same until a device changes. Entry: port (2), 1 for known (2), value (4). */
export const PORTS = RETURN_WAYS + RETURN_WAY_COUNT * WAY_SIZE;
export const PORT_COUNT = 256;
export const PORT_SIZE = 8;

/** A byte for each linear page: a bit for each side on which code was looked up there since all was forgotten. */
export const CODE_PAGES = PORTS + PORT_COUNT * PORT_SIZE;

/** Decoded instructions. */
export const ARENA = CODE_PAGES + 2 ** 20;
export const ARENA_END = 16 * 1024 * 1024;

/** Page frames of the open value. */
export const SLOTS = ARENA_END;
export const SLOT_COUNT = 32768;
export const MEMORY_SIZE = SLOTS + SLOT_COUNT * 4096;

/** A decoded instruction. Two 16-bit fields share a word, the lower one first. */
export const RECORD_SIZE = 32;
export const RECORD = {
  /** u16: which handler. */
  handler: 0,
  /** u16: instructions from this one to the end of the block, itself included: what a leave in the middle gives back. */
  left: 2,
  /** u16: register of operand 1 and 2, as addresses of their slots. */
  operandA: 4,
  operandB: 6,
  /** u16: base and index register of the memory operand. Without one, the latter is the register of operand 3. */
  base: 8,
  index: 10,
  /** u8 each: shift of the index, length of the instruction, segment of the memory operand, flags (RECORD_FLAG). */
  scale: 12,
  length: 13,
  segment: 14,
  flags: 15,
  /**
   * i32. With the next word it is one of 64 bits, an immediate or an address; of a direct branch how many times 4 GiB its
   * target is farther than the branch.
   */
  displacement: 16,
  /** i32: immediate, or the target of a direct branch. */
  immediate: 20,
  eip: 24,
  /** Address of the block a direct branch leads to, NO_BLOCK until it is known; of an instruction in TypeScript its number. */
  link: 28,
} as const;

export const RECORD_FLAG = {
  /** The target of this branch lies on the same page: the way there may be remembered in the record. */
  linkable: 1,
  /** This block lies on two pages. It is never linked to: the second page may be mapped elsewhere by then. */
  twoPages: 2,
  /**
   * 16-bit addresses, or 32-bit ones in 64-bit code: narrower than most. Its value is what is shifted out of 32 ones to give
   * their mask, and half of what is shifted out of 64.
   */
  narrowAddress: 16,
  /** The displacement is counted from the next instruction. */
  relative: 32,
} as const;

/** Why `go` returned. */
export const EXIT = {
  /** The budget does not cover the next block, whose record is EXIT_RECORD. */
  budget: 1,
  /** No block is known for EXIT_TARGET. */
  lookup: 2,
  /** A stop record was reached. */
  stop: 3,
  /** EXIT_VECTOR is to be delivered; the instruction had no effect. */
  fault: 4,
  /** The instruction at EXIT_RECORD stores where code or page tables lie: it must run as a block of its own. */
  bail: 6,
  /** A repeated instruction is to go on; the budget is used up. */
  repeat: 7,
} as const;
