/** Runs the cases of native-cases.ts in an engine of this package, as a program under an operating system would. */
import {
  type CpuState,
  CR0,
  CR4,
  generalNames,
  NULL_SEGMENT,
  realSegment,
  type Segment,
  segmentNames,
} from "../../src/hardware/cpu/state.js";
import { Engine } from "../../src/hardware/engine/engine.js";
import type { EventKind, MachineState } from "../../src/hardware/state.js";
import { PAGE_SIZE, Page } from "../../src/state/pages.js";
import { stateWith } from "./engine-states.js";
import { type FuzzCase, startEip } from "./native-cases.js";
import { bytesOf } from "./native-encode.js";
import { floatChanges, floatingOf, imageOf } from "./native-floats.js";
import {
  background,
  CODE,
  CODE_BYTES,
  CODE_PAGES,
  DATA,
  DATA_PAGES,
  FILLER,
  isReal,
  NULL_SELECTOR,
  READ_ONLY,
  REAL,
  REAL_SHIFT,
  segmentOf,
  WINDOW,
} from "./native-layout.js";

/** How a case ended, and what it left. */
export interface Outcome {
  readonly vector: number;
  readonly errorCode: number;
  readonly eip: number;
  /** Of a page fault, else 0. */
  readonly cr2: number;
  readonly eflags: number;
  readonly registers: readonly number[];
  /** Words of the data pages that changed: number and value in turn. */
  readonly changes: readonly number[];
  /** Words of the FXSAVE image that changed, likewise; absent in real mode. */
  readonly floats?: readonly number[];
  /** Segment registers, where a case may load them. */
  readonly selectors?: readonly number[];
}

/** Why a case is no comparison: it would not end, needs what is not here, or leaves or changes its code. */
export type Unusable = "endless" | "unsupported" | "astray";

const DIRECTORY = 0x1000;
const TABLE = 0x2000;
const MEMORY = 16 * 2 ** 20;
const MAX_STEPS = 3000;
const words = (values: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

/** Present, writable, accessed data of 16 bits. */
const REAL_ACCESS = 0x93;
/** How a case ends that runs into HLT where that is allowed. */
export const HALTED = 255;

/** A descriptor's access bits. Spec: SDM Vol. 3A, "Code- and Data-Segment Descriptor Types". */
function segment(selector: number): Segment {
  if (selector >= REAL) return realSegment(selector - REAL, REAL_ACCESS);
  if (selector === NULL_SELECTOR) return { ...NULL_SEGMENT, selector };
  const { base, limit, granular, big, kind, restricted } = segmentOf(selector)!;
  const kinds = { data: 0, "expand-down": 4, code: 8 };
  const access = 0xf1 | kinds[kind] | (restricted ? 0 : 2) | (big ? 1 << 14 : 0) | (granular ? 1 << 15 : 0);
  return { selector, base, limit: granular ? ((limit << 12) | 0xfff) >>> 0 : limit, access };
}

const ACCESSED_DIRTY_USER_WRITE_PRESENT = 0x67;
const ACCESSED_USER_PRESENT = 0x25;

/** Real mode: everything is RAM, and an interrupt table of no length ends a case at its first exception. */
function blankRealState(): MachineState {
  const state = stateWith(
    [
      { address: CODE - REAL_SHIFT, bytes: new Uint8Array(CODE_PAGES * PAGE_SIZE).fill(FILLER) },
      { address: DATA - REAL_SHIFT, bytes: background },
    ],
    MEMORY,
  );
  return { ...state, cpu: { ...state.cpu, system: { ...state.cpu.system, model: "max", cr0: CR0.ET } } };
}

function blankState(): MachineState {
  const entries = Array.from({ length: 1024 }, () => 0);
  const map = (address: number, flags: number): void => {
    entries[(address >>> 12) & 1023] = address | flags;
  };
  for (let page = 0; page < CODE_PAGES; page++) map(CODE + page * PAGE_SIZE, ACCESSED_USER_PRESENT);
  for (let page = 0; page < DATA_PAGES; page++) {
    const address = DATA + page * PAGE_SIZE;
    map(address, address >= READ_ONLY ? ACCESSED_USER_PRESENT : ACCESSED_DIRTY_USER_WRITE_PRESENT);
  }
  const directory = Array.from({ length: 1024 }, () => 0);
  directory[CODE >>> 22] = TABLE | ACCESSED_DIRTY_USER_WRITE_PRESENT;
  const state = stateWith(
    [
      { address: DIRECTORY, bytes: words(directory) },
      { address: TABLE, bytes: words(entries) },
      { address: CODE, bytes: new Uint8Array(CODE_PAGES * PAGE_SIZE).fill(FILLER) },
      { address: DATA, bytes: background },
    ],
    MEMORY,
  );
  const system = {
    ...state.cpu.system,
    model: "max" as const,
    cr0: state.cpu.system.cr0 | CR0.PG | CR0.WP | CR0.MP | CR0.NE,
    cr3: DIRECTORY,
    cr4: CR4.OSFXSR | CR4.OSXMMEXCPT,
  };
  return { ...state, cpu: { ...state.cpu, system } };
}

const codeBytes = (test: FuzzCase): number[] => test.steps.flatMap(({ choice }) => bytesOf(choice));
export const codeOf = (test: FuzzCase): Uint8Array => {
  const code = new Uint8Array(CODE_BYTES).fill(FILLER);
  code.set(codeBytes(test));
  return code;
};

const observed: ReadonlySet<EventKind> = new Set(["exception"]);
/** These call their handler as INT does. */
const softwareVectors: Readonly<Record<string, number>> = { INTO: 4, INT3: 3 };

/** The step at an address, if it is the first byte of one. */
export function stepAt(test: FuzzCase, eip: number): number {
  let at = startEip(test);
  for (let index = 0; index < test.steps.length; index++) {
    if (at >>> 0 === eip >>> 0) return index;
    at += bytesOf(test.steps[index]!.choice).length;
  }
  return -1;
}

export class NativeMachine {
  readonly #engine = new Engine();
  readonly #user = blankState();
  readonly #real = blankRealState();
  readonly #systems = new Map<string, CpuState["system"]>();
  readonly #code = new Uint8Array(CODE_PAGES * PAGE_SIZE).fill(FILLER);
  readonly #data = background.slice();

  #system(blank: MachineState, selectors: readonly number[]): CpuState["system"] {
    const key = selectors.join();
    let system = this.#systems.get(key);
    if (system === undefined) {
      const segments = Object.fromEntries(segmentNames.map((name, index) => [name, segment(selectors[index]!)]));
      system = { ...blank.cpu.system, segments: segments as unknown as CpuState["system"]["segments"] };
      if (this.#systems.size > 10_000) this.#systems.clear();
      this.#systems.set(key, system);
    }
    return system;
  }

  #memory(blank: MachineState, test: FuzzCase): MachineState["memory"] {
    let { memory } = blank;
    const shift = isReal(test) ? REAL_SHIFT : 0;
    const code = codeBytes(test);
    this.#code.set(code, test.start);
    for (let page = test.start >>> 12; page <= (test.start + code.length - 1) >>> 12; page++)
      memory = memory.set(((CODE - shift) >>> 12) + page, Page.copyFrom(this.#code, page * PAGE_SIZE));
    this.#code.fill(FILLER, test.start, test.start + code.length);
    this.#data.set(test.window, WINDOW - DATA);
    return Page.copyRun(this.#data, 0, 2).reduce(
      (all, page, index) => all.set(((DATA - shift) >>> 12) + index, page),
      memory,
    );
  }

  run(test: FuzzCase): Outcome | Unusable {
    const real = isReal(test);
    const blank = real ? this.#real : this.#user;
    const { cpu } = blank;
    const memory = this.#memory(blank, test);
    const registers = Object.fromEntries(generalNames.map((name, index) => [name, test.registers[index]! | 0]));
    const system = this.#system(blank, test.selectors);
    const floating = floatingOf(test.floats);
    const changed = { ...registers, eip: startEip(test) | 0, eflags: test.eflags, system, floating };
    this.#engine.open({ ...blank, memory, cpu: { ...cpu, ...changed } });
    const { stop, events } = this.#engine.run({ limit: MAX_STEPS, observe: observed });
    const end = this.#engine.seal();
    if (stop.reason === "limit") return "endless";
    if (stop.reason === "unsupported") return "unsupported";
    if (this.#codeChanged(memory, end.memory, test)) return "astray";
    const [event] = events;
    const exception = event?.kind === "exception" ? event : undefined;
    const eip = end.cpu.eip >>> 0;
    const step = test.steps[stepAt(test, eip)]?.choice;
    const software = step && softwareVectors[step.row.mnemonic];
    // There are no gates, so what is observed of INT3 and INTO is that theirs is missing.
    const trapped = software !== undefined && (!exception || exception.errorCode === software * 8 + 2);
    const fault = trapped ? undefined : exception;
    const halted = stop.reason === "halted";
    if (fault === undefined && !trapped && !halted) return "astray";
    return {
      vector: fault?.vector ?? (halted ? HALTED : software!),
      errorCode: fault?.errorCode ?? 0,
      // A trap leaves the address of the next instruction.
      eip: trapped && !halted ? eip + bytesOf(step!).length : eip,
      cr2: fault?.cr2 ?? 0,
      eflags: end.cpu.eflags,
      registers: generalNames.map((name) => end.cpu[name] >>> 0),
      changes: this.#changes(memory, end.memory, real ? REAL_SHIFT : 0),
      ...(real ? {} : { floats: floatChanges(test.floats, imageOf(end.cpu.floating)) }),
      ...(real ? { selectors: segmentNames.map((name) => end.cpu.system.segments[name].selector) } : {}),
    };
  }

  /** Only real mode lets a case write to its code, by a string instruction that runs wild. */
  #codeChanged(before: MachineState["memory"], after: MachineState["memory"], test: FuzzCase): boolean {
    const frame = (CODE - (isReal(test) ? REAL_SHIFT : 0)) >>> 12;
    return before.get(frame) !== after.get(frame) || before.get(frame + 1) !== after.get(frame + 1);
  }

  #changes(before: MachineState["memory"], after: MachineState["memory"], shift: number): number[] {
    const changes: number[] = [];
    for (let page = 0; page < DATA_PAGES; page++) {
      const [old, next] = [before, after].map((memory) => memory.get(((DATA - shift) >>> 12) + page));
      if (old === next) continue;
      const bytes = new Uint32Array(next!.bytes().buffer);
      const were = new Uint32Array(old!.bytes().buffer);
      bytes.forEach((word, index) => {
        if (word !== were[index]) changes.push(page * 1024 + index, word);
      });
    }
    return changes;
  }
}
