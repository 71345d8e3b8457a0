/**
 * The open machine's system registers: changed in place while it runs, because system software changes them all the
 * time, and a frozen record again when the machine is sealed.
 */
import type { Segment, SegmentName, SystemState } from "../cpu/state.js";

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
  readonly #saved: Live;
  /** The value these registers are, if nothing has changed since. */
  #value: SystemState | undefined;

  constructor(state: SystemState) {
    this.#live = emptyOf(state);
    this.#saved = emptyOf(state);
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
  }

  seal(): SystemState {
    this.#value ??= Object.freeze({ ...this.#live, segments: Object.freeze({ ...this.#live.segments }) });
    return this.#value;
  }

  change(change: Partial<SystemState>): void {
    const { segments, ...rest } = change;
    Object.assign(this.#live, rest);
    if (segments) copySegments(segments, this.#live.segments);
    this.#value = undefined;
  }

  setSegment(name: SegmentName, segment: Segment): void {
    this.#live.segments[name] = segment;
    this.#value = undefined;
  }

  setCr2(linear: number): void {
    this.#live.cr2 = linear;
    this.#value = undefined;
  }

  /** Remembers them, for `restore`. */
  save(): void {
    copy(this.#live, this.#saved);
  }

  /** Takes back what came after `save`; CR2 is what a page fault leaves behind, so it stays. */
  restore(): void {
    const { cr2 } = this.#live;
    copy(this.#saved, this.#live);
    this.setCr2(cr2);
  }
}
