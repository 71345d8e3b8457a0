/**
 * Text that grows by a character at a time, and its end.
 *
 * JavaScript engines keep such a text as a tree of pieces and make one piece of it when it is looked at, which costs its
 * length. So the end of the text that grew last is remembered apart. What is remembered shows in no result.
 */

/** The remembered end is cut back to half of this when it is longer. */
const LONGEST_END = 2048;

let grown = "";
let end = "";

/** The text with a character more. */
export function append(text: string, character: string): string {
  end = text === grown ? end + character : character;
  if (end.length > LONGEST_END) end = end.slice(-LONGEST_END / 2);
  grown = text + character;
  return grown;
}

/** The text from a place on. */
export function textFrom(text: string, from: number): string {
  const length = text.length - from;
  return length <= end.length && text === grown ? end.slice(end.length - length) : text.slice(from);
}
