/**
 * Where texts of a drawing are and how large, in a document that lays nothing out (jsdom). plotly.js asks for it to place
 * titles, legends and labels. Widths are those of a common sans-serif font, near enough for margins.
 */
import { textWidth } from "../text-width.js";

const LINE_HEIGHT = 1.3;
/** From the baseline of a line up. */
const ASCENT = 0.95;

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Of an affine map, as SVG's `matrix(a b c d e f)` has it. */
type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

const SAME: Matrix = [1, 0, 0, 1, 0, 0];

const times = ([a, b, c, d, e, f]: Matrix, [g, h, i, j, k, l]: Matrix): Matrix => [
  a * g + c * h,
  b * g + d * h,
  a * i + c * j,
  b * i + d * j,
  a * k + c * l + e,
  b * k + d * l + f,
];

function mapOf(element: Element): Matrix {
  let map = SAME;
  for (const [, name, list] of (element.getAttribute("transform") ?? "").matchAll(/(\w+)\(([^)]*)\)/g)) {
    const [x = 0, y = 0, z = 0] = list!.split(/[\s,]+/).map(Number.parseFloat);
    if (name === "translate") map = times(map, [1, 0, 0, 1, x, y]);
    if (name === "scale") map = times(map, [x, 0, 0, y || x, 0, 0]);
    if (name === "rotate") {
      const [cos, sin] = [Math.cos((x * Math.PI) / 180), Math.sin((x * Math.PI) / 180)];
      const turned = times([1, 0, 0, 1, y, z], [cos, sin, -sin, cos, 0, 0]);
      map = times(map, times(turned, [1, 0, 0, 1, -y, -z]));
    }
  }
  return map;
}

const styleOf = (text: Element, name: string): string | undefined =>
  new RegExp(`(?:^|[;\\s])${name}:\\s*([^;]+)`).exec(text.getAttribute("style") ?? "")?.[1] ??
  text.getAttribute(name) ??
  undefined;

const numberIn = (element: Element, name: string): number => Number.parseFloat(element.getAttribute(name) ?? "0") || 0;

/** A text's box where it stands, before any transformation. */
function boxOfText(text: Element): Box {
  const size = Number.parseFloat(styleOf(text, "font-size") ?? "12");
  const lines = [...text.querySelectorAll("tspan.line")];
  const widths = (lines.length > 0 ? lines : [text]).map((line) => textWidth(line.textContent ?? "", size));
  const width = Math.max(0, ...widths);
  const anchor = styleOf(text, "text-anchor") ?? "start";
  const left = numberIn(text, "x") - (anchor === "middle" ? width / 2 : anchor === "end" ? width : 0);
  const top = numberIn(text, "y") - ASCENT * size;
  return { left, top, right: left + width, bottom: top + widths.length * LINE_HEIGHT * size };
}

function mapped({ left, top, right, bottom }: Box, [a, b, c, d, e, f]: Matrix): Box {
  const corners = [left, right].flatMap((x) => [top, bottom].map((y) => [a * x + c * y + e, b * x + d * y + f]));
  const [xs, ys] = [corners.map(([x]) => x!), corners.map(([, y]) => y!)];
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}

/** What the texts in an element cover, seen from `outside`, one of the elements around it; nothing for no texts. */
function boxOfTexts(element: Element, outside: Element | null): Box {
  const texts = element.tagName === "text" ? [element] : [...element.querySelectorAll("text")];
  const boxes = texts.map((text) => {
    let map = SAME;
    for (let at: Element | null = text; at !== null && at !== outside; at = at.parentElement)
      map = times(mapOf(at), map);
    return mapped(boxOfText(text), map);
  });
  if (boxes.length === 0) return { left: 0, top: 0, right: 0, bottom: 0 };
  return {
    left: Math.min(...boxes.map(({ left }) => left)),
    top: Math.min(...boxes.map(({ top }) => top)),
    right: Math.max(...boxes.map(({ right }) => right)),
    bottom: Math.max(...boxes.map(({ bottom }) => bottom)),
  };
}

const rect = ({ left, top, right, bottom }: Box): DOMRect => {
  const size = { width: right - left, height: bottom - top };
  return { x: left, y: top, left, top, right, bottom, ...size, toJSON: () => ({}) };
};

/** Lets the elements of a window's drawings tell where their texts are. */
export function giveTextBoxes(SVGElement: { readonly prototype: SVGElement }): void {
  const { prototype } = SVGElement;
  const bounding = prototype.getBoundingClientRect;
  const lineText = (element: Element): Element => element.closest("text") ?? element;
  Object.assign(prototype, {
    getBBox(this: Element) {
      // A text's own place counts for itself; the transformation of the element that is asked does not.
      return rect(this.tagName === "text" ? boxOfText(this) : boxOfTexts(this, this));
    },
    getComputedTextLength(this: Element) {
      const size = Number.parseFloat(styleOf(lineText(this), "font-size") ?? "12");
      return textWidth(this.textContent ?? "", size);
    },
    getBoundingClientRect(this: SVGElement) {
      if (this.tagName === "tspan") return rect(boxOfTexts(lineText(this), null));
      return ["text", "g"].includes(this.tagName) ? rect(boxOfTexts(this, null)) : bounding.call(this);
    },
  });
}
