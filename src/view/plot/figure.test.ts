import { describe, expect, it } from "vitest";
import { DISPLAY, figureOfRun, guest, Machine, plot, provenanceOf, VirtlabError } from "../../index.js";
import { profileRun } from "./run-profile.js";

const rings = Machine.boot({ image: guest("rings"), memory: "16M" });

describe("a run's profile", () => {
  const end = rings.run();
  const profile = profileRun(rings);

  it("covers every step to the end of the machine and counts every exception and interrupt", () => {
    expect([profile.from, profile.to]).toEqual([rings.steps, end.steps]);
    expect(profile.windows.length).toBeLessThanOrEqual(160);
    const count = (kind: string) => profile.incidents.filter((incident) => incident.kind === kind).length;
    expect([count("exception"), count("interrupt")]).toEqual([end.counters.exceptions, end.counters.interrupts]);
    expect(count("INT")).toBeGreaterThan(10);
  });

  it("gives each incident the step just before it", () => {
    for (const { step, kind } of profile.incidents.filter((one) => one.kind !== "INT")) {
      const before = rings.run({ maxInstructions: step });
      const counter = kind === "exception" ? "exceptions" : "interrupts";
      expect(before.step().counters[counter]).toBe(before.counters[counter] + 1);
    }
  });

  it("knows the privilege level at every step", () => {
    const levelAt = (step: number) => profile.levels.filter((level) => level.step <= step).at(-1)?.cpl;
    for (const step of [0, 10_000, 50_000, 200_000, end.steps - 100])
      expect(levelAt(step)).toBe(rings.run({ maxInstructions: step }).cpl);
  });

  it("does not depend on the windows it is looked at through", () => {
    const { incidents, levels, stepsAt } = profileRun(rings, { windows: 7 });
    expect({ incidents, levels, stepsAt }).toEqual({
      incidents: profile.incidents,
      levels: profile.levels,
      stepsAt: profile.stepsAt,
    });
  });

  it("refuses a number of steps or windows that cannot be", () => {
    expect(() => profileRun(rings, { steps: 0 })).toThrow(VirtlabError);
    expect(() => profileRun(rings, { windows: 1.5 })).toThrow("windows is 1.5");
  });
});

describe("the figure of a run", () => {
  it("is stamped with the content hash it was made from", () => {
    const figure = figureOfRun(rings, { steps: 5000 });
    expect(figure.caption).toContain(rings.hash.slice(0, 12));
    expect(JSON.stringify(figure.layout)).toContain(figure.caption);
    expect(figure.text).toContain(figure.caption);
    expect(figure.caption).toContain("steps 0 to 5,000");
  });

  it("has shares that add up to 100 percent in each window", () => {
    const { data } = figureOfRun(rings, { windows: 20 });
    const shares = data.filter((trace) => trace["stackgroup"]).map((trace) => trace["y"] as number[]);
    expect(shares.length).toBeGreaterThan(4);
    for (let window = 0; window < 20; window++)
      expect(shares.reduce((sum, y) => sum + y[window]!, 0)).toBeCloseTo(100, 0);
  });

  it("cannot be changed, and is the same each time", () => {
    const figure = figureOfRun(rings, { steps: 3000 });
    expect(() => ((figure.layout as Record<string, unknown>)["height"] = 1)).toThrow(TypeError);
    expect(() => ((figure.data[0]!["x"] as number[])[0] = 1)).toThrow(TypeError);
    expect(figureOfRun(rings, { steps: 3000 })).toEqual(figure);
  });

  it("of a machine that cannot go on is empty and can be shown", async () => {
    const stopped = Machine.create({ memory: "1M" }).write(0, Uint8Array.of(0xfa, 0xf4)).run();
    const figure = figureOfRun(stopped);
    expect(figure.text).toContain("0 exceptions");
    expect(await figure.svg()).toContain("<svg");
  });

  it("displays as one bundle: Plotly JSON, a drawing made without a browser, and text", async () => {
    const figure = figureOfRun(rings, { steps: 30_000 });
    const bundle = await figure[DISPLAY]();
    expect(Object.keys(bundle)).toEqual(["application/vnd.plotly.v1+json", "image/svg+xml", "text/plain"]);
    const svg = bundle["image/svg+xml"] as string;
    expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(svg).toContain("prefers-color-scheme: dark");
    for (const text of ["Privilege level (CPL)", "interrupts", "data transfer", "3 user", figure.caption])
      expect(svg).toContain(text);
    expect(svg).not.toMatch(/<script|NaN|undefined/);
    // Two drawings asked for at once do not get into each other's way, and are the same.
    expect(await Promise.all([figure.svg(), figure.svg()])).toEqual([svg, svg]);
    const saved = JSON.parse(JSON.stringify(bundle));
    expect(saved["application/vnd.plotly.v1+json"]).toEqual({ data: figure.data, layout: figure.layout });
    // A saved notebook and a saved drawing both tell what the figure was made from.
    expect(provenanceOf(saved)).toEqual(figure.provenance);
    expect(provenanceOf({ "image/svg+xml": svg.split(/(?<=>)/) })).toEqual(figure.provenance);
  });
});

it("a figure is plain JSON for Plotly, which writes into what it is given", () => {
  const figure = plot([{ y: [1, 2] }], { title: "T" });
  const { data, layout } = figure.toJSON() as { data: { y: number[] }[]; layout: Record<string, unknown> };
  expect(JSON.parse(JSON.stringify(figure))).toEqual({ data, layout });
  data[0]!.y.push(3);
  layout["width"] = 1;
  expect(figure.data[0]!["y"]).toEqual([1, 2]);
  expect(figure.toJSON().layout).not.toHaveProperty("width");
});

describe("a plot of one's own", () => {
  const figure = plot([{ x: [0, 1], y: [3, 0] }], {
    title: "CPL",
    caption: "by hand",
    text: "3, then 0",
    layout: { height: 200, yaxis: { range: [3, 0] }, annotations: [{ text: "here", x: 0, y: 0, showarrow: false }] },
  });

  it("has the look of the others, and what its layout adds or changes", () => {
    const { layout } = figure;
    expect(layout).toMatchObject({ height: 200, paper_bgcolor: "rgba(0,0,0,0)" });
    expect(layout["yaxis"]).toMatchObject({ range: [3, 0], zeroline: false });
    const titles = plot([], { layout: { xaxis: { title: "step" }, yaxis2: { title: { text: "CPL" } } } }).layout;
    expect([titles["xaxis"], titles["yaxis2"]]).toMatchObject([
      { title: { text: "step", standoff: 10 } },
      { title: { text: "CPL", standoff: 10 } },
    ]);
    expect((layout["annotations"] as { text: string }[]).map(({ text }) => text)).toEqual([
      "here",
      "<b>CPL</b>",
      `by hand · data ${figure.provenance.data.slice(0, 12)}`,
    ]);
  });

  it("can be drawn, with labels at its axes", async () => {
    const svg = (await figure.svg())!;
    expect(svg).toContain("by hand");
    expect(svg).toMatch(/class="ytick"/);
  });
});
