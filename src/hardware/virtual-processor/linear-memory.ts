/**
 * Memory by linear addresses through the guest's own page tables, walked at each access: nothing is remembered that could be
 * stale. What a fault would stop is checked before anything is done; an access that crosses pages is made byte by byte.
 */
import { newTranslation, type PhysicalMemory, pageFaultRule, translate } from "../cpu/paging.js";
import { type AccessSize, Fault, Unsupported, VECTOR } from "../cpu/processor.js";
import { FLAG, isCanonical, isLong, type SystemState } from "../cpu/state.js";
import type { VirtualBoard } from "./board.js";
import type { VirtualMemory } from "./memory.js";

const PAGE_SIZE = 4096;
const ALL_ONES = 0xffffffff;
const crosses = (linear: number, size: number): boolean => (linear & (PAGE_SIZE - 1)) + size > PAGE_SIZE;
const nextPage = (linear: number): number => linear - (linear & (PAGE_SIZE - 1)) + PAGE_SIZE;
/** The low bytes of a value, unsigned. */
const unsigned = (value: number, size: AccessSize): number =>
  size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);

/** The processor whose accesses they are. */
export interface Accessor {
  readonly system: SystemState;
  getEflags(): number;
  /** What the processor does by itself it does as the supervisor, which SMAP holds for whatever EFLAGS.AC is. */
  readonly begunAsUser: boolean;
  /** Told of every page fault's address, for CR2. */
  pageFaultAt(linear: number): void;
}

export class VirtualLinearMemory implements PhysicalMemory {
  readonly #accessor: Accessor;
  readonly #board: VirtualBoard;
  readonly #memory: VirtualMemory;
  readonly #access = { write: false, user: false, fetch: false, ac: false };
  readonly #translation = newTranslation();

  constructor(accessor: Accessor, board: VirtualBoard) {
    this.#accessor = accessor;
    this.#board = board;
    this.#memory = board.memory;
  }

  // ---- page tables ------------------------------------------------------------------------------------------------

  /** A word of an entry. Registers of devices are no tables. */
  read32(physical: number): number {
    return this.readPhysical(this.#board.onBus(physical));
  }

  write32(physical: number, value: number): void {
    const at = this.#board.onBus(physical);
    if (this.#memory.has(at)) this.#memory.write(at, 4, value >>> 0);
  }

  /** A dword at a physical address; all ones where there is no memory. */
  readPhysical(physical: number): number {
    return this.#memory.has(physical) ? this.#memory.read(physical, 4) : ALL_ONES;
  }

  /** Physical address of an access. Throws #PF. */
  #translate(linear: number, write: boolean, user: boolean, fetch = false): number {
    const access = this.#access;
    const { system, begunAsUser } = this.#accessor;
    access.write = write;
    access.user = user;
    access.fetch = fetch;
    access.ac = user === begunAsUser && (this.#accessor.getEflags() & FLAG.AC) !== 0;
    const { physical, errorCode } = translate(this, system, linear, access, true, this.#translation);
    if (physical >= 0) return this.#board.onBus(physical);
    this.#accessor.pageFaultAt(linear);
    throw new Fault(VECTOR.PF, errorCode, pageFaultRule(errorCode));
  }

  // ---- physical accesses ------------------------------------------------------------------------------------------

  #load(physical: number, size: AccessSize): number {
    return this.#memory.has(physical) ? this.#memory.read(physical, size) : this.#board.readMapped(physical, size);
  }

  store(physical: number, size: AccessSize, value: number): void {
    if (this.#memory.has(physical)) this.#memory.write(physical, size, unsigned(value, size));
    else this.#board.writeMapped(physical, size, unsigned(value, size));
  }

  // ---- linear accesses --------------------------------------------------------------------------------------------

  /** Unsigned. */
  read(linear: number, size: AccessSize, user: boolean): number {
    if (!crosses(linear, size)) return this.#load(this.#translate(linear, false, user), size);
    const part = this.#parts(linear, false, user);
    let value = 0;
    for (let index = 0; index < size; index++) value += this.#load(part(index), 1) * 2 ** (8 * index);
    return value;
  }

  write(linear: number, size: AccessSize, value: number, user: boolean): void {
    if (!crosses(linear, size)) {
      this.store(this.#translate(linear, true, user), size, value);
      return;
    }
    const part = this.#parts(linear, true, user);
    for (let index = 0; index < size; index++) this.store(part(index), 1, value >>> (8 * index));
  }

  /** Throws #PF unless at most a page of bytes can be written. */
  checkWrite(linear: number, size: number, user: boolean): void {
    if (crosses(linear, size)) this.#parts(linear, true, user);
    else this.#translate(linear, true, user);
  }

  /**
   * Physical addresses of the two parts of an access over the end of a page. Both are checked before either is touched.
   * Over the end of the address space it is #GP(0), as beyond any limit.
   */
  #parts(linear: number, write: boolean, user: boolean): (index: number) => number {
    const secondPage = nextPage(linear);
    if (secondPage > ALL_ONES && !isLong(this.#accessor.system)) throw new Fault(VECTOR.GP, 0);
    const first = this.#translate(linear, write, user);
    const second = this.#translate(secondPage, write, user);
    const split = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
    return (index) => (index < split ? first + index : second + index - split);
  }

  // ---- words ------------------------------------------------------------------------------------------------------

  /** A linear address so many bytes behind another. */
  #after(linear: number, bytes: number): number {
    return isLong(this.#accessor.system) ? linear + bytes : (linear + bytes) >>> 0;
  }

  /** Where words lie that are memory on one page: one walk is enough for them; -1 for others. */
  #together(linear: number, count: number, write: boolean, user: boolean): number {
    if (crosses(linear, 4 * count)) return -1;
    // A fault tells the address of the word that is accessed first.
    const skipped = write ? 4 * (count - 1) : 0;
    const physical = this.#translate(linear + skipped, write, user) - skipped;
    return this.#memory.has(physical) ? physical : -1;
  }

  readWords(linear: number, count: number, user: boolean, words: Int32Array): void {
    const at = this.#together(linear, count, false, user);
    for (let index = 0; index < count; index++)
      words[index] = at < 0 ? this.read(this.#after(linear, 4 * index), 4, user) : this.#memory.read(at + 4 * index, 4);
  }

  /** The last word first, as pushes do. */
  writeWords(linear: number, count: number, user: boolean, words: Int32Array): void {
    const at = this.#together(linear, count, true, user);
    for (let index = count - 1; index >= 0; index--) {
      if (at < 0) this.write(this.#after(linear, 4 * index), 4, words[index]!, user);
      else this.#memory.write(at + 4 * index, 4, words[index]! >>> 0);
    }
  }

  // ---- code -------------------------------------------------------------------------------------------------------

  /** Reads the bytes of an instruction at a linear address, of the page behind only when asked for. Throws #PF, #GP(0). */
  code(linear: number): (index: number) => number {
    const first = this.#codeAt(linear);
    const split = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
    let second = -1;
    return (index) => {
      if (index < split) return this.#memory.read(first + index, 1);
      if (second < 0) {
        const page = nextPage(linear);
        second = this.#codeAt(isLong(this.#accessor.system) ? page : page >>> 0);
      }
      return this.#memory.read(second + index - split, 1);
    };
  }

  #codeAt(linear: number): number {
    const { system, begunAsUser } = this.#accessor;
    if (isLong(system) && !isCanonical(linear)) throw new Fault(VECTOR.GP, 0, "address-not-canonical");
    const physical = this.#translate(linear, false, begunAsUser, true);
    if (this.#memory.has(physical)) return physical;
    throw new Unsupported(`code at physical address 0x${physical.toString(16)}, where there is no memory`);
  }
}
