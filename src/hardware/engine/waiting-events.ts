/** Debug traps and NMIs that wait for the next instruction boundary. Generated code knows only whether there is anything. */
import { noEvents, type PendingEvents } from "../cpu/state.js";
import { EVENTS_WAIT } from "./layout.js";

export class WaitingEvents {
  readonly #i32: Int32Array;
  #value: PendingEvents = noEvents;

  constructor(buffer: ArrayBuffer) {
    this.#i32 = new Int32Array(buffer);
  }

  get value(): PendingEvents {
    return this.#value;
  }

  set value(value: PendingEvents) {
    this.#value = value;
    this.#i32[EVENTS_WAIT >> 2] = value === noEvents ? 0 : 1;
  }

  change(change: Partial<PendingEvents>): void {
    const old = this.#value;
    const { debug = old.debug, nmi = old.nmi, nmiBlocked = old.nmiBlocked } = change;
    if (debug === old.debug && nmi === old.nmi && nmiBlocked === old.nmiBlocked) return;
    this.value = debug === 0 && !nmi && !nmiBlocked ? noEvents : { debug, nmi, nmiBlocked };
  }

  /** DR6 bits of a trap behind the present instruction. */
  set debug(bits: number) {
    if (bits !== this.#value.debug) this.change({ debug: bits });
  }
}
