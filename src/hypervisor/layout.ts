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
  /** What guests in outer rings run on: the tables their selectors name, 64 KiB each, and the gates and the TSS they leave by. */
  shadowGdt: 0x12_0000,
  shadowLdt: 0x13_0000,
  shadowIdt: 0x14_0000,
  shadowTss: 0x14_1000,
  /** Words and translation caches of binary translation. */
  translations: 0x14_2000,
  /** Real-mode code that processors are started with: a page below 1 MiB. */
  trampoline: 0x8000,
  /** Of hosts in 64-bit mode with several processors: what each of them has of its own, `AREA.stride` bytes. */
  areas: 0x15_0000,
  /** From here on frames are given away. */
  pool: 0x20_0000,
} as const;

/** What a processor of several has in its area. */
export const AREA = { stride: 0x8000, gdt: 0, tss: 0x1000, vmxon: 0x2000, table: 0x3000, stack: 0x8000 } as const;

/** Where a processor has what is its own; one alone has it among the rest. */
export function placesOf(
  processor: number,
  several: boolean,
): Readonly<Record<"gdt" | "tss" | "vmxon" | "stack", number>> {
  if (!several) return PLACE;
  const area = PLACE.areas + processor * AREA.stride;
  return { gdt: area + AREA.gdt, tss: area + AREA.tss, vmxon: area + AREA.vmxon, stack: area + AREA.stack };
}

/** Selectors of the hypervisor's GDT. */
export const SELECTOR = { code: 0x08, data: 0x10, tss: 0x18 } as const;

/** Entries by vector, and bytes from one to the next. */
export const VECTORS = 256;
export const GATE_STRIDE = 8;

/** Vectors of the host's interrupt controllers. */
export const FIRST_IRQ = 0x20;

/** Of local APICs, where the host has several processors: the timer, and what one processor wakes another by. */
export const APIC_VECTOR = { timer: 0x40, kick: 0x41, spurious: 0xff } as const;

/** The interrupt by which translated code calls the hypervisor. */
export const CALL_OUT = 0xf1;
