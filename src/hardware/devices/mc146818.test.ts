import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Mc146818State, mc146818, nmiMasked, RTC_OFFSET, resetMc146818, TICKS_PER_SECOND } from "./mc146818.js";

const { index, data } = RTC_OFFSET;
const A = 10;
const B = 11;
const C = 12;
const D = 13;
const UPDATE_ENDED = 0x10;
const ALARM = 0x20;
const PERIODIC = 0x40;

interface Written {
  readonly state: Mc146818State;
  readonly value: number;
}

const set = (state: Mc146818State, address: number, value: number, tick = 0): Mc146818State =>
  mc146818.write(mc146818.write(state, index, 1, address, tick), data, 1, value, tick);
const get = (state: Mc146818State, address: number, tick = 0): Written =>
  mc146818.read(mc146818.write(state, index, 1, address, tick), data, 1, tick);
/** Year, month, day, day of the week, hours, minutes, seconds as they are read. */
const time = (state: Mc146818State, tick = 0): string =>
  [9, 8, 7, 6, 4, 2, 0].map((address) => get(state, address, tick).value.toString(16).padStart(2, "0")).join(" ");
const pin = (state: Mc146818State, tick: number): boolean => mc146818.interrupt!(mc146818.advance!(state, tick));
/** The state with its time set to hours, minutes and seconds of this format. */
const at = (state: Mc146818State, hours: number, minutes: number, seconds: number): Mc146818State =>
  set(set(set(state, 4, hours), 2, minutes), 0, seconds);
const alarm = (state: Mc146818State, hours: number, minutes: number, seconds: number): Mc146818State =>
  set(set(set(state, 5, hours), 3, minutes), 1, seconds);
const seconds = (count: number): number => count * TICKS_PER_SECOND;

describe("the MC146818A", () => {
  it("starts at midnight of Saturday, January 1st, 2000, in BCD", () => {
    expect(time(mc146818.reset())).toBe("00 01 01 07 00 00 00");
    expect(get(mc146818.reset(), 0x32).value).toBe(0x20);
  });

  it("starts at any second of 1970 to 2099, with the day of the week and century of the calendar", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_102_444_799 }), (unix) => {
        const state = resetMc146818({ time: unix });
        const date = new Date(unix * 1000);
        const bcd = (value: number): string => String(value % 100).padStart(2, "0");
        const expected = [
          date.getUTCFullYear(),
          date.getUTCMonth() + 1,
          date.getUTCDate(),
          date.getUTCDay() + 1,
          date.getUTCHours(),
          date.getUTCMinutes(),
          date.getUTCSeconds(),
        ];
        expect(time(state)).toBe(expected.map(bcd).join(" "));
        expect(get(state, 0x32).value.toString(16)).toBe(String(Math.floor(date.getUTCFullYear() / 100)));
      }),
      { seed: 146_818 },
    );
  });

  it("refuses a time that is no second of 1970 to 2099", () => {
    for (const wrong of [-1, 0.5, 4_102_444_800, Number.NaN]) {
      expect(() => resetMc146818({ time: wrong })).toThrow("is not a whole second since 1970");
    }
  });

  it("keeps the calendar over any time, as the host's own calendar does", () => {
    fc.assert(
      fc.property(fc.integer({ min: 946_684_800, max: 4_102_444_799 }), fc.nat(40_000_000), (unix, later) => {
        fc.pre(unix + later < 4_102_444_800);
        const after = resetMc146818({ time: unix + later });
        expect(time(resetMc146818({ time: unix }), seconds(later))).toBe(time(after));
      }),
      { seed: 146_818 },
    );
  });

  it("makes every 100,227,288 ticks a second, however far from reset", () => {
    const state = mc146818.reset();
    for (const count of [1, 2, 3600, 86_400, 365 * 86_400]) {
      expect(time(state, seconds(count) - 1)).not.toBe(time(state, seconds(count)));
      expect(time(state, seconds(count) + TICKS_PER_SECOND - 1)).toBe(time(state, seconds(count)));
    }
  });

  it("says that an update is in progress for the last 2,228 microseconds of a second", () => {
    const state = mc146818.reset();
    const inProgress = (tick: number): number => get(state, A, tick).value & 0x80;
    const early = Math.ceil(((32_768 - 73) * TICKS_PER_SECOND) / 32_768);
    expect([0, early - 1, early, TICKS_PER_SECOND - 1, TICKS_PER_SECOND].map(inProgress)).toEqual([0, 0, 128, 128, 0]);
  });

  it("stands still while SET is set and goes on with the divider's own seconds", () => {
    const held = set(mc146818.reset(), B, 0x82, seconds(2.5));
    expect(get(held, 0, seconds(100)).value).toBe(0x02);
    expect(get(held, A, seconds(100) - 1).value & 0x80).toBe(0);
    const released = set(held, B, 0x02, seconds(100.75));
    expect(get(released, 0, seconds(101) - 1).value).toBe(0x02);
    expect(get(released, 0, seconds(101)).value).toBe(0x03);
  });

  it("ends the first second half a second after the divider is let go", () => {
    const held = set(mc146818.reset(), A, 0x76, seconds(0.9));
    expect(get(held, 0, seconds(5)).value).toBe(0);
    const released = set(held, A, 0x26, seconds(5.25));
    expect(get(released, 0, seconds(5.74)).value).toBe(0);
    expect(get(released, 0, seconds(5.75)).value).toBe(1);
  });

  it("does not touch registers C and D when they are written, nor bit 7 of A", () => {
    const state = set(set(set(mc146818.reset(), C, 0xff), D, 0), A, 0xa6);
    expect([A, C, D].map((address) => get(state, address).value)).toEqual([0x26, 0, 0x80]);
  });

  it("turns the update-ended interrupt off when SET is set", () => {
    expect(get(set(mc146818.reset(), B, 0x92), B).value).toBe(0x82);
  });

  it("requests an interrupt at the end of an update and clears it by a read of register C", () => {
    const state = set(mc146818.reset(), B, 0x02 | UPDATE_ENDED);
    expect(mc146818.nextEvent!(state, 0)).toBe(seconds(1));
    expect(pin(state, seconds(1) - 1)).toBe(false);
    const ended = mc146818.advance!(state, seconds(1));
    expect(mc146818.interrupt!(ended)).toBe(true);
    const flags = get(ended, C, seconds(1));
    expect(flags.value).toBe(0x80 | PERIODIC | UPDATE_ENDED);
    expect(mc146818.interrupt!(flags.state)).toBe(false);
    expect(get(flags.state, C, seconds(1)).value).toBe(0);
    expect(mc146818.nextEvent!(flags.state, seconds(1))).toBe(seconds(2));
  });

  it("sets flags whose interrupts are off without the request bit, and requests as soon as they are on", () => {
    expect(get(mc146818.reset(), C, seconds(3)).value).toBe(PERIODIC | UPDATE_ENDED);
    const enabled = set(mc146818.reset(), B, 0x02 | UPDATE_ENDED, seconds(3));
    expect(mc146818.interrupt!(enabled)).toBe(true);
  });

  it.each([
    [1, 256],
    [2, 128],
    [3, 8192],
    [6, 1024],
    [13, 8],
    [15, 2],
  ])("interrupts periodically at rate %i: %i Hz", (rate, hertz) => {
    let state = set(set(mc146818.reset(), A, 0x20 | rate), B, 0x02 | PERIODIC);
    let tick = 0;
    for (let count = 1; count <= 20; count++) {
      tick = mc146818.nextEvent!(state, tick);
      expect(tick).toBe(Math.ceil((count * TICKS_PER_SECOND) / hertz));
      state = mc146818.advance!(state, tick);
      const flags = get(state, C, tick);
      expect(flags.value & (0x80 | PERIODIC)).toBe(0x80 | PERIODIC);
      state = flags.state;
    }
  });

  it("has no periodic flag at rate 0 or while the divider is held", () => {
    expect(get(set(mc146818.reset(), A, 0x20), C, seconds(0.9)).value).toBe(0);
    expect(get(set(mc146818.reset(), A, 0x66), C, seconds(0.9)).value).toBe(0);
  });

  it("goes off at the time of the alarm, and not again before the next day", () => {
    const state = alarm(at(set(mc146818.reset(), B, 0x02 | ALARM), 0x06, 0x59, 0x58), 0x07, 0x00, 0x00);
    expect(mc146818.nextEvent!(state, 0)).toBe(seconds(2));
    const rung = get(mc146818.advance!(state, seconds(2)), C, seconds(2));
    expect(rung.value & (0x80 | ALARM)).toBe(0x80 | ALARM);
    expect(mc146818.nextEvent!(rung.state, seconds(2))).toBe(seconds(86_402));
  });

  it("takes alarm bytes from 0xC0 on for any second, minute or hour", () => {
    const start = at(set(mc146818.reset(), B, 0x02 | ALARM), 0x10, 0x20, 0x30);
    const first = (hours: number, minutes: number, second: number): number =>
      mc146818.nextEvent!(alarm(start, hours, minutes, second), 0) / TICKS_PER_SECOND;
    expect(first(0xc0, 0xff, 0xc0)).toBe(1);
    expect(first(0xc0, 0xc0, 0x30)).toBe(60);
    expect(first(0xc0, 0xc0, 0x31)).toBe(1);
    expect(first(0xc0, 0x20, 0x30)).toBe(3600);
    expect(first(0x11, 0xc0, 0xc0)).toBe(39 * 60 + 30);
    expect(first(0x10, 0x20, 0x30)).toBe(86_400);
    expect(first(0x10, 0x60, 0x30)).toBe(Number.POSITIVE_INFINITY);
  });

  it("finds the alarm that a look at every second finds", () => {
    const byte = (range: number) => fc.oneof(fc.constant(0xc0), fc.integer({ min: 0, max: range - 1 }));
    fc.assert(
      fc.property(fc.nat(86_399), byte(24), byte(60), byte(60), (now, hours, minutes, second) => {
        const binary = set(mc146818.reset(), B, 0x06 | ALARM);
        const start = at(binary, Math.floor(now / 3600), Math.floor(now / 60) % 60, now % 60);
        const matches = (value: number, want: number): boolean => want === 0xc0 || value === want;
        let later = 1;
        for (; later < 86_400; later++) {
          const t = (now + later) % 86_400;
          const fits = matches(Math.floor(t / 3600), hours) && matches(Math.floor(t / 60) % 60, minutes);
          if (fits && matches(t % 60, second)) break;
        }
        expect(mc146818.nextEvent!(alarm(start, hours, minutes, second), 0)).toBe(seconds(later));
      }),
      { seed: 146_818, numRuns: 50 },
    );
  });

  it("makes the same state of one long advance and of many short ones, with any accesses between", () => {
    const access = fc.record({
      delay: fc.oneof(fc.nat(40_000), fc.nat(seconds(2)), fc.nat(seconds(100_000))),
      stops: fc.array(fc.nat(seconds(3)), { maxLength: 3 }),
      address: fc.oneof(fc.nat(13), fc.constant(C)),
      value: fc.option(fc.oneof(fc.nat(255), fc.constantFrom(0x72, 0x26, 0x2f, 0x12, 0x52, 0x32))),
    });
    fc.assert(
      fc.property(fc.array(access, { maxLength: 25 }), (accesses) => {
        let direct = mc146818.reset();
        let stopped = direct;
        let tick = 0;
        for (const { delay, stops, address, value } of accesses) {
          for (const stop of stops.filter((s) => s < delay).sort((a, b) => a - b)) {
            stopped = mc146818.advance!(stopped, tick + stop);
            const due = mc146818.due!(stopped);
            if (due !== Number.POSITIVE_INFINITY) expect(mc146818.advance!(stopped, due - 1)).toBe(stopped);
          }
          tick += delay;
          const both = [direct, stopped].map((state) => {
            const now = mc146818.advance!(state, tick);
            return value === null ? get(now, address, tick) : { state: set(now, address, value, tick), value: 0 };
          });
          expect(both[0]).toEqual(both[1]);
          const requested = (get(both[0]!.state, C, tick).value & 0x80) !== 0;
          expect(mc146818.interrupt!(both[0]!.state)).toBe(requested);
          direct = both[0]!.state;
          stopped = both[1]!.state;
        }
      }),
      { seed: 146_818, numRuns: 300 },
    );
  });

  it("keeps what is written behind the registers and gives the same object back for the same byte", () => {
    const state = set(mc146818.reset(), 0x7f, 0x5a);
    expect(get(state, 0x7f).value).toBe(0x5a);
    expect(mc146818.write(state, data, 1, 0x5a, 0)).toBe(state);
    expect(mc146818.read(state, data, 1, 0).state).toBe(state);
  });

  it("masks NMI by bit 7 of the index and cannot be asked for the index", () => {
    const masked = mc146818.write(mc146818.reset(), index, 1, 0x8d, 0);
    expect([nmiMasked(mc146818.reset()), nmiMasked(masked)]).toEqual([false, true]);
    expect(mc146818.read(masked, data, 1, 0).value).toBe(0x80);
    expect(mc146818.read(masked, index, 1, 0).value).toBe(0xff);
  });

  it.each([
    [16, 640, 15 * 1024, 0],
    [64, 640, 63 * 1024, 768],
    [2048, 640, 63 * 1024, 32_512],
    [1, 640, 0, 0],
  ])("holds the memory sizes of a PC with %i MiB", (mebibytes, base, extended, above) => {
    const state = resetMc146818({ memorySize: mebibytes * 2 ** 20 });
    const word = (address: number): number => get(state, address).value + 256 * get(state, address + 1).value;
    expect([0x15, 0x17, 0x30, 0x34].map(word)).toEqual([base, extended, extended, above]);
  });

  it("has no floppy drive, no shutdown request, and the checksum of its bytes", () => {
    const state = mc146818.reset();
    expect([0x10, 0x0f, 0x0e].map((address) => get(state, address).value)).toEqual([0, 0, 0]);
    const sum = Array.from({ length: 0x1e }, (_, at) => get(state, 0x10 + at).value).reduce((a, b) => a + b, 0);
    expect(get(state, 0x2e).value * 256 + get(state, 0x2f).value).toBe(sum);
  });
});
