/** What holds of machines with several processors: the same properties that hold of those with one. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bootState } from "../src/hardware/boot/start.js";
import { checkTurn } from "../src/hardware/check-turn.js";
import { Engine } from "../src/hardware/engine/engine.js";
import { Machine } from "../src/hardware/machine.js";
import { type MachineState, TURN_STEPS, type Turn } from "../src/hardware/state.js";
import { apicGuest, bootGuest, end } from "./support/apic-guest.js";
import { describeState, FEW_SLOTS, runInPieces } from "./support/engine-states.js";
import { severalGuests } from "./support/several-cells.js";

const seed = 20261121;
const states = severalGuests.map(({ name, image }) => ({
  name,
  state: bootState({ image, machine: "pc", memory: "16M", processors: 2 }),
}));
const guest = fc.constantFrom(...states);
const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3000 })), {
  minLength: 1,
  maxLength: 8,
});
/** One of few page slots, and one that nothing is known to. */
const small = new Engine(FEW_SLOTS);
const large = new Engine();

function runBy(state: MachineState, steps: number, lengths: readonly number[], engines: readonly Engine[]): string {
  const { state: after, stop } = runInPieces(state, steps, lengths, (piece) => engines[piece % engines.length]!);
  return `${stop}\n${describeState(after)}`;
}

describe("two processors", () => {
  it("run in pieces, sealed anywhere and opened in any engine, as in one run", () => {
    fc.assert(
      fc.property(guest, fc.integer({ min: 1, max: 40_000 }), pieces, ({ state }, steps, lengths) => {
        expect(runBy(state, steps, lengths, [large, small])).toBe(runBy(state, steps, [steps], [large]));
      }),
      { seed, numRuns: 12 },
    );
  });

  it("run as single steps do", () => {
    fc.assert(
      fc.property(guest, fc.integer({ min: 8000, max: 12_000 }), ({ state }, begin) => {
        large.open(state);
        large.run({ limit: begin });
        const from = large.seal();
        expect(runBy(from, 1500, [1], [large])).toBe(runBy(from, 1500, [1500], [large]));
      }),
      { seed, numRuns: 12 },
    );
  });

  it("are saved and loaded with whose turn it is, and refused with a turn that cannot be", () => {
    const image = severalGuests[1]!.image;
    const machine = bootGuest(image, { processors: 2 }).run({ maxInstructions: 12_345 });
    const loaded = Machine.load(machine.save());
    expect(loaded.hash).toBe(machine.hash);
    expect(loaded.run().hash).toBe(machine.run().hash);
    const { state } = states[0]!;
    const { turn } = state;
    const others: readonly [Partial<Turn>, string][] = [
      [{ processor: 2 }, "turn: processor 2 of 2 with 256 steps left is none of this machine"],
      [{ left: 0 }, "turn: processor 0 of 2 with 0 steps left is none of this machine"],
      [{ others: [] }, "turn.others.0 is missing or of the wrong type"],
    ];
    for (const [change, message] of others)
      expect(() => checkTurn({ ...state, turn: { ...turn!, ...change } })).toThrow(message);
    expect(() => checkTurn({ ...state, turn: undefined })).toThrow("turn is missing or of the wrong type");
  });

  it("take turns of 256 steps", () => {
    const spin = apicGuest({
      main: `mov dword [0xfee00310], 0x1000000\nmov dword [0xfee00300], 0x4500\nmov dword [0xfee00300], 0x4608\n.spin: jmp .spin\n${end}`,
      more: "ap_main: jmp ap_main\n",
    });
    let machine = bootGuest(spin, { processors: 2 }).run({ maxInstructions: 20_000 });
    const turns: number[] = [];
    let last = machine.turn!.processor;
    for (let step = 0; step < 2000; step++) {
      machine = machine.step();
      const { processor } = machine.turn!;
      if (processor !== last) turns.push(machine.steps);
      last = processor;
    }
    expect(turns.length).toBeGreaterThan(5);
    expect(new Set(turns.slice(1).map((at, index) => at - turns[index]!))).toEqual(new Set([TURN_STEPS]));
  });
});

describe("a machine with one processor", () => {
  it("knows nothing of turns", () => {
    const machine = bootGuest(apicGuest({ main: end })).run();
    expect(machine.turn).toBeUndefined();
    expect(Machine.create().devices.apic).toBeUndefined();
    expect(() => Machine.create({ processors: 2 })).toThrow('machine "isapc" has 1 processor, not 2');
    expect(() => Machine.create({ machine: "pc", processors: 9 })).toThrow('machine "pc" has 1 to 8 processors, not 9');
  });
});
