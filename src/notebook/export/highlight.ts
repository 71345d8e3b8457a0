/**
 * Light colouring of TypeScript for reading: comments, text, numbers, keywords, names of types and calls. It looks at
 * tokens alone; regular expressions and code inside of templates are left uncoloured on purpose.
 */
import { escapeHtml } from "../../view/text.js";

const KEYWORDS =
  "abstract as async await break case catch class const continue debugger declare default delete do else enum export " +
  "extends false finally for from function if implements import in instanceof interface keyof let new null of private " +
  "protected public readonly return satisfies static super switch this throw true try type typeof undefined var void " +
  "while yield";

/** One class name a kind of token; the first that fits is taken. */
const TOKENS: readonly (readonly [name: string, pattern: string])[] = [
  ["comment", String.raw`\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)`],
  ["string", String.raw`"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|\`(?:[^\`\\]|\\[\s\S])*\`?`],
  ["number", String.raw`\b(?:0[xXoObB][\da-fA-F_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?)n?\b`],
  ["member", String.raw`(?<=\.)#?[A-Za-z_$][\w$]*(?!\s*\(|[\w$])`],
  ["keyword", String.raw`(?<!\.)\b(?:${KEYWORDS.replaceAll(" ", "|")})\b(?!\s*:)`],
  ["type", String.raw`\b[A-Z][\w$]*`],
  ["call", String.raw`[A-Za-z_$][\w$]*(?=\s*\()`],
  ["name", String.raw`[A-Za-z_$][\w$]*`],
];

const PATTERN = new RegExp(TOKENS.map(([name, pattern]) => `(?<${name}>${pattern})`).join("|"), "g");

/** Tokens that have no colour of their own, but must not be taken for parts of others. */
const PLAIN = new Set(["member", "name"]);

/** The code as HTML, with `<span class="tok-…">` around what is coloured. Its text is the code unchanged. */
export function highlight(code: string): string {
  let html = "";
  let end = 0;
  for (const match of code.matchAll(PATTERN)) {
    const kind = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined)?.[0];
    if (kind === undefined || PLAIN.has(kind)) continue;
    html += `${escapeHtml(code.slice(end, match.index))}<span class="tok-${kind}">${escapeHtml(match[0])}</span>`;
    end = match.index + match[0].length;
  }
  return html + escapeHtml(code.slice(end));
}
