import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { commandPlace, terminalPlace } from "./places.js";
import { type ProgressBar, progress, progressAt } from "./progress.js";

const NOTEBOOK = Symbol.for("virtlab.notebook");
const scope = globalThis as { [NOTEBOOK]?: unknown };

interface Shown {
  readonly verb: string;
  readonly id: string;
  readonly text: string;
  readonly html: string;
}

/** Makes this process look as one with a notebook, and notes what is shown. */
function notebook(signal?: AbortSignal): Shown[] {
  const shown: Shown[] = [];
  const note =
    (verb: string) =>
    (bundle: Record<string, string>, { id }: { id: string }) =>
      shown.push({ verb, id, text: bundle["text/plain"]!, html: bundle["text/html"]! });
  scope[NOTEBOOK] = { display: note("display"), update: note("update"), signal };
  return shown;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
  delete scope[NOTEBOOK];
});
const wait = (seconds: number) => vi.advanceTimersByTime(seconds * 1000);

describe("progress in a notebook", () => {
  it("is one display that is replaced, ten times a second at the most, and always at the end", () => {
    const shown = notebook();
    const bar = progress("boot", { unit: "steps" });
    for (let done = 0; done <= 1000; done += 25) {
      bar({ done, total: 1000, finished: done === 1000 });
      wait(0.025);
    }
    expect(shown.map(({ verb }) => verb)).toEqual(["display", ...shown.slice(1).map(() => "update")]);
    expect(shown.length).toBeGreaterThan(7);
    expect(shown.length).toBeLessThan(13);
    expect(new Set(shown.map(({ id }) => id)).size).toBe(1);
    expect(shown[5]!.text).toMatch(/^boot: \d\d %, \d+ of 1,000 steps, 1\.00 k steps\/s, 1 s left$/);
    expect(shown.at(-1)!.text).toBe("boot: 1,000 steps");
  });

  it("leaves the same at the end however long it took, unless it is told to tell the time", () => {
    const ends = [0.5, 70].map((seconds) => {
      const shown = notebook();
      const [plain, timed] = [progress("run"), progress("run", { time: true })];
      for (const bar of [plain, timed]) {
        bar({ done: 0 });
        wait(seconds);
        bar({ done: 8, finished: true });
      }
      return shown.filter((_, index) => index % 2 === 1).map(({ text, html }) => [text, html]);
    });
    expect(ends[0]![0]).toEqual(ends[1]![0]);
    expect(ends.map((end) => end[1]![0])).toEqual(["run: 8 in 0.5 s", "run: 8 in 1 min 10 s"]);
  });

  it("begins anew with a new run: after an end, and after one that never came", () => {
    const shown = notebook();
    const bar = progress("run");
    for (const done of [0, 5]) bar({ done, finished: done === 5 });
    bar({ done: 0 });
    wait(1);
    bar({ done: 7 });
    bar({ done: 0 });
    expect(shown.map(({ verb, text }) => `${verb} ${text}`)).toEqual([
      "display run: 0",
      "update run: 5",
      "display run: 0",
      "update run: 7, 7.00/s",
      "display run: 0",
    ]);
    expect(new Set(shown.map(({ id }) => id)).size).toBe(3);
  });

  it("says that it was stopped when the cell is interrupted, and nothing of the kind after its end", () => {
    const cell = new AbortController();
    const shown = notebook(cell.signal);
    progress("over")({ done: 3, finished: true });
    progress("run")({ done: 1, total: 4 });
    cell.abort();
    expect(shown.map(({ text }) => text)).toEqual(["over: 3", "run: 25 %, 1 of 4", "run: stopped at 25 %, 1 of 4"]);
  });
});

describe("progress through items", () => {
  it("gives them in order and counts those that are done with", () => {
    const shown = notebook();
    const seen: string[] = [];
    for (const item of progress(["a", "b"], "letters")) {
      wait(0.2);
      seen.push(item);
    }
    expect(seen).toEqual(["a", "b"]);
    expect(shown.map(({ text }) => text)).toEqual([
      "letters: 0 %, 0 of 2",
      "letters: 50 %, 1 of 2, 5.00/s, 1 s left",
      "letters: 100 %, 2 of 2, 5.00/s",
      "letters: 2",
    ]);
  });

  it("tells where a loop was left, and hands on what its body throws", () => {
    const shown = notebook();
    for (const item of progress(new Set([1, 2, 3]), "numbers")) if (item === 2) break;
    expect(shown.at(-1)!.text).toBe("numbers: 1 of 3");
    const failing = () => {
      for (const item of progress([1, 2, 3])) if (item === 3) throw new Error("three");
    };
    expect(failing).toThrow("three");
    expect(shown.at(-1)!.text).toBe("2 of 3");
  });

  it("takes their number from its options where they do not have one", () => {
    const shown = notebook();
    function* three() {
      yield* [1, 2, 3];
    }
    expect([...progress(three(), "some")]).toEqual([1, 2, 3]);
    expect(shown[0]!.text).toBe("some: 0");
    expect([...progress(three(), "", { total: 6, unit: "cells" })]).toEqual([1, 2, 3]);
    expect(shown.at(-1)!.text).toBe("3 of 6 cells");
  });
});

describe("progress on a terminal", () => {
  /** What a terminal of 60 columns is left with when this is done on it. */
  function written(use: (bar: ProgressBar) => void, options = {}): string {
    let text = "";
    const stream = { columns: 60, write: (more: string) => (text += more) };
    use(progressAt(() => terminalPlace(stream, options), "run"));
    return text;
  }
  const toTheEnd = (bar: ProgressBar): void => {
    bar({ done: 0, total: 2 });
    wait(1);
    bar({ done: 1, total: 2 });
    wait(1);
    bar({ done: 2, total: 2, finished: true });
  };

  it("is one line that is written over, and ends with the time it took", () => {
    expect(written(toTheEnd).split("\r").slice(1)).toEqual([
      "run ░░░░░░░░░░░░░░   0 %  0 of 2\x1b[K",
      "run ███████░░░░░░░  50 %  1 of 2, 1.00/s, 1 s left\x1b[K",
      "run: 2 in 2.0 s\x1b[K\n",
    ]);
  });

  it("leaves nothing where it is to be cleared", () => {
    expect(written(toTheEnd, { clear: true }).split("\r").at(-1)).toBe("\x1b[K");
  });
});

describe("progress of a command", () => {
  function written(isTTY: boolean): string {
    let text = "";
    const stream = { isTTY, write: (more: string) => (text += more) };
    const bar = progressAt(() => commandPlace(stream), "fuzz");
    for (let done = 0; done <= 25; done++) {
      bar({ done, total: 25, finished: done === 25 });
      wait(1.001);
    }
    return text;
  }

  it("is gone at the end on a terminal", () => {
    expect(written(true).split("\r").slice(-2)).toEqual([expect.stringContaining(" 96 %  24 of 25"), "\x1b[K"]);
  });

  it("is a line every ten seconds in a log", () => {
    expect(written(false)).toBe("fuzz: 40 %, 10 of 25, 1.00/s, 16 s left\nfuzz: 80 %, 20 of 25, 1.00/s, 6 s left\n");
  });
});

describe("progress elsewhere", () => {
  it("shows nothing: standard error is no terminal here", () => {
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const { isTTY } = process.stderr;
    process.stderr.isTTY = false;
    try {
      progress("run")({ done: 1, finished: true });
      expect([...progress([1, 2])]).toEqual([1, 2]);
      expect(write).not.toHaveBeenCalled();
    } finally {
      process.stderr.isTTY = isTTY;
      write.mockRestore();
    }
  });
});
