/**
 * The open machine's system registers: changed in place while it runs, because system software changes them all the
 * time, and a frozen record again when the machine is sealed.
 */
import { type Segment, type SegmentName, type SystemState, segmentNames } from "../cpu/state.js";

type Live = { -readonly [K in keyof Omit<SystemState, "segments">]: SystemState[K] } & {
  readonly segments: Record<SegmentName, Segment>;
};

const emptyOf = (state: SystemState): Live => ({ ...state, segments: { ...state.segments } });

function copy(from: SystemState, to: Live): void {
  to.cr0 = from.cr0;
  to.cr2 = from.cr2;
  to.cr3 = from.cr3;
  to.cr4 = from.cr4;
  to.gdtr = from.gdtr;
  to.idtr = from.idtr;
  to.ldtr = from.ldtr;
  to.tr = from.tr;
  to.debug = from.debug;
  to.pdptes = from.pdptes;
  to.msrs = from.msrs;
  to.model = from.model;
  copySegments(from.segments, to.segments);
}

function copySegments(from: SystemState["segments"], to: Live["segments"]): void {
  to.es = from.es;
  to.cs = from.cs;
  to.ss = from.ss;
  to.ds = from.ds;
  to.fs = from.fs;
  to.gs = from.gs;
}

export class SystemRegisters {
  readonly #live: Live;
  /** The value these registers are, if nothing has changed since. */
  #value: SystemState | undefined;
  /** What was replaced since `mark`, last first: a segment register by name, or others by their names. */
  readonly #undoSegments: (SegmentName | Segment)[] = [];
  readonly #undoOthers: Partial<SystemState>[] = [];
  #segmentCount = 0;
  #otherCount = 0;

  constructor(state: SystemState) {
    this.#live = emptyOf(state);
    this.#value = state;
  }

  /** As they are now. */
  get live(): SystemState {
    return this.#live;
  }

  /** The value they are, if they are still one. */
  get value(): SystemState | undefined {
    return this.#value;
  }

  open(state: SystemState): void {
    if (state === this.#value) return;
    copy(state, this.#live);
    this.#value = state;
    this.mark();
  }

  seal(): SystemState {
    this.#value ??= Object.freeze({ ...this.#live, segments: Object.freeze({ ...this.#live.segments }) });
    return this.#value;
  }

  change(change: Partial<SystemState>): void {
    const old: Record<string, unknown> = {};
    for (const name in change) {
      if (name === "segments") {
        for (const segment of segmentNames) this.setSegment(segment, change.segments![segment]);
        continue;
      }
      const key = name as Exclude<keyof SystemState, "segments">;
      old[key] = this.#live[key];
      (this.#live as Record<string, unknown>)[key] = change[key];
    }
    this.#undoOthers[this.#otherCount++] = old;
    this.#value = undefined;
  }

  setSegment(name: SegmentName, segment: Segment): void {
    const { segments } = this.#live;
    this.#undoSegments[this.#segmentCount++] = name;
    this.#undoSegments[this.#segmentCount++] = segments[name];
    segments[name] = segment;
    this.#value = undefined;
  }

  /** What a page fault leaves behind, whatever else is taken back. */
  setCr2(linear: number): void {
    this.#live.cr2 = linear;
    this.#value = undefined;
  }

  /** Remembers this point, for `restore`. */
  mark(): void {
    this.#segmentCount = this.#otherCount = 0;
  }

  /** Takes back what came after `mark`. */
  restore(): void {
    while (this.#segmentCount > 0) {
      const segment = this.#undoSegments[--this.#segmentCount] as Segment;
      this.#live.segments[this.#undoSegments[--this.#segmentCount] as SegmentName] = segment;
    }
    while (this.#otherCount > 0) Object.assign(this.#live, this.#undoOthers[--this.#otherCount]);
  }
}
