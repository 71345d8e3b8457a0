/**
 * Linear to physical: the page walk, once, for the engine's TLB and for people who want to see it.
 * 32-bit paging with 4 KiB pages, and 4 MiB pages when CR4.PSE is set. PAE and four levels are other tables of the same shape.
 * Spec: SDM Vol. 3A, "32-Bit Paging", "Access Rights", "Accessed and Dirty Flags", "Page-Fault Exceptions".
 */
import { CR0, CR4, type SystemState } from "./state.js";

export const PTE = { P: 1, W: 2, U: 4, PWT: 8, PCD: 16, A: 32, D: 64, PS: 128, G: 256 } as const;
/** Page-fault error code bits. */
export const PF = { P: 1, W: 2, U: 4 } as const;

export interface PageTableEntry {
  /** 2: page directory, 1: page table. */
  readonly level: number;
  readonly table: "page directory" | "page table";
  /** Physical address of the entry. */
  readonly address: number;
  readonly entry: number;
  readonly present: boolean;
  readonly writable: boolean;
  readonly user: boolean;
  readonly accessed: boolean;
  readonly dirty: boolean;
  readonly pageSize: boolean;
}

/** What a walk needs of physical memory. */
export interface PhysicalMemory {
  read32(physical: number): number;
  write32(physical: number, value: number): void;
}

export interface Access {
  readonly write: boolean;
  readonly user: boolean;
}

export interface Translation {
  /** Physical address, or -1 when the access faults. */
  physical: number;
  /** Error code of the #PF when it does. */
  errorCode: number;
}

/**
 * Translates one access. With `setFlags` the accessed and dirty flags are set as the processor does; `visit` sees each
 * entry as it was read. Fills and returns `out`, which the caller owns (no allocation on the way).
 */
export function translate(
  memory: PhysicalMemory,
  system: Pick<SystemState, "cr0" | "cr3" | "cr4">,
  linear: number,
  access: Access,
  setFlags: boolean,
  out: Translation,
  visit?: (level: number, address: number, entry: number) => void,
): Translation {
  if ((system.cr0 & CR0.PG) === 0) {
    out.physical = linear >>> 0;
    out.errorCode = 0;
    return out;
  }
  const fault = (protection: number): Translation => {
    out.physical = -1;
    out.errorCode = protection | (access.write ? PF.W : 0) | (access.user ? PF.U : 0);
    return out;
  };
  const directoryAddress = ((system.cr3 & 0xfffff000) | ((linear >>> 20) & 0xffc)) >>> 0;
  const directory = memory.read32(directoryAddress);
  visit?.(2, directoryAddress, directory);
  if ((directory & PTE.P) === 0) return fault(0);
  const large = (directory & PTE.PS) !== 0 && (system.cr4 & CR4.PSE) !== 0;
  let leafAddress = directoryAddress;
  let leaf = directory;
  let rights = directory;
  if (!large) {
    leafAddress = ((directory & 0xfffff000) | ((linear >>> 10) & 0xffc)) >>> 0;
    leaf = memory.read32(leafAddress);
    visit?.(1, leafAddress, leaf);
    if ((leaf & PTE.P) === 0) return fault(0);
    rights &= leaf;
  } else if ((directory & 0x003fe000) !== 0) {
    return fault(PF.P | 8); // reserved bits of a 4 MiB entry (no PSE-36): RSVD
  }
  if (access.user && (rights & PTE.U) === 0) return fault(PF.P);
  const writeProtected = (rights & PTE.W) === 0;
  if (access.write && writeProtected && (access.user || (system.cr0 & CR0.WP) !== 0)) return fault(PF.P);
  if (setFlags) {
    if (!large && (directory & PTE.A) === 0) memory.write32(directoryAddress, directory | PTE.A);
    const wanted = PTE.A | (access.write ? PTE.D : 0);
    if ((leaf & wanted) !== wanted) memory.write32(leafAddress, leaf | wanted);
  }
  out.physical = large
    ? ((leaf & 0xffc00000) | (linear & 0x3fffff)) >>> 0
    : ((leaf & 0xfffff000) | (linear & 0xfff)) >>> 0;
  out.errorCode = 0;
  return out;
}

/** A page walk as a value. */
export interface PageWalk {
  readonly linear: number;
  readonly paging: boolean;
  readonly entries: readonly PageTableEntry[];
  /** Absent when the access faults. */
  readonly physical?: number;
  readonly fault?: { readonly vector: 14; readonly errorCode: number };
}

/** Walks without touching anything: the accessed and dirty flags stay as they are. */
export function walk(
  memory: PhysicalMemory,
  system: Pick<SystemState, "cr0" | "cr3" | "cr4">,
  linear: number,
  access: Access,
): PageWalk {
  const entries: PageTableEntry[] = [];
  const result = translate(
    memory,
    system,
    linear,
    access,
    false,
    { physical: 0, errorCode: 0 },
    (level, address, raw) => {
      entries.push(
        Object.freeze({
          level,
          table: level === 2 ? "page directory" : "page table",
          address,
          entry: raw >>> 0,
          present: (raw & PTE.P) !== 0,
          writable: (raw & PTE.W) !== 0,
          user: (raw & PTE.U) !== 0,
          accessed: (raw & PTE.A) !== 0,
          dirty: (raw & PTE.D) !== 0,
          pageSize: (raw & PTE.PS) !== 0,
        }),
      );
    },
  );
  return Object.freeze({
    linear: linear >>> 0,
    paging: (system.cr0 & CR0.PG) !== 0,
    entries: Object.freeze(entries),
    ...(result.physical >= 0
      ? { physical: result.physical }
      : { fault: Object.freeze({ vector: 14, errorCode: result.errorCode }) }),
  });
}
