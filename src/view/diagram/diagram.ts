/**
 * A diagram as a value: a drawing, the same in words, and a stamp that says what it was made from. The drawing loads
 * nothing, runs nothing, has a title and a description for those who do not see it, and takes the colour of its text
 * from the page's theme.
 */
import { DISPLAY, type Displayable, type MimeBundle } from "../display.js";
import { INK_ON } from "../palette.js";
import { type FigureSources, type Provenance, provenance, provenanceMetadata, stampText } from "../plot/provenance.js";
import { visible } from "../text.js";
import { element, group, label, type Markup } from "./svg.js";

/** What all diagrams take. */
export interface DiagramOptions extends FigureSources {
  /** A heading above the diagram. */
  readonly title?: string | undefined;
}

/** A drawing without what stands around it, from 0 to its width and height. */
export interface Drawing {
  /** What kind of diagram it is, which is its title where none is given. */
  readonly kind: string;
  readonly width: number;
  readonly height: number;
  readonly parts: readonly Markup[];
  /** The diagram in words, a line each. */
  readonly words: readonly string[];
  /** What it shows, as plain data: two diagrams of the same data have the same hash. */
  readonly data: readonly Readonly<Record<string, unknown>>[];
}

const EDGE = 8;
const HEADING = 30;
const STAMP = 24;

export class Diagram implements Displayable {
  /** A whole SVG document. */
  readonly svg: string;
  /** The diagram in words. */
  readonly text: string;
  /** What the diagram was made from, with the first digits of each content hash. */
  readonly caption: string;
  /** The diagram's name, and the hashes of what it was made from and of what it shows. */
  readonly provenance: Provenance;

  constructor(drawing: Drawing, { title, ...sources }: DiagramOptions) {
    const { kind, width, height, parts, words, data } = drawing;
    const name = title ?? kind;
    this.provenance = provenance(data, name, sources);
    this.caption = stampText(this.provenance);
    this.text = visible([name, ...words.map((line) => `  ${line}`), this.caption].join("\n"));
    const top = title === undefined ? EDGE : EDGE + HEADING;
    const size = { width: Math.ceil(width + 2 * EDGE), height: Math.ceil(top + height + STAMP + EDGE) };
    // Names in one page must differ; equal drawings may share theirs.
    const id = `vl-${this.provenance.data.slice(0, 12)}`;
    const style = `svg{color:${INK_ON.light}}@media (prefers-color-scheme: dark){svg{color:${INK_ON.dark}}}`;
    const content = [
      element("title", { id: `${id}-title` }, name),
      element("desc", { id: `${id}-desc` }, words.join("\n")),
      { markup: provenanceMetadata(this.provenance) },
      element("style", {}, style),
      ...(title === undefined ? [] : [label(EDGE, EDGE + 15, title, { bold: true, size: 14 })]),
      group({ transform: `translate(${EDGE},${top})` }, parts),
      label(EDGE, size.height - EDGE - 2, this.caption, { size: 11, dim: true }),
    ];
    this.svg = element(
      "svg",
      {
        xmlns: "http://www.w3.org/2000/svg",
        ...size,
        viewBox: `0 0 ${size.width} ${size.height}`,
        role: "img",
        "aria-labelledby": `${id}-title ${id}-desc`,
        "font-family": "system-ui, sans-serif",
      },
      ...content,
    ).markup;
    Object.freeze(this);
  }

  toString(): string {
    return this.text;
  }

  /** A drawing, and the same in words. */
  [DISPLAY](): MimeBundle {
    return { "image/svg+xml": this.svg, "text/plain": this.text };
  }
}
