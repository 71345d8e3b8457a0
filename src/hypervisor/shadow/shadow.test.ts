import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newTranslation, type PagingState, translate } from "../../hardware/cpu/paging.js";
import { CR0, CR4, EFER } from "../../hardware/cpu/state.js";
import { guestMemory } from "../guest-memory.js";
import { TOP } from "../layout.js";
import type { Extent } from "../state.js";
import { Shadow } from "./shadow.js";
import { noShadow, type ShadowState } from "./state.js";

const PAGE = 4096;
/** Guest frames 0 to 15, of which 14 and 15 are ROM; the host has them elsewhere. */
const FRAMES = 16;
const extents: readonly Extent[] = [
  { guest: 0, host: 0x40_0000, bytes: 8 * PAGE, readOnly: false },
  { guest: 8 * PAGE, host: 0x20_0000, bytes: 6 * PAGE, readOnly: false },
  { guest: 14 * PAGE, host: 0x30_0000, bytes: 2 * PAGE, readOnly: true },
];
const POOL = 0x80_0000;

/** Physical memory by words. */
function newWords() {
  const words = new Map<number, number>();
  return {
    words,
    readPhysical: (at: number) => words.get(at) ?? 0,
    writePhysical: (at: number, value: number) => {
      words.set(at, value >>> 0);
    },
  };
}

type Mode = "flat" | "32-bit" | "PSE" | "PAE" | "NXE" | "4-level";
const MODES: readonly Mode[] = ["flat", "32-bit", "PSE", "PAE", "NXE", "4-level"];

function stateOf(mode: Mode, writeProtect: boolean, pdptes: readonly number[]): PagingState {
  const wide = mode === "PAE" || mode === "NXE" || mode === "4-level";
  return {
    model: "nehalem",
    cr0: CR0.PE | (mode === "flat" ? 0 : CR0.PG) | (writeProtect ? CR0.WP : 0),
    cr3: 0,
    cr4: (wide ? CR4.PAE : 0) | (mode === "PSE" ? CR4.PSE : 0),
    efer: (mode === "4-level" ? EFER.LME | EFER.LMA : 0) | (mode === "NXE" || mode === "4-level" ? EFER.NXE : 0),
    pdptes: mode === "PAE" || mode === "NXE" ? pdptes : [],
  };
}

/** Entries that mostly lead to the guest's first frames. */
const entry = fc.record({
  frame: fc.oneof({ weight: 9, arbitrary: fc.nat(7) }, { weight: 3, arbitrary: fc.nat(FRAMES + 1) }),
  flags: fc.tuple(fc.nat(0x7f), fc.nat(0x7f)).map(([a, b]) => ((a | b) & 0x60) | (a % 4 === 0 ? b & 6 : 6) | 1),
  absent: fc.nat(19).map((n) => n === 0),
  large: fc.nat(9).map((n) => n === 0),
  noExecute: fc.nat(5).map((n) => n === 0),
  reserved: fc.nat(30).map((n) => n === 0),
});
/** Few entries of each table are in use, so that accesses meet them. */
const PLACES = [0, 1, 2, 511];
const table = fc.array(entry, { minLength: PLACES.length, maxLength: PLACES.length });

const linearOf = (mode: Mode, places: readonly number[], offset: number): number => {
  const [a, b, c, d] = places.map((place) => PLACES[place]!) as [number, number, number, number];
  if (mode === "4-level") return ((a & 1) * 512 + (b & 3)) * 2 ** 30 + c * 2 ** 21 + d * PAGE + offset;
  if (mode === "PAE" || mode === "NXE") return ((b & 3) * 2 ** 30 + c * 2 ** 21 + d * PAGE + offset) % TOP;
  if (mode === "flat") return (d & 3) * PAGE + offset;
  return c * 2 ** 22 + d * PAGE + offset;
};

const operation = fc.record({
  places: fc.array(fc.nat(PLACES.length - 1), { minLength: 4, maxLength: 4 }),
  write: fc.boolean(),
  user: fc.nat(3).map((n) => n === 0),
  fetch: fc.boolean(),
  /** What is stored where: an entry of one of the tables. */
  store: fc.option(fc.record({ frame: fc.nat(7), place: fc.nat(PLACES.length - 1), entry })),
  root: fc.nat(20).map((n) => (n === 0 ? 1 : 0)),
  writeProtect: fc.nat(20).map((n) => n !== 0),
});

/** The entry's words. */
function wordsOf(mode: Mode, { frame, flags, absent, large, noExecute, reserved }: Entry): readonly [number, number] {
  const wide = mode === "PAE" || mode === "NXE" || mode === "4-level";
  const allowed = mode === "NXE" || mode === "4-level";
  const base = large ? 0 : frame * PAGE;
  const low = absent ? 0 : base | flags | (large ? 0x80 : 0);
  return [low >>> 0, wide ? (noExecute && allowed ? 0x8000_0000 : 0) + (reserved ? 0x8_0000 : 0) : 0];
}
type Entry = typeof entry extends fc.Arbitrary<infer T> ? T : never;

describe("shadow paging", () => {
  const seen: Record<string, number> = { hidden: 0, reflected: 0, traced: 0, device: 0 };

  it("translates as the guest's own tables do, with the same faults and the same flags left in them", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...MODES),
        fc.boolean(),
        fc.array(table, { minLength: 8, maxLength: 8 }),
        fc.array(operation, { minLength: 30, maxLength: 60 }),
        (mode, area, tables, operations) => {
          const port = newWords();
          const oracle = newWords();
          const memory = guestMemory(port, extents);
          const expected = guestMemory(oracle, extents);
          const wide = mode === "PAE" || mode === "NXE" || mode === "4-level";
          const put = (frame: number, place: number, words: readonly [number, number]): void => {
            const at = frame * PAGE + PLACES[place]! * (wide ? 8 : 4);
            for (const target of [memory, expected]) {
              target.write(at, 4, words[0]);
              if (wide) target.write(at + 4, 4, words[1]);
            }
          };
          for (const [frame, entries] of tables.entries())
            for (const [place, one] of entries.entries()) put(frame, place, wordsOf(mode, one));
          const pdptes = [0x1001, 0, 0x2001, 0, 0, 0, 0x3001, 0];
          const bounded = area && mode !== "4-level";
          let taken = POOL;
          let kept: ShadowState = noShadow;
          for (const [number, operation] of operations.entries()) {
            const { places, write, user, fetch, store, root, writeProtect } = operation;
            const system = { ...stateOf(mode, writeProtect, pdptes), cr3: root * PAGE };
            const shadow = new Shadow(
              {
                port,
                extents,
                memory,
                onBus: (physical) => physical,
                allocate: () => {
                  taken += PAGE;
                  return taken - PAGE;
                },
                area: bounded,
              },
              kept,
              system,
            );
            const real = (): PagingState => ({
              ...system,
              cr0: system.cr0 | CR0.PG | CR0.WP,
              cr3: shadow.cr3,
              cr4: system.cr4 | (mode === "flat" || bounded ? CR4.PSE : 0),
              pdptes: [0, 1, 2, 3, 4, 5, 6, 7].map((index) =>
                system.pdptes.length === 0 ? 0 : port.readPhysical(shadow.cr3 + 4 * index) | 0,
              ),
            });
            const linear = linearOf(mode, places, 8 * places[0]!);
            if (bounded && linear >= TOP) continue;
            const access = { write: write && !fetch, user, fetch, ac: false };
            const words = (of: typeof port) => ({
              read32: (at: number) =>
                of === port ? port.readPhysical(at) : expected.has(at) ? expected.read(at, 4) : -1,
              write32: (at: number, value: number) => {
                if (of === port) port.writePhysical(at, value);
                else if (expected.has(at)) expected.write(at, 4, value >>> 0);
              },
            });
            const wanted = translate(words(oracle), system, linear, access, true, newTranslation());
            for (let tries = 0; ; tries++) {
              expect(tries).toBeLessThan(4);
              const found = translate(words(port), real(), linear, access, true, newTranslation());
              if (found.physical >= 0) {
                const extent = extents.find(
                  ({ host, bytes }) => found.physical >= host && found.physical < host + bytes,
                )!;
                expect(found.physical - extent.host + extent.guest).toBe(wanted.physical);
                expect(access.write && extent.readOnly).toBe(false);
                break;
              }
              const answer = shadow.fault(linear, found.errorCode | (fetch ? 16 : 0), false);
              seen[answer.kind]!++;
              if (answer.kind === "reflected")
                expect([answer.errorCode, -1]).toEqual([wanted.errorCode, wanted.physical]);
              if (answer.kind === "device") expect(answer.physical).toBe(wanted.physical);
              if (answer.kind === "traced") {
                const at = wanted.physical - (wanted.physical % 4);
                const value = wordsOf(mode, store?.entry ?? tables[0]![0]!)[0];
                memory.write(at, 4, value);
                expected.write(at, 4, value);
                shadow.wrote([Math.floor(at / PAGE)]);
              }
              if (answer.kind !== "hidden") break;
            }
            if (store !== null) {
              put(store.frame, store.place, wordsOf(mode, store.entry));
              shadow.wrote([store.frame]);
            }
            // Of a copy nothing is remembered.
            kept = number % 4 === 3 ? { ...shadow.state } : shadow.state;
          }
          for (let at = 0; at < FRAMES * PAGE; at += 4) {
            const now = memory.read(at, 4);
            if (now !== expected.read(at, 4)) expect([at, now]).toEqual([at, expected.read(at, 4)]);
          }
        },
      ),
      { numRuns: 50, seed: 6 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(15);
  });
});
