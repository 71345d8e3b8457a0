/** One step of a machine twice: by the engine, and by a virtual processor over its parts. */
import { expect } from "vitest";
import { PAGE_SIZE, type Page } from "../../state/pages.js";
import { PersistentMap } from "../../state/persistent-map.js";
import type { AccessSize } from "../cpu/processor.js";
import { Fault } from "../cpu/processor.js";
import type { Engine } from "../engine/engine.js";
import type { MachineState, Stop } from "../state.js";
import { type Outcome, VirtualBoard, type VirtualMemory, VirtualProcessor } from "./index.js";

const viewsOf = new WeakMap<Page, DataView>();
const noPage = new DataView(new ArrayBuffer(PAGE_SIZE));

function viewOf(page: Page | undefined): DataView {
  if (page === undefined) return noPage;
  let view = viewsOf.get(page);
  if (view === undefined) {
    view = new DataView(page.bytes().buffer);
    viewsOf.set(page, view);
  }
  return view;
}

/** A machine's memory, copied page by page where it is written. */
export class PageMemory implements VirtualMemory {
  readonly #state: MachineState;
  readonly written = new Map<number, DataView>();

  constructor(state: MachineState) {
    this.#state = state;
  }

  #isRom(physical: number): boolean {
    return this.#state.rom.some(({ base, size }) => physical >= base && physical < base + size);
  }

  has(physical: number): boolean {
    return physical < this.#state.memorySize || this.#isRom(physical);
  }

  #view(frame: number): DataView {
    return this.written.get(frame) ?? viewOf(this.#state.memory.get(frame));
  }

  read(physical: number, size: AccessSize): number {
    const view = this.#view(Math.floor(physical / PAGE_SIZE));
    const at = physical % PAGE_SIZE;
    return size === 4 ? view.getUint32(at, true) : size === 2 ? view.getUint16(at, true) : view.getUint8(at);
  }

  write(physical: number, size: AccessSize, value: number): void {
    if (this.#isRom(physical)) return;
    const frame = Math.floor(physical / PAGE_SIZE);
    const at = physical % PAGE_SIZE;
    let view = this.written.get(frame);
    if (view === undefined) {
      view = new DataView(this.#view(frame).buffer.slice(0));
      this.written.set(frame, view);
    }
    if (size === 4) view.setUint32(at, value, true);
    else if (size === 2) view.setUint16(at, value, true);
    else view.setUint8(at, value);
  }
}

/** Kinds of cases, for counting. */
export type Compared = Outcome["kind"] | "halted" | "raised" | "delivered" | "woken";

interface Made {
  readonly outcome: Outcome | { readonly kind: "halted" };
  readonly processor: VirtualProcessor;
  readonly memory: PageMemory;
}

function virtualStep(state: MachineState): Made {
  const memory = new PageMemory(state);
  const { devices, disks, ticks: tick, cpu } = state;
  const processor = new VirtualProcessor(cpu, new VirtualBoard({ devices, disks, tick }, memory));
  return { outcome: processor.step(), processor, memory };
}

const bytesOf = ({ buffer }: DataView): Uint8Array => new Uint8Array(buffer);

/** Expects the virtual processor to have written what the engine has; `all` of it, or nothing else. */
function sameMemory(before: MachineState, after: MachineState, { written }: PageMemory, all: boolean): void {
  const changed = new Set(written.keys());
  if (all) PersistentMap.compare(before.memory, after.memory, (frame) => void changed.add(frame));
  for (const frame of changed) {
    const old = bytesOf(viewOf(before.memory.get(frame)));
    const own = bytesOf(written.get(frame) ?? viewOf(before.memory.get(frame)));
    const made = bytesOf(viewOf(after.memory.get(frame)));
    const expected = all ? made : own.map((byte, at) => (byte === old[at] ? byte : made[at]!));
    if (Buffer.compare(own, expected) !== 0) expect(own, `frame ${frame}`).toEqual(expected);
  }
}

/** Whether plain data is the same. */
function areSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const [names, others] = [Object.keys(a), Object.keys(b)];
  if (names.length !== others.length) return false;
  return names.every((name) => areSame((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name]));
}

/** The same as `toEqual`, which takes ten times as long where nothing differs. */
function same(own: unknown, expected: unknown): void {
  if (!areSame(own, expected)) expect(own).toEqual(expected);
}

const stopped = (outcome: Made["outcome"]): Partial<Stop> =>
  outcome.kind === "halted"
    ? { reason: "halted" }
    : outcome.kind === "triple-fault"
      ? { reason: "triple-fault" }
      : outcome.kind === "unsupported"
        ? { reason: "unsupported", detail: outcome.detail }
        : { reason: "limit" };

function kindOf({ cpu }: MachineState, outcome: Made["outcome"]): Compared {
  if (outcome.kind !== "done") return outcome.kind;
  if (cpu.halted) return "woken";
  return outcome.delivered === undefined ? "done" : "delivered";
}

/** Makes the step with both, and expects the same of them. Gives what the engine made of it, and what was compared, if anything. */
export function compareStep(
  engine: Engine,
  before: MachineState,
): { readonly after: MachineState; readonly stop: Stop; readonly compared: Compared | undefined } {
  engine.open(before);
  const { stop } = engine.run({ limit: 1 });
  const after = engine.seal();
  const made = virtualStep(before);
  const { processor, memory } = made;
  let { outcome } = made;
  let compared = kindOf(before, outcome);
  if (outcome.kind === "not-here") {
    // An instruction of generated code that faulted: its fault is delivered as a hypervisor does.
    const last = after.lastException;
    if (after.counts.exceptions === before.counts.exceptions || last === undefined)
      return { after, stop, compared: undefined };
    const { vector, errorCode, cr2 } = last.chain[0]!;
    outcome = processor.raise(new Fault(vector, errorCode), cr2);
    compared = "raised";
  }
  const { board } = processor;
  same({ ...stopped(outcome), ...board.stop }, stop.reason === "halted" ? { reason: "halted" } : stop);
  same(processor.cpu, after.cpu);
  same(board.devices, after.devices);
  same(board.disks, after.disks);
  same(board.now, after.ticks);
  // An instruction that faulted in generated code has set accessed flags by then.
  sameMemory(before, after, memory, compared !== "raised");
  return { after, stop, compared };
}

/** How many cases of each kind were compared. */
export type Counts = Partial<Record<Compared, number>>;

export interface Along {
  /** Of the run, at the most. */
  readonly steps: number;
  /** So many steps in a row are compared, then so many made by the engine alone. */
  readonly window: number;
  readonly skip: number;
  /** Counted up. */
  readonly counts: Counts;
}

/** Compares steps all along a run. */
export function compareAlong(
  engine: Engine,
  start: MachineState,
  { steps, window, skip, counts }: Along,
): MachineState {
  let state = start;
  while (state.steps - start.steps < steps) {
    for (let step = 0; step < window; step++) {
      const { after, stop, compared } = compareStep(engine, state);
      if (compared !== undefined) counts[compared] = (counts[compared] ?? 0) + 1;
      state = after;
      if (stop.reason !== "limit") return state;
    }
    if (skip === 0) continue;
    engine.open(state);
    const { stop } = engine.run({ limit: skip });
    state = engine.seal();
    if (stop.reason !== "limit") return state;
  }
  return state;
}
