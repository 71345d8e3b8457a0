/**
 * Markdown of notebooks as HTML. HTML written in the markdown is shown as text, but for what hides answers until they are
 * asked for, and pictures are shown only when the cell holds them. Mathematics is left as it is written. Manual: GitHub Flavored Markdown; nbformat, "Cell attachments".
 */
import { Marked, type Token, type Tokens } from "marked";
import { escapeHtml, unescapeHtml } from "../../view/text.js";
import { highlight } from "./highlight.js";
import { isEmbeddedImage, isSafeLink } from "./safe-html.js";

export interface Heading {
  readonly depth: number;
  readonly text: string;
  /** Name for links inside of the page. */
  readonly id: string;
}

/** The two ends of a part that is opened by a click. */
const DISCLOSURE = /^\s*(<details>\s*<summary>[\p{L}\p{N} ,.?]*<\/summary>|<\/details>)\s*$/u;

/** Renders the markdown cells of one page, whose headings have names of their own. */
export class MarkdownRenderer {
  readonly #headings: Heading[] = [];
  readonly #ids = new Set<string>();
  readonly #marked: Marked;
  #attachments: unknown;

  /** @param prefix of the names of headings; what begins with `_` is never the name of a heading without one. */
  constructor(prefix = "") {
    const addHeading = (depth: number, text: string): Heading => {
      const heading = { depth, text, id: prefix + this.#newId(text) };
      this.#headings.push(heading);
      return heading;
    };
    const imageAddress = (address: string) => embedded(address, this.#attachments);
    this.#marked = new Marked({
      gfm: true,
      renderer: {
        html: ({ text }) =>
          /^\s*<!--[\s\S]*?-->\s*$/.test(text) ? "" : DISCLOSURE.test(text) ? text.trim() : escapeHtml(text),
        heading({ depth, tokens }) {
          const { id } = addHeading(depth, plainText(tokens));
          return `<h${depth} id="${id}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
        },
        link({ href, title, tokens }) {
          const text = this.parser.parseInline(tokens);
          const address = unescapeHtml(href);
          if (!isSafeLink(address)) return text;
          return `<a href="${escapeHtml(address)}"${titleOf(title)} rel="noopener noreferrer">${text}</a>`;
        },
        image({ href, title, text }) {
          const address = imageAddress(href);
          if (address === undefined) return `<em>${escapeHtml(text || "picture")}</em>`;
          return `<img src="${escapeHtml(address)}" alt="${escapeHtml(text)}"${titleOf(title)}>`;
        },
        code: ({ text, lang }) => `<pre tabindex="0"><code>${codeHtml(text, lang)}</code></pre>\n`,
        table(token) {
          const table = defaultTable.call(this, token);
          return `<div class="table" tabindex="0">${table}</div>\n`;
        },
      },
    });
  }

  /** Headings of all cells rendered so far, in their order. */
  get headings(): readonly Heading[] {
    return this.#headings;
  }

  /** @param attachments of the cell: files by name, each a mime bundle of base64. */
  render(markdown: string, attachments?: unknown): string {
    this.#attachments = attachments;
    return this.#marked.parse(markdown, { async: false });
  }

  #newId(text: string): string {
    const base =
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N}]+/gu, "-")
        .replace(/^-+|-+$/g, "") || "section";
    let id = base;
    for (let count = 2; this.#ids.has(id); count++) id = `${base}-${count}`;
    this.#ids.add(id);
    return id;
  }
}

const defaultTable = new Marked().Renderer.prototype.table;

function plainText(tokens: readonly Token[]): string {
  return tokens
    .map((token) => ("tokens" in token && token.tokens !== undefined ? plainText(token.tokens) : unescaped(token)))
    .join("");
}

/** Text as it was meant; of the tokens of a line only these hold text. */
function unescaped(token: Token): string {
  if (token.type === "br") return " ";
  const { text } = token as Tokens.Text;
  // What is written in code is meant as it stands.
  return token.type === "codespan" ? text : unescapeHtml(text ?? token.raw);
}

function codeHtml(text: string, language: string | undefined): string {
  return /^(?:ts|typescript|js|javascript)\b/i.test(language ?? "") ? highlight(text) : escapeHtml(text);
}

function titleOf(title: string | null | undefined): string {
  return title ? ` title="${escapeHtml(title)}"` : "";
}

/** The address of a picture that needs no network. */
function embedded(address: string, attachments: unknown): string | undefined {
  if (isEmbeddedImage(address)) return address;
  const name = /^attachment:(.*)$/.exec(address)?.[1];
  if (name === undefined) return undefined;
  const bundle = (attachments as Readonly<Record<string, unknown>> | undefined)?.[decoded(name)];
  if (typeof bundle !== "object" || bundle === null) return undefined;
  return Object.entries(bundle)
    .map(([type, data]) => `data:${type};base64,${String(data).replace(/[^A-Za-z0-9+/=]/g, "")}`)
    .find(isEmbeddedImage);
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
