/** The code modes of a machine: what of the processor's state decides how code is read, interned. */
import { ACCESS, isFlat, type SystemState, segmentNames } from "../cpu/state.js";
import type { CodeMode } from "./blocks.js";

const [ES, SS, DS] = [1 << 0, 1 << 2, 1 << 3];

export class CodeModes {
  /** By base of CS and the flat segments, then all that share them. */
  readonly #known = new Map<number, CodeMode[]>();
  #count = 0;

  /** The mode of these system registers; `checked` when every access has to be looked at one by one. */
  of({ segments, model }: SystemState, checked: boolean): CodeMode {
    const { cs } = segments;
    let flatSegments = 0;
    for (let number = 0; number < 6; number++) {
      const segment = segments[segmentNames[number]!];
      // A code segment may be read but never written, so accesses through one are always checked.
      if ((segment.access & ACCESS.CODE) === 0 && isFlat(segment)) flatSegments |= 1 << number;
    }
    const flat = !checked && (flatSegments & (ES | SS | DS)) === (ES | SS | DS) && isFlat(cs);
    if (!flat) flatSegments = 0;
    const bits = (cs.access & ACCESS.BIG) !== 0 ? 32 : 16;
    const key = cs.base * 256 + (flatSegments << 1) + (bits === 32 ? 1 : 0);
    const list = this.#known.get(key) ?? [];
    if (list.length === 0) this.#known.set(key, list);
    for (const mode of list) if (mode.flat === flat && mode.csLimit === cs.limit && mode.model === model) return mode;
    const mode = { key: this.#count++, model, bits, flat, csBase: cs.base, csLimit: cs.limit, flatSegments } as const;
    list.push(mode);
    return mode;
  }
}
