import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ABSENT, PersistentMap } from "./persistent-map.js";

const MAX_KEY = 2 ** 30 - 1;
/** Keys that meet in one node, in neighbours, and at all depths. */
const key = fc.oneof(
  fc.nat(70),
  fc.nat(5000),
  fc.nat(MAX_KEY),
  fc.constantFrom(0, 31, 32, 1023, 1024, 32767, 32768, 2 ** 20, 2 ** 25 - 1, 2 ** 25, MAX_KEY),
);
const value = fc.option(fc.nat(3), { nil: undefined, freq: 3 });
const edits = fc.array(fc.tuple(key, value), { maxLength: 60 });

type Edits = [number, number | undefined][];

function applied(list: Edits): { map: PersistentMap<number>; model: Map<number, number> } {
  let map = PersistentMap.empty<number>();
  const model = new Map<number, number>();
  for (const [at, to] of list) {
    map = map.set(at, to);
    if (to === undefined) model.delete(at);
    else model.set(at, to);
  }
  return { map, model };
}

const sorted = (model: Map<number, number>): [number, number][] => [...model].sort(([a], [b]) => a - b);

/** The fold of content: text that shows the shape; 0 counts as absent. */
function fold(
  map: PersistentMap<number>,
  seen: WeakMap<object, { text: string } | typeof ABSENT> = new WeakMap(),
): string {
  const root = map.fold<{ text: string }>(
    (leaf) => (leaf === 0 ? undefined : { text: String(leaf) }),
    (children, height) => ({ text: `${height}(${children.map((child) => child?.text ?? "").join()})` }),
    seen,
  );
  return root?.text ?? "empty";
}

const parameters = { seed: 1 };

describe("PersistentMap", () => {
  it("holds what a Map holds after the same edits, in ascending order of keys", () => {
    fc.assert(
      fc.property(edits, fc.array(key, { maxLength: 10 }), (list, others) => {
        const { map, model } = applied(list);
        expect([...map.entries()]).toEqual(sorted(model));
        for (const at of [...others, ...list.map(([edited]) => edited)]) expect(map.get(at)).toBe(model.get(at));
      }),
      { ...parameters, numRuns: 300 },
    );
  });

  it("never changes an earlier version", () => {
    fc.assert(
      fc.property(edits, edits, (first, second) => {
        const { map, model } = applied(first);
        const before = JSON.stringify([...map.entries()]);
        let later = map;
        for (const [at, to] of second) later = later.set(at, to);
        later.setAll([1, 2, 3], [9, 9, 9]);
        expect(JSON.stringify([...map.entries()])).toBe(before);
        expect([...map.entries()]).toEqual(sorted(model));
      }),
      parameters,
    );
  });

  it("sets many keys at once as it sets them one by one", () => {
    fc.assert(
      fc.property(
        edits,
        fc.uniqueArray(fc.tuple(key, value), { selector: ([at]) => at, maxLength: 40 }),
        (first, many) => {
          const { map } = applied(first);
          const ascending = many.sort(([a], [b]) => a - b);
          let expected = map;
          for (const [at, to] of ascending) expected = expected.set(at, to);
          const actual = map.setAll(
            ascending.map(([at]) => at),
            ascending.map(([, to]) => to),
          );
          expect([...actual.entries()]).toEqual([...expected.entries()]);
          expect(fold(actual)).toBe(fold(expected));
        },
      ),
      parameters,
    );
  });

  it("is the same object when nothing changes", () => {
    const map = PersistentMap.empty<number>().set(40, 1);
    expect(map.set(40, 1)).toBe(map);
    expect(map.set(41, undefined)).toBe(map);
    expect(map.setAll([], [])).toBe(map);
  });

  it("refuses keys that are no keys, and unordered ones, and stays as it was", () => {
    const map = PersistentMap.empty<number>().set(1, 1);
    for (const bad of [-1, 1.5, Number.NaN, MAX_KEY + 1, 2 ** 32]) expect(() => map.set(bad, 1)).toThrow(RangeError);
    expect(() => map.setAll([2, 2], [1, 1])).toThrow(RangeError);
    expect(() => map.setAll([3, 2], [1, 1])).toThrow(RangeError);
    expect([...map.entries()]).toEqual([[1, 1]]);
    expect(map.get(MAX_KEY)).toBeUndefined();
  });

  it("compares two maps as their contents compare, in ascending order", () => {
    fc.assert(
      fc.property(edits, edits, (first, second) => {
        const a = applied(first);
        const b = applied(second);
        const found: [number, number | undefined, number | undefined][] = [];
        PersistentMap.compare(a.map, b.map, (at, inA, inB) => found.push([at, inA, inB]));
        const keys = [...new Set([...a.model.keys(), ...b.model.keys()])].sort((x, y) => x - y);
        const differing = keys.filter((at) => a.model.get(at) !== b.model.get(at));
        expect(found).toEqual(differing.map((at) => [at, a.model.get(at), b.model.get(at)]));
      }),
      { ...parameters, numRuns: 300 },
    );
  });

  it("shares what an edit leaves alone: folding the next version visits only the way to the key", () => {
    let map = PersistentMap.empty<number>();
    for (let at = 0; at < 4096; at++) map = map.set(at, 1);
    const seen = new WeakMap<object, { text: string } | typeof ABSENT>();
    fold(map, seen);
    let nodes = 0;
    map.set(2000, 2).fold<{ text: string }>(
      () => ({ text: "" }),
      () => {
        nodes++;
        return { text: "" };
      },
      seen,
    );
    expect(nodes).toBe(3);
  });

  it("folds equal contents alike, whatever their history; a value that counts as absent is absent", () => {
    fc.assert(
      fc.property(edits, fc.infiniteStream(fc.nat()), (list, stream) => {
        const { map, model } = applied(list);
        const present = sorted(model).filter(([, held]) => held !== 0);
        const order = present.map((entry) => ({ entry, rank: stream.next().value as number }));
        order.sort((a, b) => a.rank - b.rank);
        let other = PersistentMap.empty<number>();
        for (const { entry } of order) other = other.set(entry[0], entry[1]);
        expect(fold(other)).toBe(fold(map));
        expect(fold(map.set(MAX_KEY, 1).set(MAX_KEY, undefined))).toBe(
          fold(model.has(MAX_KEY) ? map.set(MAX_KEY, undefined) : map),
        );
      }),
      { ...parameters, numRuns: 300 },
    );
  });

  it("folds different contents differently", () => {
    fc.assert(
      fc.property(edits, edits, (first, second) => {
        const visible = (list: Edits): string =>
          JSON.stringify(sorted(applied(list).model).filter(([, held]) => held !== 0));
        expect(fold(applied(first).map) === fold(applied(second).map)).toBe(visible(first) === visible(second));
      }),
      parameters,
    );
  });
});
