import { describe, expect, it } from "vitest";
import { figureOfRun, guest, Machine, VirtlabError } from "../../index.js";
import {
  axis,
  axisTitle,
  bars,
  boxes,
  colours,
  type Figure,
  gantt,
  heatmap,
  histogram,
  lines,
  percentiles,
  scatter,
  shares,
  spansOf,
  steps,
} from "./index.js";

const machine = Machine.create({ memory: "1M" });
const time = axis("time", "ticks");
const rows = [
  { tick: 1, pages: 3, policy: "FIFO" },
  { tick: 2, pages: 5n, policy: "FIFO" },
  { tick: 1, pages: 4, policy: "LRU" },
];
const field = (figure: Figure, name: string): unknown[] => figure.data.map((trace) => trace[name]);

const figures: readonly (readonly [string, Figure])[] = [
  ["lines", lines([1, 2], { from: machine })],
  ["steps", steps([1, 2], { x: time, from: machine })],
  ["scatter", scatter([[1, 2]], { x: time, y: axis("CPL"), from: machine })],
  ["bars", bars({ a: 1 }, { from: machine })],
  ["lying bars", bars({ a: 1 }, { horizontal: true, from: machine })],
  ["a histogram", histogram([1, 2, 3], { from: machine })],
  ["boxes", boxes({ a: [1, 2] }, { from: machine })],
  ["percentiles", percentiles([1, 2], { from: machine })],
  ["shares", shares({ a: [1], b: [2] }, { from: machine })],
  ["a heat map", heatmap([[1, 2]], { from: machine })],
  ["a Gantt chart", gantt([{ lane: "a", from: 0, to: 1 }], { from: machine })],
  ["nothing at all", lines([], { from: machine })],
  ["no spans", gantt([], { from: machine })],
  ["no cells", heatmap([], { from: machine })],
  ["no samples", boxes({ a: [] }, { from: machine })],
  ["no numbers", histogram([Number.NaN], { from: machine })],
  ["a run", figureOfRun(Machine.boot({ image: guest("rings"), memory: "16M" }), { steps: 500 })],
];

describe("every figure", () => {
  it.each(figures)("has a title at each of its axes, a stamp, words, and numbers that JSON knows: %s", (_, figure) => {
    const axes = Object.entries(figure.layout).filter(([name]) => /^[xy]axis\d*$/.test(name));
    expect(axes.length).toBeGreaterThanOrEqual(2);
    for (const [, shown] of axes) expect((shown as { title: { text: string } }).title.text).toMatch(/\S/);
    expect(figure.provenance.states).toHaveLength(1);
    expect(figure.caption).toContain(`state ${figure.provenance.states[0]!.slice(0, 12)}`);
    expect(JSON.stringify(figure.layout["annotations"])).toContain(figure.caption);
    expect(figure.text).not.toMatch(/undefined|NaN|Infinity|\[object/);
    expect(JSON.parse(JSON.stringify(figure.layout))).toEqual(figure.layout);
  });

  it("puts the unit beside the name of an axis, and refuses an axis without a name", () => {
    expect([axisTitle(time), axisTitle(axis("CPL"))]).toEqual(["time (ticks)", "CPL"]);
    expect(() => axis(" ")).toThrow(VirtlabError);
  });
});

describe("what figures are made from", () => {
  it("may be numbers, points, series by name, typed arrays or records", () => {
    expect(field(lines([5, 6]), "x")).toEqual([[0, 1]]);
    expect(field(lines(Float64Array.of(5, 6)), "y")).toEqual([[5, 6]]);
    expect(
      field(
        lines([
          [3, 5],
          [4, 6],
        ]),
        "x",
      ),
    ).toEqual([[3, 4]]);
    expect(field(lines({ a: [5], b: Uint8Array.of(6) }), "name")).toEqual(["a", "b"]);
    const figure = lines(rows, { x: "tick", y: axis("memory", "pages", { column: "pages" }), by: "policy" });
    expect(field(figure, "name")).toEqual(["FIFO", "LRU"]);
    expect(field(figure, "y")).toEqual([[3, 5], [4]]);
    expect(field(lines(rows, { y: "pages" }), "x")).toEqual([[0, 1, 2]]);
  });

  it("that lack a column are refused, with those that there are", () => {
    expect(() => lines(rows, { x: "tick", y: "faults" })).toThrow(
      'lines: no record has a column "faults"; there are tick, pages, policy',
    );
    expect(() => heatmap(rows, { x: "tick" })).toThrow("heatmap: records need y, the name of a column");
    expect(() => bars(rows, { x: "policy", y: "pages", by: "ring" })).toThrow(VirtlabError);
  });

  it("leaves a gap where there is no number", () => {
    const figure = lines([1, Number.NaN, 3]);
    expect(JSON.parse(JSON.stringify(figure.data[0]!["y"]))).toEqual([1, null, 3]);
    expect(figure.text).toContain("2 points, 1 to 3, median 2");
  });
});

describe("axes", () => {
  it("may be of equal factors, begin at zero, or have a range", () => {
    const { layout } = lines([1, 10], {
      x: axis("size", "bytes", { log: true, range: [1, 1000] }),
      y: axis("t", "ns", { zero: true }),
    });
    expect(layout["xaxis"]).toMatchObject({ type: "log", range: [0, 3] });
    expect(layout["yaxis"]).toMatchObject({ rangemode: "tozero" });
  });

  it("have no ticks between whole numbers that are few", () => {
    expect(steps([0, 3, 1]).layout["yaxis"]).toMatchObject({ dtick: 1 });
    expect(steps([0, 3.5]).layout["yaxis"]).not.toHaveProperty("dtick");
    expect(steps([0, 300]).layout["yaxis"]).not.toHaveProperty("dtick");
  });

  it("of names keep their order", () => {
    const { layout } = bars({ z: 1, a: 2, "10": 3 });
    expect(layout["xaxis"]).toMatchObject({ type: "category", categoryarray: ["10", "z", "a"] });
  });
});

describe("series", () => {
  const many = lines(Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`s${index}`, [1, 2, index]])));

  it("differ in colour and in shape", () => {
    const markers = field(many, "marker") as { color: string; symbol: string }[];
    expect(new Set(markers.map(({ color }) => color)).size).toBe(7);
    expect(new Set(markers.map(({ symbol }) => symbol)).size).toBe(7);
    expect(many.layout["showlegend"]).toBe(true);
    expect(lines([1]).layout["showlegend"]).toBe(false);
  });

  it("have marks that are whole where they lie on an axis", async () => {
    const zero = { x: axis("n", "runs", { zero: true }), y: axis("t", "ns", { zero: true }) };
    for (const figure of [
      lines([0, 1, 0], zero),
      scatter([0, 1, 0], zero),
      percentiles({ a: [0, 1], b: [0, 2] }, zero),
    ]) {
      const svg = (await figure.svg())!;
      expect(svg).toMatch(/class="points"[^>]*><path/);
      expect(svg).not.toMatch(/<g class="scatterlayer[^>]*clip-path/);
      expect(svg.match(/<g class="trace scatter [^>]*>/g)!.join()).not.toContain("clip-path");
    }
  });

  it("of many points show only some of them", () => {
    const long = Array.from({ length: 200 }, (_, index) => index);
    expect(lines(long).data[0]).toMatchObject({ mode: "lines" });
    expect(lines({ a: long, b: long }).data[0]).toMatchObject({ mode: "lines+markers", marker: { maxdisplayed: 10 } });
  });
});

describe("steps", () => {
  const queues = {
    run: [[0, 3] as const, [40, 0] as const, [55, 3] as const],
    wait: [[0, 1] as const, [20, 2] as const],
  };
  const last = (figure: Figure) => figure.data.map(({ x, y }) => [(x as number[]).at(-1), (y as number[]).at(-1)]);

  it("hold after the last point for as long as before it, all to the same end", () => {
    expect(last(steps(queues))).toEqual([
      [70, 3],
      [70, 2],
    ]);
    expect(last(steps([7]))).toEqual([[1, 7]]);
    expect(steps([]).data[0]!["x"]).toEqual([]);
  });

  it("hold to the end of the axis's range, or until they are said to", () => {
    const x = axis("time", "ticks", { range: [0, 100] });
    expect(last(steps(queues, { x }))[0]).toEqual([100, 3]);
    expect(last(steps(queues, { x, until: 60 }))[0]).toEqual([60, 3]);
    // Nothing that happened is left out.
    expect(last(steps(queues, { x, until: 50 }))).toEqual([
      [55, 3],
      [50, 2],
    ]);
    expect(() => steps(queues, { until: Number.NaN })).toThrow("steps: until is NaN");
  });

  it("have a mark for each point, none where they end, and no end among names", async () => {
    expect((await steps(queues).svg())!.match(/class="point"[^>]*fill-opacity: 1;/g)).toHaveLength(5);
    expect(steps(queues).text).toContain("run: 3 points, 0 to 3");
    expect(
      steps([
        ["boot", 1],
        ["login", 2],
      ]).data[0]!["x"],
    ).toEqual(["boot", "login"]);
  });
});

describe("bars", () => {
  it("lie where names are long, in as much height as they need", () => {
    const long = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`a rather long name ${index}`, index]));
    const figure = bars(long, { x: "reason", y: axis("exits") });
    expect(figure.data[0]).toMatchObject({ orientation: "h", x: [0, 1, 2, 3, 4, 5, 6, 7, 8] });
    expect(figure.layout["height"]).toBe(374);
    expect(figure.layout["xaxis"]).toMatchObject({ title: { text: "exits" } });
    expect(figure.layout["yaxis"]).toMatchObject({ autorange: "reversed", title: { text: "reason" } });
    expect(figure.text).toContain("bars: exits by reason");
  });

  it("of several series stand beside each other or on each other", () => {
    const data = { user: { boot: 1 }, kernel: { boot: 2 } };
    expect(bars(data).layout["barmode"]).toBe("group");
    expect(bars(data, { stacked: true }).layout["barmode"]).toBe("stack");
    expect(bars([{ ring: 3, n: 2 }], { x: "ring", y: "n" }).data[0]!["x"]).toEqual(["3"]);
  });
});

describe("spreads of numbers", () => {
  it("count each number once, in classes that all series share", () => {
    const values = Array.from({ length: 500 }, (_, index) => (index * 37) % 101);
    const figure = histogram({ a: values, b: [1000] });
    const [a, b] = field(figure, "y") as [number[], number[]];
    expect(a.slice(1, -2).reduce((sum, count) => sum + count, 0)).toBe(500);
    expect(b.slice(1, -2).reduce((sum, count) => sum + count, 0)).toBe(1);
    expect(figure.data[0]!["x"]).toEqual(figure.data[1]!["x"]);
  });

  it("have classes of equal factors on such an axis", () => {
    const { data } = histogram([1, 10, 100, 1000], { x: axis("size", "bytes", { log: true }), bins: 3 });
    expect(data[0]!["x"]).toEqual([1, 1, 10, 100, 1000, 10000, 10000]);
    expect(data[0]!["y"]).toEqual([0, 1, 1, 1, 1, 1, 0]);
  });

  it("as boxes tell quartiles, whiskers and what lies outside", () => {
    const { data, text } = boxes({ a: [1, 2, 3, 4, 5, 100] });
    expect(data[0]).toMatchObject({
      q1: [2.25],
      median: [3.5],
      q3: [4.75],
      lowerfence: [1],
      upperfence: [5],
      y: [[100]],
    });
    expect(text).toContain("a: median 3.5, half from 2.25 to 4.75, all from 1 to 100");
  });

  it("as boxes are drawn for all series, also where nothing lies outside", async () => {
    const svg = (await boxes({ CFS: [1, 2, 3, 4], FIFO: [2, 2, 9, 30, 900] }).svg())!;
    expect(svg.match(/class="box"/g)).toHaveLength(2);
    expect(svg.match(/class="point"/g)).toHaveLength(1);
  });

  it("as boxes of records are grouped by what the axis is", () => {
    expect(field(boxes(rows, { x: "policy", y: "pages" }), "name")).toEqual(["FIFO", "LRU"]);
  });

  it("as percentiles keep the slowest, however many numbers there are", () => {
    const figure = percentiles(Array.from({ length: 20_000 }, (_, index) => index));
    const y = figure.data[0]!["y"] as number[];
    expect(y.length).toBeLessThanOrEqual(300);
    expect([y[0], y.at(-1)]).toEqual([0, 19_999]);
    const { tickvals, ticktext } = figure.layout["xaxis"] as { tickvals: number[]; ticktext: string[] };
    expect(ticktext).toEqual(["0", "50", "75", "90", "99", "99.9", "99.99", "99.999"]);
    expect(tickvals).toHaveLength(8);
  });
});

describe("shares", () => {
  it("fill the whole at each place, also where a series has nothing", () => {
    const figure = shares(
      [
        { t: 2, n: 1, who: "a" },
        { t: 1, n: 3, who: "a" },
        { t: 1, n: 1, who: "b" },
      ],
      { x: axis("t", "ms"), y: "n", by: "who" },
    );
    expect(field(figure, "x")).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(field(figure, "y")).toEqual([
      [75, 100],
      [25, 0],
    ]);
  });

  it("of more series than there are colours show the small ones as one", () => {
    const many = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`s${index}`, [index]]));
    const figure = shares(many);
    expect(field(figure, "name")).toEqual(["s3", "s4", "s5", "s6", "s7", "s8", "s9", "all other"]);
    expect((field(figure, "y") as number[][]).flat().reduce((sum, one) => sum + one, 0)).toBeCloseTo(100, 6);
    expect(new Set(field(figure, "fillcolor")).size).toBe(8);
  });
});

describe("a heat map", () => {
  it("has every cell in the area of its class, and its number where there is room", () => {
    const figure = heatmap(
      [
        [1, 2],
        [3, Number.NaN],
      ],
      { rows: ["a", "b"], columns: ["c", "d"], value: axis("faults") },
    );
    const [areas, [numbers]] = [figure.data.slice(0, -1), figure.data.slice(-1)];
    expect(areas.map(({ name }) => name)).toEqual(["1", "2", "3"]);
    expect(areas.flatMap(({ x }) => x as unknown[]).filter((place) => place === null)).toHaveLength(3);
    expect(numbers).toMatchObject({ mode: "text", text: ["1", "2", "3"], x: [0, 1, 0], y: [0, 0, 1] });
    expect(figure.text).toContain("b: c 3, d –");
    expect(figure.layout["legend"]).toMatchObject({ title: { text: "faults" } });
  });

  it("of records has rows and columns in the order in which they come", () => {
    const figure = heatmap(rows, { x: "policy", y: "tick", value: "pages" });
    expect(figure.text.split("\n").slice(1, 3)).toEqual(["  1: FIFO 3, LRU 4", "  2: FIFO 5, LRU –"]);
  });

  it("with many cells shows numbers to the pointer only, and its drawing leaves them out", async () => {
    const figure = heatmap(Array.from({ length: 30 }, () => Array.from({ length: 30 }, (_, index) => index)));
    expect(figure.data.at(-1)).toMatchObject({ mode: "markers", marker: { opacity: 0 } });
    expect((await figure.svg())!.length).toBeLessThan(150_000);
  });
});

describe("a Gantt chart", () => {
  it("has a lane for each name, from above, and a colour for each kind", () => {
    const spans = spansOf(
      [
        { cpu: 0, start: 0, end: 5, state: "guest" },
        { cpu: 1, start: 2, end: 3, state: "host" },
      ],
      { lane: "cpu", from: "start", to: "end", what: "state" },
    );
    const figure = gantt(spans, { x: time, y: "processor" });
    expect(field(figure, "name")).toEqual(["guest", "host"]);
    expect(figure.data[1]).toMatchObject({ base: [2], x: [1], y: ["1"] });
    expect(figure.layout["yaxis"]).toMatchObject({ categoryarray: ["0", "1"], autorange: "reversed" });
    expect(figure.text).toContain("0: 0 to 5 guest");
    expect(() => spansOf([{ a: 1 }], { lane: "a", from: "b", to: "c" })).toThrow('no record has a column "b"');
  });
});

describe("spans", () => {
  const borders = (figure: Figure) =>
    figure.data.map(({ marker }) => (marker as { line: { width: number[]; color: string[] } }).line);

  it("that are narrow keep their colour, and stay apart from what they touch", () => {
    const spans = [
      { lane: "a", from: 0, to: 1000, what: "runs" },
      { lane: "b", from: 0, to: 1, what: "runs" },
      { lane: "b", from: 500, to: 502, what: "runs" },
      { lane: "b", from: 502, to: 504, what: "runs" },
      { lane: "b", from: 504, to: 506, what: "waits" },
      { lane: "c", from: 504, to: 504, what: "waits" },
    ];
    const [runs, waits] = borders(gantt(spans));
    const [wide, hairline, one, next] = runs!.width;
    expect([wide, hairline]).toEqual([1, 1]);
    expect(one).toBeCloseTo(0.33, 2);
    expect(next).toBe(one);
    const { blue, orange } = colours;
    expect(runs!.color.map((colour) => colour === blue)).toEqual([false, true, false, false]);
    expect(waits).toEqual({ width: [1, 1], color: [orange, orange] });
  });

  it("that are wide on the axis shown have the border of wide ones", () => {
    const spans = [
      { lane: "a", from: 0, to: 1 },
      { lane: "a", from: 900, to: 1000 },
    ];
    expect(borders(gantt(spans))[0]!.color[0]).toBe(colours.blue);
    expect(borders(gantt(spans, { x: axis("t", "s", { range: [0, 10] }) }))[0]!.color[0]).not.toBe(colours.blue);
  });

  it("have a legend above them if it needs one line, with room for it", () => {
    const of = (names: readonly string[]) =>
      gantt(names.map((what, from) => ({ lane: "a", from, to: from + 1, what }))).layout;
    const few = of(["runs", "waits"]);
    expect(few["legend"]).toMatchObject({ orientation: "h", y: 1, yanchor: "bottom" });
    expect(few["margin"]).toMatchObject({ t: 40 });
    const many = of(Array.from({ length: 7 }, (_, index) => `a state with a long name ${index}`));
    expect([many["legend"], many["margin"]]).toMatchObject([undefined, { t: 16 }]);
  });
});

it("drawings show titles of axes and of the figure, names of series, and the stamp", async () => {
  const figure = lines({ one: [1, 2], two: [2, 1] }, { x: time, y: axis("queue", "requests"), title: "Queues" });
  const svg = (await figure.svg())!;
  for (const text of ["time (ticks)", "queue (requests)", "Queues", "one", "two", figure.caption])
    expect(svg).toContain(`>${text}<`);
  expect(svg).not.toMatch(/NaN|undefined/);
  expect(await figure.svg()).toBe(svg);
});
