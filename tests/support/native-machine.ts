/** Runs the cases of native-cases.ts in an engine of this package, as a program under an operating system would. */
import {
  type CpuState,
  CR0,
  generalNames,
  NULL_SEGMENT,
  type Segment,
  segmentNames,
} from "../../src/hardware/cpu/state.js";
import { Engine } from "../../src/hardware/engine/engine.js";
import type { EventKind, MachineState } from "../../src/hardware/state.js";
import { PAGE_SIZE, Page } from "../../src/state/pages.js";
import { stateWith } from "./engine-states.js";
import { type FuzzCase, startEip } from "./native-cases.js";
import { bytesOf } from "./native-encode.js";
import {
  background,
  CODE,
  CODE_BYTES,
  CODE_PAGES,
  DATA,
  DATA_PAGES,
  FILLER,
  NULL_SELECTOR,
  READ_ONLY,
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
}

/** Why a case is no comparison: it would not end, or leaves the pages both sides have. */
export type Unusable = "endless" | "unsupported";

const DIRECTORY = 0x1000;
const TABLE = 0x2000;
const MEMORY = 16 * 2 ** 20;
const MAX_STEPS = 3000;
const words = (values: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

/** A descriptor's access bits. Spec: SDM Vol. 3A, "Code- and Data-Segment Descriptor Types". */
function segment(selector: number): Segment {
  if (selector === NULL_SELECTOR) return { ...NULL_SEGMENT, selector };
  const { base, limit, granular, big, kind, restricted } = segmentOf(selector)!;
  const kinds = { data: 0, "expand-down": 4, code: 8 };
  const access = 0xf1 | kinds[kind] | (restricted ? 0 : 2) | (big ? 1 << 14 : 0) | (granular ? 1 << 15 : 0);
  return { selector, base, limit: granular ? ((limit << 12) | 0xfff) >>> 0 : limit, access };
}

const ACCESSED_DIRTY_USER_WRITE_PRESENT = 0x67;
const ACCESSED_USER_PRESENT = 0x25;

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
  const system = { ...state.cpu.system, cr0: state.cpu.system.cr0 | CR0.PG | CR0.WP, cr3: DIRECTORY };
  return { ...state, cpu: { ...state.cpu, system } };
}

const codeBytes = (test: FuzzCase): number[] => test.steps.flatMap(({ choice }) => bytesOf(choice));
export const codeOf = (test: FuzzCase): Uint8Array => {
  const code = new Uint8Array(CODE_BYTES).fill(FILLER);
  code.set(codeBytes(test));
  return code;
};

const observed: ReadonlySet<EventKind> = new Set(["exception"]);
/** These call their handler as INT does, so there is no exception to observe. */
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
  readonly #blank = blankState();
  readonly #systems = new Map<string, CpuState["system"]>();
  readonly #code = new Uint8Array(CODE_PAGES * PAGE_SIZE).fill(FILLER);
  readonly #data = background.slice();

  #system(selectors: readonly number[]): CpuState["system"] {
    const key = selectors.join();
    let system = this.#systems.get(key);
    if (system === undefined) {
      const segments = Object.fromEntries(segmentNames.map((name, index) => [name, segment(selectors[index]!)]));
      system = { ...this.#blank.cpu.system, segments: segments as unknown as CpuState["system"]["segments"] };
      if (this.#systems.size > 10_000) this.#systems.clear();
      this.#systems.set(key, system);
    }
    return system;
  }

  #memory(test: FuzzCase): MachineState["memory"] {
    let { memory } = this.#blank;
    const code = codeBytes(test);
    this.#code.set(code, test.start);
    for (let page = test.start >>> 12; page <= (test.start + code.length - 1) >>> 12; page++)
      memory = memory.set((CODE >>> 12) + page, Page.copyFrom(this.#code, page * PAGE_SIZE));
    this.#code.fill(FILLER, test.start, test.start + code.length);
    this.#data.set(test.window, WINDOW - DATA);
    return Page.copyRun(this.#data, 0, 2).reduce((all, page, index) => all.set((DATA >>> 12) + index, page), memory);
  }

  run(test: FuzzCase): Outcome | Unusable {
    const { cpu } = this.#blank;
    const memory = this.#memory(test);
    const registers = Object.fromEntries(generalNames.map((name, index) => [name, test.registers[index]! | 0]));
    const system = this.#system(test.selectors);
    const changed = { ...registers, eip: startEip(test) | 0, eflags: test.eflags, system };
    this.#engine.open({ ...this.#blank, memory, cpu: { ...cpu, ...changed } });
    const { stop, events } = this.#engine.run({ limit: MAX_STEPS, observe: observed });
    const end = this.#engine.seal();
    if (stop.reason === "limit") return "endless";
    if (stop.reason === "unsupported") return "unsupported";
    const [event] = events;
    const fault = event?.kind === "exception" ? event : undefined;
    const eip = end.cpu.eip >>> 0;
    const trap = fault === undefined ? test.steps[stepAt(test, eip)]?.choice : undefined;
    const software = trap && softwareVectors[trap.row.mnemonic];
    if (fault === undefined && software === undefined) throw new Error(`a case ended with ${JSON.stringify(stop)}`);
    return {
      vector: fault?.vector ?? software!,
      errorCode: fault?.errorCode ?? 0,
      // A trap leaves the address of the next instruction.
      eip: trap ? eip + bytesOf(trap).length : eip,
      cr2: fault?.cr2 ?? 0,
      eflags: end.cpu.eflags,
      registers: generalNames.map((name) => end.cpu[name] >>> 0),
      changes: this.#changes(memory, end.memory),
    };
  }

  #changes(before: MachineState["memory"], after: MachineState["memory"]): number[] {
    const changes: number[] = [];
    for (let page = 0; page < DATA_PAGES; page++) {
      const [old, next] = [before, after].map((memory) => memory.get((DATA >>> 12) + page));
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
