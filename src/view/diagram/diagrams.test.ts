import { JSDOM } from "jsdom";
import { describe, expect, it } from "vitest";
import { DISPLAY, type DiskMap, guest, Machine } from "../../index.js";
import { type Diagram, diskDiagram, ganttDiagram, layersDiagram, ringsDiagram, walkDiagram } from "../index.js";
import { axis } from "../plot/index.js";

const machine = Machine.boot({ image: guest("rings"), memory: "16M" }).run({ until: { serial: "hello" } });
const spans = [
  { lane: "A", from: 0, to: 40, what: "runs" },
  { lane: "B", from: 10, to: 12, what: "waits" },
];

const diskOf = (sectors: number): DiskMap => ({
  sectors,
  ranges: [
    { first: 0, count: 1, state: "boot sector", order: 71 },
    { first: 1, count: 70, state: "kernel", order: 1, from: 13 },
    { first: 71, count: sectors - 72, state: "never written" },
    { first: sectors - 1, count: 1, state: "changed since" },
  ],
});

const make: readonly (readonly [string, () => Diagram])[] = [
  [
    "rings",
    () => ringsDiagram({ current: 0, transitions: [{ from: 3, to: 0, name: "INT", times: 2 }], from: machine }),
  ],
  ["no rings", () => ringsDiagram({ rings: {} })],
  ["a walk", () => walkDiagram(machine.walk(0x100123), { from: machine, title: "Walk" })],
  ["a fault", () => walkDiagram(machine.walk(0x300004, { user: true }))],
  ["no paging", () => walkDiagram(Machine.create({ memory: "1M" }).walk(0x1234))],
  ["layers", () => layersDiagram([["a", { name: "b", note: "n", inside: ["c"] }], { boundary: "calls" }, "kernel"])],
  ["no layers", () => layersDiagram([])],
  ["a Gantt chart", () => ganttDiagram(spans, { x: axis("time", "ticks") })],
  ["a disk", () => diskDiagram(diskOf(1000), { title: "Disk" })],
  ["a disk of one sector", () => diskDiagram({ sectors: 1, ranges: [{ first: 0, count: 1, state: "boot sector" }] })],
  ["no spans", () => ganttDiagram([])],
];

const documentOf = ({ svg }: Diagram): Document =>
  new new JSDOM("").window.DOMParser().parseFromString(svg, "image/svg+xml");

describe("a diagram", () => {
  it.each(make)("is a whole document with a title and a description, and runs and loads nothing: %s", (_, draw) => {
    const diagram = draw();
    const root = documentOf(diagram).documentElement;
    expect(root.localName).toBe("svg");
    expect(root.getAttribute("role")).toBe("img");
    const described = root
      .getAttribute("aria-labelledby")!
      .split(" ")
      .map((id) => root.querySelector(`[id="${id}"]`));
    expect(described.map((element) => element?.localName)).toEqual(["title", "desc"]);
    expect(described[0]!.textContent).toMatch(/\S/);
    expect(diagram.svg).not.toMatch(/<script|href|url\(|@import|NaN|undefined|Infinity/);
    expect(diagram.text).toContain(described[0]!.textContent);
    expect(diagram.text).not.toMatch(/undefined|NaN|Infinity|\[object/);
  });

  it.each(make)("is the same each time, and stays inside of its own frame: %s", (_, draw) => {
    const diagram = draw();
    expect(draw().svg).toBe(diagram.svg);
    const root = documentOf(diagram).documentElement;
    const [width, height] = [Number(root.getAttribute("width")), Number(root.getAttribute("height"))];
    for (const rect of root.querySelectorAll("rect")) {
      const [x, y, w, h] = ["x", "y", "width", "height"].map((name) => Number(rect.getAttribute(name)));
      expect(Math.min(x!, y!, w!, h!)).toBeGreaterThanOrEqual(0);
      expect(x! + w!).toBeLessThanOrEqual(width);
      expect(y! + h!).toBeLessThanOrEqual(height);
    }
  });

  it("shows itself as a drawing and as words, and takes its ink from the theme", () => {
    const diagram = ringsDiagram({ from: machine });
    expect(diagram[DISPLAY]()).toEqual({ "image/svg+xml": diagram.svg, "text/plain": diagram.text });
    expect(diagram.svg).toContain("prefers-color-scheme: dark");
    expect(diagram.caption).toContain(machine.hash.slice(0, 12));
    expect(diagram.svg).toContain(diagram.caption);
  });
});

describe("rings", () => {
  it("tell each way by its kind: gates in, returns out, exits to a hypervisor, refusals", () => {
    const { text, svg } = ringsDiagram({
      rings: { "-1": "hypervisor", 0: "kernel" },
      transitions: [
        { from: 3, to: 0, name: "INT 0x80", times: 12 },
        { from: 0, to: 3, name: "IRET" },
        { from: 0, to: -1, name: "CPUID" },
        { from: -1, to: 0, name: "VMRESUME" },
        { from: 3, to: 0, name: "CLI", way: "refused" },
      ],
    });
    expect(text.split("\n").slice(1, -1)).toEqual([
      "  rings from the middle: -1 hypervisor, 0 kernel, 3",
      "  ring 3 to ring 0: INT 0x80 (gate) × 12",
      "  ring 0 to ring 3: IRET (return)",
      "  ring 0 to ring -1: CPUID (exit)",
      "  ring -1 to ring 0: VMRESUME (entry)",
      "  ring 3 to ring 0: CLI (refused)",
    ]);
    expect(svg.match(/<circle[^>]*fill-opacity/g)).toHaveLength(3);
  });
});

describe("a page walk", () => {
  it("has a table for each entry, and the page that it leads to", () => {
    const walk = machine.walk(0x100123);
    const { text } = walkDiagram(walk, { from: machine });
    for (const { table, address } of walk.entries)
      expect(text).toContain(`${table}: entry at 0x${address.toString(16).padStart(8, "0")}`);
    expect(text).toContain("page frame, 4 KiB: frame at 0x00100000 is 0x00100123, offset 0x123");
    expect(text).toContain("physical address 0x00100123");
  });

  it("that faults ends with its cause and without a page", () => {
    const { text, svg } = walkDiagram(machine.walk(0x300004, { user: true }));
    expect(text).toContain("#PF with error code 4: a user read, and the page is not present");
    expect(text).not.toContain("page frame");
    expect(svg).toContain("stroke-dasharray");
  });
});

describe("layers", () => {
  it("stand on each other and side by side, and hold layers of their own", () => {
    const { text } = layersDiagram([
      [{ name: "VM 1", inside: ["app", { boundary: "system calls" }, "kernel"] }, "VM 2"],
      { name: "hypervisor", note: "ring -1" },
    ]);
    expect(text.split("\n").slice(1, -1)).toEqual([
      "  VM 1, in it:",
      "    app",
      "    --- system calls ---",
      "    kernel",
      "  beside it: VM 2",
      "  hypervisor (ring -1)",
    ]);
  });
});

describe("a Gantt diagram", () => {
  it("has a bar for each span, with its times for the pointer, a legend and the axis's title", () => {
    const diagram = ganttDiagram(spans, { x: axis("time", "ticks"), title: "Who runs" });
    const document = documentOf(diagram);
    const titles = [...document.querySelectorAll("rect > title")].map(({ textContent }) => textContent);
    expect(titles).toEqual(["A: 0 to 40 runs", "B: 10 to 12 waits"]);
    const texts = [...document.querySelectorAll("text")].map(({ textContent }) => textContent);
    expect(texts).toEqual(expect.arrayContaining(["Who runs", "A", "B", "runs", "waits", "time (ticks)", "0", "40"]));
  });
});

describe("a disk", () => {
  it("has a square for each sector of the rows that are drawn, and a line for the rest", () => {
    const diagram = diskDiagram(diskOf(1000));
    const document = documentOf(diagram);
    const squares = [...document.querySelectorAll("rect")].filter((rect) => rect.getAttribute("width") === "9");
    const states = 4; // of the legend
    expect(squares).toHaveLength(64 + 64 + (1000 % 64) + states);
    expect(diagram.svg).toContain("832 sectors never written");
    expect(diagram.text.split("\n").slice(1, -1)).toEqual([
      "  sector 0: boot sector, written as number 71",
      "  sectors 1 to 70: kernel, written as number 1 to 70, content of sectors 13 to 82 of the source",
      "  sectors 71 to 998: never written",
      "  sector 999: changed since",
    ]);
  });

  it("has a title on each part of a stretch that goes over two rows, with its own order and origin", () => {
    const titles = [...documentOf(diskDiagram(diskOf(1000))).querySelectorAll("g > title")];
    const texts = titles.map(({ textContent }) => textContent);
    expect(texts).toContain(
      "sectors 64 to 70: kernel, written as number 64 to 70, content of sectors 76 to 82 of the source",
    );
  });
});
