/**
 * Elements of a drawing. What is given as a string is text and is always escaped; only what is made here is markup. So
 * no text can become an element, whatever it says. Manual: Scalable Vector Graphics (SVG) 1.1.
 */
import { escapeHtml, visible } from "../text.js";

/** A piece of a drawing. */
export interface Markup {
  readonly markup: string;
}

export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** At most one digit after the point. */
const numberText = (value: number): string => String(Math.round(value * 10) / 10);

/** An element with its attributes and what is in it. */
export function element(name: string, attributes: Attributes, ...children: readonly (Markup | string)[]): Markup {
  const given = Object.entries(attributes).flatMap(([attribute, value]) =>
    value === undefined
      ? []
      : [` ${attribute}="${typeof value === "number" ? numberText(value) : escapeHtml(visible(value))}"`],
  );
  const content = children.map((child) => (typeof child === "string" ? escapeHtml(visible(child)) : child.markup));
  return { markup: `<${name}${given.join("")}${content.length === 0 ? "/>" : `>${content.join("")}</${name}>`}` };
}

export const group = (attributes: Attributes, children: readonly Markup[]): Markup =>
  element("g", attributes, ...children);

interface LabelLook {
  readonly size?: number;
  readonly bold?: boolean;
  /** In the background. */
  readonly dim?: boolean;
  readonly mono?: boolean;
  readonly anchor?: "start" | "middle" | "end";
  readonly fill?: string;
}

const MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace";

/** A line of text, its baseline at y. */
export const label = (x: number, y: number, text: string, look: LabelLook = {}): Markup =>
  element(
    "text",
    {
      x,
      y,
      "font-size": look.size ?? 13,
      "font-weight": look.bold ? 650 : undefined,
      "font-family": look.mono ? MONO : undefined,
      "text-anchor": look.anchor === "start" ? undefined : look.anchor,
      fill: look.fill ?? "currentColor",
      "fill-opacity": look.dim ? 0.8 : undefined,
    },
    text,
  );

interface BoxLook {
  readonly stroke?: string;
  readonly fill?: string;
  readonly width?: number;
  readonly dashed?: boolean;
}

/** A box with rounded corners, in the colour of the text around it unless told otherwise. */
export const box = (x: number, y: number, width: number, height: number, look: BoxLook = {}): Markup =>
  element("rect", {
    x,
    y,
    width,
    height,
    rx: 5,
    fill: look.fill ?? "currentColor",
    "fill-opacity": look.fill === undefined ? 0.06 : undefined,
    stroke: look.stroke ?? "currentColor",
    "stroke-opacity": look.stroke === undefined ? 0.45 : undefined,
    "stroke-width": look.width ?? 1,
    "stroke-dasharray": look.dashed ? "5 4" : undefined,
  });

interface LineLook {
  readonly stroke?: string;
  readonly width?: number;
  readonly dashed?: boolean;
  readonly faint?: boolean;
}

export type Point = readonly [x: number, y: number];

/** A line through points. */
export const line = (points: readonly Point[], look: LineLook = {}): Markup =>
  element("path", {
    d: points.map(([x, y], index) => `${index === 0 ? "M" : "L"}${numberText(x)} ${numberText(y)}`).join(""),
    fill: "none",
    stroke: look.stroke ?? "currentColor",
    "stroke-opacity": look.faint ? 0.4 : undefined,
    "stroke-width": look.width ?? 1.6,
    "stroke-dasharray": look.dashed ? "5 4" : undefined,
    "stroke-linejoin": "round",
  });

const HEAD = 9;

/** A line through points with a head at its end. */
export function arrow(points: readonly Point[], look: LineLook = {}): Markup {
  const [fromX, fromY] = points.at(-2)!;
  const [x, y] = points.at(-1)!;
  const angle = Math.atan2(y - fromY, x - fromX);
  const at = (along: number, aside: number): string =>
    `${numberText(x - along * Math.cos(angle) - aside * Math.sin(angle))} ${numberText(y - along * Math.sin(angle) + aside * Math.cos(angle))}`;
  const neck: Point = [x - 0.7 * HEAD * Math.cos(angle), y - 0.7 * HEAD * Math.sin(angle)];
  return group({}, [
    line([...points.slice(0, -1), neck], look),
    element("path", {
      d: `M${at(0, 0)}L${at(HEAD, HEAD / 2.2)}L${at(HEAD, -HEAD / 2.2)}Z`,
      fill: look.stroke ?? "currentColor",
    }),
  ]);
}

/** A cross, where something ends that should not. */
export const cross = ([x, y]: Point, stroke: string): Markup =>
  element("path", {
    d: `M${numberText(x - 6)} ${numberText(y - 6)}l12 12m0 -12l-12 12`,
    fill: "none",
    stroke,
    "stroke-width": 2.6,
    "stroke-linecap": "round",
  });
