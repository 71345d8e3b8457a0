/** `layersDiagram`: what stands on what: hardware, hypervisor, kernels, containers. */
import { colours } from "../palette.js";
import { textWidth } from "../text-width.js";
import { Diagram, type DiagramOptions } from "./diagram.js";
import { box, label, line, type Markup } from "./svg.js";

/** A box with more to say, or with layers of its own in it. */
export interface LayerBox {
  readonly name: string;
  /** A second line. */
  readonly note?: string;
  /** What is inside of it, from above. */
  readonly inside?: readonly Layer[];
  /** Set off from the others: what the text is about. */
  readonly marked?: boolean;
}

/** A line between two layers, with what crosses it: "system calls". */
export interface LayerBoundary {
  readonly boundary: string;
}

/** A layer: a name, a box, several side by side, or a boundary. */
export type Layer = string | LayerBox | LayerBoundary | readonly Layer[];

const WIDTH = 620;
const GAP = 8;
const PAD = 10;
const ROW = 38;
const NOTED = 52;
const HEAD = 28;
const HEAD_NOTED = 44;
const BOUNDARY = 22;
/** A box is at least as wide as its name. */
const LEAST = 76;

const isRow = (layer: Layer): layer is readonly Layer[] => Array.isArray(layer);
const isBoundary = (layer: Layer): layer is LayerBoundary =>
  typeof layer === "object" && !isRow(layer) && "boundary" in layer;
const boxOf = (layer: string | LayerBox): LayerBox => (typeof layer === "string" ? { name: layer } : layer);

const headOf = ({ note }: LayerBox): number => (note === undefined ? HEAD : HEAD_NOTED);
const stackHeight = (layers: readonly Layer[]): number =>
  layers.reduce<number>((sum, layer) => sum + heightOf(layer) + GAP, -GAP);

function heightOf(layer: Layer): number {
  if (isBoundary(layer)) return BOUNDARY;
  if (isRow(layer)) return Math.max(0, ...layer.map(heightOf));
  const own = boxOf(layer);
  if (own.inside === undefined || own.inside.length === 0) return own.note === undefined ? ROW : NOTED;
  return headOf(own) + stackHeight(own.inside) + PAD;
}

/** The width that a layer needs at the least. */
function needs(layer: Layer): number {
  if (isBoundary(layer)) return textWidth(layer.boundary, 12) + 40;
  if (isRow(layer)) return layer.reduce<number>((sum, one) => sum + needs(one) + GAP, -GAP);
  const { name, note = "", inside = [] } = boxOf(layer);
  const words = Math.max(textWidth(name, 13.5), textWidth(note, 12)) + 2 * PAD;
  return Math.max(LEAST, words, ...inside.map((one) => needs(one) + 2 * PAD));
}

function draw(layer: Layer, x: number, y: number, width: number, height: number): readonly Markup[] {
  if (isBoundary(layer)) {
    const middle = y + BOUNDARY / 2;
    const words = textWidth(layer.boundary, 12);
    return [
      line(
        [
          [x, middle],
          [x + width - words - 12, middle],
        ],
        { dashed: true, stroke: colours.orange },
      ),
      label(x + width - words / 2 - 4, middle + 4, layer.boundary, { size: 12, anchor: "middle" }),
    ];
  }
  if (isRow(layer)) {
    const spare = (width - needs(layer)) / Math.max(1, layer.length);
    let at = x;
    return layer.flatMap((one) => {
      const own = needs(one) + spare;
      const parts = draw(one, at, y, own, height);
      at += own + GAP;
      return parts;
    });
  }
  const own = boxOf(layer);
  const { name, note, inside = [], marked = false } = own;
  const frame = box(x, y, width, height, marked ? { stroke: colours.blue, width: 2.4 } : {});
  const centre = x + width / 2;
  const top = inside.length > 0 ? y + 19 : y + height / 2 + (note === undefined ? 5 : -3);
  return [
    frame,
    label(centre, top, name, { anchor: "middle", bold: marked || inside.length > 0 }),
    ...(note === undefined ? [] : [label(centre, top + 17, note, { anchor: "middle", size: 11.5, dim: true })]),
    ...stack(inside, x + PAD, y + headOf(own), width - 2 * PAD, height - headOf(own) - PAD),
  ];
}

/** Layers below each other; what is left of the height goes to the last that is a box. */
function stack(layers: readonly Layer[], x: number, y: number, width: number, height: number): readonly Markup[] {
  const spare = Math.max(0, height - stackHeight(layers));
  const last = layers.findLastIndex((layer) => !isBoundary(layer));
  let at = y;
  return layers.flatMap((layer, index) => {
    const own = heightOf(layer) + (index === last ? spare : 0);
    const parts = draw(layer, x, at, width, own);
    at += own + GAP;
    return parts;
  });
}

function wordsOf(layer: Layer, depth: number): readonly string[] {
  const indent = "  ".repeat(depth);
  if (isBoundary(layer)) return [`${indent}--- ${layer.boundary} ---`];
  if (isRow(layer))
    return layer.flatMap((one, index) =>
      wordsOf(one, depth).map((text, at) => (at === 0 && index > 0 ? `${indent}beside it: ${text.trimStart()}` : text)),
    );
  const { name, note, inside = [] } = boxOf(layer);
  return [
    `${indent}${name}${note === undefined ? "" : ` (${note})`}${inside.length > 0 ? ", in it:" : ""}`,
    ...inside.flatMap((one) => wordsOf(one, depth + 1)),
  ];
}

/**
 * Layers on each other, from above as they are read. A list in the list stands side by side; `{ boundary }` is a line that
 * is crossed; boxes may hold layers of their own.
 *
 * @example
 * const diagram = layersDiagram([
 *   [{ name: "virtual machine", inside: ["application", { boundary: "system calls" }, "kernel"] }, "another one"],
 *   { boundary: "exits" }, { name: "hypervisor", marked: true }, "hardware",
 * ], { title: "Who runs on what" });
 * diagram.text.split("\n")[1] // => '  virtual machine, in it:'
 */
export function layersDiagram(layers: readonly Layer[], options: DiagramOptions = {}): Diagram {
  const width = Math.max(WIDTH, ...layers.map(needs));
  const height = Math.max(0, stackHeight(layers));
  return new Diagram(
    {
      kind: "layers",
      width,
      height,
      parts: stack(layers, 0, 0, width, height),
      words: layers.flatMap((layer) => wordsOf(layer, 0)),
      data: [{ layers }],
    },
    options,
  );
}
