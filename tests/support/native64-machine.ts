/** Runs the cases of native64-cases.ts in an engine of this package: as a program in long mode. */
import { type CpuState, CR0, CR4, EFER, generalNames, type Segment } from "../../src/hardware/cpu/state.js";
import { Engine } from "../../src/hardware/engine/engine.js";
import type { EventKind, MachineState } from "../../src/hardware/state.js";
import { PAGE_SIZE, Page } from "../../src/state/pages.js";
import { stateWith } from "./engine-states.js";
import { floatChanges, floatingOf, imageOf } from "./native-floats.js";
import { background, CODE, CODE_PAGES, DATA, DATA_PAGES, FILLER, READ_ONLY, WINDOW } from "./native-layout.js";
import type { Unusable } from "./native-machine.js";
import { bytesOfCase, type Case64, FS_BASE, GS_BASE, HIGH, startRip, XMM_COUNT } from "./native64-cases.js";

export interface Outcome64 {
  readonly vector: number;
  readonly errorCode: number;
  readonly rip: bigint;
  readonly cr2: bigint;
  readonly rflags: number;
  readonly registers: readonly bigint[];
  /** Words of the data pages that changed, and of the FXSAVE image: number and value in turn. */
  readonly changes: readonly number[];
  readonly floats: readonly number[];
}

const ROOT = 0x1000;
const MEMORY = 16 * 2 ** 20;
const MAX_STEPS = 3000;
const [P, W, U] = [1n, 2n, 4n];
/** Accessed and dirty. */
const USED = 0x60n;

/** Page tables that map code and data at both places: a table of a level for each place, one behind the other. */
function pageTables(): Uint8Array {
  const tables = new Map<number, BigUint64Array>([[ROOT, new BigUint64Array(512)]]);
  let next = ROOT + PAGE_SIZE;
  const map = (linear: bigint, physical: number, flags: bigint): void => {
    let table = ROOT;
    for (const shift of [39n, 30n, 21n]) {
      const entries = tables.get(table)!;
      const index = Number((linear >> shift) & 511n);
      if (entries[index] === 0n) {
        tables.set(next, new BigUint64Array(512));
        entries[index] = BigInt(next) | P | W | U | USED;
        next += PAGE_SIZE;
      }
      table = Number(entries[index]! & ~0xfffn);
    }
    tables.get(table)![Number((linear >> 12n) & 511n)] = BigInt(physical) | flags;
  };
  for (const base of [0n, HIGH]) {
    for (let page = 0; page < CODE_PAGES; page++)
      map(base + BigInt(CODE + page * PAGE_SIZE), CODE + page * PAGE_SIZE, P | U | USED);
    for (let page = 0; page < DATA_PAGES; page++) {
      const address = DATA + page * PAGE_SIZE;
      map(base + BigInt(address), address, P | U | USED | (address >= READ_ONLY ? 0n : W));
    }
  }
  const bytes = new Uint8Array(next - ROOT);
  for (const [address, entries] of tables) bytes.set(new Uint8Array(entries.buffer), address - ROOT);
  return bytes;
}

const segment = (selector: number, access: number, base = 0n): Segment => ({
  ...{ selector, base: Number(base), limit: 0xffffffff, access },
});

function blankState(): MachineState {
  const state = stateWith(
    [
      { address: ROOT, bytes: pageTables() },
      { address: CODE, bytes: new Uint8Array(CODE_PAGES * PAGE_SIZE).fill(FILLER) },
      { address: DATA, bytes: background },
    ],
    MEMORY,
  );
  // What Linux gives a 64-bit program.
  const data = segment(0, 0xc0f3);
  const system: CpuState["system"] = {
    ...state.cpu.system,
    model: "max",
    cr0: CR0.PG | CR0.PE | CR0.ET | CR0.WP | CR0.MP | CR0.NE,
    cr3: ROOT,
    cr4: CR4.PAE | CR4.OSFXSR | CR4.OSXMMEXCPT,
    efer: EFER.LME | EFER.LMA | EFER.SCE | EFER.NXE,
    segments: {
      ...{ es: data, cs: segment(0x33, 0xa0fb), ss: segment(0x2b, 0xc0f3), ds: data },
      ...{ fs: segment(0, 0xc0f3, FS_BASE), gs: segment(0, 0xc0f3, GS_BASE) },
    },
  };
  return { ...state, cpu: { ...state.cpu, system } };
}

const signedWord = (value: bigint): number => Number(BigInt.asIntN(32, value));
const observed: ReadonlySet<EventKind> = new Set(["exception"]);

/** The general registers of a state, unsigned. */
function registersOf(cpu: CpuState): bigint[] {
  const word = (value: number): bigint => BigInt(value >>> 0);
  return Array.from({ length: 16 }, (_, number) =>
    number < 8
      ? (word(cpu.wide[number]!) << 32n) | word(cpu[generalNames[number]!])
      : (word(cpu.wide[2 * number - 7]!) << 32n) | word(cpu.wide[2 * number - 8]!),
  );
}

export class NativeMachine64 {
  readonly #engine = new Engine();
  readonly #blank = blankState();
  readonly #code = new Uint8Array(CODE_PAGES * PAGE_SIZE).fill(FILLER);
  readonly #data = background.slice();

  #memory(test: Case64): MachineState["memory"] {
    const code = bytesOfCase(test);
    this.#code.set(code, test.start);
    let { memory } = this.#blank;
    for (let page = test.start >>> 12; page <= (test.start + code.length - 1) >>> 12; page++)
      memory = memory.set((CODE >>> 12) + page, Page.copyFrom(this.#code, page * PAGE_SIZE));
    this.#code.fill(FILLER, test.start, test.start + code.length);
    this.#data.set(test.window, WINDOW - DATA);
    return Page.copyRun(this.#data, 0, 2).reduce((all, page, index) => all.set((DATA >>> 12) + index, page), memory);
  }

  run(test: Case64): Outcome64 | Unusable {
    const { cpu } = this.#blank;
    const memory = this.#memory(test);
    const { registers } = test;
    const low = Object.fromEntries(generalNames.map((name, number) => [name, signedWord(registers[number]!)]));
    const wide = [
      ...registers.slice(0, 8).map((value) => signedWord(value >> 32n)),
      ...registers.slice(8).flatMap((value) => [signedWord(value), signedWord(value >> 32n)]),
    ];
    const floating = floatingOf(test.floats, XMM_COUNT);
    const changed = { ...low, wide, eip: Number(startRip(test)), eflags: test.rflags, floating };
    this.#engine.open({ ...this.#blank, memory, cpu: { ...cpu, ...changed } });
    const { stop, events } = this.#engine.run({ limit: MAX_STEPS, observe: observed });
    const end = this.#engine.seal();
    if (stop.reason === "limit") return "endless";
    if (stop.reason === "unsupported") return "unsupported";
    const [event] = events;
    if (event?.kind !== "exception") return "astray";
    return {
      vector: event.vector,
      errorCode: event.errorCode ?? 0,
      rip: BigInt.asUintN(64, BigInt(end.cpu.eip)),
      cr2: event.cr2 === undefined ? 0n : BigInt.asUintN(64, BigInt(event.cr2)),
      rflags: end.cpu.eflags,
      registers: registersOf(end.cpu),
      changes: changesOf(memory, end.memory),
      floats: floatChanges(test.floats, imageOf(end.cpu.floating, XMM_COUNT), XMM_COUNT),
    };
  }
}

function changesOf(before: MachineState["memory"], after: MachineState["memory"]): number[] {
  const changes: number[] = [];
  for (let page = 0; page < DATA_PAGES; page++) {
    const [old, next] = [before, after].map((memory) => memory.get((DATA >>> 12) + page));
    if (old === next) continue;
    const were = new Uint32Array(old!.bytes().buffer);
    new Uint32Array(next!.bytes().buffer).forEach((word, index) => {
      if (word !== were[index]) changes.push(page * 1024 + index, word);
    });
  }
  return changes;
}
