/** `ringsDiagram`: privilege levels around each other, and the ways from one to another. */
import { colours } from "../palette.js";
import { textWidth } from "../text-width.js";
import { Diagram, type DiagramOptions, type Drawing } from "./diagram.js";
import { arrow, cross, element, label, line, type Markup, type Point } from "./svg.js";

/**
 * How a way between rings is: by a gate inwards, by a return outwards, by an exit to a hypervisor and an entry back, by a
 * fault, or refused.
 */
export type RingWay = "gate" | "return" | "exit" | "entry" | "fault" | "refused";

export interface RingTransition {
  readonly from: number;
  readonly to: number;
  /** What does it: "INT 0x80", "IRET". */
  readonly name: string;
  /** Default: inwards by a gate, outwards by a return; to a level below 0, which is a hypervisor's, by an exit. */
  readonly way?: RingWay;
  /** How often. */
  readonly times?: number;
}

export interface RingsOptions extends DiagramOptions {
  /** What the rings are called, by their level; the lowest is the innermost. Default: rings 0 to 3 of x86. */
  readonly rings?: Readonly<Record<number, string>>;
  readonly transitions?: readonly RingTransition[];
  /** The level that is current; its ring is marked. */
  readonly current?: number;
}

const DEFAULT_RINGS: Readonly<Record<number, string>> = { 0: "kernel", 1: "", 2: "", 3: "applications" };
const looks: Readonly<Record<RingWay, { readonly stroke: string; readonly dashed?: boolean }>> = {
  gate: { stroke: colours.blue },
  return: { stroke: colours.green },
  exit: { stroke: colours.blue },
  entry: { stroke: colours.green },
  fault: { stroke: colours.orange, dashed: true },
  refused: { stroke: colours.orange },
};

/** Thickness of a ring, and the radius of the innermost. */
const RING = 38;
const CORE = 44;
/** Between two labels. */
const ROW = 40;
const MOST_ANGLE = 52;

function wayOf({ from, to, way }: RingTransition): RingWay {
  if (way !== undefined) return way;
  return to < from ? (to < 0 ? "exit" : "gate") : from < 0 ? "entry" : "return";
}
const timesText = ({ times }: RingTransition): string => (times === undefined ? "" : ` × ${times}`);

/**
 * Rings of privilege, the most privileged in the middle, with an arrow for each way between them. A way that is refused
 * ends with a cross at the border.
 *
 * @example
 * const diagram = ringsDiagram({ transitions: [
 *   { from: 3, to: 0, name: "INT 0x80" }, { from: 0, to: 3, name: "IRET" }, { from: 3, to: 0, name: "CLI", way: "refused" },
 * ], title: "Ways into the kernel" });
 * diagram.text.split("\n")[2] // => '  ring 3 to ring 0: INT 0x80 (gate)'
 */
export function ringsDiagram(options: RingsOptions = {}): Diagram {
  const { rings = DEFAULT_RINGS, transitions = [], current, ...rest } = options;
  const levels = Object.keys(rings)
    .map(Number)
    .concat(transitions.flatMap(({ from, to }) => [from, to]))
    .filter((level, index, all) => all.indexOf(level) === index)
    .sort((a, b) => a - b);
  return new Diagram(drawing(levels, rings, transitions, current), rest);
}

function drawing(
  levels: readonly number[],
  rings: Readonly<Record<number, string>>,
  transitions: readonly RingTransition[],
  current: number | undefined,
): Drawing {
  const outer = CORE + RING * Math.max(0, levels.length - 1);
  const height = Math.max(2 * outer + 8, transitions.length * ROW + 8);
  const [x, y] = [outer + 4, height / 2];
  const radius = (index: number): number => CORE + RING * index;
  const circles = levels.map((level, index) =>
    element("circle", {
      cx: x,
      cy: y,
      r: radius(index),
      fill: "currentColor",
      "fill-opacity": 0.05,
      stroke: level === current ? colours.blue : "currentColor",
      "stroke-opacity": level === current ? undefined : 0.45,
      "stroke-width": level === current ? 3 : 1.2,
    }),
  );
  const names = levels.flatMap((level, index) => {
    const title = `ring ${level}`;
    const name = rings[level] ?? "";
    if (index === 0) {
      const lines = [title, name, level === current ? "now" : ""].filter(Boolean);
      return lines.map((text, row) =>
        label(x, y + 5 + (row - (lines.length - 1) / 2) * 15, text, row === 1 ? small : centre),
      );
    }
    const middle = y - radius(index) + RING / 2;
    const now =
      level === current ? [label(x, 2 * y - middle + 4, "now", { anchor: "middle", bold: true, size: 12 })] : [];
    return [label(x, middle + 4, name === "" ? title : `${title} · ${name}`, { anchor: "middle", size: 12 }), ...now];
  });
  const ways = transitions.map((way, index) => transitionParts(way, index));
  const width = Math.max(2 * outer + 8, ...ways.map((way) => way.width));
  return {
    kind: "privilege rings",
    width,
    height,
    parts: [...circles.reverse(), ...ways.flatMap(({ parts }) => parts), ...names],
    words: [
      `rings from the middle: ${levels.map((level) => [level, rings[level]].filter((part) => part !== "" && part !== undefined).join(" ")).join(", ")}${current === undefined ? "" : `; now ring ${current}`}`,
      ...transitions.map((way) => `ring ${way.from} to ring ${way.to}: ${way.name} (${wayOf(way)})${timesText(way)}`),
    ],
    data: [{ levels, rings: Object.entries(rings), transitions, current }],
  };

  function transitionParts(way: RingTransition, index: number): { parts: readonly Markup[]; width: number } {
    const kind = wayOf(way);
    const look = looks[kind];
    const count = transitions.length;
    const rowY = y + (index - (count - 1) / 2) * ROW;
    const turn =
      count === 1 ? 0 : (((index / (count - 1)) * 2 - 1) * MOST_ANGLE * Math.min(1, count / 5) * Math.PI) / 180;
    const at = (distance: number): Point => [x + distance * Math.cos(turn), y + distance * Math.sin(turn)];
    const middle = (level: number): number => {
      const place = levels.indexOf(level);
      return place === 0 ? CORE * 0.9 : radius(place) - RING / 2;
    };
    const [start, end] = [middle(way.from), middle(way.to)];
    // What is refused comes as far as the border of its own ring.
    const border = radius(Math.min(levels.indexOf(way.from) - (end < start ? 1 : 0), levels.length - 1));
    const stroke =
      kind === "refused"
        ? [line([at(start), at(border)], { ...look, width: 2.4 }), cross(at(border), look.stroke)]
        : [arrow([at(start), at(end)], { ...look, width: 2.4 })];
    const labelX = 2 * outer + 44;
    const leader = line([at(Math.max(start, end) + 4), at(outer + 8), [labelX - 8, rowY]], { faint: true, width: 1 });
    const title = way.name + timesText(way);
    const note = `ring ${way.from} → ring ${way.to}, ${kind}`;
    return {
      parts: [
        leader,
        element("circle", { cx: at(start)[0], cy: at(start)[1], r: 3.4, fill: look.stroke }),
        ...stroke,
        label(labelX, rowY - 2, title, { bold: true }),
        label(labelX, rowY + 14, note, { size: 11.5, dim: true }),
      ],
      width: labelX + Math.max(textWidth(title, 14), textWidth(note, 12)) + 8,
    };
  }
}

const centre = { anchor: "middle", bold: true } as const;
const small = { anchor: "middle", size: 11.5, dim: true } as const;
