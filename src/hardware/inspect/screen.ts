/**
 * The text screen as a value: what a VGA makes of video memory. Characters and attributes lie in RAM from 0xB8000 on;
 * which of them are seen, and where the cursor is, the registers of the VGA's CRT controller say. A machine without these
 * registers shows what a BIOS leaves behind: 80 columns and 25 lines from the first character on, without a cursor.
 * Manual: IBM VGA XGA Technical Reference, "Alphanumeric Modes", "CRT Controller Registers".
 */
import { VirtlabError } from "../../state/error.js";
import type { Machine } from "../machine.js";
import { deepFreeze } from "../machine-content.js";
import { glyphs } from "./code-page-437.js";

export interface ScreenCell {
  /** The character as it looks, in Unicode: code page 437. */
  readonly character: string;
  /** The byte in video memory. */
  readonly code: number;
  /** Number of its colour, 0 to 15, and of that behind it, 0 to 7. */
  readonly foreground: number;
  readonly background: number;
  readonly blink: boolean;
}

export interface ScreenCursor {
  /** From 0, from the top and from the left. */
  readonly row: number;
  readonly column: number;
  /** Scan lines of a character that it fills. */
  readonly from: number;
  readonly to: number;
}

export interface TextScreen {
  readonly columns: number;
  readonly rows: number;
  /** Lines from the top, each with its blanks at the end left out. */
  readonly lines: readonly string[];
  /** From the top, each from the left. */
  readonly cells: readonly (readonly ScreenCell[])[];
  /** Absent where it is switched off or lies outside, and without a VGA. */
  readonly cursor?: ScreenCursor;
}

/** What of a VGA decides about its text screen. */
export interface TextMode {
  readonly columns: number;
  readonly rows: number;
  /** The first character, counted in characters from the beginning of video memory. */
  readonly start: number;
  /** Where the cursor is, counted so too; absent where it is off. */
  readonly cursor?: { readonly at: number; readonly from: number; readonly to: number };
  /** The highest bit of an attribute blinks; else it is a background's. */
  readonly blinks: boolean;
}

const VIDEO = 0xb8000;
/** Bytes of video memory in colour text modes; addresses go round in it. */
const WINDOW = 0x8000;

/** As a BIOS leaves mode 3. */
const asAfterReset: TextMode = { columns: 80, rows: 25, start: 0, blinks: true };

/** CRT controller registers by index. */
const CRTC = { DISPLAY_END: 1, OVERFLOW: 7, MAXIMUM_SCAN_LINE: 9, CURSOR_START: 10, CURSOR_END: 11 } as const;
const START_HIGH = 12;
const CURSOR_HIGH = 14;
const VERTICAL_DISPLAY_END = 18;
const CURSOR_OFF = 0x20;

/** A text mode by the registers of the CRT controller. */
export function textMode(crtc: readonly number[], blinks: boolean): TextMode {
  const register = (index: number): number => crtc[index] ?? 0;
  const pair = (high: number): number => (register(high) << 8) | register(high + 1);
  const overflow = register(CRTC.OVERFLOW);
  const lines = register(VERTICAL_DISPLAY_END) + ((overflow & 2) << 7) + ((overflow & 0x40) << 3) + 1;
  const from = register(CRTC.CURSOR_START);
  const shape = { at: pair(CURSOR_HIGH), from: from & 31, to: register(CRTC.CURSOR_END) & 31 };
  return {
    columns: register(CRTC.DISPLAY_END) + 1,
    rows: Math.floor(lines / ((register(CRTC.MAXIMUM_SCAN_LINE) & 31) + 1)),
    start: pair(START_HIGH),
    blinks,
    ...((from & CURSOR_OFF) === 0 && shape.from <= shape.to ? { cursor: shape } : {}),
  };
}

/**
 * The text screen of a machine.
 *
 * @throws VirtlabError where RAM ends below video memory.
 * @example
 * const machine = Machine.create({ memory: "1M" }).write(0xb8000, Uint8Array.of(0x48, 0x1f, 0x69, 0x1f)); // "Hi"
 * const { lines, cells } = screenOf(machine);
 * [lines[0], cells[0]?.[0]?.foreground, cells[0]?.[0]?.background] // => [ 'Hi', 15, 1 ]
 */
export function screenOf(machine: Machine, mode: TextMode = asAfterReset): TextScreen {
  if (machine.memory.size < VIDEO + WINDOW)
    throw new VirtlabError(`screen: RAM ends below the video memory at 0x${VIDEO.toString(16)}`);
  const memory = machine.memory.read(VIDEO, WINDOW);
  const { columns, rows, start, cursor } = mode;
  const cells = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => cellAt(memory, 2 * (start + row * columns + column), mode.blinks)),
  );
  const place = cursor === undefined ? -1 : cursor.at - start;
  const inside = cursor !== undefined && place >= 0 && place < rows * columns;
  return deepFreeze({
    columns,
    rows,
    lines: cells.map((row) =>
      row
        .map(({ character }) => character)
        .join("")
        .trimEnd(),
    ),
    cells,
    ...(inside
      ? { cursor: { row: Math.floor(place / columns), column: place % columns, from: cursor.from, to: cursor.to } }
      : {}),
  });
}

/** Cells by their two bytes: there are few on a screen, and they are frozen. */
const known = new Map<number, ScreenCell>();

function cellAt(memory: Uint8Array, offset: number, blinks: boolean): ScreenCell {
  const code = memory[offset & (WINDOW - 1)]!;
  const attribute = memory[(offset + 1) & (WINDOW - 1)]!;
  const key = (blinks ? 0x10000 : 0) | (attribute << 8) | code;
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = Object.freeze({
    character: glyphs[code]!,
    code,
    foreground: attribute & 15,
    background: (attribute >> 4) & (blinks ? 7 : 15),
    blink: blinks && attribute > 127,
  });
  known.set(key, made);
  return made;
}
