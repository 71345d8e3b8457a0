/** The shadow tables as they lie in the host's frames: taken, linked, searched and given back. */

import { PTE } from "../../hardware/cpu/paging-levels.js";
import type { ProcessorPort } from "../../hardware/cpu/processor.js";
import { TOP } from "../layout.js";
import { frameOf, link } from "./format.js";
import { moveTo, Remembered, rememberedOf } from "./remembered.js";
import type { ShadowState, ShadowTable, Trace } from "./state.js";

export type Words = Pick<ProcessorPort, "readPhysical" | "readPhysicalWords" | "writePhysical">;

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
  #state: ShadowState;
  /** The state was made here, so nothing that is remembered of it is anybody else's. */
  #isNew = false;
  #remembered: Remembered | undefined;

  constructor(port: Words, allocate: () => number, state: ShadowState) {
    this.port = port;
    this.#allocate = allocate;
    this.#state = state;
    this.#remembered = rememberedOf(state);
  }

  get state(): ShadowState {
    return this.#state;
  }

  protected set state(state: ShadowState) {
    const before = this.#state;
    this.#state = state;
    this.#isNew = true;
    if (this.#remembered !== undefined) moveTo(state, this.#remembered, before);
  }

  /** What is remembered is about to change: so does the state it is remembered of. */
  #changing(): void {
    if (!this.#isNew) this.state = { ...this.#state };
  }

  /** What is remembered of the tables, to be changed; where nothing is, it is searched for. */
  protected get remembered(): Remembered {
    this.#changing();
    if (this.#remembered !== undefined) return this.#remembered;
    const remembered = new Remembered();
    for (const { host } of Object.values(this.#state.tables)) {
      const words = this.words(host);
      const step = this.wide ? 2 : 1;
      for (let index = 0; index < words.length; index += step) remembered.note(host + 4 * index, words[index]!);
    }
    this.#remembered = remembered;
    moveTo(this.#state, remembered, this.#state);
    return remembered;
  }

  // ---- entries ----------------------------------------------------------------------------------------------------

  protected low(at: number): number {
    return this.port.readPhysical(at);
  }

  /** All words of a page. */
  protected words(page: number): Uint32Array {
    const words = new Uint32Array(PAGE / 4);
    if (this.port.readPhysicalWords !== undefined) this.port.readPhysicalWords(page, words);
    else for (let index = 0; index < words.length; index++) words[index] = this.low(page + 4 * index);
    return words;
  }

  protected write(at: number, low: number, high: number): void {
    if (this.#remembered !== undefined) this.remembered.note(at, low);
    this.port.writePhysical(at, low >>> 0);
    if (this.wide) this.port.writePhysical(at + 4, high >>> 0);
  }

  /** Fills a directory's part that is the hypervisor's own. */
  protected showArea({ host }: ShadowTable, wide: boolean): void {
    const size = wide ? 8 : 4;
    for (let index = 0; index < PAGE / size; index++) {
      const entry = ownEntry(wide, index);
      if (entry !== undefined) this.write(host + index * size, entry, 0);
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
    return this.state.tableCount >= MOST_TABLES;
  }

  /** A table of zeros. */
  protected build(description: Omit<ShadowTable, "host">): ShadowTable {
    const { free, tables, tableCount, counts } = this.state;
    const host = free.at(-1) ?? this.#allocate();
    this.#clear(host);
    const table: ShadowTable = Object.freeze({ ...description, host });
    this.state = {
      ...this.state,
      free: free.slice(0, -1),
      tables: { ...tables, [table.key]: table },
      tableCount: tableCount + 1,
      counts: { ...counts, builds: counts.builds + 1 },
    };
    if (table.guest !== NOTHING) this.#feed(table);
    return table;
  }

  #clear(host: number): void {
    this.#remembered?.tables.delete(host);
    for (const [index, word] of this.words(host).entries()) {
      if (word === 0) continue;
      if (this.#remembered !== undefined) this.remembered.note(host + 4 * index, 0);
      this.port.writePhysical(host + 4 * index, 0);
    }
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
    const { free, tableCount } = this.state;
    this.state = { ...this.state, tables, tableCount: tableCount - 1, free: [...free, table.host] };
    if (table.guest === NOTHING) return;
    const frame = Math.floor(table.guest / PAGE);
    const trace = this.traceOf(frame);
    this.setTrace(frame, { ...trace, tables: trace.tables.filter((key) => key !== table.key) });
  }

  /** Clears all entries that lead to a table. */
  protected unlink(dropped: ShadowTable): void {
    const entry = link(dropped.host);
    for (const at of this.remembered.entriesOf(dropped.host)) if (this.low(at) === entry) this.write(at, 0, 0);
  }

  /** Gives all of them back; what is watched stays so. */
  flush(): void {
    const { tables, traces, free } = this.state;
    if (this.#remembered !== undefined) this.#remembered = new Remembered();
    const watched = Object.entries(traces).filter(([, trace]) => trace.watched);
    this.state = {
      ...this.state,
      tables: {},
      tableCount: 0,
      traces: Object.fromEntries(watched.map(([frame]) => [frame, { tables: [], watched: true }])),
      free: [...free, ...Object.values(tables).map(({ host }) => host)],
      root: undefined,
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
    for (const at of this.remembered.entriesOf(mapped)) {
      const low = this.low(at);
      if ((low & (PTE.P | PTE.W)) === (PTE.P | PTE.W) && frameOf(low) === mapped) this.write(at, 0, 0);
    }
  }
}
