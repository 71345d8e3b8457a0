/** The timer of a local APIC by the sentences of SDM Vol. 3A, "APIC Timer". */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ApicTimerState,
  afterInterrupt,
  changeMode,
  currentCount,
  divisorOf,
  resetTimer,
  TIMER_MODE,
  writeDeadline,
  writeDivide,
  writeInitialCount,
} from "./apic-timer.js";

const { oneShot, periodic, tscDeadline } = TIMER_MODE;
const seed = 11;

describe("the APIC timer", () => {
  it("divides by 2 to 128 and by 1, as bits 0, 1 and 3 of the divide configuration say", () => {
    expect([0, 1, 2, 3, 8, 9, 10, 11].map(divisorOf)).toEqual([2, 4, 8, 16, 32, 64, 128, 1]);
  });

  it("counts down from the initial count, is due at zero and stays there in one-shot mode", () => {
    const timer = writeInitialCount({ ...resetTimer, DCR: 3 }, 10, oneShot, 1000);
    expect(timer.due).toBe(1160);
    expect([1000, 1001, 1016, 1159, 1160].map((tick) => currentCount(timer, oneShot, tick))).toEqual([10, 10, 9, 1, 0]);
    const after = afterInterrupt(timer, oneShot, 1160);
    expect([after.due, currentCount(after, oneShot, 5000)]).toEqual([Number.POSITIVE_INFINITY, 0]);
  });

  it("begins again at zero in periodic mode, in step with its first period", () => {
    const timer = writeInitialCount({ ...resetTimer, DCR: 0xb }, 100, periodic, 50);
    expect(afterInterrupt(timer, periodic, 150).due).toBe(250);
    expect(afterInterrupt(timer, periodic, 399).due).toBe(450);
    expect(currentCount(afterInterrupt(timer, periodic, 150), periodic, 160)).toBe(90);
  });

  it("is stopped by an initial count of 0", () => {
    const timer = writeInitialCount(writeInitialCount(resetTimer, 100, periodic, 0), 0, periodic, 10);
    expect([timer.due, currentCount(timer, periodic, 20)]).toEqual([Number.POSITIVE_INFINITY, 0]);
  });

  it("goes on from where it stands when the divisor changes", () => {
    const timer = writeInitialCount({ ...resetTimer, DCR: 0xb }, 1000, oneShot, 0);
    const slower = writeDivide(timer, 3, oneShot, 400);
    expect([currentCount(slower, oneShot, 400), slower.due]).toEqual([600, 400 + 600 * 16]);
  });

  it("ignores the initial count in TSC-deadline mode, reads 0 there, and is disarmed on the way there and back", () => {
    const running = writeInitialCount(resetTimer, 100, oneShot, 0);
    const armed = writeDeadline(changeMode(running, oneShot, tscDeadline), 777);
    expect(changeMode(running, oneShot, tscDeadline).due).toBe(Number.POSITIVE_INFINITY);
    expect(writeInitialCount(armed, 5, tscDeadline, 10)).toBe(armed);
    expect(currentCount(armed, tscDeadline, 10)).toBe(0);
    expect(afterInterrupt(armed, tscDeadline, 777).due).toBe(Number.POSITIVE_INFINITY);
    expect(changeMode(armed, tscDeadline, periodic).due).toBe(Number.POSITIVE_INFINITY);
    expect(changeMode(running, oneShot, periodic)).toBe(running);
  });

  it("comes to the same however its interrupts are counted on the way", () => {
    const counts = fc.tuple(
      fc.integer({ min: 1, max: 50 }),
      fc.constantFrom(0xb, 0, 3),
      fc.integer({ min: 1, max: 5000 }),
    );
    fc.assert(
      fc.property(counts, ([count, DCR, end]) => {
        let stepped: ApicTimerState = writeInitialCount({ ...resetTimer, DCR }, count, periodic, 0);
        const once = stepped.due > end ? stepped : afterInterrupt(stepped, periodic, end);
        while (stepped.due <= end) stepped = afterInterrupt(stepped, periodic, stepped.due);
        expect(stepped).toEqual(once);
      }),
      { seed },
    );
  });
});
