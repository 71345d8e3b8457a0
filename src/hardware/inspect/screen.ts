/**
 * What a VGA shows in text mode: the characters in memory, as its registers say where they begin and how many there are.
 * Manual: IBM VGA XGA Technical Reference, "VGA Function", "Alphanumeric Modes".
 */
import { VirtlabError } from "../../state/error.js";
import { MEMORY } from "../devices/layout.js";
import { CRTC, type VgaState } from "../devices/vga.js";
import type { Machine } from "../machine.js";
import { deepFreeze } from "../machine-content.js";

export interface ScreenCell {
  readonly character: string;
  /** Number of the colour, 0 to 15, of the character and behind it. */
  readonly foreground: number;
  readonly background: number;
}

export interface Screen {
  readonly columns: number;
  readonly rows: number;
  /** The characters of each row, without what is blank at its end. */
  readonly text: readonly string[];
  readonly cells: readonly (readonly ScreenCell[])[];
  /** Where the cursor is; absent where it is not shown. */
  readonly cursor?: { readonly column: number; readonly row: number };
  /** The sixteen colours as CSS has them: "#aa5500". */
  readonly colours: readonly string[];
}

/** Code page 437, the characters in a VGA's memory of shapes. 0 and 255 are blank. */
const CODE_PAGE = [
  " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼",
  " !\"#$%&'()*+,-./0123456789:;<=>?",
  "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_",
  "`abcdefghijklmnopqrstuvwxyz{|}~⌂",
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ",
  "áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
  "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ",
].join("");

const CURSOR_OFF = 0x20;
const BLINKING = 0x08;

/**
 * What the machine's screen shows.
 *
 * @throws VirtlabError for a machine without a VGA.
 * @example
 * const machine = Machine.create({ machine: "pc" }).write(0xb8000, Uint8Array.of(0x48, 0x07, 0x69, 0x07));
 * screen(machine).text[0] // => 'Hi'
 */
export function screen(machine: Machine): Screen {
  const { vga } = machine.devices;
  if (vga === undefined) throw new VirtlabError(`screen: a machine of the kind "${machine.kind}" has no VGA`);
  const { crtc } = vga;
  const columns = crtc[CRTC.horizontalDisplayEnd]! + 1;
  const overflow = crtc[CRTC.overflow]!;
  const lines = crtc[CRTC.verticalDisplayEnd]! + ((overflow & 0x02) << 7) + ((overflow & 0x40) << 3) + 1;
  const rows = Math.max(1, Math.floor(lines / ((crtc[CRTC.maximumScanLine]! & 0x1f) + 1)));
  const start = (crtc[CRTC.startHigh]! << 8) | crtc[CRTC.startLow]!;
  const pitch = crtc[CRTC.offset]! * 2;
  const memory = textMemory(machine);
  const blinks = (vga.attribute[0x10]! & BLINKING) !== 0;
  const cells = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column): ScreenCell => {
      const at = (2 * (start + row * pitch + column)) % memory.length;
      const attribute = memory[at + 1]!;
      return {
        character: CODE_PAGE[memory[at]!]!,
        foreground: attribute & 15,
        background: (attribute >> 4) & (blinks ? 7 : 15),
      };
    }),
  );
  const place = ((crtc[CRTC.cursorHigh]! << 8) | crtc[CRTC.cursorLow]!) - start;
  const cursor = { column: place % pitch, row: Math.floor(place / pitch) };
  const shown =
    (crtc[CRTC.cursorStart]! & CURSOR_OFF) === 0 && place >= 0 && cursor.row < rows && cursor.column < columns;
  return deepFreeze({
    columns,
    rows,
    text: cells.map((row) =>
      row
        .map(({ character }) => character)
        .join("")
        .trimEnd(),
    ),
    cells,
    ...(shown ? { cursor } : {}),
    colours: Array.from({ length: 16 }, (_, number) => colourOf(vga, number)),
  });
}

/** The text window, as far as there is memory. */
function textMemory({ memory }: Machine): Uint8Array {
  const { base, length } = MEMORY.text;
  const window = new Uint8Array(length);
  const count = Math.max(0, Math.min(length, memory.size - base));
  window.set(memory.read(Math.min(base, memory.size), count));
  return window;
}

/** A colour of text, through the attribute controller's palette and the DAC. */
function colourOf({ attribute, dac, dacMask }: VgaState, number: number): string {
  const entry = dac[attribute[number]! & 0x3f & dacMask]!;
  const part = (shift: number): string =>
    Math.round((((entry >> shift) & 0x3f) * 255) / 63)
      .toString(16)
      .padStart(2, "0");
  return `#${part(12)}${part(6)}${part(0)}`;
}
