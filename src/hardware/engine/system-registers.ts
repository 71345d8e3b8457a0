/**
 * The open machine's system registers: changed in place while it runs, because system software changes them all the
 * time, and a frozen record again when the machine is sealed.
 */
import type { Segment, SegmentName, SystemState } from "../cpu/state.js";

/** All but segment registers. */
type Others = { -readonly [K in keyof Omit<SystemState, "segments">]: SystemState[K] };
type Live = Others & { readonly segments: Record<SegmentName, Segment> };

const emptyOf = (state: SystemState): Live => ({ ...state, segments: { ...state.segments } });

/** Written out: computed names are slow. */
function copy(from: Others, to: Others): void {
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
}

function copySegments(from: SystemState["segments"], to: Live["segments"]): void {
  to.es = from.es;
  to.cs = from.cs;
  to.ss = from.ss;
  to.ds = from.ds;
  to.fs = from.fs;
  to.gs = from.gs;
}

/** Puts a register other than a segment register in its place; likewise written out. */
function replaceOther(to: Others, name: string, from: Partial<Others>): void {
  switch (name) {
    case "cr0":
      to.cr0 = from.cr0!;
      break;
    case "cr2":
      to.cr2 = from.cr2!;
      break;
    case "cr3":
      to.cr3 = from.cr3!;
      break;
    case "cr4":
      to.cr4 = from.cr4!;
      break;
    case "efer":
      to.efer = from.efer!;
      break;
    case "gdtr":
      to.gdtr = from.gdtr!;
      break;
    case "idtr":
      to.idtr = from.idtr!;
      break;
    case "ldtr":
      to.ldtr = from.ldtr!;
      break;
    case "tr":
      to.tr = from.tr!;
      break;
    case "debug":
      to.debug = from.debug!;
      break;
    case "pdptes":
      to.pdptes = from.pdptes!;
      break;
    case "msrs":
      to.msrs = from.msrs!;
      break;
    case "virtualization":
      to.virtualization = from.virtualization;
      break;
    default:
      (to as Record<string, unknown>)[name] = (from as Record<string, unknown>)[name];
  }
}

/** Puts a segment in its place and gives the one before. */
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
  /** Segment registers that were replaced since `mark`, last first. */
  readonly #undoNames: SegmentName[] = [];
  readonly #undoSegments: Segment[] = [];
  #segmentCount = 0;
  /** The other registers as they were at `mark`, if any of them was replaced. */
  readonly #marked: Others;
  #isMarked = false;

  constructor(state: SystemState) {
    this.#live = emptyOf(state);
    this.#marked = emptyOf(state);
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
    copySegments(state.segments, this.#live.segments);
    this.#value = state;
    this.mark();
  }

  seal(): SystemState {
    if (this.#value !== undefined) return this.#value;
    const { segments, virtualization } = this.#live;
    // Entries and exits replace it all the time.
    if (virtualization !== undefined) Object.freeze(virtualization);
    if (virtualization?.guest !== undefined) Object.freeze(virtualization.guest);
    this.#value = Object.freeze({ ...this.#live, segments: Object.freeze({ ...segments }) });
    return this.#value;
  }

  change(change: Partial<SystemState>): void {
    if (!this.#isMarked) {
      copy(this.#live, this.#marked);
      this.#isMarked = true;
    }
    for (const name in change) if (name !== "segments") replaceOther(this.#live, name, change);
    if (change.segments !== undefined) this.#changeSegments(change.segments);
    this.#value = undefined;
  }

  #changeSegments({ es, cs, ss, ds, fs, gs }: SystemState["segments"]): void {
    this.setSegment("es", es);
    this.setSegment("cs", cs);
    this.setSegment("ss", ss);
    this.setSegment("ds", ds);
    this.setSegment("fs", fs);
    this.setSegment("gs", gs);
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
    if (this.#isMarked) this.#marked.cr2 = linear;
    this.#value = undefined;
  }

  /** Remembers this point, for `restore`. */
  mark(): void {
    this.#segmentCount = 0;
    this.#isMarked = false;
  }

  /** Takes back what came after `mark`. */
  restore(): void {
    while (this.#segmentCount > 0) {
      this.#segmentCount--;
      replace(this.#live.segments, this.#undoNames[this.#segmentCount]!, this.#undoSegments[this.#segmentCount]!);
    }
    if (this.#isMarked) copy(this.#marked, this.#live);
    this.#isMarked = false;
  }
}
