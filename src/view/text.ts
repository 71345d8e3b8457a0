/**
 * Values as text for readers, and text made safe for HTML. What a guest prints is untrusted: it may try to be markup,
 * to move the cursor, or to turn the direction of writing around.
 */

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text as content of HTML and of quoted attributes. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);

const CHARACTERS = new Map(Object.entries(ENTITIES).map(([character, entity]) => [entity, character]));

/** The text that `escapeHtml` would write so; other entities stay as they are. */
export const unescapeHtml = (html: string): string =>
  html.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => CHARACTERS.get(entity)!);

/**
 * Control and format characters (ESC, direction marks, lone surrogates) as visible escapes; line ends and tabs stay.
 * CR LF is one line end, since that is how serial lines end.
 */
export const visible = (text: string): string =>
  text
    .replace(/\r\n/g, "\n")
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (character) =>
      character === "\n" || character === "\t" ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`,
    );

/** Text in quotes on one line, its end if it is too long. */
export function quoted(text: string, limit = 80): string {
  const shown = JSON.stringify(visible(text.slice(-limit))).replaceAll("\\\\u{", "\\u{");
  return text.length > limit ? `… ${shown}` : shown;
}

/** Unsigned, in as many hexadecimal digits as the width has: hex(10, 8) is "0000000a". */
export const hex = (value: number | bigint, digits: number): string =>
  typeof value === "number" && digits <= 8
    ? (value >>> 0).toString(16).padStart(digits, "0")
    : BigInt.asUintN(4 * digits, BigInt(value))
        .toString(16)
        .padStart(digits, "0");

/** Digits of an address: 8, or 16 where it is above 4 GiB or negative, as those of the upper half of 64 bits are. */
export const addressDigits = (value: number | bigint): 8 | 16 => (value >= 0 && value < 2 ** 32 ? 8 : 16);

export const address = (value: number | bigint): string => `0x${hex(value, addressDigits(value))}`;

/** Digits in groups of three: 12,345. */
export const grouped = (value: number | bigint): string => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

/** "1 byte", "2 bytes". */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${grouped(count)} ${count === 1 ? one : many}`;

export const hexBytes = (bytes: Uint8Array): string => Array.from(bytes, (byte) => hex(byte, 2)).join(" ");
