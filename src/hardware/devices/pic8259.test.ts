import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  acknowledgeLevel,
  PIC_OFFSET,
  type Pic8259State,
  pic8259,
  requestedLevel,
  setInput,
  vectorOf,
} from "./pic8259.js";

const { command, data, edgeLevelControl } = PIC_OFFSET;

function written(state: Pic8259State, ...writes: readonly (readonly [number, number])[]): Pic8259State {
  return writes.reduce((next, [offset, value]) => pic8259.write(next, offset, 1, value, 0), state);
}

/** A chip with vectors from 0x20, nothing masked. `icw4` has bit 0 for the 8086 mode. */
function initialized(icw4 = 0x01, icw1 = 0x11): Pic8259State {
  return written(pic8259.reset(), [command, icw1], [data, 0x20], [data, 0x04], [data, icw4]);
}

function raised(state: Pic8259State, ...levels: readonly number[]): Pic8259State {
  return levels.reduce((next, level) => setInput(next, level, true), state);
}

const taken = (state: Pic8259State): Pic8259State => acknowledgeLevel(state).state;
const read = (state: Pic8259State, offset: number): number => pic8259.read(state, offset, 1, 0).value;

/** The datasheet's words with lists: levels in order of priority, each a record. */
class NaivePic {
  order = [0, 1, 2, 3, 4, 5, 6, 7];
  cells = Array.from({ length: 8 }, () => ({ input: false, latch: false, served: false, masked: false }));
  special = false;
  automatic: boolean;
  rotates = false;

  constructor(automatic: boolean) {
    this.automatic = automatic;
  }

  input(level: number, high: boolean): void {
    const cell = this.cells[level]!;
    if (high && !cell.input) cell.latch = true;
    cell.input = high;
  }

  requested(): number {
    for (const level of this.order) {
      const cell = this.cells[level]!;
      if (cell.input && cell.latch && !cell.masked && !cell.served) return level;
      if (cell.served && !(this.special && cell.masked)) return -1;
    }
    return -1;
  }

  lowest(level: number): void {
    while (this.order[7] !== level) this.order.push(this.order.shift()!);
  }

  acknowledge(): number {
    const level = this.requested();
    if (level < 0) return 7;
    this.cells[level]!.latch = false;
    if (!this.automatic) this.cells[level]!.served = true;
    else if (this.rotates) this.lowest(level);
    return level;
  }

  end(level: number | undefined, rotate: boolean): void {
    const ended = level ?? this.order.find((l) => this.cells[l]!.served && !(this.special && this.cells[l]!.masked));
    if (ended === undefined) return;
    this.cells[ended]!.served = false;
    if (rotate) this.lowest(ended);
  }

  bits(of: (cell: NaivePic["cells"][number]) => boolean): number {
    return this.cells.reduce((sum, cell, level) => sum | (of(cell) ? 1 << level : 0), 0);
  }
}

describe("the 8259A", () => {
  it("requests, serves and forgets as the datasheet's words do, whatever happens to it", () => {
    const level = fc.integer({ min: 0, max: 7 });
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("input" as const), level, high: fc.boolean() }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("acknowledge" as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("mask" as const), mask: fc.integer({ min: 0, max: 255 }) }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("ocw2" as const), high3: level, level }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("special" as const), on: fc.boolean() }) },
    );
    fc.assert(
      fc.property(fc.boolean(), fc.array(step, { maxLength: 80 }), (automatic, steps) => {
        let state = initialized(automatic ? 0x03 : 0x01);
        const naive = new NaivePic(automatic);
        for (const s of steps) {
          if (s.kind === "input") {
            state = setInput(state, s.level, s.high);
            naive.input(s.level, s.high);
          } else if (s.kind === "acknowledge") {
            const answer = acknowledgeLevel(state);
            state = answer.state;
            expect(answer.level).toBe(naive.acknowledge());
          } else if (s.kind === "mask") {
            state = written(state, [data, s.mask]);
            naive.cells.forEach((cell, index) => {
              cell.masked = ((s.mask >> index) & 1) !== 0;
            });
          } else if (s.kind === "special") {
            state = written(state, [command, s.on ? 0x68 : 0x48]);
            naive.special = s.on;
          } else {
            state = written(state, [command, (s.high3 << 5) | s.level]);
            const rotate = (s.high3 & 4) !== 0;
            if ((s.high3 & 1) !== 0) naive.end((s.high3 & 2) !== 0 ? s.level : undefined, rotate);
            else if ((s.high3 & 2) === 0) naive.rotates = rotate;
            else if (rotate) naive.lowest(s.level);
          }
          expect(requestedLevel(state)).toBe(naive.requested());
          expect(state.IRR).toBe(naive.bits((cell) => cell.input && cell.latch));
          expect(state.ISR).toBe(naive.bits((cell) => cell.served));
        }
      }),
      { seed: 8259, numRuns: 1000 },
    );
  });

  it("requests nothing after reset until it is initialized", () => {
    expect(requestedLevel(raised(pic8259.reset(), 0))).toBe(-1);
    expect(requestedLevel(raised(written(pic8259.reset(), [command, 0x11], [data, 0x20]), 0))).toBe(-1);
  });

  it("forgets the edges and the mask of the time before ICW1", () => {
    const again = written(
      raised(written(initialized(), [data, 0xff]), 1),
      [command, 0x11],
      [data, 0x20],
      [data, 4],
      [data, 1],
    );
    expect(read(again, data)).toBe(0);
    expect(requestedLevel(again)).toBe(-1);
    expect(requestedLevel(raised(setInput(again, 1, false), 1))).toBe(1);
  });

  it("takes ICW1 to ICW4 as ICW1 says, and OCW1 after them", () => {
    expect(written(pic8259.reset(), [command, 0x12], [data, 0x40], [data, 0x5a])).toMatchObject({
      ICW2: 0x40,
      IMR: 0x5a,
    });
    expect(written(pic8259.reset(), [command, 0x13], [data, 0x40], [data, 0x03], [data, 0x5a])).toMatchObject({
      ICW4: 0x03,
      IMR: 0x5a,
    });
    expect(written(pic8259.reset(), [command, 0x10], [data, 0x40], [data, 0x02], [data, 0x5a])).toMatchObject({
      ICW3: 0x02,
      IMR: 0x5a,
    });
  });

  it("makes vectors of the upper five bits of ICW2", () => {
    expect(vectorOf(written(pic8259.reset(), [command, 0x12], [data, 0x2f]), 3)).toBe(0x2b);
  });

  it("asks once for an input that stays high with edge sense, and again and again with level sense", () => {
    const edge = written(taken(raised(initialized(), 5)), [command, 0x20]);
    expect(requestedLevel(edge)).toBe(-1);
    const level = written(taken(raised(written(initialized(), [edgeLevelControl, 0x20]), 5)), [command, 0x20]);
    expect(requestedLevel(level)).toBe(5);
    expect(requestedLevel(setInput(level, 5, false))).toBe(-1);
  });

  it("takes all inputs for level sensitive when ICW1 says so", () => {
    const level = written(taken(raised(initialized(0x01, 0x19), 6)), [command, 0x20]);
    expect(requestedLevel(level)).toBe(6);
  });

  it("forgets a request whose input falls before it is acknowledged", () => {
    const state = setInput(raised(initialized(), 4), 4, false);
    expect(requestedLevel(state)).toBe(-1);
    expect(acknowledgeLevel(state)).toEqual({ state, level: 7, spurious: true });
  });

  it("puts nothing in service for a spurious acknowledgement", () => {
    expect(taken(initialized()).ISR).toBe(0);
  });

  it("reads IRR or ISR at its command port as OCW3 last chose", () => {
    const state = raised(taken(raised(initialized(), 3)), 1);
    expect(read(state, command)).toBe(0x02);
    expect(read(written(state, [command, 0x0b]), command)).toBe(0x08);
    expect(read(written(state, [command, 0x0b], [command, 0x08]), command)).toBe(0x08);
    expect(read(written(state, [command, 0x0b], [command, 0x0a]), command)).toBe(0x02);
  });

  it("acknowledges the request it shows to a poll, once", () => {
    const polled = pic8259.read(written(raised(initialized(), 6), [command, 0x0c]), command, 1, 0);
    expect(polled.value).toBe(0x86);
    expect(polled.state.ISR).toBe(0x40);
    expect(read(polled.state, command)).toBe(0);
    expect(read(written(polled.state, [command, 0x0c]), command)).toBe(0);
  });

  it("lets lower levels through in special mask mode while the served one is masked", () => {
    const served = raised(taken(raised(initialized(), 2)), 5);
    expect(requestedLevel(served)).toBe(-1);
    expect(requestedLevel(written(served, [data, 0x04], [command, 0x68]))).toBe(5);
  });

  it("lets its served slave through again in special fully nested mode only", () => {
    for (const [icw4, expected] of [
      [0x01, -1],
      [0x11, 2],
    ] as const) {
      const served = taken(raised(initialized(icw4), 2));
      expect(requestedLevel(raised(setInput(served, 2, false), 2))).toBe(expected);
    }
  });

  it("makes a named level the lowest by a set priority command", () => {
    expect(requestedLevel(written(raised(initialized(), 0, 6), [command, 0xc5]))).toBe(6);
  });
});
