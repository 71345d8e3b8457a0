/**
 * Builds and changes nested tables: what a hypervisor does to them, in the form of VT-x or of AMD-V. The latter has the form of
 * 4-level page tables whose pages are all the user's.
 * Spec: SDM Vol. 3C, "EPT Translation Mechanism"; AMD64 Vol. 2, "Nested Paging".
 */
import { VirtlabError } from "../../state/error.js";
import { EPT, EPT_RIGHTS, EPT_TYPE_SHIFT } from "./ept-levels.js";
import { PTE } from "./paging-levels.js";

/** Host-physical memory, a dword at a time. */
export interface TableWords {
  read32(physical: number): number;
  write32(physical: number, value: number): void;
}

/** What a guest may do to its pages: any of r, w and x, where w comes with r. Without any of them they are not present. */
export type NestedRights = "" | "r" | "x" | "rx" | "rw" | "rwx";

/** A piece of guest-physical memory and where it is. */
export interface NestedRange {
  readonly guestPhysical: number;
  readonly hostPhysical: number;
  readonly bytes: number;
  readonly rights: NestedRights;
  /** The largest pages to use, in bytes, where addresses and length let them: 4096 unless said otherwise. */
  readonly pageBytes?: 4096 | 0x200000 | 0x40000000;
}

/** The form of entries, as two words. */
interface EntryFormat {
  /** Of an entry that leads to a table: everything is decided in the page's. */
  readonly table: number;
  page(rights: string): readonly [low: number, high: number];
  /** The low word says that something is there. */
  readonly present: number;
}

/** A page is of memory type 6, write-back. */
const WRITE_BACK = 6 << EPT_TYPE_SHIFT;
const EXECUTE_DISABLE = 1 << 31;

const formats = {
  ept: {
    table: EPT_RIGHTS,
    page: (rights) => {
      const low = [...rights].reduce((flags, letter) => flags | { r: EPT.R, w: EPT.W, x: EPT.X }[letter]!, 0);
      return [low === 0 ? 0 : low | WRITE_BACK, 0];
    },
    present: EPT_RIGHTS,
  },
  npt: {
    table: PTE.P | PTE.W | PTE.U,
    page: (rights) => {
      if (rights === "") return [0, 0];
      const low = PTE.P | PTE.U | (rights.includes("w") ? PTE.W : 0);
      return [low, rights.includes("x") ? 0 : EXECUTE_DISABLE];
    },
    present: PTE.P,
  },
} as const satisfies Record<string, EntryFormat>;

const PAGE_SIZE = 4096;
const ENTRIES = 512;
const WORD = 2 ** 32;
/** Bytes that an entry stands for, by its level. */
const spanOf = (level: number): number => PAGE_SIZE * ENTRIES ** (level - 1);

/** Nested tables in the host's memory. */
export interface NestedTables {
  readonly kind: keyof typeof formats;
  readonly memory: TableWords;
  /** Host-physical address of the PML4 table, below 4 GiB. */
  readonly root: number;
  /** Gives the host-physical address of an unused frame below 4 GiB. */
  readonly allocate: () => number;
}

/** The EPT pointer of tables at `root`: write-back, four levels. Spec: SDM Vol. 3C, "Extended-Page-Table Pointer (EPTP)". */
export const eptPointer = (root: number, options: { readonly accessedDirty?: boolean } = {}): bigint =>
  BigInt(root) | (3n << 3n) | 6n | (options.accessedDirty === true ? 64n : 0n);

function writeEntry({ memory }: NestedTables, at: number, low: number, high: number): void {
  memory.write32(at, low);
  memory.write32(at + 4, high);
}

/** A frame for a table with nothing in it. */
function newTable(tables: NestedTables): number {
  const table = tables.allocate();
  for (let at = 0; at < PAGE_SIZE; at += 4) tables.memory.write32(table + at, 0);
  return table;
}

/** Makes pages of the next level of a larger one, with the same rights. */
function split(tables: NestedTables, level: number, low: number, high: number): number {
  const table = newTable(tables);
  const flags = level - 1 === 1 ? low & 0xfff & ~EPT.PS : low & 0xfff;
  const base = (low & 0xfffff000) >>> 0;
  for (let index = 0; index < ENTRIES; index++)
    writeEntry(tables, table + 8 * index, (base + index * spanOf(level - 1)) | flags, high);
  return table;
}

/** Address of the entry for `guestPhysical` in the tables of `level`. Tables on the way are made, unless it is for `nothing`. */
function reach(tables: NestedTables, guestPhysical: number, level: number, nothing: boolean): number | undefined {
  const { memory, kind, root } = tables;
  const format = formats[kind];
  let table = root;
  for (let at = 4; ; at--) {
    const entry = table + 8 * (Math.floor(guestPhysical / spanOf(at)) % ENTRIES);
    if (at === level) return entry;
    const low = memory.read32(entry) | 0;
    if ((low & format.present) !== 0 && (low & EPT.PS) === 0) {
      table = (low & 0xfffff000) >>> 0;
      continue;
    }
    if ((low & format.present) === 0 && nothing) return undefined;
    table = (low & format.present) === 0 ? newTable(tables) : split(tables, at, low, memory.read32(entry + 4) | 0);
    writeEntry(tables, entry, table | format.table, 0);
  }
}

/** The level of the largest page that begins at both addresses and fits. */
function levelOf(guestPhysical: number, hostPhysical: number, left: number, pageBytes: number): number {
  for (const level of [3, 2]) {
    const span = spanOf(level);
    if (span <= pageBytes && span <= left && guestPhysical % span === 0 && hostPhysical % span === 0) return level;
  }
  return 1;
}

function check({ guestPhysical, hostPhysical, bytes }: NestedRange): void {
  for (const [name, value] of Object.entries({ guestPhysical, hostPhysical, bytes })) {
    if (!Number.isSafeInteger(value) || value < 0 || value % PAGE_SIZE !== 0)
      throw new VirtlabError(`mapNested: ${name} ${value} is no multiple of 4096`);
  }
  if (guestPhysical + bytes > 2 ** 48) throw new VirtlabError("mapNested: the range ends above guest-physical 2^48");
  if (hostPhysical + bytes > 2 ** 52) throw new VirtlabError("mapNested: the range ends above host-physical 2^52");
}

/**
 * Maps a range of guest-physical memory, or takes it away (`rights` ""). What was mapped there is replaced; a larger page
 * of which only a part is meant is split; the frames of tables that a larger page replaces are not given back. Who uses the tables has to be told (INVEPT, or an ASID's flush).
 *
 * @throws VirtlabError for addresses and lengths that are no whole pages.
 */
export function mapNested(tables: NestedTables, range: NestedRange): void {
  check(range);
  const { guestPhysical, hostPhysical, bytes, rights, pageBytes = PAGE_SIZE } = range;
  const [flags, high] = formats[tables.kind].page(rights);
  for (let done = 0; done < bytes; ) {
    const [guest, host] = [guestPhysical + done, hostPhysical + done];
    const level = levelOf(guest, host, bytes - done, pageBytes);
    const page = level === 1 || flags === 0 ? flags : flags | EPT.PS;
    const entry = reach(tables, guest, level, flags === 0);
    if (entry !== undefined && flags === 0) writeEntry(tables, entry, 0, 0);
    else if (entry !== undefined) writeEntry(tables, entry, host | page, high | Math.floor(host / WORD));
    done += spanOf(level);
  }
}
