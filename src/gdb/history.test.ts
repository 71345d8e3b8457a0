/** What is kept of a long run: little, and near to everything. */
import { describe, expect, it } from "vitest";
import type { Machine } from "../hardware/machine.js";
import { begun, edit, endOf, type History, keep, keptBefore, nextEdit, PIECE, reach, startOf } from "./history.js";

/** A machine that is nothing but its count of steps, and counts what is run. */
let work = 0;
const counting = (steps: number, name = ""): Machine =>
  ({
    steps,
    name,
    hash: `${name}${steps}`,
    stop: undefined,
    run: ({ maxInstructions }: { maxInstructions: number }) => {
      work += maxInstructions;
      return counting(steps + maxInstructions, name);
    },
  }) as unknown as Machine;

function ranFor(pieces: number): History {
  let history = begun(counting(0));
  for (let piece = 1; piece <= pieces; piece++) history = keep(history, counting(piece * PIECE));
  return history;
}

describe("a history", () => {
  it("of 400 million steps is about a hundred machines, of a thousand times as many a few hundred", () => {
    expect(ranFor(100).length).toBeLessThanOrEqual(101);
    expect(ranFor(100_000).length).toBeLessThanOrEqual(400);
  });

  it("reaches a step near its end by running a piece at the most, and the steps before that for next to nothing", () => {
    let history = ranFor(100_000);
    const end = endOf(history);
    work = 0;
    for (let back = 1; back <= 3000; back++) {
      const reached = reach(history, end - back);
      expect(reached.machine.steps).toBe(end - back);
      history = reached.history;
      if (back === 1) expect(work).toBeLessThanOrEqual(PIECE);
    }
    // Some tens of steps for each.
    expect(work).toBeLessThan(PIECE + 3000 * 100);
    expect(history.length).toBeLessThanOrEqual(500);
  });

  it("reaches any step by running an eighth of its distance at the most, or a piece", () => {
    const history = ranFor(100_000);
    const end = endOf(history);
    for (let distance = 10; distance < end; distance = Math.floor(distance * 1.7)) {
      work = 0;
      expect(reach(history, end - distance).machine.steps).toBe(end - distance);
      expect(work).toBeLessThanOrEqual(Math.max(PIECE, distance / 4));
    }
  });

  it("never runs past what was changed from outside, and forgets what came after a new change", () => {
    const edited = edit(edit(ranFor(10), counting(5 * PIECE + 7, "first ")), counting(5 * PIECE + 9, "second "));
    expect(endOf(edited)).toBe(5 * PIECE + 9);
    expect(reach(edited, 5 * PIECE + 8).machine.hash).toBe(`first ${5 * PIECE + 8}`);
    expect(reach(edited, 5 * PIECE + 9).machine.hash).toBe(`second ${5 * PIECE + 9}`);
    expect([nextEdit(edited, 0), nextEdit(edited, 5 * PIECE + 7), nextEdit(edited, 5 * PIECE + 9)]).toEqual([
      5 * PIECE + 7,
      5 * PIECE + 9,
      Number.POSITIVE_INFINITY,
    ]);
    let later = edited;
    for (let piece = 6; piece < 5000; piece++) later = keep(later, counting(piece * PIECE, "second "));
    expect(reach(later, 5 * PIECE + 7).machine.hash).toBe(`first ${5 * PIECE + 7}`);
    expect([startOf(later), keptBefore(later, 3).steps]).toEqual([0, 0]);
  });
});
