/**
 * The keys of an MF2 (101/102 keys) keyboard: their scan codes in all three sets, and what a US layout types with them.
 *
 * Manual: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)", scan code sets.
 */
import { VirtlabError } from "../../state/error.js";

/** Stands before the code, in sets 1 and 2, of a key the 84-key keyboard did not have. */
export const EXTENDED = 0xe000;

interface Key {
  readonly set1: number;
  readonly set2: number;
  readonly set3: number;
}

const key = (set1: number, set2: number, set3: number): Key => ({ set1, set2, set3 });
const extended = (set1: number, set2: number, set3: number): Key => key(EXTENDED | set1, EXTENDED | set2, set3);

/** By name: letters and digits by themselves, the others by what is printed on them, unshifted. */
export const KEYS = {
  escape: key(0x01, 0x76, 0x08),
  "1": key(0x02, 0x16, 0x16),
  "2": key(0x03, 0x1e, 0x1e),
  "3": key(0x04, 0x26, 0x26),
  "4": key(0x05, 0x25, 0x25),
  "5": key(0x06, 0x2e, 0x2e),
  "6": key(0x07, 0x36, 0x36),
  "7": key(0x08, 0x3d, 0x3d),
  "8": key(0x09, 0x3e, 0x3e),
  "9": key(0x0a, 0x46, 0x46),
  "0": key(0x0b, 0x45, 0x45),
  "-": key(0x0c, 0x4e, 0x4e),
  "=": key(0x0d, 0x55, 0x55),
  backspace: key(0x0e, 0x66, 0x66),
  tab: key(0x0f, 0x0d, 0x0d),
  q: key(0x10, 0x15, 0x15),
  w: key(0x11, 0x1d, 0x1d),
  e: key(0x12, 0x24, 0x24),
  r: key(0x13, 0x2d, 0x2d),
  t: key(0x14, 0x2c, 0x2c),
  y: key(0x15, 0x35, 0x35),
  u: key(0x16, 0x3c, 0x3c),
  i: key(0x17, 0x43, 0x43),
  o: key(0x18, 0x44, 0x44),
  p: key(0x19, 0x4d, 0x4d),
  "[": key(0x1a, 0x54, 0x54),
  "]": key(0x1b, 0x5b, 0x5b),
  enter: key(0x1c, 0x5a, 0x5a),
  ctrl: key(0x1d, 0x14, 0x11),
  a: key(0x1e, 0x1c, 0x1c),
  s: key(0x1f, 0x1b, 0x1b),
  d: key(0x20, 0x23, 0x23),
  f: key(0x21, 0x2b, 0x2b),
  g: key(0x22, 0x34, 0x34),
  h: key(0x23, 0x33, 0x33),
  j: key(0x24, 0x3b, 0x3b),
  k: key(0x25, 0x42, 0x42),
  l: key(0x26, 0x4b, 0x4b),
  ";": key(0x27, 0x4c, 0x4c),
  "'": key(0x28, 0x52, 0x52),
  "`": key(0x29, 0x0e, 0x0e),
  shift: key(0x2a, 0x12, 0x12),
  "\\": key(0x2b, 0x5d, 0x5c),
  z: key(0x2c, 0x1a, 0x1a),
  x: key(0x2d, 0x22, 0x22),
  c: key(0x2e, 0x21, 0x21),
  v: key(0x2f, 0x2a, 0x2a),
  b: key(0x30, 0x32, 0x32),
  n: key(0x31, 0x31, 0x31),
  m: key(0x32, 0x3a, 0x3a),
  ",": key(0x33, 0x41, 0x41),
  ".": key(0x34, 0x49, 0x49),
  "/": key(0x35, 0x4a, 0x4a),
  "right shift": key(0x36, 0x59, 0x59),
  "keypad *": key(0x37, 0x7c, 0x7e),
  alt: key(0x38, 0x11, 0x19),
  space: key(0x39, 0x29, 0x29),
  "caps lock": key(0x3a, 0x58, 0x14),
  f1: key(0x3b, 0x05, 0x07),
  f2: key(0x3c, 0x06, 0x0f),
  f3: key(0x3d, 0x04, 0x17),
  f4: key(0x3e, 0x0c, 0x1f),
  f5: key(0x3f, 0x03, 0x27),
  f6: key(0x40, 0x0b, 0x2f),
  f7: key(0x41, 0x83, 0x37),
  f8: key(0x42, 0x0a, 0x3f),
  f9: key(0x43, 0x01, 0x47),
  f10: key(0x44, 0x09, 0x4f),
  "num lock": key(0x45, 0x77, 0x76),
  "scroll lock": key(0x46, 0x7e, 0x5f),
  "keypad 7": key(0x47, 0x6c, 0x6c),
  "keypad 8": key(0x48, 0x75, 0x75),
  "keypad 9": key(0x49, 0x7d, 0x7d),
  "keypad -": key(0x4a, 0x7b, 0x84),
  "keypad 4": key(0x4b, 0x6b, 0x6b),
  "keypad 5": key(0x4c, 0x73, 0x73),
  "keypad 6": key(0x4d, 0x74, 0x74),
  "keypad +": key(0x4e, 0x79, 0x7c),
  "keypad 1": key(0x4f, 0x69, 0x69),
  "keypad 2": key(0x50, 0x72, 0x72),
  "keypad 3": key(0x51, 0x7a, 0x7a),
  "keypad 0": key(0x52, 0x70, 0x70),
  "keypad .": key(0x53, 0x71, 0x71),
  "102nd": key(0x56, 0x61, 0x13),
  f11: key(0x57, 0x78, 0x56),
  f12: key(0x58, 0x07, 0x5e),
  "keypad enter": extended(0x1c, 0x5a, 0x79),
  "right ctrl": extended(0x1d, 0x14, 0x58),
  "keypad /": extended(0x35, 0x4a, 0x77),
  "right alt": extended(0x38, 0x11, 0x39),
  home: extended(0x47, 0x6c, 0x6e),
  up: extended(0x48, 0x75, 0x63),
  "page up": extended(0x49, 0x7d, 0x6f),
  left: extended(0x4b, 0x6b, 0x61),
  right: extended(0x4d, 0x74, 0x6a),
  end: extended(0x4f, 0x69, 0x65),
  down: extended(0x50, 0x72, 0x60),
  "page down": extended(0x51, 0x7a, 0x6d),
  insert: extended(0x52, 0x70, 0x67),
  delete: extended(0x53, 0x71, 0x64),
  "left win": extended(0x5b, 0x1f, 0x8b),
  "right win": extended(0x5c, 0x27, 0x8c),
  menu: extended(0x5d, 0x2f, 0x8d),
  "print screen": extended(0x37, 0x7c, 0x57),
  pause: key(0x45, 0x77, 0x62),
} as const satisfies { readonly [name: string]: Key };

/** A key by its name. */
export type KeyName = keyof typeof KEYS;
const NAMES = Object.keys(KEYS) as readonly KeyName[];

/** Codes of a key in sets 1 and 2 that are not its one code with a prefix, and what releasing it sends. */
const SPECIAL: { readonly [N in KeyName]?: readonly (readonly [make: string, release: string])[] } = {
  "print screen": [
    ["\xe0\x2a\xe0\x37", "\xe0\xb7\xe0\xaa"],
    ["\xe0\x12\xe0\x7c", "\xe0\xf0\x7c\xe0\xf0\x12"],
  ],
  pause: [
    ["\xe1\x1d\x45\xe1\x9d\xc5", ""],
    ["\xe1\x14\x77\xe1\xf0\x14\xf0\x77", ""],
  ],
};
const RELEASED_1 = 0x80;
const RELEASED_PREFIX = "\xf0";

/**
 * What pressing or releasing a key sends, one character of code 0 to 255 a byte.
 *
 * @param set scan code set 1, 2 or 3.
 */
export function scanCode(name: KeyName, released: boolean, set: number): string {
  if (set === 3) return (released ? RELEASED_PREFIX : "") + String.fromCharCode(KEYS[name].set3);
  const special = SPECIAL[name]?.[set - 1];
  if (special !== undefined) return special[released ? 1 : 0];
  const code = set === 1 ? KEYS[name].set1 : KEYS[name].set2;
  const prefix = (code & EXTENDED) !== 0 ? "\xe0" : "";
  if (set === 1) return prefix + String.fromCharCode((code & 0xff) | (released ? RELEASED_1 : 0));
  return prefix + (released ? RELEASED_PREFIX : "") + String.fromCharCode(code & 0xff);
}

// A stroke, a key going down or up, is a character: its state is part of the machine and is saved as text. The number is
// the key's place in the table, so new keys are added at its end.

const FIRST_STROKE = 0x100;

/** A key going down or up as one character. */
export function stroke(name: KeyName, released: boolean): string {
  return String.fromCharCode(FIRST_STROKE + 2 * NAMES.indexOf(name) + (released ? 1 : 0));
}

/** What one character of strokes sends in a scan code set. */
export function strokeCode(strokes: string, index: number, set: number): string {
  const number = strokes.charCodeAt(index) - FIRST_STROKE;
  const name = NAMES[number >> 1];
  return name === undefined ? "" : scanCode(name, (number & 1) !== 0, set);
}

const SHIFTED = new Map(
  [...'~!@#$%^&*()_+{}|:"<>?'].map((character, index) => [character, "`1234567890-=[]\\;',./"[index]!]),
);
const NAMED = new Map([
  ["\n", "enter"],
  ["\r", "enter"],
  ["\t", "tab"],
  ["\b", "backspace"],
  ["\x1b", "escape"],
  [" ", "space"],
]);

function isKey(name: string): name is KeyName {
  return Object.hasOwn(KEYS, name);
}

function typed(character: string): string {
  const lower = character.toLowerCase();
  const base = NAMED.get(character) ?? SHIFTED.get(character) ?? lower;
  if (base.length > 1 && !NAMED.has(character)) return refuse(character);
  if (!isKey(base)) return refuse(character);
  const press = stroke(base, false) + stroke(base, true);
  const shifts = SHIFTED.has(character) || lower !== character;
  return shifts ? stroke("shift", false) + press + stroke("shift", true) : press;
}

function refuse(character: string): never {
  const code = character.codePointAt(0)!.toString(16);
  throw new VirtlabError(`keyboard: a US layout has no key for "${character}" (U+${code.padStart(4, "0")})`);
}

/**
 * The strokes that type a text.
 *
 * @throws VirtlabError for a character that a US layout cannot type.
 */
export function strokesOfText(text: string): string {
  return [...text].map(typed).join("");
}

/**
 * The strokes of keys held down together: all go down in order and up in reverse.
 *
 * @throws VirtlabError for a name that is no key's.
 */
export function strokesOfKeys(names: readonly string[]): string {
  const keys = names.map((name) => {
    if (!isKey(name)) throw new VirtlabError(`keyboard: there is no key "${name}"`);
    return name;
  });
  return [...keys.map((name) => stroke(name, false)), ...keys.toReversed().map((name) => stroke(name, true))].join("");
}
