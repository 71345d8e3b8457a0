/** Data that a run stops behind an access of, and the access that touched it. */
import { noStops, touched, type WatchHit, type Watchpoint, watchedPages } from "./stops.js";

export class WatchedData {
  /** What was touched since `begin`, or since it was taken back. */
  hit: WatchHit | undefined;
  #watchpoints: readonly Watchpoint[] = noStops.watchpoints;
  /** Linear pages that the TLB does not let stores through to, and whether loads are kept out, too. */
  #pages = watchedPages(noStops.watchpoints);

  get none(): boolean {
    return this.#watchpoints.length === 0;
  }

  /** What accesses are looked at for from now on. Gives the pages they lie on, by number. */
  begin(watchpoints: readonly Watchpoint[]): Iterable<number> {
    this.hit = undefined;
    if (watchpoints.length + this.#watchpoints.length === 0) return [];
    this.#watchpoints = watchpoints;
    this.#pages = watchedPages(watchpoints);
    return this.#pages.keys();
  }

  /** Whether reads of a linear page count, by its number; undefined: not even writes do. */
  readsCount(page: number): boolean | undefined {
    return this.#pages.get(page);
  }

  /** An access in the name of an instruction that is being executed in TypeScript or runs alone. */
  look(linear: number, size: number, write: boolean): void {
    this.hit ??= touched(this.#watchpoints, linear, size, write);
  }

  /** Whether an access touches what is watched. */
  touches(linear: number, size: number, write: boolean): boolean {
    return touched(this.#watchpoints, linear, size, write) !== undefined;
  }
}
