/** Text as content of HTML. What terminals do with control characters is left out, except for what prints are full of. */

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** The text with everything escaped that has a meaning in HTML, for content and for quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

const CHARACTERS = new Map(Object.entries(ENTITIES).map(([character, entity]) => [entity, character]));

/** The text that `escapeHtml` would write so; other entities stay as they are. */
export function unescapeHtml(html: string): string {
  return html.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => CHARACTERS.get(entity)!);
}

// The forms of ECMA-48: control sequences (colours, cursor), command strings (titles, links), and the short ones.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const ESCAPE_SEQUENCES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])/g;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/**
 * What a program printed, as it would stand on a terminal in the end: escape sequences are left out, a carriage return
 * begins its line anew, and other control characters are shown as their pictures.
 */
export function printedText(text: string): string {
  return text
    .replace(ESCAPE_SEQUENCES, "")
    .replace(/\r+\n/g, "\n")
    .replace(/[^\n]*\r(?=[^\n])/g, "")
    .replace(/\r/g, "")
    .replace(CONTROLS, (character) =>
      character === "\u007f" ? "␡" : String.fromCharCode(0x2400 + character.charCodeAt(0)),
    );
}
