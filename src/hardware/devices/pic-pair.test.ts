import { describe, expect, it } from "vitest";
import { acknowledge, interruptRequested, isUnmasked, lower, type PicPairState, picPair, raise } from "./pic-pair.js";

const MASTER = 0;
const SLAVE = 2;

function written(state: PicPairState, ...writes: readonly (readonly [number, number])[]): PicPairState {
  return writes.reduce((next, [offset, value]) => picPair.write(next, offset, 1, value, 0), state);
}

/** The pair as a PC's kernel sets it up, vectors 0x20 to 0x2F, nothing masked. */
function initialized(slaveIcw4 = 0x01): PicPairState {
  return written(
    picPair.reset(),
    ...([0x11, 0x20, 0x04, 0x01].map((value, index) => [MASTER + Math.min(index, 1), value]) as [number, number][]),
    ...([0x11, 0x28, 0x02, slaveIcw4].map((value, index) => [SLAVE + Math.min(index, 1), value]) as [number, number][]),
  );
}

const read = (state: PicPairState, offset: number): number => picPair.read(state, offset, 1, 0).value;

describe("the cascaded 8259As", () => {
  it("give vector base + line for lines of both chips", () => {
    for (const line of [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]) {
      const state = raise(initialized(), line);
      expect(interruptRequested(state)).toBe(true);
      expect(acknowledge(state).vector).toBe(0x20 + line);
    }
  });

  it("serve a slave's line on both chips until both are told its end", () => {
    const served = acknowledge(raise(initialized(), 10)).state;
    expect([served.master.ISR, served.slave.ISR]).toEqual([0x04, 0x04]);
    const waiting = raise(served, 12);
    expect(interruptRequested(written(waiting, [SLAVE, 0x20]))).toBe(false);
    const ended = written(waiting, [SLAVE, 0x20], [MASTER, 0x20]);
    expect(acknowledge(ended).vector).toBe(0x2c);
  });

  it("put the slave's lines between master lines 1 and 3", () => {
    const state = raise(raise(raise(initialized(), 3), 15), 1);
    const first = acknowledge(state);
    const second = acknowledge(written(first.state, [MASTER, 0x20]));
    const third = acknowledge(written(second.state, [MASTER, 0x20], [SLAVE, 0x20]));
    expect([first.vector, second.vector, third.vector]).toEqual([0x21, 0x2f, 0x23]);
  });

  it("ask again for a second line of a slave that ends its interrupts by itself", () => {
    const first = acknowledge(raise(raise(initialized(0x03), 9), 10));
    const second = acknowledge(written(first.state, [MASTER, 0x20]));
    expect([first.vector, second.vector]).toEqual([0x29, 0x2a]);
  });

  it("take a slave's request back when its line falls or is masked before the acknowledgement", () => {
    expect(interruptRequested(lower(raise(initialized(), 11), 11))).toBe(false);
    expect(interruptRequested(written(raise(initialized(), 11), [SLAVE + 1, 0x08]))).toBe(false);
  });

  it("give vector base + 7 for an acknowledgement nobody asked for", () => {
    const state = initialized();
    expect(acknowledge(state)).toEqual({ state, vector: 0x27 });
  });

  it("give the slave's spurious vector when only the master still has its request", () => {
    // The master is polled for no one: a level-sensitive cascade does not occur, so the case is made by hand.
    const state = raise(initialized(), 11);
    const stale = { ...state, slave: { ...state.slave, IRR: 0 } };
    const { state: after, vector } = acknowledge(stale);
    expect(vector).toBe(0x2f);
    expect([after.master.ISR, after.slave.ISR]).toEqual([0x04, 0]);
  });

  it("keep the edge/level bits of the timer, keyboard, cascade, clock and FPU lines clear", () => {
    const state = written(picPair.reset(), [4, 0xff], [5, 0xff]);
    expect([read(state, 4), read(state, 5)]).toEqual([0xf8, 0xde]);
  });

  it("cannot have line 2 driven", () => {
    const state = initialized();
    expect(raise(state, 2)).toBe(state);
  });

  it("count a slave's line as unmasked only if the cascade is too", () => {
    expect(isUnmasked(initialized(), 12)).toBe(true);
    expect(isUnmasked(written(initialized(), [MASTER + 1, 0x04]), 12)).toBe(false);
    expect(isUnmasked(written(initialized(), [SLAVE + 1, 0x10]), 12)).toBe(false);
  });

  it("give the same object back when nothing changes", () => {
    const state = raise(initialized(), 4);
    expect(raise(state, 4)).toBe(state);
    expect(lower(state, 5)).toBe(state);
    expect(picPair.read(state, MASTER, 1, 0).state).toBe(state);
    expect(written(state, [MASTER + 1, 0])).toBe(state);
  });
});
