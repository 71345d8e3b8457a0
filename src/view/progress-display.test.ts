import { describe, expect, it } from "vitest";
import { type ProgressState, progressHtml, progressLine, progressText } from "./progress-display.js";

const running: ProgressState = {
  label: "boot",
  progress: { done: 5_000_000, total: 12_000_000, unit: "steps", finished: false },
  seconds: 2,
  rate: 8_414_000,
  phase: "running",
  timed: false,
};
const finished: ProgressState = {
  ...running,
  progress: { done: 12_000_000, total: 12_000_000, unit: "steps", ticks: 200_454_576, finished: true },
  phase: "finished",
};
const unknown = { done: 950, total: undefined, unit: "", finished: false };

describe("the text of progress", () => {
  it("has percentage, rate and time left while something goes on", () => {
    expect(progressText(running)).toBe("boot: 41 %, 5,000,000 of 12,000,000 steps, 8.41 M steps/s, 1 s left");
    const noted = { ...running, progress: { ...running.progress, note: "2 differ" } };
    expect(progressText(noted)).toBe("boot: 41 %, 5,000,000 of 12,000,000 steps, 2 differ, 8.41 M steps/s, 1 s left");
    expect(progressText({ ...running, rate: undefined })).toBe("boot: 41 %, 5,000,000 of 12,000,000 steps");
    expect(progressText({ ...running, label: "", rate: 950, progress: unknown })).toBe("950, 950/s");
  });

  it("never says 100 % before the end, and 100 % of nothing at once", () => {
    const at = (done: number, total: number) => progressText({ ...running, progress: { ...unknown, done, total } });
    expect(at(9999, 10_000)).toMatch("99 %, 9,999 of 10,000");
    expect(at(0, 0)).toMatch("100 %, 0 of 0");
  });

  it("at the end is what was done, and the same however long it took", () => {
    const text = "boot: 12,000,000 steps, 2.00 s of machine time";
    expect(progressText(finished)).toBe(text);
    expect(progressText({ ...finished, seconds: 77, rate: 3 })).toBe(text);
    expect(progressHtml({ ...finished, seconds: 77, rate: 3 })).toBe(progressHtml(finished));
    expect(progressText({ ...finished, timed: true })).toBe("boot: 12,000,000 steps in 2.0 s, 2.00 s of machine time");
  });

  it("tells what ended before all was done by how much there was", () => {
    const early = { ...finished, progress: { ...running.progress, finished: true } };
    expect(progressText(early)).toBe("boot: 5,000,000 of 12,000,000 steps");
    expect(progressHtml(early)).not.toContain("✓");
    expect(progressHtml(finished)).toContain("✓");
    const stopped: ProgressState = { ...running, phase: "stopped" };
    expect(progressText(stopped)).toBe("boot: stopped at 41 %, 5,000,000 of 12,000,000 steps");
  });

  it("writes rates and times for readers", () => {
    const details = (rate: number, total: number): string =>
      progressText({ ...running, label: "", rate, progress: { ...unknown, done: 0, total } });
    expect(details(999.7, 60 * 999.7)).toBe("0 %, 0 of 59,982, 1.00 k/s, 1 min 0 s left");
    expect(details(0.25, 1000)).toBe("0 %, 0 of 1,000, 0.25/s, 1 h 6 min left");
    expect(details(123_456_789, 1e12)).toBe("0 %, 0 of 1,000,000,000,000, 123 M/s, 2 h 15 min left");
    const machineTime = (ticks: number) => progressText({ ...finished, progress: { ...finished.progress, ticks } });
    expect(machineTime(100_227)).toMatch(/, 1\.00 ms of machine time$/);
    expect(machineTime(9_000_000_000)).toMatch(/, 1 min 30 s of machine time$/);
  });
});

describe("the line of a terminal", () => {
  it("has a bar that is filled like the percentage, and fits into any width", () => {
    const line = progressLine(running, 100);
    expect(line).toMatch(/^boot █+░+ {2}41 % {2}5,000,000 of 12,000,000 steps, 8\.41 M steps\/s, 1 s left$/);
    const [filled, all] = [line.match(/█/g)!.length, line.match(/[█░]/g)!.length];
    expect(filled / all).toBeCloseTo(5 / 12, 1);
    for (let columns = 1; columns < 120; columns++) expect(progressLine(running, columns).length).toBeLessThan(columns);
    expect(progressLine(running, 80)).toMatch(/^boot {3}41 %/);
  });

  it("has a bar that keeps its length when numbers behind it get longer", () => {
    const at = (done: number, rate: number) => {
      const state = { ...running, progress: { ...running.progress, done }, rate };
      return progressLine(state, 100).match(/[█░]/g)?.length;
    };
    expect([at(0, 1e8), at(1, 12_345), at(11_999_999, 123_456_789)]).toEqual([
      at(5e6, 8e6),
      at(5e6, 8e6),
      at(5e6, 8e6),
    ]);
  });

  it("has no bar where the end is not known, and none at the end", () => {
    expect(progressLine({ ...running, progress: unknown }, 100)).toBe("boot: 950, 8.41 M/s");
    expect(progressLine(finished, 100)).toBe(progressText(finished));
  });
});

describe("progress as HTML", () => {
  it("says the percentage to readers of the screen, too, and escapes what it is called", () => {
    const html = progressHtml({ ...running, label: '<b onclick="x">' });
    expect(html).toContain('role="progressbar" aria-label="&lt;b onclick=&quot;x&quot;&gt;"');
    expect(html).toContain('aria-valuenow="41"');
    expect(html).not.toContain("<b onclick");
  });

  it("has a bar whose filled part moves where the end is not known", () => {
    const at = (seconds: number) => {
      const html = progressHtml({ ...running, progress: unknown, seconds });
      expect(html).not.toContain("aria-valuenow");
      return Number(/margin-left:([\d.]+)%/.exec(html)?.[1]);
    };
    expect([at(0), at(1), at(2), at(3), at(4)]).toEqual([0, 41, 82, 41, 0]);
  });
});
