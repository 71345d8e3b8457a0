/**
 * Memory as the processor sees it, put together: what is on the bus (`bus-memory.ts`), page tables (`page-tables.ts`), the
 * TLB of the generated code (`tlb.ts`), checks (`access-checks.ts`), and the accesses of generated code that the TLB does not
 * know (`slow-accesses.ts`, `wide-accesses.ts`). Here is what all of these share: open, seal, flush, and code.
 */
import type { Page } from "../../state/pages.js";
import { PAGE_SIZE } from "../../state/pages.js";
import type { PersistentMap } from "../../state/persistent-map.js";
import { VmExit } from "../cpu/guest-operation.js";
import { Fault, Unsupported, VECTOR } from "../cpu/processor.js";
import { isCanonical, isLong, type SystemState } from "../cpu/state.js";
import type { GuestMemory } from "../devices/guest-memory.js";
import type { RomRange } from "../state.js";
import { AccessChecks } from "./access-checks.js";
import { BusMemory, type DecodedCode, type MemoryMapped } from "./bus-memory.js";
import { SLOTS, TABLE_OF_MANY } from "./layout.js";
import { frameOf } from "./linear-address.js";
import { LinearMemory } from "./linear-memory.js";
import { SLOT } from "./page-slots.js";
import { PageTables } from "./page-tables.js";
import { SlowAccesses } from "./slow-accesses.js";
import { type SlowPaths, WRITE_ACCESS } from "./slow-paths.js";
import type { WatchHit, Watchpoint } from "./stops.js";
import { SIDES, type Side, Tlb } from "./tlb.js";
import { WatchedData } from "./watched-data.js";
import { WideAccesses } from "./wide-accesses.js";

/** As many bytes of code are copied; an instruction has at most 15. */
const COPIED = 16;

export class AddressSpace {
  /** Accesses by software in TypeScript. */
  readonly memory: LinearMemory;
  readonly checks: AccessChecks;
  readonly #bus: BusMemory;
  readonly #tlb: Tlb;
  readonly #tables: PageTables;
  readonly #slow: SlowAccesses;
  readonly #watched = new WatchedData();
  readonly #code: DecodedCode;
  /** What the generated code calls when the TLB does not know. */
  readonly slowPaths: Omit<SlowPaths, "leave" | "system">;

  constructor(
    buffer: ArrayBuffer,
    slotLimit: number | undefined,
    code: DecodedCode,
    pageFault: (linear: number) => void,
  ) {
    this.#code = code;
    this.checks = new AccessChecks(buffer);
    this.#bus = new BusMemory(buffer, slotLimit, code);
    this.#tlb = new Tlb(buffer, this.#bus.slots, this.#watched);
    this.#tables = new PageTables(buffer, this.#bus, this.#tlb, code, pageFault);
    this.memory = new LinearMemory(this.#bus, this.#tlb, this.#tables, this.#watched);
    const slow = new SlowAccesses(buffer, this.memory, code);
    const wide = new WideAccesses(buffer, slow, this.checks);
    this.#slow = slow;
    this.slowPaths = {
      load: (linear, size) => slow.load(linear >>> 0, size, false),
      loadForWrite: (linear, size) => slow.load(linear >>> 0, size, true),
      store: (linear, size, value) => slow.store(linear >>> 0, size, value),
      segment: (segment, offset, access) => this.#segment(segment, offset >>> 0, access),
      loadLong: (linear, access) => wide.loadLong(linear, access, false),
      loadLongForWrite: (linear, access) => wide.loadLong(linear, access, true),
      storeLong: (linear, access, value) => wide.storeLong(linear, access, value),
      loadWide: (linear, size) => wide.loadWide(linear >>> 0, size),
      storeWide: (linear, size) => wide.storeWide(linear >>> 0, size),
    };
  }

  #segment(segment: number, offset: number, access: number): number {
    const size = access & (WRITE_ACCESS - 1);
    try {
      return this.checks.segmentAddress(this.system, segment, offset, size, (access & WRITE_ACCESS) !== 0) | 0;
    } catch (thrown) {
      return this.#slow.leave(this.#slow.exitFor(thrown));
    }
  }

  // ---- what the engine says ---------------------------------------------------------------------------------------

  /** Of the open value; the engine keeps it true. */
  get system(): SystemState {
    return this.#tables.system;
  }

  set system(system: SystemState) {
    this.#tables.system = system;
  }

  /** One instruction runs alone: it may store to code and page tables. */
  get single(): boolean {
    return this.#slow.single;
  }

  set single(single: boolean) {
    this.#slow.single = single;
  }

  /** Stores are kept as patches of a single step. */
  set patching(patching: boolean) {
    this.#bus.patching = patching;
  }

  /** What an access raises where there is no memory. Unless given, `mapped` answers. */
  set absent(absent: (physical: number) => Fault) {
    this.#bus.absent = absent;
  }

  /** The registers of devices. */
  set mapped(mapped: MemoryMapped) {
    this.#bus.mapped = mapped;
  }

  /** The A20 gate: whether address line 20 is let through. */
  setA20(enabled: boolean): void {
    if (this.#bus.setA20(enabled)) this.flush();
  }

  /** Whose accesses generated code makes now: a program's or not, of 64-bit code or not; `watched` if none goes unseen. */
  select(user: boolean, long: boolean, watched: boolean): void {
    this.#tlb.select(user, long, watched);
  }

  /** Whose translations are in use: the processor's own, or its guest's. */
  get side(): Side {
    return this.#tlb.side;
  }

  /** Memory as a master of the bus sees it. */
  get guestMemory(): GuestMemory {
    return this.#bus.guestMemory;
  }

  /** A dword at a host-physical address, as the processor reads its own structures; all ones where there is no memory. */
  readPhysical(physical: number): number {
    return this.#bus.load(physical);
  }

  /** The dwords from there on, all of one page. */
  readPhysicalWords(physical: number, words: Uint32Array): void {
    this.#bus.loadWords(physical, words);
  }

  writePhysical(physical: number, value: number): void {
    this.#bus.store(physical, 4, value);
  }

  // ---- what the engine asks ---------------------------------------------------------------------------------------

  /** The fault behind an EXIT.fault of a slow path, which is forgotten. */
  takePendingFault(): Fault | VmExit | undefined {
    const { pendingFault } = this.#slow;
    this.#slow.pendingFault = undefined;
    return pendingFault;
  }

  /** What accesses are looked at for from now on: their pages are taken out of the TLB. */
  watchData(watchpoints: readonly Watchpoint[]): void {
    for (const page of this.#watched.begin(watchpoints)) this.#tlb.drop(page);
  }

  /** The watchpoint that was touched since `watchData`, or since it was taken back. */
  get hit(): WatchHit | undefined {
    return this.#watched.hit;
  }

  set hit(hit: WatchHit | undefined) {
    this.#watched.hit = hit;
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  /** Opens a memory, in the name of the present control registers. Translations of both sides survive if no page table differs. */
  open(memory: PersistentMap<Page>, memorySize: number, roms: readonly RomRange[]): void {
    const bus = this.#bus;
    if (!bus.hasRoms(roms)) this.#evict();
    const sameSize = bus.setRanges(memorySize, roms);
    this.#tlb.dropWriteTags();
    const otherTables = bus.open(memory);
    if (otherTables || !sameSize) this.flush();
    else this.flushIfChanged();
  }

  seal(): PersistentMap<Page> {
    this.#tlb.dropWriteTags();
    return this.#bus.slots.seal();
  }

  /** After a run that was left by an error: nothing remembered can be trusted. */
  recover(): void {
    this.#slow.single = this.#bus.patching = this.#bus.stale = this.#bus.staleNested = false;
    this.#slow.pendingFault = undefined;
    this.#slow.takeExit();
    this.#evict();
  }

  /** To be called where no instruction is half done: makes room if slots run out. */
  makeRoom(): void {
    if (this.#slow.wantsRoom || this.#bus.slots.full) this.#evict();
  }

  #evict(): void {
    this.#slow.wantsRoom = false;
    this.#bus.evict();
    this.#code.dropAll();
    this.flush();
  }

  // ---- translations -----------------------------------------------------------------------------------------------

  /** Goes on with the side of the processor as it is, without its translations if they are of other control registers. */
  flushIfChanged(): void {
    const side = this.#selectSide();
    if (!this.#tables.areCurrent) this.#flush(side, false);
  }

  #selectSide(): Side {
    const side = this.#tables.selectSide();
    if (side !== this.#tlb.side) this.#tlb.side = side;
    return side;
  }

  /** Drops all translations; those of a guest's physical addresses are kept where nested tables are as they were. */
  flush(nested = true): void {
    this.#selectSide();
    for (const side of SIDES) this.#flush(side, nested);
  }

  #flush(side: Side, nested: boolean): void {
    this.#tlb.flush(side);
    this.#tables.forget(side, nested);
    this.#code.forget(side);
  }

  /** Behind an instruction: drops translations if it wrote a page table. */
  settle(): void {
    const bus = this.#bus;
    if (!bus.stale) return;
    const { staleNested } = bus;
    bus.stale = bus.staleNested = false;
    this.flush(staleNested);
  }

  // ---- code -------------------------------------------------------------------------------------------------------

  /** Slot of the page that code at `linear` is fetched from; throws #PF. */
  codeSlot(linear: number): number {
    if (isLong(this.system) && !isCanonical(linear)) throw new Fault(VECTOR.GP, 0, "address-not-canonical");
    const physical = this.codeAddress(linear);
    const frame = frameOf(physical);
    if (!this.#bus.isMemory(frame)) {
      this.#bus.checkMapped(physical);
      throw new Unsupported(`code at physical address 0x${physical.toString(16)}, where there is no memory`);
    }
    const slot = this.#bus.slot(frame);
    this.#tlb.keepOut(slot, SLOT.CODE);
    return slot;
  }

  /** Physical address that code at `linear` is fetched from; throws #PF. */
  codeAddress(linear: number): number {
    return this.#tables.translate(linear, false, this.#tlb.user, true);
  }

  /** The same of code that has been fetched: where the TLB knows the page, no walk is needed. */
  fetchedFrom(linear: number): number {
    const bus = this.#bus;
    const tlb = this.#tlb;
    const entry = tlb.entry(linear, tlb.user, isLong(this.system));
    const offset = linear & 0xfff;
    if (tlb.letsRead(entry, linear) && !bus.stale)
      return bus.slots.frameOf((tlb.host(entry, linear) - offset - SLOTS) / PAGE_SIZE) * PAGE_SIZE + offset;
    const physical = this.codeAddress(linear);
    // The supervisor may not read all of what it may execute.
    const readable = tlb.user || !this.#tables.translation.userPage;
    if (readable && bus.isMemory(frameOf(physical)))
      tlb.fill(entry, linear, bus.slot(frameOf(physical)), false, TABLE_OF_MANY);
    return physical;
  }

  codeByte(slot: number, offset: number): number {
    return this.#bus.byteIn(slot, offset);
  }

  /** No code is decoded any more. */
  releaseCode(): void {
    this.#bus.releaseCode();
  }

  /**
   * Copies 16 bytes of code at `linear` to `target`, or less up to the end of the page, because reading the next one would mark
   * it as accessed. Gives their number: 0 where nothing can be read.
   */
  copyCode(linear: number, user: boolean, target: DataView): number {
    const host = this.#hostOfCode(linear, user);
    if (host === 0) return 0;
    const bus = this.#bus;
    const count = Math.min(COPIED, PAGE_SIZE - (linear & 0xfff));
    if (count < COPIED) for (let at = 0; at < count; at++) target.setInt8(at, bus.read(host + at, 1));
    else for (let at = 0; at < COPIED; at += 4) target.setInt32(at, bus.read(host + at, 4), true);
    return count;
  }

  /** -1 where a guest would be left, too. */
  #physicalOfCode(linear: number, user: boolean): number {
    try {
      return this.#tables.lookedAt(linear, user);
    } catch (thrown) {
      if (thrown instanceof VmExit) return -1;
      throw thrown;
    }
  }

  /** Where code lies in the engine's memory; 0 where nothing can be read, which raises nothing. */
  #hostOfCode(linear: number, user: boolean): number {
    const bus = this.#bus;
    const tlb = this.#tlb;
    const entry = tlb.entry(linear, user, isLong(this.system));
    if (tlb.letsRead(entry, linear) && !bus.stale) return tlb.host(entry, linear);
    const physical = this.#physicalOfCode(linear, user);
    if (physical < 0) {
      this.#slow.pendingFault = undefined;
      return 0;
    }
    const frame = frameOf(physical);
    return bus.isMemory(frame) ? SLOTS + bus.slot(frame) * PAGE_SIZE + (physical & 0xfff) : 0;
  }
}
