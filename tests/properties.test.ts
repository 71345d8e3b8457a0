/**
 * What must hold of every machine, on real guests: it is a value, and the engine behind it is a cache that never shows.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diff } from "../src/hardware/diff.js";
import { Engine } from "../src/hardware/engine/engine.js";
import { Machine } from "../src/hardware/machine.js";
import { Timeline } from "../src/state/timeline.js";
import { bootState, describeState, FEW_SLOTS, type RunTo, runInPieces } from "./support/engine-states.js";
import { images } from "./support/guests.js";

const seed = 20261121;
const names = ["rings", "memory", "faults"] as const;
const imageOf = (name: string): Uint8Array => new Uint8Array(readFileSync(join(images, `${name}.elf`)));

const guests = names.map((name) => {
  const machine = Machine.boot({ image: imageOf(name), memory: "16M" });
  return { name, machine, length: machine.run().steps };
});
const echo = Machine.boot({ image: imageOf("echo"), memory: "16M" });

/** A guest somewhere on its way. */
const somewhere = fc
  .tuple(fc.constantFrom(...guests), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([{ machine, length }, part]) => machine.run({ maxInstructions: Math.floor(part * length) }));
const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3000 })), {
  minLength: 1,
  maxLength: 8,
});
const bytesOf = (machine: Machine): string => Buffer.from(machine.save()).toString("base64");

function stepBy(machine: Machine, count: number): Machine {
  let current = machine;
  for (let index = 0; index < count; index++) current = current.step();
  return current;
}

/** Runs exactly `count` steps in pieces, past stops that can be passed. */
function runBy(machine: Machine, count: number, lengths: readonly number[]): Machine {
  const end = machine.steps + count;
  let current = machine;
  for (let piece = 0; current.steps < end; piece++) {
    const limit = Math.min(lengths[piece % lengths.length]!, end - current.steps);
    const next = current.run({ maxInstructions: limit });
    if (next.steps === current.steps) return next;
    current = next;
  }
  return current;
}

/** Everything that can be seen of a machine, apart from why its run ended. */
function seen(machine: Machine): unknown {
  const { registers, hash, serial, counters, ticks, steps, cpl, halted, devices, cpu } = machine;
  return { registers, hash, serial, counters, ticks, steps, cpl, halted, devices, cpu };
}

describe("a run", () => {
  it("of n instructions is n steps", () => {
    fc.assert(
      fc.property(somewhere, fc.integer({ min: 0, max: 600 }), (machine, count) => {
        const run = machine.run({ maxInstructions: count });
        if (run.stop?.reason === "limit") expect(run.steps).toBe(machine.steps + count);
        expect(seen(stepBy(machine, run.steps - machine.steps))).toEqual(seen(run));
      }),
      { seed, numRuns: 60 },
    );
  });

  it("in pieces is one run", () => {
    fc.assert(
      fc.property(somewhere, fc.integer({ min: 1, max: 40_000 }), pieces, (machine, count, lengths) => {
        expect(seen(runBy(machine, count, lengths))).toEqual(seen(runBy(machine, count, [count])));
      }),
      { seed, numRuns: 60 },
    );
  });

  it("that is observed gives the machine of one that is not", () => {
    fc.assert(
      fc.property(somewhere, fc.integer({ min: 1, max: 500 }), (machine, count) => {
        const observe = ["exception", "interrupt", "port", "privilege", "instruction"] as const;
        const observed = machine.run({ maxInstructions: count, observe: [...observe] });
        expect(seen(observed)).toEqual(seen(machine.run({ maxInstructions: count })));
        const { counters } = machine;
        const of = (kind: string): number => observed.events.filter((event) => event.kind === kind).length;
        expect(of("interrupt")).toBe(observed.counters.interrupts - counters.interrupts);
        expect(of("exception")).toBe(observed.counters.exceptions - counters.exceptions);
        const ports = observed.counters.portReads + observed.counters.portWrites;
        expect(of("port")).toBe(ports - counters.portReads - counters.portWrites);
      }),
      { seed, numRuns: 30 },
    );
  });

  it("is the same whatever is typed, if it is typed at the same step", () => {
    const input = fc.string({ unit: fc.constantFrom("a", "Z", "\n", " ", "q"), minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30_000 }), input, pieces, (at, text, lengths) => {
        const ready = runBy(echo, at, [at + 1]);
        const whole = ready.type(text).run({ maxInstructions: 30_000 });
        const again = runBy(runBy(echo, ready.steps, lengths).type(text), whole.steps - ready.steps, lengths);
        expect(seen(again)).toEqual(seen(whole));
      }),
      { seed, numRuns: 30 },
    );
  });

  it("halts and wakes as single steps do", () => {
    const idle = echo.run();
    expect(idle.stop).toEqual({ reason: "halted", waitsForInput: true });
    expect(idle.step().hash).toBe(idle.hash);
    for (const text of ["x\n", "hello\n", "\n\n", "one\ntwo\nthree\n"]) {
      const answered = idle.type(text).run();
      expect(answered.stop).toEqual({ reason: "halted", waitsForInput: true });
      let stepped = idle.type(text);
      for (;;) {
        const next = stepped.step();
        if (next.steps === stepped.steps) break;
        stepped = next;
      }
      expect(seen(stepped)).toEqual(seen(answered));
    }
    expect(idle.type("hello there\nquit\n").run().stop?.reason).toBe("debug-exit");
  });
});

describe("the engine", () => {
  const endings = new Map<string, RunTo>();
  const states = names.map((name) => {
    const state = bootState(imageOf(name));
    endings.set(
      name,
      runInPieces(state, Number.POSITIVE_INFINITY, [Number.POSITIVE_INFINITY], () => new Engine()),
    );
    return { name, state };
  });
  const first = new Engine();
  const evicting = new Engine(FEW_SLOTS);
  const asText = ({ state, stop }: RunTo): string => `${stop} ${describeState(state)}`;

  it("does not show: sealed anywhere and opened in any other engine, a guest ends alike", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...states),
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 2, maxLength: 12 }),
        fc.array(fc.constantFrom(first, evicting), { minLength: 2, maxLength: 5 }),
        ({ name, state }, lengths, engines) => {
          // One engine in the row has never seen anything.
          const row = [...engines, new Engine()];
          const end = runInPieces(state, Number.POSITIVE_INFINITY, lengths, (piece) => row[piece % row.length]!);
          expect(asText(end)).toBe(asText(endings.get(name)!));
        },
      ),
      { seed, numRuns: 12 },
    );
  });

  it("delivers an interrupt at its tick, though it was sealed at that very tick and opened elsewhere", () => {
    const state = bootState(imageOf("rings"));
    first.open(state);
    const { events } = first.run({ limit: Number.POSITIVE_INFINITY, observe: new Set(["interrupt"]) });
    expect(events.length).toBeGreaterThan(5);
    const other = new Engine();
    for (const { tick } of events.slice(0, 8)) {
      // Up to the first interrupt a guest that does not halt has made as many steps as ticks have passed.
      let low = 0;
      let high = tick;
      const ticksAt = (steps: number): number => runInPieces(state, steps, [steps], () => first).state.ticks;
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        if (ticksAt(middle) < tick) low = middle + 1;
        else high = middle;
      }
      for (const around of [low - 1, low, low + 1]) {
        const sealed = runInPieces(state, around, [around], () => first).state;
        const here = runInPieces(sealed, 3, [3], () => first);
        expect(asText(runInPieces(sealed, 3, [3], () => other))).toBe(asText(here));
      }
    }
  });

  it("runs forks in any interleaving as each would run alone", () => {
    const turns = fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 4000 })), { minLength: 3, maxLength: 24 });
    fc.assert(
      fc.property(turns, fc.constantFrom(first, evicting), (list, engine) => {
        const forks = [states[0]!.state, states[1]!.state, states[2]!.state];
        const current = [...forks];
        for (const [which, length] of list) {
          current[which] = runInPieces(current[which]!, length, [length], () => engine).state;
        }
        const alone = new Engine();
        current.forEach((state, which) => {
          const fresh = runInPieces(forks[which]!, state.steps, [Number.POSITIVE_INFINITY], () => alone).state;
          expect(describeState(state)).toBe(describeState(fresh));
        });
      }),
      { seed, numRuns: 12 },
    );
  });
});

describe("forks of one machine", () => {
  it("go their ways in any interleaving: one typed at, one edited, one written to", () => {
    const turns = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 700 })), { minLength: 4, maxLength: 30 });
    const ways: readonly ((machine: Machine) => Machine)[] = [
      (machine) => machine,
      (machine) => machine.type("fork\n"),
      (machine) => machine.write(0x80000, Uint8Array.of(1, 2, 3)),
      (machine) =>
        machine.edit((draft) => {
          draft.registers.ebp = 0x1234;
        }),
    ];
    fc.assert(
      fc.property(somewhere, turns, (machine, list) => {
        const forks = ways.map((way) => way(machine));
        const current = [...forks];
        for (const [which, length] of list) current[which] = current[which]!.run({ maxInstructions: length });
        current.forEach((end, which) => {
          const fresh = runBy(Machine.load(forks[which]!.save()), end.steps - machine.steps, [Number.MAX_SAFE_INTEGER]);
          expect(fresh.hash).toBe(end.hash);
        });
      }),
      { seed, numRuns: 15 },
    );
  });
});

describe("a step", () => {
  it("undone is the identity: hash, saved bytes, every part, and what comes next", () => {
    fc.assert(
      fc.property(somewhere, fc.integer({ min: 1, max: 30 }), (machine, count) => {
        const before = { hash: machine.hash, bytes: bytesOf(machine), seen: structuredClone(seen(machine)) };
        const timeline = new Timeline(machine);
        const there = timeline.forward(count);
        const back = timeline.back(count);
        expect(bytesOf(back)).toBe(before.bytes);
        expect(diff(machine, back)).toEqual({ state: [], memory: [] });
        expect(diff(Machine.load(Buffer.from(before.bytes, "base64")), back)).toEqual({ state: [], memory: [] });
        expect(seen(machine)).toEqual(before.seen);
        expect(stepBy(back, there.steps - back.steps).hash).toBe(there.hash);
      }),
      { seed, numRuns: 40 },
    );
  });
});

describe("a saved machine", () => {
  it("is loaded with the same hash, and has the same future", () => {
    fc.assert(
      fc.property(somewhere, fc.integer({ min: 1, max: 3000 }), (machine, count) => {
        const loaded = Machine.load(machine.save());
        expect(seen(loaded)).toEqual(seen(machine));
        expect(bytesOf(loaded)).toBe(bytesOf(machine));
        expect(seen(loaded.run({ maxInstructions: count }))).toEqual(seen(machine.run({ maxInstructions: count })));
      }),
      { seed, numRuns: 30 },
    );
  });
});

/** Writes into and reshapes everything that can be reached from a value. */
function attack(value: unknown, met = new Set<unknown>()): void {
  if (typeof value !== "object" || value === null || met.has(value)) return;
  met.add(value);
  if (ArrayBuffer.isView(value)) {
    new Uint8Array(value.buffer).fill(0xa5);
    return;
  }
  for (const key of Reflect.ownKeys(value)) {
    const part: unknown = Reflect.get(value, key);
    attack(part, met);
    Reflect.set(value, key, typeof part === "number" ? part + 1 : "attacked");
    Reflect.deleteProperty(value, key);
  }
  Reflect.set(value, "added", 1);
  if (Array.isArray(value)) {
    const list: unknown[] = value;
    for (const change of [() => list.push(1), () => list.reverse(), () => list.splice(0)]) {
      try {
        change();
      } catch {
        // Frozen, as it should be.
      }
    }
  }
}

/** Everything the public surface of a machine gives out. */
function surface(machine: Machine): unknown[] {
  const getters = Object.entries(Object.getOwnPropertyDescriptors(Machine.prototype)).filter(([, { get }]) => get);
  return [
    ...getters.map(([name]) => Reflect.get(machine, name) as unknown),
    machine.memory.read(0, 0x200000),
    machine.readLinear(0x100000, 0x2000),
    machine.walk(0x100000),
    machine.walk(0xfffff000, { write: true, user: true }),
    machine.save(),
    diff(machine, machine.step()),
    diff(machine.run({ maxInstructions: 500 }), machine),
  ];
}

describe("an old value", () => {
  it("never changes, whatever is done to it and to what it gives out", () => {
    fc.assert(
      fc.property(somewhere, fc.integer({ min: 1, max: 200 }), (start, count) => {
        const observe = ["exception", "interrupt", "port", "privilege", "instruction"] as const;
        const image = imageOf("rings");
        const values = [
          start.run({ maxInstructions: count, observe: [...observe] }),
          start.type("abc").step(),
          Machine.load(start.save()),
          Machine.boot({ image, memory: "4M", modules: [{ data: Uint8Array.of(1, 2, 3), text: "m" }] }),
        ];
        const before = values.map((machine) => ({
          bytes: bytesOf(machine),
          seen: structuredClone(seen(machine)),
          stop: structuredClone(machine.stop),
          events: structuredClone(machine.events),
        }));
        const futures = values.map((machine) => machine.run({ maxInstructions: 300 }).hash);
        for (const machine of values) attack(surface(machine));
        for (const future of values.map((machine) => machine.run({ maxInstructions: 100 }))) attack(surface(future));
        image.fill(0);
        values.forEach((machine, index) => {
          expect(seen(machine)).toEqual(before[index]!.seen);
          expect(machine.stop).toEqual(before[index]!.stop);
          expect(machine.events).toEqual(before[index]!.events);
          expect(bytesOf(machine)).toBe(before[index]!.bytes);
          expect(Machine.load(machine.save()).hash).toBe(machine.hash);
          expect(machine.run({ maxInstructions: 300 }).hash).toBe(futures[index]);
        });
      }),
      { seed, numRuns: 12 },
    );
  });

  it("does not change through the draft of an edit that was kept", () => {
    const machine = echo.run({ maxInstructions: 1000 });
    const { hash } = machine;
    const kept: { draft?: Record<string, Record<string, unknown>> } = {};
    const edited = machine.edit((draft) => {
      kept.draft = draft as unknown as Record<string, Record<string, unknown>>;
    });
    expect(() => Reflect.set(kept.draft!["registers"]!, "eax", 1)).toThrow();
    expect([machine.hash, edited.hash, bytesOf(edited)]).toEqual([hash, hash, bytesOf(machine)]);
  });
});
