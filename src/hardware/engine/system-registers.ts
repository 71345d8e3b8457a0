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
  to.efer = from.efer;
  to.gdtr = from.gdtr;
  to.idtr = from.idtr;
  to.ldtr = from.ldtr;
  to.tr = from.tr;
  to.debug = from.debug;
  to.pdptes = from.pdptes;
  to.msrs = from.msrs;
  to.random = from.random;
  to.model = from.model;
  to.virtualization = from.virtualization;
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

/** Puts a segment in its place and gives the one before. Written out: computed names are slow. */
function replace(segments: Live["segments"], name: SegmentName, segment: Segment): Segment {
  let old: Segment;
  switch (name) {
    case "cs":
      old = segments.cs;
      segments.cs = segment;
      break;
    case "ss":
      old = segments.ss;
      segments.ss = segment;
      break;
    case "ds":
      old = segments.ds;
      segments.ds = segment;
      break;
    case "es":
      old = segments.es;
      segments.es = segment;
      break;
    case "fs":
      old = segments.fs;
      segments.fs = segment;
      break;
    case "gs":
      old = segments.gs;
      segments.gs = segment;
      break;
  }
  return old;
}

export class SystemRegisters {
  readonly #live: Live;
  /** The value these registers are, if nothing has changed since. */
  #value: SystemState | undefined;
  /** What was replaced since `mark`, last first: a segment register by name, or others by their names. */
  readonly #undoNames: SegmentName[] = [];
  readonly #undoSegments: Segment[] = [];
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

  /** Gives whether anything is new. */
  setSegment(name: SegmentName, segment: Segment): boolean {
    const old = replace(this.#live.segments, name, segment);
    if (old === segment) return false;
    this.#undoNames[this.#segmentCount] = name;
    this.#undoSegments[this.#segmentCount++] = old;
    this.#value = undefined;
    return true;
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
      this.#segmentCount--;
      replace(this.#live.segments, this.#undoNames[this.#segmentCount]!, this.#undoSegments[this.#segmentCount]!);
    }
    while (this.#otherCount > 0) Object.assign(this.#live, this.#undoOthers[--this.#otherCount]);
  }
}
