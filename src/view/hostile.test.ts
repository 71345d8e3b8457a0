/** No display lets text become anything but text, whoever wrote it: what a guest puts out is untrusted. */
import fc from "fast-check";
import { JSDOM } from "jsdom";
import { describe, expect, it } from "vitest";
import { DISPLAY, type Displayable, diff, Machine, plot, show, ToyMachine, tableOf } from "../index.js";
import { ganttDiagram, layersDiagram, ringsDiagram, walkDiagram } from "./index.js";
import {
  axis,
  bars,
  boxes,
  type Figure,
  gantt,
  heatmap,
  histogram,
  lines,
  percentiles,
  provenanceOf,
  scatter,
  shares,
  steps,
} from "./plot/index.js";

const pieces = [
  "<script>alert(1)</script>",
  '<img src=x onerror="alert(1)">',
  "</text></svg>",
  "</title>",
  "</style>",
  "]]>",
  "<!--",
  '" onload="x',
  "' x='",
  "&lt;b&gt;",
  "<b>bold</b>",
  '<a href="javascript:x">',
  "%{x}",
  "\u001b[2J",
  "\u202e",
  "\u0000",
  "\n",
  "plain",
  "__proto__",
];
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 8 })), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join(""));
const settings = { seed: 11, numRuns: 60 };

const { window } = new JSDOM("");
const parser = new window.DOMParser();
const ELEMENTS = new Set(
  "div span b small i p pre code mark style table thead tbody tr th td br"
    .split(" ")
    .concat("svg g path rect circle text tspan title desc metadata clippath clipPath defs".split(" ")),
);

/** Every element and attribute is one of ours. */
function expectOnlyOurs(markup: string, type: "text/html" | "image/svg+xml"): Document {
  const document = parser.parseFromString(markup, type);
  if (type === "image/svg+xml") expect(document.querySelector("parsererror")).toBeNull();
  const root = type === "text/html" ? document.body : document.documentElement;
  for (const element of root.querySelectorAll("*")) {
    expect(ELEMENTS).toContain(element.localName);
    for (const { name, value } of element.attributes) {
      expect(name).not.toMatch(/^on|^src$/i);
      if (name.endsWith("href")) expect(value).toMatch(/^#/);
    }
  }
  return document;
}

const expectPlain = (text: string): void =>
  expect([...text].filter((character) => "\u0000\u001b\u202e".includes(character))).toEqual([]);

/** Plotly takes texts for markup; only what this package means as such is left. */
const OWN_MARKUP = /<\/?b>|<br>|<extra>(%\{fullData\.name\})?<\/extra>/g;

function expectEscapedFigure(figure: Figure): void {
  const strings = (value: unknown): readonly string[] => {
    if (typeof value === "string") return [value];
    return typeof value === "object" && value !== null ? Object.values(value).flatMap(strings) : [];
  };
  for (const text of strings([figure.data, { ...figure.layout, meta: undefined }])) {
    expect(text.replace(OWN_MARKUP, "")).not.toMatch(/[<>]/);
    expectPlain(text);
  }
  expectPlain(figure.text);
}

const figuresOf = (text: string): readonly Figure[] => {
  const options = { title: text, caption: text, x: axis(`x${text}`, text), y: axis(`y${text}`, text) };
  const rows = [
    { [`x${text}`]: text, [`y${text}`]: 3, by: text },
    { [`x${text}`]: `${text}2`, [`y${text}`]: 4, by: `${text}2` },
  ];
  return [
    lines(rows, { ...options, by: "by" }),
    steps({ [text]: [1, 2] }, options),
    scatter([[text, 2]], options),
    bars({ [text]: 1, other: 2 }, options),
    bars({ [text]: { [text]: 1 } }, { ...options, horizontal: true }),
    histogram({ [text]: [1, 2, 3], other: [2] }, options),
    boxes({ [text]: [1, 2, 3] }, options),
    percentiles({ [text]: [1, 2, 3] }, options),
    shares({ [text]: [1, 2], other: [2, 3] }, options),
    heatmap({ [text]: { [text]: 1 } }, { ...options, value: axis(`v${text}`, text) }),
    gantt([{ lane: text, from: 0, to: 3, what: text }], options),
    plot([{ x: [1], y: [2] }], options),
  ];
};

/** A machine that has printed the text. */
function printing(text: string): Machine {
  const code = [...new TextEncoder().encode(text)].flatMap((byte) => [0xb0, byte, 0xee]);
  return Machine.create({ memory: "1M" })
    .write(0x1000, Uint8Array.from([0xba, 0xf8, 0x03, 0, 0, ...code, 0xf4]))
    .edit((draft) => {
      draft.registers.eip = 0x1000;
    });
}

describe("whatever a text says", () => {
  it("machines, differences and toy machines show it as text", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const start = printing(text);
        const end = start.run();
        const toy = ToyMachine.boot({
          program: `${[...new TextEncoder().encode(text)].map((byte) => `set r1, ${byte}\nout r1`).join("\n")}\nhalt`,
        }).run();
        for (const display of [show(end), show(end, { since: start }), show(diff(start, end)), show(toy)]) {
          expectOnlyOurs(display.html, "text/html");
          expectPlain(display.text);
        }
      }),
      { ...settings, numRuns: 10 },
    );
  });

  it("tables show it as text", () => {
    fc.assert(
      fc.property(hostile, hostile, (text, other) => {
        const rows = [{ [text]: other, b: text }];
        const since = [{ [text]: other, b: other }, { [text]: `${other}!` }];
        for (const display of [tableOf(rows, { caption: text }), tableOf(rows, { since, key: text, caption: other })]) {
          const document = expectOnlyOurs(display.html, "text/html");
          expect(document.querySelectorAll("table")).toHaveLength(1);
          expectPlain(display.text);
        }
      }),
      settings,
    );
  });

  it("diagrams show it as text", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const diagrams = [
          ringsDiagram({ title: text, rings: { 0: text, 3: text }, transitions: [{ from: 3, to: 0, name: text }] }),
          layersDiagram([text, [{ name: text, note: text, inside: [text] }], { boundary: text }], { title: text }),
          ganttDiagram([{ lane: text, from: 0, to: 5, what: text }], { title: text, x: axis(`t${text}`, text) }),
          walkDiagram(Machine.create({ memory: "1M" }).walk(0x1234), { title: text }),
        ];
        for (const diagram of diagrams) {
          expectOnlyOurs(diagram.svg, "image/svg+xml");
          expectPlain(diagram.text);
          expect(provenanceOf(diagram[DISPLAY]())).toEqual(diagram.provenance);
        }
      }),
      settings,
    );
  });

  it("figures hand it to Plotly escaped", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        for (const figure of figuresOf(text)) expectEscapedFigure(figure);
      }),
      settings,
    );
  });

  it("drawings of figures show it as text", async () => {
    const text = `${pieces.slice(0, 8).join(" ")}%{x}`;
    // Of those that put text in different places: axes and legend, ends of bars, cells, spans.
    const [line, , , bar, , , , , , cells, spans] = figuresOf(text) as [Figure, ...Figure[]];
    for (const figure of [line, bar!, cells!, spans!]) {
      const bundle = await (figure as Displayable)[DISPLAY]();
      const document = expectOnlyOurs(bundle["image/svg+xml"] as string, "image/svg+xml");
      const shown = [...document.querySelectorAll("text")].map(({ textContent }) => textContent).join("\n");
      expect(shown).toContain("<script>alert(1)</script>");
      expect(provenanceOf(bundle)).toEqual(figure.provenance);
    }
  });
});
