/** The ends of what a machine has put out at each place, as parts of one text that holds each character once. */
import { visible } from "../text.js";

/** Lines and characters shown of an output, from its end. */
const LINES = 6;
const CHARACTERS = 1200;

export interface OutputTails {
  readonly text: string;
  /** Where in the text each place's part begins, where in it the new output begins, and where it ends. */
  readonly parts: readonly (readonly [start: number, fresh: number, end: number])[];
}

/** @param outputs of the places in their order; each usually begins with the one before. */
export function outputTails(outputs: readonly string[]): OutputTails {
  let text = "";
  /** How far the output before has been taken into the text, and how much of it was left out. */
  let covered = 0;
  let shift = 0;
  let before = "";
  const parts = outputs.map((output, index): readonly [number, number, number] => {
    const shown = visible(wholeCharacters(output));
    const grew = shown.startsWith(before);
    const start = tailStart(shown);
    if (!grew || start > covered) {
      // A jump: what lies between is shown at no place.
      shift = text.length - start;
      covered = start;
    }
    text += shown.slice(covered);
    covered = Math.max(covered, shown.length);
    const fresh = index === 0 || !grew ? (index === 0 ? shown.length : start) : Math.max(start, before.length);
    before = shown;
    return [start + shift, fresh + shift, shown.length + shift];
  });
  return { text, parts };
}

/** Without the half of a line end or of a character, which would turn into something else with the next byte. */
const wholeCharacters = (output: string): string => output.replace(/[\r\ufffd]+$/, "");

function tailStart(text: string): number {
  const end = text.endsWith("\n") ? text.length - 1 : text.length;
  let start = end;
  for (let lines = 0; lines < LINES && start >= 0; lines++) start = text.lastIndexOf("\n", start - 1);
  return Math.max(start + 1, text.length - CHARACTERS);
}
