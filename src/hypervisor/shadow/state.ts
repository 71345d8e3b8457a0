/** What shadow paging remembers of a VM: which shadow tables there are and what feeds them. The tables are in the host's memory. */

/** Rights that the entries above a table leave: W and U as in an entry, and whether they forbid execution. */
export interface Rights {
  /** `PTE.W` and `PTE.U`. */
  readonly bits: number;
  readonly noExecute: boolean;
}

/** One table in a host frame. */
export interface ShadowTable {
  readonly key: string;
  /** Host-physical. */
  readonly host: number;
  /** 4 to 1; 3 is the page of PDPTEs with PAE paging, too. */
  readonly level: number;
  /**
   * "table": entry for entry of a guest's table. "split": the guest has a large page, from one of its entries. "flat": linear is
   * physical, as without paging. "area": nothing of the guest's.
   */
  readonly kind: "table" | "split" | "flat" | "area";
  /** Guest-physical address of the table, or of the entry; -1 where nothing of the guest's feeds it. */
  readonly guest: number;
  readonly rights: Rights;
  /** Of "split": the guest's entry without accessed and dirty flag. */
  readonly words?: readonly [low: number, high: number];
}

/** A frame of the guest whose stores are seen. */
export interface Trace {
  /** Keys of the shadow tables that it feeds. */
  readonly tables: readonly string[];
  /** Whoever uses shadow paging wants to know of stores, too. */
  readonly watched: boolean;
}

export interface ShadowCounts {
  /** Shadow tables built. */
  readonly builds: number;
  /** Page faults that the guest never sees: an entry was missing, or not yet writable. */
  readonly faults: number;
  /** Page faults that are the guest's. */
  readonly reflected: number;
  /** Stores to what feeds shadow tables. */
  readonly traced: number;
}

export interface ShadowState {
  /** What of the processor's state all tables depend on. */
  readonly context: string;
  readonly tables: Readonly<Record<string, ShadowTable>>;
  readonly tableCount: number;
  /** By the number of the guest's frame. */
  readonly traces: Readonly<Record<number, Trace>>;
  /** Host frames to be used again. */
  readonly free: readonly number[];
  /** Key of the table that CR3 leads to. */
  readonly root: string | undefined;
  /** Stores in a row to one frame, with no entry filled from it in between. */
  readonly flood: { readonly frame: number; readonly stores: number };
  readonly counts: ShadowCounts;
}

export const noShadow: ShadowState = Object.freeze({
  context: "",
  tables: Object.freeze({}),
  tableCount: 0,
  traces: Object.freeze({}),
  free: Object.freeze([]),
  root: undefined,
  flood: Object.freeze({ frame: -1, stores: 0 }),
  counts: Object.freeze({ builds: 0, faults: 0, reflected: 0, traced: 0 }),
});
