/**
 * Loads and stores of the generated code that the TLB does not know: up to 4 bytes.
 *
 * The generated code may store to page tables and decoded code only when its instruction runs alone (`single`); otherwise
 * it leaves before the instruction (EXIT.bail) and comes back with it alone.
 */
import { VmExit } from "../cpu/guest-operation.js";
import { Fault, VECTOR } from "../cpu/processor.js";
import { BAIL, type BusMemory, type DecodedCode } from "./bus-memory.js";
import { EXIT, EXIT_ERROR_CODE, EXIT_VECTOR, NO_VECTOR, SLOW_EXIT } from "./layout.js";
import { crosses, frameOf } from "./linear-address.js";
import type { LinearMemory } from "./linear-memory.js";
import { SLOT } from "./page-slots.js";
import { NO_PAGE, NOT_PRESENT, type PageTables } from "./page-tables.js";
import { SPECIAL, type Tlb } from "./tlb.js";
import type { WatchedData } from "./watched-data.js";

export class SlowAccesses {
  /** One instruction runs alone: it may store to code and page tables. */
  single = false;
  /** Slots ran out in the middle of a block. */
  wantsRoom = false;
  /** What is behind an EXIT.fault. */
  pendingFault: Fault | VmExit | undefined;
  readonly #i32: Int32Array;
  readonly #bus: BusMemory;
  readonly #tlb: Tlb;
  readonly #tables: PageTables;
  readonly #watched: WatchedData;
  readonly #memory: LinearMemory;
  readonly #code: DecodedCode;

  constructor(buffer: ArrayBuffer, memory: LinearMemory, code: DecodedCode) {
    this.#i32 = new Int32Array(buffer);
    this.#memory = memory;
    this.#bus = memory.bus;
    this.#tlb = memory.tlb;
    this.#tables = memory.tables;
    this.#watched = memory.watched;
    this.#code = code;
  }

  // ---- exits ------------------------------------------------------------------------------------------------------

  /** Makes a load leave. */
  leave(exit: number): 0 {
    this.#i32[SLOW_EXIT >> 2] = exit;
    return 0;
  }

  /** The exit that was made, which is forgotten: a store gives it by itself. */
  takeExit(): number {
    const exit = this.#i32[SLOW_EXIT >> 2]!;
    this.#i32[SLOW_EXIT >> 2] = 0;
    return exit;
  }

  /** EXIT.fault of a #PF just met, as generated code raises it. */
  pageFault(): number {
    this.#i32[EXIT_VECTOR >> 2] = VECTOR.PF;
    this.#i32[EXIT_ERROR_CODE >> 2] = this.#tables.translation.errorCode;
    return EXIT.fault;
  }

  fault(fault: Fault | VmExit): number {
    this.pendingFault = fault;
    this.#i32[EXIT_VECTOR >> 2] = NO_VECTOR;
    return EXIT.fault;
  }

  exitFor(thrown: unknown): number {
    if (thrown === BAIL) return EXIT.bail;
    if (!(thrown instanceof Fault || thrown instanceof VmExit)) throw thrown;
    return this.fault(thrown);
  }

  /** Whether generated code must leave in front of this access, to make it alone. */
  #mustBeAlone(linear: number, size: number, write: boolean): boolean {
    if (this.#watched.none) return false;
    if (!this.single) return this.#watched.touches(linear, size, write);
    this.#watched.look(linear, size, write);
    return false;
  }

  /** No slot may be left, in the middle of a block. */
  #lacksRoom(): boolean {
    if (this.single || !this.#bus.slots.full) return false;
    this.wantsRoom = true;
    return true;
  }

  // ---- accesses ---------------------------------------------------------------------------------------------------

  load(linear: number, size: number, forWrite: boolean): number {
    const bus = this.#bus;
    if (this.#mustBeAlone(linear, size, false)) return this.leave(EXIT.bail);
    const known = forWrite && !bus.stale ? this.#tlb.slotToWrite(linear, size) : -1;
    if (known >= 0) return bus.readSlot(known, linear & 0xfff, size);
    const { user } = this.#tlb;
    const plain = forWrite ? -1 : this.#tables.slotToRead(linear, size, user);
    if (plain >= 0) {
      this.#letIn(linear, plain, false, user);
      return bus.readSlot(plain, linear & 0xfff, size);
    }
    if (plain === NOT_PRESENT) {
      this.#tables.refuseRead(linear, user);
      return this.leave(this.pageFault());
    }
    try {
      bus.inBlock = !this.single;
      if (this.#lacksRoom()) return this.leave(EXIT.bail);
      if (crosses(linear, size)) return this.#memory.readAcross(linear, size, forWrite, user);
      const physical = this.#tables.physical(linear, forWrite, user);
      if (physical < 0) return this.leave(this.pageFault());
      const frame = frameOf(physical);
      if (!bus.isMemory(frame)) return bus.readMapped(physical, size);
      const slot = bus.slot(frame);
      this.#letIn(linear, slot, forWrite && !bus.patching, user);
      return bus.readSlot(slot, physical & 0xfff, size);
    } catch (thrown) {
      return this.leave(this.exitFor(thrown));
    } finally {
      bus.inBlock = false;
    }
  }

  #letIn(linear: number, slot: number, write: boolean, user: boolean): void {
    this.#memory.letIn(this.#tlb.codeEntry(linear), linear, slot, write, user);
  }

  /** Gives 0, or an exit code. */
  store(linear: number, size: number, value: number): number {
    const bus = this.#bus;
    const tables = this.#tables;
    if (this.#mustBeAlone(linear, size, true)) return EXIT.bail;
    const known = this.single || bus.patching || bus.stale ? -1 : this.#tlb.slotToWrite(linear, size);
    const page = known < 0 ? NO_PAGE : tables.pageOfEntry(known, linear & 0xfff, size);
    if (page !== NO_PAGE) {
      tables.storeEntry(known, linear & 0xfff, size, value, page);
      return 0;
    }
    try {
      bus.inBlock = !this.single;
      if (this.#lacksRoom()) return EXIT.bail;
      return crosses(linear, size) ? this.#storeAcross(linear, size, value) : this.#storeInPage(linear, size, value);
    } catch (thrown) {
      return this.exitFor(thrown);
    } finally {
      bus.inBlock = false;
    }
  }

  #storeAcross(linear: number, size: number, value: number): number {
    if (!this.single) return EXIT.bail;
    this.#memory.writeAcross(linear, size, value, this.#tlb.user);
    return 0;
  }

  #storeInPage(linear: number, size: number, value: number): number {
    const bus = this.#bus;
    const { user } = this.#tlb;
    const special = this.single ? -1 : this.#slotToCareFor(linear, size);
    if (special >= 0) return this.#storeWithCare(special, linear, size, value);
    const physical = this.#tables.physical(linear, true, user);
    if (physical < 0) return this.pageFault();
    const frame = frameOf(physical);
    if (!bus.isMemory(frame)) {
      bus.writeMapped(physical, size, value);
      return 0;
    }
    const slot = bus.slot(frame);
    const ordinary = (bus.slots.flags[slot]! & SPECIAL) === 0;
    bus.store(physical, size, value);
    if (ordinary && !bus.patching) this.#letIn(linear, slot, true, user);
    return 0;
  }

  /** Stores where page tables or decoded instructions are, if it is an entry that one page depends on. */
  #storeWithCare(slot: number, linear: number, size: number, value: number): number {
    const tables = this.#tables;
    const { user } = this.#tlb;
    const page = this.#bus.patching ? NO_PAGE : tables.pageOfEntry(slot, linear & 0xfff, size);
    if (page === NO_PAGE) return EXIT.bail;
    // Only now that the store is certain: the instruction is executed again otherwise, and may have read the dirty flag.
    tables.physical(linear, true, user);
    this.#letIn(linear, slot, true, user);
    tables.storeEntry(slot, linear & 0xfff, size, value, page);
    return 0;
  }

  /**
   * The slot that a store changes where page tables or decoded instructions are, else -1. Found before the dirty flag is
   * set: the instruction may have to be executed again, and may have read that very flag before its store.
   */
  #slotToCareFor(linear: number, size: number): number {
    const bus = this.#bus;
    const physical = this.#tables.wouldWrite(linear);
    if (physical < 0) return -1;
    if (!bus.isMemory(frameOf(physical))) {
      bus.checkMapped(physical);
      return -1;
    }
    const slot = bus.slot(frameOf(physical));
    const special = bus.slots.flags[slot]! & SPECIAL;
    if ((special & SLOT.ROM) !== 0) return -1;
    // Data beside code may be written inside of a block: nothing decoded is hit.
    const hits = (special & SLOT.TABLE) !== 0 || (special !== 0 && this.#code.hits(slot, physical & 0xfff, size));
    return hits ? slot : -1;
  }

  /** Whether a store can be made word by word without leaving in its middle: on one page, without code or tables. */
  isOrdinary(linear: number, size: number): boolean {
    if (crosses(linear, size) || !this.#watched.none) return false;
    const physical = this.#tables.wouldWrite(linear);
    if (physical < 0) return true;
    const frame = frameOf(physical);
    return this.#bus.isMemory(frame) && (this.#bus.slots.flags[this.#bus.slot(frame)]! & SPECIAL) === 0;
  }

  /** Whether the page of an address lets an access through; else SLOW_EXIT says why. */
  reaches(linear: number, write: boolean): boolean {
    if (this.#tables.physical(linear, write, this.#tlb.user) >= 0) return true;
    this.leave(this.pageFault());
    return false;
  }
}
