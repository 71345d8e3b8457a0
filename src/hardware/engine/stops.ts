/**
 * Where a run is to stop before its end: in front of instructions, and behind accesses of data. This belongs to the run
 * and not to the machine: nothing of it shows in a value.
 */

/** Data that a run stops behind an access of. */
export interface Watchpoint {
  /** Linear address of the first byte. */
  readonly address: number;
  /** Bytes. */
  readonly length: number;
  /** Which accesses count; "access" is both. */
  readonly on: "write" | "read" | "access";
}

/** Places in front of which a run stops; the run begins at the next instruction, whatever is asked for at its start. */
export interface StopPlaces {
  /** Offsets in whatever the code segment is. */
  readonly offsets: ReadonlySet<number>;
  /** Linear addresses. */
  readonly addresses: ReadonlySet<number>;
}

export interface RunStops extends StopPlaces {
  readonly watchpoints: readonly Watchpoint[];
}

const nothing: ReadonlySet<number> = new Set();
export const noStops: RunStops = { offsets: nothing, addresses: nothing, watchpoints: [] };

/** Linear address of an instruction. Only where the base of a segment counts do addresses wrap at 4 GiB. */
export const codeAddress = (eip: number, csBase: number): number => (csBase === 0 ? eip : (csBase + eip) >>> 0);

/** Whether a run stops in front of the instruction at `eip`. */
export const stopsAt = ({ offsets, addresses }: StopPlaces, eip: number, csBase: number): boolean =>
  offsets.has(eip) || (addresses.size > 0 && addresses.has(codeAddress(eip, csBase)));

/** What is in one of the sets alone. */
export function difference(a: ReadonlySet<number>, b: ReadonlySet<number>): number[] {
  if (a === b) return [];
  return [...[...a].filter((value) => !b.has(value)), ...[...b].filter((value) => !a.has(value))];
}

/** A watchpoint that was touched. */
export interface WatchHit {
  readonly watchpoint: Watchpoint;
  /** The first watched byte that was accessed. */
  readonly address: number;
  readonly write: boolean;
}

/** The first watchpoint that an access touches. */
export function touched(
  watchpoints: readonly Watchpoint[],
  linear: number,
  size: number,
  write: boolean,
): WatchHit | undefined {
  for (const watchpoint of watchpoints) {
    const { address, length, on } = watchpoint;
    if (linear >= address + length || address >= linear + size) continue;
    if (on === "access" || (on === "write") === write) return { watchpoint, address: Math.max(linear, address), write };
  }
  return undefined;
}

/** The linear pages of watchpoints, and whether reads of a page count. */
export function watchedPages(watchpoints: readonly Watchpoint[]): ReadonlyMap<number, boolean> {
  const pages = new Map<number, boolean>();
  for (const { address, length, on } of watchpoints) {
    for (let page = Math.floor(address / 4096); page * 4096 < address + length; page++)
      pages.set(page, on !== "write" || pages.get(page) === true);
  }
  return pages;
}
