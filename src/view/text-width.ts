/** How wide a text is, about, where nothing can be asked for it: in a common sans-serif font, near enough for margins. */

/** Widths of characters in units of the font's size, for those that are not of middling width. */
const WIDTHS: readonly (readonly [characters: RegExp, width: number])[] = [
  [/[ijl.,:;'|!]/, 0.29],
  [/[ frtI()[\]/\-"*]/, 0.37],
  [/[mwMW@%]/, 0.92],
  [/[A-Z&]/, 0.68],
  [/[0-9]/, 0.63],
];
const MIDDLING = 0.59;

/** The width of a text in a font of this size, in the unit of the size. */
export const textWidth = (text: string, size: number): number =>
  size * [...text].reduce((sum, one) => sum + (WIDTHS.find(([like]) => like.test(one))?.[1] ?? MIDDLING), 0);
