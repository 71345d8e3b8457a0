/**
 * Slow paths of operands of more than 4 bytes, which are in SLOW_VALUE, and of 64-bit code, whose addresses are floats. They
 * are made of 4 bytes at a time, once nothing can stop them in the middle.
 */
import { Fault, VECTOR } from "../cpu/processor.js";
import type { AccessChecks } from "./access-checks.js";
import { EXIT, SLOW_EXIT, SLOW_VALUE } from "./layout.js";
import { crosses, nextPage } from "./linear-address.js";
import type { SlowAccesses } from "./slow-accesses.js";
import { STACK_ACCESS } from "./slow-paths.js";

export class WideAccesses {
  readonly #i32: Int32Array;
  readonly #narrow: SlowAccesses;
  readonly #checks: AccessChecks;

  constructor(buffer: ArrayBuffer, narrow: SlowAccesses, checks: AccessChecks) {
    this.#i32 = new Int32Array(buffer);
    this.#narrow = narrow;
    this.#checks = checks;
  }

  // ---- 64-bit code ------------------------------------------------------------------------------------------------

  /** A load of 64-bit code; what is wider than 4 bytes is put into SLOW_VALUE. */
  loadLong(linear: number, access: number, forWrite: boolean): number {
    const size = access & 31;
    if (this.#refuses(linear, size, access, forWrite)) return this.#narrow.leave(EXIT.fault);
    return size <= 4 ? this.#narrow.load(linear, size, forWrite) : this.#load(linear, size, forWrite);
  }

  storeLong(linear: number, access: number, value: number): number {
    const size = access & 31;
    if (this.#refuses(linear, size, access, true)) return EXIT.fault;
    return size <= 4 ? this.#narrow.store(linear, size, value) : this.#store(linear, size);
  }

  /** Raises what an access raises before any page is looked at. */
  #refuses(linear: number, size: number, access: number, write: boolean): boolean {
    const fault = this.#checks.longFault(linear, size, (access & STACK_ACCESS) !== 0, write);
    if (fault === undefined) return false;
    this.#narrow.fault(fault);
    return true;
  }

  // ---- 32-bit code ------------------------------------------------------------------------------------------------

  loadWide(linear: number, size: number): number {
    return this.#wraps(linear, size) ? 0 : this.#load(linear, size, false);
  }

  storeWide(linear: number, size: number): number {
    return this.#wraps(linear, size) ? this.#narrow.takeExit() : this.#store(linear, size);
  }

  /** Raises what reaching over the end of the 32-bit address space does. */
  #wraps(linear: number, size: number): boolean {
    if (linear + size <= 2 ** 32) return false;
    this.#narrow.leave(this.#narrow.fault(new Fault(VECTOR.GP, 0)));
    return true;
  }

  // ---- both -------------------------------------------------------------------------------------------------------

  /** Puts more than 4 bytes into SLOW_VALUE. */
  #load(linear: number, size: number, forWrite: boolean): number {
    if (!this.#isReady(linear, size, forWrite)) return 0;
    for (let at = 0; at < size; at += 4) {
      this.#i32[(SLOW_VALUE + at) >> 2] = this.#narrow.load(linear + at, 4, forWrite);
      if (this.#i32[SLOW_EXIT >> 2] !== 0) return 0;
    }
    return 0;
  }

  /** Stores more than 4 bytes out of SLOW_VALUE. */
  #store(linear: number, size: number): number {
    const narrow = this.#narrow;
    // Nothing may be stored before it is certain that all can be, and without a word of doubt.
    if (!narrow.single && !narrow.isOrdinary(linear, size)) return EXIT.bail;
    if (!this.#isReady(linear, size, true)) return narrow.takeExit();
    for (let at = 0; at < size; at += 4) {
      const exit = narrow.store(linear + at, 4, this.#i32[(SLOW_VALUE + at) >> 2]!);
      if (exit !== 0) return exit;
    }
    return 0;
  }

  /** Both pages of an access that crosses are there; else SLOW_EXIT says why. */
  #isReady(linear: number, size: number, write: boolean): boolean {
    const narrow = this.#narrow;
    if (!crosses(linear, size)) return true;
    if (write && !narrow.single) {
      narrow.leave(EXIT.bail);
      return false;
    }
    return narrow.reaches(linear, write) && narrow.reaches(nextPage(linear), write);
  }
}
