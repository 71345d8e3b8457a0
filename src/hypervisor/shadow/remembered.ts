/**
 * What would have to be searched for in all shadow tables: which entries lead to a frame, and what a guest's table was when what it
 * feeds was last compared with it. It is no part of the state: it goes from one state to the next as that is made, and where a state has
 * none (it was loaded, or another one was made from it already) it is found anew.
 */
import { PTE } from "../../hardware/cpu/paging-levels.js";
import { frameOf } from "./format.js";
import type { ShadowState } from "./state.js";

export class Remembered {
  /** By an entry's address the frame it leads to, and the other way round. */
  readonly #frames = new Map<number, number>();
  readonly #entries = new Map<number, Set<number>>();
  /** By the host's frame of a shadow table: the words of the guest's. */
  readonly tables = new Map<number, Uint32Array>();

  /** An entry has such a low word from now on. */
  note(at: number, low: number): void {
    const frame = (low & PTE.P) === 0 ? undefined : frameOf(low);
    const before = this.#frames.get(at);
    if (before === frame) return;
    if (before !== undefined) this.#entries.get(before)!.delete(at);
    if (frame === undefined) {
      this.#frames.delete(at);
      return;
    }
    this.#frames.set(at, frame);
    const entries = this.#entries.get(frame);
    if (entries === undefined) this.#entries.set(frame, new Set([at]));
    else entries.add(at);
  }

  /** Addresses of entries that lead to a frame; others may be among them. */
  entriesOf(frame: number): readonly number[] {
    return [...(this.#entries.get(frame) ?? [])];
  }
}

const known = new WeakMap<ShadowState, Remembered>();

export const rememberedOf = (state: ShadowState): Remembered | undefined => known.get(state);

/** It is what is remembered of another state from now on. */
export function moveTo(state: ShadowState, remembered: Remembered, from: ShadowState): void {
  known.delete(from);
  known.set(state, remembered);
}
