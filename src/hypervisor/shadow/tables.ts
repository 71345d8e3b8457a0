/** The shadow tables as they lie in the host's frames: taken, linked, searched and given back. */

import { PTE } from "../../hardware/cpu/paging-levels.js";
import type { ProcessorPort } from "../../hardware/cpu/processor.js";
import { TOP } from "../layout.js";
import { frameOf, link } from "./format.js";
import type { ShadowState, ShadowTable, Trace } from "./state.js";

export type Words = Pick<ProcessorPort, "readPhysical" | "writePhysical">;

const PAGE = 4096;
/** In place of the address of a guest's table. */
export const NOTHING = -1;
/** With more of them than this all are given back, and built anew as they are needed. */
const MOST_TABLES = 384;
const UNTRACED: Trace = Object.freeze({ tables: Object.freeze([]), watched: false });

/** The large pages that show the hypervisor's own memory at the top of the linear space. */
function ownEntry(wide: boolean, index: number): number | undefined {
  const linear = wide ? 0xc000_0000 + index * 0x20_0000 : index * 0x40_0000;
  return linear < TOP ? undefined : (linear - TOP + (PTE.P | PTE.W | PTE.A | PTE.D | PTE.PS)) >>> 0;
}

export class ShadowTables {
  protected readonly port: Words;
  readonly #allocate: () => number;
  state: ShadowState;

  constructor(port: Words, allocate: () => number, state: ShadowState) {
    this.port = port;
    this.#allocate = allocate;
    this.state = state;
  }

  // ---- entries ----------------------------------------------------------------------------------------------------

  protected low(at: number): number {
    return this.port.readPhysical(at);
  }

  protected write(at: number, low: number, high: number, wide: boolean): void {
    this.port.writePhysical(at, low >>> 0);
    if (wide) this.port.writePhysical(at + 4, high >>> 0);
  }

  /** Fills a directory's part that is the hypervisor's own. */
  protected showArea({ host }: ShadowTable, wide: boolean): void {
    const size = wide ? 8 : 4;
    for (let index = 0; index < PAGE / size; index++) {
      const entry = ownEntry(wide, index);
      if (entry !== undefined) this.write(host + index * size, entry, 0, wide);
    }
  }

  /** Of a directory with such a part: the offset at which it begins. */
  protected areaOffset(wide: boolean): number {
    return wide ? ((TOP - 0xc000_0000) / 0x20_0000) * 8 : (TOP / 0x40_0000) * 4;
  }

  // ---- tables -----------------------------------------------------------------------------------------------------

  protected table(key: string | undefined): ShadowTable | undefined {
    return key === undefined ? undefined : this.state.tables[key];
  }

  get isFull(): boolean {
    return Object.keys(this.state.tables).length >= MOST_TABLES;
  }

  /** A table of zeros. */
  protected build(description: Omit<ShadowTable, "host">): ShadowTable {
    const { free, tables, counts } = this.state;
    const host = free.at(-1) ?? this.#allocate();
    for (let at = host; at < host + PAGE; at += 4) if (this.low(at) !== 0) this.port.writePhysical(at, 0);
    const table: ShadowTable = Object.freeze({ ...description, host });
    this.state = {
      ...this.state,
      free: free.slice(0, -1),
      tables: { ...tables, [table.key]: table },
      counts: { ...counts, builds: counts.builds + 1 },
    };
    if (table.guest !== NOTHING) this.#feed(table);
    return table;
  }

  #feed({ guest, key }: ShadowTable): void {
    const frame = Math.floor(guest / PAGE);
    const trace = this.traceOf(frame);
    const isNew = trace === UNTRACED;
    this.setTrace(frame, { ...trace, tables: [...trace.tables, key] });
    if (isNew) this.protect(frame);
  }

  /** Gives a table back. Entries that lead to it are for the caller to clear. */
  protected drop(table: ShadowTable): void {
    const { [table.key]: _, ...tables } = this.state.tables;
    this.state = { ...this.state, tables, free: [...this.state.free, table.host] };
    if (table.guest === NOTHING) return;
    const frame = Math.floor(table.guest / PAGE);
    const trace = this.traceOf(frame);
    this.setTrace(frame, { ...trace, tables: trace.tables.filter((key) => key !== table.key) });
  }

  /** Clears all entries that lead to a table. */
  protected unlink(dropped: ShadowTable, wide: boolean): void {
    const entry = link(dropped.host);
    const size = wide ? 8 : 4;
    for (const { host, level } of Object.values(this.state.tables)) {
      if (level !== dropped.level + 1) continue;
      for (let at = host; at < host + PAGE; at += size) if (this.low(at) === entry) this.write(at, 0, 0, wide);
    }
  }

  /** Gives all of them back; what is watched stays so. */
  flush(): void {
    const { tables, traces, free } = this.state;
    const watched = Object.entries(traces).filter(([, trace]) => trace.watched);
    this.state = {
      ...this.state,
      tables: {},
      traces: Object.fromEntries(watched.map(([frame]) => [frame, { tables: [], watched: true }])),
      free: [...free, ...Object.values(tables).map(({ host }) => host)],
      root: undefined,
      opened: [],
    };
  }

  // ---- traces -----------------------------------------------------------------------------------------------------

  traceOf(frame: number): Trace {
    return this.state.traces[frame] ?? UNTRACED;
  }

  isTraced(frame: number): boolean {
    return this.state.traces[frame] !== undefined;
  }

  protected setTrace(frame: number, trace: Trace): void {
    const { [frame]: _, ...traces } = this.state.traces;
    const needed = trace.watched || trace.tables.length > 0;
    this.state = { ...this.state, traces: needed ? { ...traces, [frame]: trace } : traces };
  }

  /** Wants to know of stores to a frame of the guest's, or no longer. */
  watch(frame: number, watched: boolean): void {
    const trace = this.traceOf(frame);
    if (trace.watched === watched) return;
    const isNew = trace === UNTRACED;
    this.setTrace(frame, { ...trace, watched });
    if (isNew) this.protect(frame);
  }

  /** The host's frame of a guest's, for who searches entries that map it. */
  protected hostFrame(_frame: number): number | undefined {
    return undefined;
  }

  protected get wide(): boolean {
    return false;
  }

  /** From now on no entry lets the guest write a frame. */
  protected protect(frame: number): void {
    const mapped = this.hostFrame(frame);
    if (mapped === undefined) return;
    const size = this.wide ? 8 : 4;
    for (const { host, level } of Object.values(this.state.tables)) {
      if (level !== 1) continue;
      for (let at = host; at < host + PAGE; at += size) {
        const low = this.low(at);
        if ((low & (PTE.P | PTE.W)) === (PTE.P | PTE.W) && frameOf(low) === mapped) this.write(at, 0, 0, this.wide);
      }
    }
  }
}
