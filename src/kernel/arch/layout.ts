/**
 * Where the kernel has what. Physical memory is mapped as a whole at `PHYSICAL`, supervisor only, and the kernel lives in it there; user
 * space is the lower half. Numbers are those of Linux where programs can see them.
 * Spec: Linux, Documentation/arch/x86/x86_64/mm.rst "Complete virtual memory map with 4-level page tables".
 */

/** Linear address of physical 0: FFFF888000000000h as a signed number. */
export const PHYSICAL = -0x7780_0000_0000;
/** Index of it in the PML4 table. */
export const PHYSICAL_SLOT = 273;

/** The first address that no program may have: of 64-bit programs, and of 32-bit ones. */
export const USER_END = { 64: 0x7fff_ffff_f000, 32: 0xffff_e000 } as const;

/** Physical addresses. */
export const PLACE = {
  code: 0x10_0000,
  gdt: 0x10_2000,
  idt: 0x10_3000,
  tss: 0x10_4000,
  /** Where stacks begin, which grow down: of interrupts and exceptions from user code, and of those that may come at any time. */
  stack: 0x10_a000,
  faultStack: 0x10_c000,
  /** The kernel's page tables: PML4, PDPT, and a page directory for each GiB. */
  tables: 0x11_0000,
} as const;

/** Selectors. Spec: Linux, arch/x86/include/asm/segment.h. */
export const SELECTOR = {
  code: 0x10,
  data: 0x18,
  userCode32: 0x23,
  userData: 0x2b,
  userCode64: 0x33,
  tss: 0x40,
} as const;
/** Entries 12 to 14 of the GDT are the running thread's own. Spec: set_thread_area(2). */
export const TLS_ENTRIES = { first: 12, count: 3 } as const;
export const GDT_BYTES = 16 * 8;

/** Entries by vector, and bytes from one to the next. */
export const VECTORS = 256;
export const GATE_STRIDE = 8;
/** Vectors of the interrupt controllers. */
export const FIRST_IRQ = 0x20;
/** INT 80h, which programs may. */
export const SYSTEM_CALL_VECTOR = 0x80;

/** Vectors with a stack of their own (IST 1). */
export const APART: readonly number[] = [2, 8, 18];
