/** The code modes of a machine: what of the processor's state decides how code is read, interned. */
import type { ModelName } from "../cpu/model.js";
import { ACCESS, isFlat, type Segment } from "../cpu/state.js";
import type { X86CodeMode } from "../isa/x86.js";

const [ES, SS, DS] = [1 << 0, 1 << 2, 1 << 3];

interface Answer {
  readonly model: ModelName;
  readonly long: boolean;
  readonly cs: Segment;
  readonly flatSegments: number;
  readonly checked: boolean;
  readonly mode: X86CodeMode;
}

const fits = (
  answer: Answer | undefined,
  model: ModelName,
  long: boolean,
  cs: Segment,
  flatSegments: number,
  checked: boolean,
): boolean =>
  answer !== undefined &&
  answer.long === long &&
  answer.cs === cs &&
  answer.flatSegments === flatSegments &&
  answer.checked === checked &&
  answer.model === model;

export class CodeModes {
  /** By base of CS and the flat segments, then all that share them. */
  readonly #known = new Map<number, X86CodeMode[]>();
  readonly #long = new Map<ModelName, X86CodeMode>();
  #count = 0;
  /** The answers given last: going to and fro between a program and its kernel asks for two. */
  #last: Answer | undefined;
  #beforeLast: Answer | undefined;

  /** The mode of a code segment; `long` in IA-32e mode, `checked` when every access has to be looked at one by one. */
  of(model: ModelName, long: boolean, cs: Segment, flatSegments: number, checked: boolean): X86CodeMode {
    if (fits(this.#last, model, long, cs, flatSegments, checked)) return this.#last!.mode;
    const answer = fits(this.#beforeLast, model, long, cs, flatSegments, checked)
      ? this.#beforeLast!
      : { model, long, cs, flatSegments, checked, mode: this.#find(model, long, cs, flatSegments, checked) };
    this.#beforeLast = this.#last;
    this.#last = answer;
    return answer.mode;
  }

  #find(model: ModelName, long: boolean, cs: Segment, flatSegments: number, checked: boolean): X86CodeMode {
    if (long && (cs.access & ACCESS.LONG) !== 0) return this.#longMode(model);
    const flat = !checked && (flatSegments & (ES | SS | DS)) === (ES | SS | DS) && isFlat(cs);
    const kind = flat ? "flat" : "segmented";
    const bits = (cs.access & ACCESS.BIG) !== 0 ? 32 : 16;
    const key = cs.base * 256 + ((flat ? flatSegments : 0) << 1) + (bits === 32 ? 1 : 0);
    const list = this.#known.get(key) ?? [];
    for (const mode of list) if (mode.kind === kind && mode.csLimit === cs.limit && mode.model === model) return mode;
    if (list.length === 0) this.#known.set(key, list);
    const { base: csBase, limit: csLimit } = cs;
    const mode = { key: this.#count++, model, bits, kind, csBase, csLimit, flatSegments } as const;
    list.push(mode);
    return mode;
  }

  /** 64-bit code: neither bases nor limits count. */
  #longMode(model: ModelName): X86CodeMode {
    let mode = this.#long.get(model);
    if (mode === undefined) {
      const csLimit = Number.POSITIVE_INFINITY;
      mode = { key: this.#count++, model, bits: 64, kind: "long", csBase: 0, csLimit, flatSegments: 0 };
      this.#long.set(model, mode);
    }
    return mode;
  }
}
