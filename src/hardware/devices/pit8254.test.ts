import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PIT_OFFSET, type Pit8254State, pit8254, speakerLevel, TICKS_PER_PIT_CLOCK } from "./pit8254.js";

const SEED = 8254;

/** One counter of the datasheet, clocked one pulse at a time. */
class NaiveCounter {
  access = 3;
  mode = 3;
  bcd = false;
  control = 0x36;
  register = 0;
  lowByte = -1;
  element = 0;
  out = true;
  nullCount = true;
  loadNext = false;
  loaded = false;
  active = false;
  half = 0;
  period = 0;
  strobing = false;
  readsHigh = false;
  latched = -1;
  status = -1;

  constructor(public gate: boolean) {}

  get modulus(): number {
    return this.bcd ? 10_000 : 65_536;
  }

  writeControl(control: number): void {
    this.control = control;
    this.access = control >> 4;
    const code = (control >> 1) & 7;
    this.mode = code > 5 ? code - 4 : code;
    this.bcd = (control & 1) === 1;
    this.element %= this.modulus;
    this.register = 0;
    this.lowByte = -1;
    this.out = this.mode !== 0;
    this.nullCount = true;
    this.loadNext = false;
    this.loaded = false;
    this.active = false;
    this.strobing = false;
    this.readsHigh = false;
    this.latched = -1;
    this.status = -1;
  }

  writeCount(byte: number): void {
    let word: number;
    if (this.access === 1) word = byte;
    else if (this.access === 2) word = byte << 8;
    else if (this.lowByte < 0) {
      this.lowByte = byte;
      if (this.mode === 0) {
        this.out = false;
        this.active = false;
        this.loaded = false;
        this.loadNext = false;
      }
      return;
    } else {
      word = (byte << 8) | this.lowByte;
      this.lowByte = -1;
    }
    if (this.bcd) word = Number([12, 8, 4, 0].reduce((sum, shift) => sum * 10 + ((word >> shift) & 15), 0));
    word %= this.modulus;
    this.register = word === 0 ? this.modulus : word;
    this.nullCount = true;
    if (this.mode === 0) {
      this.out = false;
      this.active = false;
      this.loaded = false;
    }
    if (this.mode === 0 || this.mode === 4 || ((this.mode === 2 || this.mode === 3) && !this.loaded)) {
      this.loadNext = true;
    }
  }

  setGate(gate: boolean): void {
    if (gate === this.gate) return;
    this.gate = gate;
    const triggered = this.mode === 1 || this.mode === 2 || this.mode === 3 || this.mode === 5;
    if (gate && triggered && this.register !== 0) this.loadNext = true;
    if (!gate && (this.mode === 2 || this.mode === 3)) {
      this.out = true;
      this.active = false;
    }
  }

  load(): void {
    this.element = this.register;
    this.period = this.register;
    this.loadNext = false;
    this.loaded = true;
    this.nullCount = false;
    this.strobing = false;
    this.active = this.mode === 2 || this.mode === 3 ? this.gate : true;
    if (this.mode === 0 || this.mode === 1) this.out = false;
    else this.out = true;
    if (this.mode === 3) {
      this.element -= this.register & 1;
      this.half = Math.ceil(this.register / 2);
      this.out = true;
    }
  }

  clock(): void {
    if (this.strobing) {
      this.strobing = false;
      this.out = true;
    }
    const gated = this.mode === 1 || this.mode === 5 || this.gate;
    if (this.loadNext) this.load();
    else if (this.loaded && gated) this.count();
  }

  count(): void {
    if (this.mode === 2) this.clockRateGenerator();
    else if (this.mode === 3) this.clockSquareWave();
    else this.countDown();
  }

  countDown(): void {
    // The element wraps; a count of 65536 is held as 0 in 16 bits.
    this.element = (this.element - 1 + this.modulus) % this.modulus;
    if (this.element === 0 && this.active) {
      this.active = false;
      if (this.mode === 0 || this.mode === 1) this.out = true;
      else {
        this.out = false;
        this.strobing = true;
      }
    }
  }

  clockRateGenerator(): void {
    if (!this.active) return;
    this.element -= 1;
    if (this.element === 0) {
      this.element = this.register;
      this.nullCount = false;
      this.out = true;
    } else if (this.element === 1) this.out = false;
  }

  clockSquareWave(): void {
    if (!this.active) return;
    this.element -= 2;
    this.half -= 1;
    if (this.half > 0) return;
    this.out = !this.out;
    this.element = this.register - (this.register & 1);
    this.half = this.out ? Math.ceil(this.register / 2) : Math.floor(this.register / 2);
    this.nullCount = false;
  }

  visible(): number {
    const value = ((this.element % this.modulus) + this.modulus) % this.modulus;
    return this.bcd ? Number.parseInt(String(value), 16) : value;
  }

  latchCount(): void {
    if (this.latched < 0) this.latched = this.visible();
  }

  latchStatus(): void {
    if (this.status < 0) this.status = (this.out ? 0x80 : 0) | (this.nullCount ? 0x40 : 0) | this.control;
  }

  read(): number {
    if (this.status >= 0) {
      const status = this.status;
      this.status = -1;
      return status;
    }
    const word = this.latched >= 0 ? this.latched : this.visible();
    if (this.access !== 3) {
      this.latched = -1;
      return this.access === 1 ? word & 0xff : word >> 8;
    }
    this.readsHigh = !this.readsHigh;
    if (this.readsHigh) return word & 0xff;
    this.latched = -1;
    return word >> 8;
  }
}

type Operation =
  | { readonly kind: "control"; readonly access: number; readonly mode: number; readonly bcd: number }
  | { readonly kind: "count"; readonly byte: number }
  | { readonly kind: "gate"; readonly high: boolean }
  | { readonly kind: "latch" | "status" | "both" | "read" }
  | { readonly kind: "wait"; readonly clocks: number };

const smallByte = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 0xff }));
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("control" as const),
      access: fc.constantFrom(1, 1, 2, 3),
      mode: fc.integer({ min: 0, max: 7 }),
      bcd: fc.constantFrom(0, 0, 1),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("count" as const), byte: smallByte }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("gate" as const), high: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("latch" as const, "status" as const, "both" as const, "read" as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      clocks: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 700 })),
    }),
  },
);

/** A count of 1 in modes 2 and 3, which the datasheet forbids, is left out of the comparison. */
function isForbidden(counter: NaiveCounter): boolean {
  return (counter.mode === 2 || counter.mode === 3) && counter.register === 1;
}

const ticks = (clocks: number): number => clocks * TICKS_PER_PIT_CLOCK;
const write = (state: Pit8254State, offset: number, value: number, clock: number): Pit8254State =>
  pit8254.write(state, offset, 1, value, ticks(clock));
const read = (state: Pit8254State, offset: number, clock: number): number =>
  pit8254.read(state, offset, 1, ticks(clock)).value;

/** Counter 0 programmed at clock 0 by `control` and both bytes of `count`. */
function programmed(control: number, count: number): Pit8254State {
  const state = write(pit8254.reset(), PIT_OFFSET.control, control, 0);
  return write(write(state, PIT_OFFSET.counter0, count & 0xff, 0), PIT_OFFSET.counter0, count >> 8, 0);
}

/** The clocks up to `last` at which OUT0 changes, by `nextEvent` alone. */
function changes(state: Pit8254State, last: number): number[] {
  const found: number[] = [];
  let tick = 0;
  for (;;) {
    tick = pit8254.nextEvent!(state, tick);
    if (tick > ticks(last)) return found;
    state = pit8254.advance!(state, tick);
    found.push(tick / TICKS_PER_PIT_CLOCK);
  }
}

describe("the 8254", () => {
  it("reads and drives OUT as a counter that is clocked one pulse at a time, whatever is written to it", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const naive = new NaiveCounter(false);
        let state = pit8254.reset();
        let clock = 0;
        for (const step of operations) {
          if (isForbidden(naive)) break;
          switch (step.kind) {
            case "control": {
              const control = (step.access << 4) | (step.mode << 1) | step.bcd;
              naive.writeControl(control);
              state = write(state, PIT_OFFSET.control, 0x80 | control, clock);
              break;
            }
            case "count":
              naive.writeCount(step.byte);
              state = write(state, PIT_OFFSET.counter2, step.byte, clock);
              break;
            case "gate":
              naive.setGate(step.high);
              state = write(state, PIT_OFFSET.systemControl, step.high ? 1 : 0, clock);
              break;
            case "latch":
              naive.latchCount();
              state = write(state, PIT_OFFSET.control, 0x80, clock);
              break;
            case "status":
              naive.latchStatus();
              state = write(state, PIT_OFFSET.control, 0xe8, clock);
              break;
            case "both":
              naive.latchCount();
              naive.latchStatus();
              state = write(state, PIT_OFFSET.control, 0xc8, clock);
              break;
            case "read": {
              const result = pit8254.read(state, PIT_OFFSET.counter2, 1, ticks(clock));
              state = result.state;
              expect(result.value).toBe(naive.read());
              break;
            }
            case "wait":
              for (let index = 0; index < step.clocks; index++) naive.clock();
              clock += step.clocks;
              break;
          }
          if (!isForbidden(naive)) expect((read(state, PIT_OFFSET.systemControl, clock) & 0x20) !== 0).toBe(naive.out);
        }
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it("announces every change of OUT0 and no other clock, whatever is written to counter 0", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
        let state = pit8254.reset();
        let clock = 0;
        for (const step of operations) {
          if (step.kind === "control") {
            state = write(state, PIT_OFFSET.control, (step.access << 4) | (step.mode << 1) | step.bcd, clock);
          } else if (step.kind === "count") state = write(state, PIT_OFFSET.counter0, step.byte, clock);
          else if (step.kind === "wait") {
            let announced = pit8254.nextEvent!(state, ticks(clock));
            for (const end = clock + Math.min(step.clocks, 80); clock < end; ) {
              const before = pit8254.interrupt!(pit8254.advance!(state, ticks(clock)));
              clock += 1;
              const after = pit8254.interrupt!(pit8254.advance!(state, ticks(clock)));
              expect(before !== after).toBe(announced === ticks(clock));
              if (announced === ticks(clock)) announced = pit8254.nextEvent!(state, ticks(clock));
            }
          }
        }
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it("makes the same state of one long advance and of many short ones", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0x30, 0x34, 0x36, 0x38),
        fc.integer({ min: 2, max: 300 }),
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 20 }),
        (control, count, delays) => {
          const start = programmed(control, count);
          let tick = 0;
          let state = start;
          for (const delay of delays) {
            tick += delay;
            state = pit8254.advance!(state, tick);
          }
          expect(state).toEqual(pit8254.advance!(start, tick));
        },
      ),
      { seed: SEED },
    );
  });

  it("counts one clock every 84 ticks", () => {
    const state = programmed(0x30, 100);
    expect(pit8254.nextEvent!(state, 0)).toBe(84 * 101);
  });

  it("raises OUT0 N + 1 clocks after a count N is written in mode 0, once", () => {
    expect(changes(programmed(0x30, 10), 200_000)).toEqual([11]);
  });

  it("lowers OUT0 for the last clock of every N in mode 2", () => {
    expect(changes(programmed(0x34, 10), 40)).toEqual([10, 11, 20, 21, 30, 31, 40]);
  });

  it("makes the high half of an odd square wave one clock longer", () => {
    expect(changes(programmed(0x36, 5), 16)).toEqual([4, 6, 9, 11, 14, 16]);
  });

  it("strobes OUT0 low for one clock in mode 4", () => {
    expect(changes(programmed(0x38, 10), 200_000)).toEqual([11, 12]);
  });

  it("finishes the period that runs when mode 2 gets a new count", () => {
    let state = programmed(0x34, 10);
    state = write(state, PIT_OFFSET.counter0, 4, 5);
    state = write(state, PIT_OFFSET.counter0, 0, 5);
    expect(changes(state, 20)).toEqual([10, 11, 14, 15, 18, 19]);
  });

  it("starts the count anew when mode 0 gets a new one", () => {
    let state = programmed(0x30, 10);
    state = write(state, PIT_OFFSET.counter0, 20, 5);
    expect(pit8254.nextEvent!(state, ticks(5))).toBe(Number.POSITIVE_INFINITY);
    state = write(state, PIT_OFFSET.counter0, 0, 6);
    expect(pit8254.nextEvent!(state, ticks(6))).toBe(ticks(27));
  });

  it("takes a count of 0 for 65536, and in BCD for 10000", () => {
    expect(changes(programmed(0x30, 0), 70_000)).toEqual([65_537]);
    expect(changes(programmed(0x31, 0), 70_000)).toEqual([10_001]);
  });

  it("keeps OUT0 high for a count of 1 in modes 2 and 3", () => {
    expect(changes(programmed(0x34, 1), 100)).toEqual([]);
    expect(changes(programmed(0x36, 1), 100)).toEqual([]);
  });

  it("holds a latched count until both bytes are read and ignores a second latch", () => {
    let state = write(programmed(0x34, 0x1234), PIT_OFFSET.control, 0x00, 3);
    state = write(state, PIT_OFFSET.control, 0x00, 500);
    const low = pit8254.read(state, PIT_OFFSET.counter0, 1, ticks(600));
    const high = pit8254.read(low.state, PIT_OFFSET.counter0, 1, ticks(700));
    expect([low.value, high.value]).toEqual([0x32, 0x12]);
    expect(read(high.state, PIT_OFFSET.counter0, 1 + 0x234)).toBe(0);
  });

  it("reads the latched status before the latched count", () => {
    let state = write(programmed(0x34, 0x0050), PIT_OFFSET.control, 0xc2, 1);
    const values: number[] = [];
    for (let index = 0; index < 3; index++) {
      const result = pit8254.read(state, PIT_OFFSET.counter0, 1, ticks(9));
      values.push(result.value);
      state = result.state;
    }
    expect(values).toEqual([0xb4, 0x50, 0x00]);
  });

  it("says null count until the next clock takes the count over", () => {
    const state = programmed(0x34, 100);
    expect(read(write(state, PIT_OFFSET.control, 0xe2, 0), PIT_OFFSET.counter0, 0)).toBe(0xf4);
    expect(read(write(state, PIT_OFFSET.control, 0xe2, 1), PIT_OFFSET.counter0, 1)).toBe(0xb4);
  });

  it("runs at 18.2 Hz after reset, as a PC's firmware leaves it", () => {
    expect(changes(pit8254.reset(), 140_000)).toEqual([32_768, 65_536, 98_304, 131_072]);
  });

  it("toggles the refresh bit of port 0x61 every 18 clocks", () => {
    const state = pit8254.reset();
    const bits = [0, 17, 18, 35, 36].map((clock) => read(state, PIT_OFFSET.systemControl, clock) & 0x10);
    expect(bits).toEqual([0, 0, 0x10, 0x10, 0]);
  });

  it("drives the speaker with counter 2 while bit 1 of port 0x61 lets it", () => {
    const on = (port61: number): boolean[] => {
      let state = pit8254.write(pit8254.reset(), PIT_OFFSET.systemControl, 1, port61, 0);
      for (const [offset, value] of [
        [PIT_OFFSET.control, 0x96],
        [PIT_OFFSET.counter2, 4],
      ] as const) {
        state = pit8254.write(state, offset, 1, value, 0);
      }
      return [1, 2, 3, 4, 5].map((clock) => speakerLevel(state, clock * TICKS_PER_PIT_CLOCK));
    };
    expect(on(0x03)).toEqual([true, true, false, false, true]);
    expect(on(0x01)).toEqual([false, false, false, false, false]);
  });

  it("gives the written bits of port 0x61 back and ignores the others", () => {
    const state = write(pit8254.reset(), PIT_OFFSET.systemControl, 0xff, 0);
    expect(read(state, PIT_OFFSET.systemControl, 0) & 0xdf).toBe(0x0f);
  });

  it("gives the same object back when time passes and OUT0 stays", () => {
    const state = pit8254.reset();
    expect(pit8254.advance!(state, ticks(32_767))).toBe(state);
    expect(pit8254.advance!(state, ticks(32_768))).not.toBe(state);
  });
});
