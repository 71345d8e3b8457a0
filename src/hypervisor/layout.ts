/**
 * Where the hypervisor has what in the host's memory.
 *
 * Host-physical addresses are below 4 GiB for everything that is the hypervisor's own. On a 32-bit host it lives, as hypervisors
 * of that time did, at the top of the linear space, above what guests may reach through their truncated segments; on a 64-bit host its
 * linear addresses are the physical ones.
 */

/** Linear address that physical 0 has for the hypervisor on a 32-bit host. Guests' segments end below it. */
export const TOP = 0xfc00_0000;

/** Host-physical addresses. */
export const PLACE = {
  code: 0x10_0000,
  gdt: 0x10_2000,
  idt: 0x10_3000,
  tss: 0x10_4000,
  /** Where the stack begins: it grows down. */
  stack: 0x10_c000,
  /** Page tables of the hypervisor itself. */
  tables: 0x11_0000,
  /** What VMXON, or VM_HSAVE_PA, is given. */
  vmxon: 0x11_8000,
  /** How many descriptors of a guest's program are in the table, and which. */
  programEntries: 0x11_9000,
  /** On a 32-bit host: 64 KiB, most of which are for descriptors of guests. */
  wideGdt: 0x12_0000,
  /** Words and translation caches of binary translation. */
  translations: 0x13_0000,
  /** From here on frames are given away. */
  pool: 0x20_0000,
} as const;

/** Selectors of the hypervisor's GDT. */
export const SELECTOR = { code: 0x08, data: 0x10, tss: 0x18 } as const;

/**
 * On a 32-bit host they stand behind those that guests have, at the end of the table; `es` and on are segments of a guest's kernel, which
 * does not see the selectors; `translated` and `words` are those of binary translation.
 */
export const SELECTOR_32 = {
  code: 0xe008,
  data: 0xe010,
  tss: 0xe018,
  es: 0xe021,
  ss: 0xe029,
  ds: 0xe031,
  fs: 0xe039,
  gs: 0xe041,
  translated: 0xe049,
  words: 0xe051,
} as const;

/** Selectors from here on are the hypervisor's. */
export const OWN_SELECTORS = 0xe000;

/** Bytes from the entry of one vector to that of the next. */
export const GATE_STRIDE = 8;

/** Vectors of the host's interrupt controllers. */
export const FIRST_IRQ = 0x20;

/** The interrupt by which translated code calls the hypervisor. */
export const CALL_OUT = 0xf1;
