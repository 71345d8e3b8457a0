/**
 * The characters of the VGA's built-in font, in Unicode. 0 and 255 look like blanks.
 * Manual: IBM Personal Computer Technical Reference, "Of Characters, Keystrokes, and Color".
 */
const low = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
const ascii = String.fromCharCode(...Array.from({ length: 95 }, (_, index) => 32 + index));
const high = [
  "⌂ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»",
  "░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ",
].join("");

/** By code, 0 to 255. */
export const glyphs: readonly string[] = Object.freeze([...low, ...ascii, ...high]);
