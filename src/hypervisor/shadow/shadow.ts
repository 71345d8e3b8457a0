/**
 * Shadow paging: the tables that the processor really walks map a guest's linear addresses to the host's frames. They are built
 * on demand, entry by entry, from the guest's own tables.
 *
 * Policy: every store to a guest's table that feeds a shadow table is seen, and what it fed and is no longer true is dropped before
 * the guest's next instruction. So a shadow entry is never stale. The architecture would allow less (entries may be stale until
 * INVLPG or MOV to CR3), but the bare machine has a TLB that is never stale, and a guest shall see the same under every technique.
 * INVLPG and MOV to CR3 then have nothing to drop, and tables outlive a change of CR3.
 *
 * A store to such a table is a page fault ("traced"): its instruction is executed for the guest, and what was fed by the frames that
 * were stored to is compared behind it (`wrote`). An entry is there only if the guest's entries have their accessed flags, and is
 * writable only if the dirty flag is set: both are set by the hidden page fault that fills it, in the guest's tables, when the
 * processor would have set them.
 *
 * Without CR0.WP a guest's supervisor may write read-only pages; the real WP stays set. Such a page is then mapped writable for
 * the supervisor alone, until CPL 3 asks for it (SMEP and SMAP take no notice of a page in that state).
 * Spec: SDM Vol. 3A, "Paging", "Accessed and Dirty Flags", "Invalidation of TLBs and Paging-Structure Caches".
 */
import {
  entryOffset,
  newTranslation,
  type PagingState,
  type PhysicalMemory,
  translate,
} from "../../hardware/cpu/paging.js";
import { type Level, type PagingMode, PTE } from "../../hardware/cpu/paging-levels.js";
import type { VirtualMemory } from "../../hardware/virtual-processor/index.js";
import { TOP } from "../layout.js";
import type { Extent } from "../state.js";
import { ALL, below, contextOf, formatOf, frameOf, isPaged, levelOf, link, pageEntry } from "./format.js";
import type { Rights, ShadowState, ShadowTable } from "./state.js";
import { NOTHING, ShadowTables, type Words } from "./tables.js";
import { type ValidFrame, validFrame } from "./validation.js";

/** What a hypervisor gives it to work on. */
export interface Surroundings {
  readonly port: Words;
  readonly extents: readonly Extent[];
  /** The guest's physical memory. */
  readonly memory: VirtualMemory;
  /** Host-physical addresses below this are the guest's to name; see `validation.ts`. */
  readonly open?: number;
  /** A guest-physical address as it leaves the A20 gate. */
  readonly onBus: (physical: number) => number;
  /** A host frame. */
  readonly allocate: () => number;
  /** The hypervisor is in every table, at the top of the linear space of 32 bits. */
  readonly area: boolean;
}

/** What a page fault of the real processor was. */
export type Answer =
  /** The entry is there now. */
  | { readonly kind: "hidden" }
  /** The guest's own tables refuse the access, with this error code. */
  | { readonly kind: "reflected"; readonly errorCode: number }
  /** A store to what is traced: it is to be made for the guest, and told by `wrote`. */
  | { readonly kind: "traced" }
  /** There is no memory that the guest could reach by itself: a device, nothing, or a store to ROM. */
  | { readonly kind: "device"; readonly physical: number }
  /** The linear address is the hypervisor's. */
  | { readonly kind: "beyond" };

/** Error code bits of #PF. */
const [WRITE, USER, FETCH] = [2, 4, 16];
const PAGE = 4096;
const OPEN_BUS = -1;
const LINE_20 = 1 << 20;
/** What a table is read as that lies where nothing is. */
const ABSENT_WORDS = new Uint32Array(PAGE / 4).fill(0xffff_ffff);
/** Bits 32 to 51 of an address. */
const HIGH_ADDRESS = 0xfffff;
/** Stores in a row after which a frame is no table any more, until it is walked again. */
const FLOOD = 64;

interface Met {
  readonly step: Level;
  readonly address: number;
  readonly low: number;
  readonly high: number;
}

export class Shadow extends ShadowTables {
  readonly #given: Surroundings;
  readonly #tables: PhysicalMemory;
  readonly #system: PagingState;
  readonly #mode: PagingMode;

  constructor(given: Surroundings, state: ShadowState, system: PagingState) {
    super(given.port, given.allocate, state);
    const { memory, onBus } = given;
    this.#given = given;
    this.#system = system;
    this.#mode = formatOf(system);
    this.#tables = {
      read32: (physical) => {
        const at = onBus(physical);
        return memory.has(at) ? memory.read(at, 4) : OPEN_BUS;
      },
      write32: (physical, value) => {
        const at = onBus(physical);
        if (!memory.has(at)) return;
        memory.write(at, 4, value >>> 0);
        this.#flagged(at, value);
      },
    };
  }

  protected override get wide(): boolean {
    return this.#mode.wide;
  }

  #valid(physical: number): ValidFrame | undefined {
    return validFrame(this.#given.extents, physical, this.#given.open ?? 0);
  }

  protected override hostFrame(frame: number): number | undefined {
    return this.#valid(frame * PAGE)?.host;
  }

  // ---- the root ---------------------------------------------------------------------------------------------------

  /** What the real CR3 holds: builds what there has to be of the tables of the present CR3. */
  get cr3(): number {
    const context = contextOf(this.#system, this.#given.onBus(LINE_20) === LINE_20);
    if (context !== this.state.context || this.isFull) {
      this.flush();
      this.state = { ...this.state, context };
    }
    const root = this.#mode.pointers === undefined ? this.#root() : this.#pointers();
    if (this.state.root !== root.key) this.state = { ...this.state, root: root.key };
    return root.host;
  }

  #root(): ShadowTable {
    const { level } = this.#mode.first;
    if (!isPaged(this.#system)) return this.#need("flat", "flat", level, NOTHING, ALL, true);
    const guest = frameOf(this.#system.cr3);
    return this.#need(`${level} ${guest} root`, "table", level, guest, ALL, !this.#mode.long);
  }

  /** The page of PDPTEs, and the directories that the guest's PDPTE registers lead to. */
  #pointers(): ShadowTable {
    const root = this.#need("pointers", "area", 3, NOTHING, ALL, false);
    for (let index = 0; index < 4; index++) {
      const low = this.#system.pdptes[2 * index] ?? 0;
      const top = index === 3;
      let entry = 0;
      if ((low & PTE.P) !== 0) entry = this.#directory(frameOf(low), top).host | PTE.P;
      else if (top && this.#given.area) entry = this.#need("top", "area", 2, NOTHING, ALL, true).host | PTE.P;
      if (this.low(root.host + 8 * index) !== entry >>> 0) this.write(root.host + 8 * index, entry, 0);
    }
    return root;
  }

  #directory(guest: number, top: boolean): ShadowTable {
    return this.#need(`2 ${guest}${top ? " top" : ""}`, "table", 2, guest, ALL, top);
  }

  /** The table of a key: the one there is, or a new one. */
  #need(
    key: string,
    kind: ShadowTable["kind"],
    level: number,
    guest: number,
    rights: Rights,
    top: boolean,
    words?: readonly [number, number],
  ): ShadowTable {
    const known = this.table(key);
    if (known !== undefined) return known;
    const fed = guest === NOTHING ? guest : this.#given.onBus(guest);
    const table = this.build({ key, kind, level, guest: fed, rights, ...(words === undefined ? {} : { words }) });
    if (top && this.#given.area) this.showArea(table, this.wide);
    return table;
  }

  // ---- page faults ------------------------------------------------------------------------------------------------

  /** Answers a #PF that the real processor raised in the guest. `ac`: EFLAGS.AC is set. */
  fault(linear: number, errorCode: number, ac: boolean): Answer {
    if (this.#given.area && linear >= TOP) return { kind: "beyond" };
    const user = (errorCode & USER) !== 0;
    const access = { write: (errorCode & WRITE) !== 0, user, fetch: (errorCode & FETCH) !== 0, ac };
    const met: Met[] = [];
    const out = newTranslation();
    translate(this.#tables, this.#system, linear, access, true, out, (step, address, low, high) =>
      met.push({ step, address, low, high }),
    );
    if (out.physical < 0) {
      this.#count("reflected");
      return { kind: "reflected", errorCode: out.errorCode };
    }
    const physical = this.#given.onBus(out.physical);
    const valid = this.#valid(physical);
    if (valid === undefined || (valid.readOnly && access.write)) return { kind: "device", physical };
    const frame = Math.floor(physical / PAGE);
    if (access.write && this.isTraced(frame) && !this.#floods(frame, met)) {
      this.#count("traced");
      return { kind: "traced" };
    }
    const at = this.#entryFor(linear, met);
    const [low, high] = this.#entry(met, frame, valid, access);
    this.#count("faults");
    this.write(at, low, high);
    return { kind: "hidden" };
  }

  #count(what: "faults" | "reflected" | "traced"): void {
    const { counts } = this.state;
    this.state = { ...this.state, counts: { ...counts, [what]: counts[what] + 1 } };
  }

  /** The words of the entry that lets an access through which the guest's tables permit. */
  #entry(
    met: readonly Met[],
    frame: number,
    { host, readOnly }: { host: number; readOnly: boolean },
    { write, user }: { write: boolean; user: boolean },
  ): readonly [number, number] {
    const inMemory = met.filter(({ step }) => step !== this.#mode.pointers);
    const rights = inMemory.reduce((above, { low, high }) => below(above, low, high), ALL);
    const last = inMemory.at(-1);
    const dirty = last === undefined || write || (last.low & PTE.D) !== 0;
    const closed = readOnly || this.isTraced(frame);
    let bits = rights.bits;
    if (write && !user && (bits & PTE.W) === 0) bits = PTE.W;
    if (!dirty || closed) bits &= ~PTE.W;
    return pageEntry(host, bits, rights.noExecute);
  }

  /** Host-physical address of the last entry of a linear address, with all the tables that lead to it. */
  #entryFor(linear: number, met: readonly Met[]): number {
    const { pointers, first } = this.#mode;
    let table: ShadowTable;
    let number = 0;
    if (pointers !== undefined) {
      table = this.#directory(frameOf(met[0]!.low), linear >= 0xc000_0000);
      number = 1;
    } else table = this.#root();
    let rights: Rights = ALL;
    /** The guest's entry that is a page, once it is met above the last level. */
    let large: Met | undefined;
    for (let step = first; ; step = step.next) {
      const at = table.host + entryOffset(step, linear);
      if (step.level === 1) {
        const { flood } = this.state;
        if (flood.stores > 0 && Math.floor(table.guest / PAGE) === flood.frame)
          this.state = { ...this.state, flood: { frame: -1, stores: 0 } };
        return at;
      }
      const entry = met[number];
      let child: ShadowTable;
      if (entry === undefined) child = this.#need(`flat ${linear >>> 22}`, "flat", 1, NOTHING, ALL, false);
      else if (large !== undefined || (entry.low & step.page) !== 0) {
        if (large === undefined) rights = below(rights, entry.low, entry.high);
        large ??= entry;
        child = this.#split(large, step, linear, rights);
      } else {
        rights = below(rights, entry.low, entry.high);
        child = this.#need(
          keyOf(step.level - 1, frameOf(entry.low), rights),
          "table",
          step.level - 1,
          frameOf(entry.low),
          rights,
          false,
        );
        number++;
      }
      if (this.low(at) !== link(child.host)) this.write(at, link(child.host), 0);
      table = child;
    }
  }

  /** A table in place of a part of a large page. */
  #split({ address, low, high }: Met, step: Level, linear: number, rights: Rights): ShadowTable {
    const part = step.level === 2 ? (linear & 0x3fff_ffff) >>> 21 : 0;
    const key = `split ${address} ${step.level} ${part} ${rightsName(rights)}`;
    const words = [low & ~(PTE.A | PTE.D), high] as const;
    return this.#need(key, "split", step.level - 1, address, rights, false, words);
  }

  // ---- stores to what is traced -----------------------------------------------------------------------------------

  /**
   * A frame that is only stored to is no table any more, until it is walked again: it is given up, if that can be. One that the store's
   * own walk (`met`) goes through is in use.
   */
  #floods(frame: number, met: readonly Met[]): boolean {
    const { flood } = this.state;
    const stores = flood.frame === frame ? flood.stores + 1 : 1;
    if (stores <= FLOOD) {
      this.state = { ...this.state, flood: { frame, stores } };
      return false;
    }
    if (met.some(({ address }) => Math.floor(address / PAGE) === frame)) return false;
    const { tables: keys, watched } = this.traceOf(frame);
    const tables = keys.map((key) => this.table(key)!);
    const inUse = ({ level, key }: ShadowTable): boolean => key === this.state.root || (level === 2 && this.wide);
    if (watched || tables.some(inUse)) return false;
    for (const table of tables) this.#remove(table);
    this.state = { ...this.state, flood: { frame: -1, stores: 0 } };
    return true;
  }

  /** Something has stored to frames: drops what is no longer true. */
  wrote(frames: Iterable<number>): void {
    for (const frame of frames) if (this.isTraced(frame)) this.#compare(frame);
  }

  /** Drops what is no longer true of the tables that a frame feeds. */
  #compare(frame: number): void {
    const fed = (): ShadowTable[] => this.traceOf(frame).tables.map((key) => this.table(key)!);
    for (const table of fed()) if (table.kind === "split" && !this.#isTrue(table)) this.#remove(table);
    for (const table of fed()) if (table.kind === "table") this.#compareTable(table);
  }

  /** Whether a large page still is what a table in its place was made from. */
  #isTrue({ guest, words: [low, high] = [0, 0] }: ShadowTable): boolean {
    const now = this.#tables.read32(guest, 0);
    const flags = now & (PTE.A | PTE.D);
    if (flags !== (PTE.A | PTE.D) || (now & ~(PTE.A | PTE.D)) !== low) return false;
    return !this.wide || (this.#tables.read32(guest + 4, 0) | 0) === high;
  }

  #remove(table: ShadowTable): void {
    this.unlink(table);
    this.drop(table);
  }

  /** The walk has set a flag in a guest's table. */
  #flagged(at: number, value: number): void {
    for (const key of this.traceOf(Math.floor(at / PAGE)).tables) {
      const words = this.remembered.tables.get(this.table(key)!.host);
      if (words !== undefined) words[(at % PAGE) >>> 2] = value;
    }
  }

  #compareTable(table: ShadowTable): void {
    const { level, host, guest } = table;
    const step = levelOf(this.#mode, level);
    const size = this.wide ? 8 : 4;
    const hasArea = this.#given.area && (table.key.endsWith(" top") || table.key.endsWith(" root"));
    const end = (hasArea ? this.areaOffset(this.wide) : PAGE) / 4;
    const page = this.hostFrame(Math.floor(guest / PAGE));
    const now = page === undefined ? ABSENT_WORDS : this.words(page);
    const before = this.remembered.tables.get(host);
    this.remembered.tables.set(host, now);
    for (let index = 0; index < end; index += size / 4) {
      const [low, high] = [now[index]! | 0, this.wide ? now[index + 1]! | 0 : 0];
      if (before !== undefined && before[index]! === low >>> 0 && (!this.wide || before[index + 1]! === high >>> 0))
        continue;
      const offset = 4 * index;
      const is = this.low(host + offset);
      if ((is & PTE.P) === 0) continue;
      const met = { step, address: guest + offset, low, high };
      const kept = level === 1 ? this.#keepsPage(table, met, host + offset) : this.#keepsTable(table, met, is);
      if (!kept) this.write(host + offset, 0, 0);
    }
  }

  #keepsPage({ rights }: ShadowTable, { step, low, high }: Met, at: number): boolean {
    if (!isWalked(step, true, low, high) || (high & HIGH_ADDRESS) !== 0) return false;
    const physical = this.#given.onBus(frameOf(low));
    const valid = this.#valid(physical);
    if (valid === undefined) return false;
    const { bits, noExecute } = below(rights, low, high);
    const closed = valid.readOnly || this.isTraced(Math.floor(physical / PAGE)) || (low & PTE.D) === 0;
    const [wanted, wantedHigh] = pageEntry(valid.host, closed ? bits & ~PTE.W : bits, noExecute);
    return this.low(at) === wanted && (!this.wide || this.low(at + 4) === wantedHigh);
  }

  #keepsTable({ rights }: ShadowTable, { step, address, low, high }: Met, is: number): boolean {
    const isPage = (low & step.page) !== 0;
    if (!isWalked(step, isPage, low, high)) return false;
    if (!isPage) {
      const child = this.table(keyOf(step.level - 1, frameOf(low), below(rights, low, high)));
      return child !== undefined && is === link(child.host);
    }
    return this.traceOf(Math.floor(address / PAGE)).tables.some((key) => {
      const { kind, guest, host } = this.table(key)!;
      return kind === "split" && guest === address && is === link(host);
    });
  }
}

/** Whether a guest's entry would be walked through, and has been. */
function isWalked(step: Level, isPage: boolean, low: number, high: number): boolean {
  const reserved = isPage ? step.reservedInPage : step.reservedInTable;
  return (low & (PTE.P | PTE.A)) === (PTE.P | PTE.A) && ((low & reserved) | (high & step.reservedHigh)) === 0;
}

const rightsName = ({ bits, noExecute }: Rights): string => `${bits}${noExecute ? "x" : ""}`;
const keyOf = (level: number, guest: number, rights: Rights): string => `${level} ${guest} ${rightsName(rights)}`;
