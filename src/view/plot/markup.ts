/**
 * Text in figures. Plotly takes texts for markup (`<b>`, `<a href>`, entities); what is not meant as such is escaped, so
 * that what a guest puts out can be shown. Manual: "Plotly JavaScript Figure Reference", `layout.title.text`.
 */
import { visible } from "../text.js";

/** More characters than this make no label. */
const LONGEST = 160;

/** Any value as text for a figure: nothing in it is markup, and control characters are seen. */
export function markup(value: unknown): string {
  const text = visible(String(value)).replace(/[\n\t]/g, " ");
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text;
  return escaped(shown);
}

/** `%{…}` is a place for a value in what a pointer's box shows. */
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("%{", "%&#123;");

/** Text in lines of at most so many characters, as markup. */
export function wrapped(text: string, width: number): string {
  const lines: string[] = [];
  for (const word of visible(text).split(/\s+/)) {
    const line = lines.at(-1);
    if (line === undefined || line.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines
    .map((line) => line.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"))
    .join("<br>");
}
