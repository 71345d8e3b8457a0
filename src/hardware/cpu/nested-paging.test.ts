// Nested translation in one and in two dimensions, against walks written a second time from the manuals' tables.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EPT, eptFeatures, eptLevels } from "./ept-levels.js";
import { VmExit } from "./guest-operation.js";
import { naiveEpt } from "./naive-ept.test-helper.js";
import { naivePaging } from "./naive-paging.test-helper.js";
import {
  access,
  address,
  END_OF_NESTED_TABLES,
  extendedHost,
  type Guest,
  guest,
  type Host,
  ordinaryHost,
  wordsOf,
} from "./nested-arbitraries.test-helper.js";
import { NestedMemory } from "./nested-memory.js";
import { extendedPaging, newNestedTranslation, translateNested, walksWrite } from "./nested-paging.js";
import { type NestedWalk, walkNested } from "./nested-walk.js";
import { type Access, newTranslation } from "./paging.js";
import { TableMemory } from "./paging.test-helper.js";
import { pagingFeatures } from "./paging-levels.js";
import { CR4, EFER } from "./state.js";

const anyHost = fc.oneof(extendedHost, ordinaryHost);
const wordOf =
  (words: Int32Array) =>
  (at: bigint): bigint =>
    at < BigInt(4 * words.length) ? BigInt(words[Number(at) / 4]! >>> 0) : 0xffffffffn;
const lettersOf = (rights: number): string => [..."rwx"].filter((_, bit) => (rights & (1 << bit)) !== 0).join("");
const letterOf = ({ write, fetch }: { write: boolean; fetch: boolean }): "r" | "w" | "x" =>
  write ? "w" : fetch ? "x" : "r";
const different = (written: readonly (readonly [number, number])[]): readonly string[] => [
  ...new Set(written.map(([at, value]) => `${at}: ${value}`)),
];

/** Counts what a property has met: one that never meets its cases says nothing. */
function counter() {
  const seen = new Map<string, number>();
  return {
    count: (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1),
    expectAll: (least: number, ...names: string[]): void => {
      for (const name of names) expect(seen.get(name) ?? 0, name).toBeGreaterThanOrEqual(least);
    },
  };
}

/** What nested translation comes to, written plainly. */
interface Naive {
  readonly physical?: bigint;
  readonly rights?: string;
  readonly misconfigured?: boolean;
  readonly errorCode?: number;
  readonly written: readonly [number, number][];
}

function naiveNested(
  words: Int32Array,
  host: Host,
  guestPhysical: bigint,
  how: { write: boolean; fetch: boolean },
): Naive {
  if (host.name === "ept") return naiveEpt(wordOf(words), host.pointer, eptFeatures.max, guestPhysical, letterOf(how));
  const fetchCode = how.fetch && (host.state.efer & EFER.NXE) !== 0 && (host.state.cr4 & CR4.PAE) !== 0 ? 16 : 0;
  if (host.name !== "long" && guestPhysical >= 2n ** 32n) {
    return { rights: "", errorCode: 4 | (how.write ? 2 : 0) | fetchCode, written: [] };
  }
  const user: Access = { ...how, user: true, ac: false };
  const found = naivePaging(wordOf(words), host.state, pagingFeatures.phenom, Number(guestPhysical), user, true);
  const { physical, errorCode, rights = "", written } = found;
  if (physical !== undefined) return { physical, written };
  expect((errorCode! & 16) !== 0).toBe(fetchCode !== 0);
  return { errorCode: errorCode!, rights, misconfigured: (errorCode! & 8) !== 0, written };
}

describe("nested translation", () => {
  it("gives the address, the refusal and the flags to set that the manuals' tables give", () => {
    const met = counter();
    fc.assert(
      fc.property(anyHost, address, access, (host, guestPhysical, how) => {
        const words = wordsOf(host);
        const expected = naiveNested(words, host, BigInt(guestPhysical), how);
        const memory = new TableMemory(words.slice());
        const out = translateNested(memory, host.nested, guestPhysical, how, true, newNestedTranslation());
        expect(different(memory.written)).toEqual(different(expected.written));
        if (expected.physical !== undefined) {
          expect(out.physical).toBe(Number(expected.physical));
          met.count(`${host.name} ${letterOf(how)}`);
          if (expected.written.length > 2) met.count(`${host.name} flags`);
          return;
        }
        expect(out.physical).toBe(-1);
        expect(out.misconfigured).toBe(expected.misconfigured ?? false);
        expect(out.errorCode).toBe(expected.errorCode ?? 0);
        if (!out.misconfigured) expect(lettersOf(out.rights)).toBe(expected.rights);
        const why = out.misconfigured ? "misconfigured" : out.rights === 0 ? "nothing" : "rights";
        met.count(`${host.name} ${why} ${letterOf(how)}`);
      }),
      { seed: 21, numRuns: 3000 },
    );
    const hosts = ["ept", "plain", "pse", "pae", "long"];
    met.expectAll(20, ...hosts.flatMap((name) => ["r", "w", "x"].map((letter) => `${name} ${letter}`)));
    met.expectAll(10, ...["r", "w", "x"].flatMap((letter) => [`ept misconfigured ${letter}`, `ept nothing ${letter}`]));
    met.expectAll(
      5,
      "ept rights w",
      "ept rights x",
      "long rights w",
      "long rights x",
      "pae rights w",
      "plain rights w",
    );
    met.expectAll(3, "ept rights r", "ept flags", "long flags", "long misconfigured r", "pae misconfigured r");
  });

  it("by EPT follows the processor's features: 1-GiB pages, fetches alone, the physical-address width", () => {
    const met = counter();
    const features = fc.record({
      physicalBits: fc.constantFrom(32, 36, 46, 52),
      gigabytePages: fc.boolean(),
      executeOnly: fc.boolean(),
    });
    fc.assert(
      fc.property(extendedHost, features, address, access, (host, has, guestPhysical, how) => {
        const words = wordsOf(host);
        const expected = naiveEpt(wordOf(words), host.pointer, has, BigInt(guestPhysical), letterOf(how));
        const nested = extendedPaging("max", host.pointer, has, eptLevels(has));
        const out = translateNested(new TableMemory(words), nested, guestPhysical, how, false, newNestedTranslation());
        expect(out.physical).toBe(Number(expected.physical ?? -1n));
        expect(out.physical < 0 && out.misconfigured).toBe(expected.misconfigured ?? false);
        met.count(expected.physical !== undefined ? "found" : expected.misconfigured ? "misconfigured" : "violation");
      }),
      { seed: 22, numRuns: 1000 },
    );
    met.expectAll(50, "found", "misconfigured", "violation");
  });

  it("reads nested tables with level 0, and sets no flags unless it is told to", () => {
    fc.assert(
      fc.property(anyHost, address, access, (host, guestPhysical, how) => {
        const levels = new Set<number>();
        const tables = new TableMemory(wordsOf(host));
        const memory = {
          read32: (physical: number, level: number) => {
            levels.add(level);
            return tables.read32(physical);
          },
          write32: (physical: number, value: number) => tables.write32(physical, value),
        };
        translateNested(memory, host.nested, guestPhysical, how, false, newNestedTranslation());
        expect([...levels].every((level) => level === 0)).toBe(true);
        expect(tables.written).toEqual([]);
      }),
      { seed: 23, numRuns: 500 },
    );
  });
});

/** A refusal by nested translation on the way. */
class Exit {
  constructor(
    readonly guestPhysical: bigint,
    readonly ofWalk: boolean,
    readonly how: { write: boolean; fetch: boolean },
    readonly found: Naive,
  ) {}
}

type Outcome = { physical: bigint } | { errorCode: number } | { exit: Exit };

/** The walk in two dimensions, without flags. */
function naiveTwice(words: Int32Array, host: Host, { state }: Guest, linear: number, how: Access): Outcome {
  const locate = (at: bigint, ofWalk: boolean, one: { write: boolean; fetch: boolean }): bigint => {
    const found = naiveNested(words, host, at, one);
    if (found.physical === undefined) throw new Exit(at, ofWalk, one, found);
    return found.physical;
  };
  const walking = { write: walksWrite(host.nested), fetch: false };
  const word = (at: bigint): bigint => {
    const physical = locate(at, true, walking);
    // Tables of the guest's are looked for below 4 GiB.
    return at < 2n ** 32n ? wordOf(words)(physical) : 0xffffffffn;
  };
  try {
    const onDemand = host.name !== "ept";
    const off = (state.cr0 & (1 << 31)) === 0;
    const own = off
      ? { physical: BigInt(linear >>> 0) }
      : naivePaging(word, state, pagingFeatures.max, linear, how, onDemand);
    if (own.physical === undefined) return { errorCode: (own as { errorCode: number }).errorCode };
    return { physical: locate(own.physical, false, { write: how.write, fetch: how.fetch }) };
  } catch (error) {
    if (error instanceof Exit) return { exit: error };
    throw error;
  }
}

/** A guest's linear address: in 64-bit mode of both halves. */
function linearOf({ mode }: Guest, at: number): number {
  if (mode !== "long") return at >>> 0;
  return at % 4 === 3 ? -at : at;
}

type Attempt = { physical: number } | { errorCode: number } | { exit: VmExit };

function attempt(memory: NestedMemory, { state }: Guest, linear: number, how: Access, setFlags: boolean): Attempt {
  try {
    const { physical, errorCode } = memory.translate(state, linear, how, setFlags, newTranslation());
    return physical < 0 ? { errorCode } : { physical };
  } catch (error) {
    if (error instanceof VmExit) return { exit: error };
    throw error;
  }
}

const faultOf = ({ cause }: VmExit) => {
  if (cause.kind !== "nested-fault") throw new Error(`an exit for ${cause.kind}`);
  return cause.fault;
};

function expectSame(actual: Attempt, expected: Outcome, linear: number): void {
  if (!("exit" in expected)) {
    expect("physical" in actual ? { physical: BigInt(actual.physical) } : actual).toEqual(expected);
    return;
  }
  const { guestPhysical, ofWalk, how, found } = expected.exit;
  const fault = faultOf((actual as { exit: VmExit }).exit);
  expect(fault).toMatchObject({
    ...{ guestPhysical: Number(guestPhysical), ofWalk, linear, misconfigured: found.misconfigured ?? false },
    access: { write: how.write, fetch: how.fetch },
  });
  expect(fault.errorCode).toBe(found.errorCode);
  const { read, write, execute } = fault.rights;
  if (!fault.misconfigured) expect(`${read ? "r" : ""}${write ? "w" : ""}${execute ? "x" : ""}`).toBe(found.rights);
}

const isDeepEqual = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Where the entries of a walk lie. */
const places = ({ references }: NestedWalk): number[] =>
  references.map((one) => (one.dimension === "guest" ? one.hostAddress : one.entry.address));
/** Whether a guest finds its tables in the nested ones: then its flags change these. */
const isTangled = ({ references }: NestedWalk): boolean =>
  references.some((one) => one.dimension === "guest" && one.hostAddress < END_OF_NESTED_TABLES);

describe("a walk in two dimensions", () => {
  it("ends where two walks of the manuals' tables end: at an address, a page fault, or an exit", () => {
    const met = counter();
    fc.assert(
      fc.property(anyHost, guest, address, access, (host, of, at, how) => {
        const words = wordsOf(host, of);
        const linear = linearOf(of, at);
        const expected = naiveTwice(words, host, of, linear, how);
        const memory = new TableMemory(words);
        expectSame(attempt(new NestedMemory(memory, host.nested), of, linear, how, false), expected, linear);
        expect(memory.written).toEqual([]);
        // The value for people comes to the same.
        const { physical, fault, exit } = walkNested(memory, of.state, host.nested, linear, how);
        expect(physical).toBe("physical" in expected ? Number(expected.physical) : undefined);
        expect(fault?.errorCode).toBe("errorCode" in expected ? expected.errorCode : undefined);
        expect(exit?.guestPhysical).toBe("exit" in expected ? Number(expected.exit.guestPhysical) : undefined);
        const [end] = Object.keys(expected);
        met.count(`${host.name === "ept" ? "ept" : "npt"} ${of.mode} ${end}`);
        if ("exit" in expected) met.count(expected.exit.ofWalk ? "of a table" : "of the page");
      }),
      { seed: 31, numRuns: 3000 },
    );
    for (const kind of ["ept", "npt"]) {
      const paged = ["plain", "pse", "pae", "long"];
      met.expectAll(
        15,
        ...paged.flatMap((mode) => ["physical", "errorCode", "exit"].map((end) => `${kind} ${mode} ${end}`)),
      );
      met.expectAll(15, `${kind} off physical`, `${kind} off exit`);
    }
    met.expectAll(100, "of a table", "of the page");
  });

  it("remembers translations without another outcome, until it is flushed", () => {
    const met = counter();
    const asked = fc.array(fc.tuple(address, access), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(anyHost, guest, asked, (host, of, many) => {
        const memory = new TableMemory(wordsOf(host, of));
        const remembering = new NestedMemory(memory, host.nested);
        for (const [at, how] of many) {
          const linear = linearOf(of, at);
          if (isTangled(walkNested(memory, of.state, host.nested, linear, how))) return;
          // What is asked again of a fresh one sees the flags that were set before.
          const expected = attempt(new NestedMemory(memory, host.nested), of, linear, how, false);
          const actual = attempt(remembering, of, linear, how, true);
          if (!("exit" in actual)) expect(actual).toEqual(expected);
          else if (!("exit" in expected) || !isDeepEqual(faultOf(actual.exit), faultOf(expected.exit))) {
            // A flag of the guest's that may not be written is a refusal of its own.
            expect(faultOf(actual.exit)).toMatchObject({ ofWalk: true, access: { write: true } });
            met.count("a flag refused");
          }
          met.count(Object.keys(actual)[0]!);
        }
      }),
      { seed: 32, numRuns: 1500 },
    );
    met.expectAll(200, "physical", "exit", "errorCode");
    met.expectAll(10, "a flag refused");
  });

  it("sets accessed and dirty flags in all it has used, in both dimensions, and nothing else", () => {
    const met = counter();
    fc.assert(
      fc.property(anyHost, guest, address, access, (host, of, at, how) => {
        const words = wordsOf(host, of);
        const linear = linearOf(of, at);
        const before = words.slice();
        const memory = new TableMemory(words);
        if (isTangled(walkNested(memory, of.state, host.nested, linear, how))) return;
        if (!("physical" in attempt(new NestedMemory(memory, host.nested), of, linear, how, true))) return;
        const used = walkNested(memory, of.state, host.nested, linear, how);
        // A pointer-table entry that is another table's entry too may not have the flags of one.
        if (used.fault !== undefined) return;
        const read = new Set(places(used));
        const flags = host.nested.kind === "ept" ? 0x60 | EPT.A | EPT.D : 0x60;
        for (const [index, value] of words.entries()) {
          if (value === before[index]) continue;
          expect(read.has(4 * index), `word at ${4 * index}`).toBe(true);
          expect((value ^ before[index]!) & ~flags).toBe(0);
        }
        const hasFlags = host.nested.kind === "npt" || host.nested.accessedDirty;
        const { references } = used;
        const lastOfGuest = references.findLastIndex(({ dimension }) => dimension === "guest");
        for (const [index, { dimension, entry }] of references.entries()) {
          const isPointer = entry.bits[0] === 31 && entry.bits[1] === 30;
          if (isPointer || (dimension === "host" && !hasFlags)) continue;
          expect(entry.accessed).toBe(true);
          // Entries of the guest's are written; where the page is, as the access says.
          const isWritten = dimension === "host" && index < lastOfGuest ? true : how.write;
          if (entry.leaf && isWritten) expect(entry.dirty).toBe(true);
          met.count(dimension);
        }
      }),
      { seed: 33, numRuns: 1500 },
    );
    met.expectAll(300, "guest", "host");
  });

  it("of an EPT without flags reads the guest's entries, and writes them for the guest's flags alone", () => {
    const met = counter();
    fc.assert(
      fc.property(extendedHost, guest, address, access, (host, of, at, how) => {
        const linear = linearOf(of, at);
        const memory = new TableMemory(wordsOf(host, of));
        const actual = attempt(new NestedMemory(memory, host.nested), of, linear, how, true);
        if (!("exit" in actual)) return;
        const fault = faultOf(actual.exit);
        if (!fault.ofWalk || fault.misconfigured || !fault.rights.read || fault.rights.write) return;
        expect(fault.access.write).toBe(true);
        met.count(host.nested.kind === "ept" && host.nested.accessedDirty ? "entries" : "flags");
      }),
      { seed: 34, numRuns: 1500 },
    );
    met.expectAll(5, "entries", "flags");
  });
});
