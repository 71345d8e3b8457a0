/** What a program printed, as it would stand on a terminal: what of it is text. */

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
