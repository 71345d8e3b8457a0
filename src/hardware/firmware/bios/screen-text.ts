/**
 * The text screen as video services write it: characters in the VGA's memory, the cursor in its CRTC.
 * Manual: IBM PC/AT Technical Reference, "Video I/O"; IBM VGA XGA Technical Reference, "Alphanumeric Modes".
 */
import type { ProcessorPort } from "../../cpu/processor.js";
import { MEMORY } from "../../devices/layout.js";
import { CRTC } from "../../devices/vga.js";
import { output, read, write } from "./access.js";
import { BDA } from "./data-area.js";

export interface Place {
  readonly row: number;
  readonly column: number;
}

export const columnsOf = (port: ProcessorPort): number => read(port, BDA.columns, 2);
export const rowsOf = (port: ProcessorPort): number => read(port, BDA.lastRow, 1) + 1;

const LAST_PAGE = 7;
const cursorAddress = (page: number): number => BDA.cursors + 2 * (page & LAST_PAGE);

export function cursorOf(port: ProcessorPort, page: number): Place {
  const value = read(port, cursorAddress(page), 2);
  return { row: value >> 8, column: value & 0xff };
}

/** A CRTC register of 16 bits, by the index of its high half. */
export function writeCrtc(port: ProcessorPort, high: number, value: number): void {
  const index = read(port, BDA.crtcPort, 2);
  for (const [register, part] of [
    [high, value >> 8],
    [high + 1, value & 0xff],
  ] as const) {
    output(port, index, register);
    output(port, index + 1, part);
  }
}

/** The cursor of a page; the CRTC's is that of the page that is shown. */
export function setCursor(port: ProcessorPort, page: number, { row, column }: Place): void {
  write(port, cursorAddress(page), 2, (row << 8) | column);
  if (page !== read(port, BDA.page, 1)) return;
  const start = (page * read(port, BDA.pageSize, 2)) / 2;
  writeCrtc(port, CRTC.cursorHigh, start + row * columnsOf(port) + column);
}

/** Address of a character and its attribute. */
export const cellAddress = (port: ProcessorPort, page: number, { row, column }: Place): number =>
  MEMORY.text.base + page * read(port, BDA.pageSize, 2) + 2 * (row * columnsOf(port) + column);

/** A part of the screen, its corners inside of it. */
export interface ScreenWindow {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

const BLANK = 0x20;

/** Moves a window by `lines`: up, or down if negative; what becomes free is blank, all of it where `lines` is 0. */
export function scroll(
  port: ProcessorPort,
  page: number,
  window: ScreenWindow,
  lines: number,
  attribute: number,
): void {
  const { top, left } = window;
  const bottom = Math.min(window.bottom, rowsOf(port) - 1);
  const right = Math.min(window.right, columnsOf(port) - 1);
  const count = bottom - top + 1;
  const by = lines === 0 || Math.abs(lines) > count ? count : lines;
  const rows = Array.from({ length: Math.max(0, count) }, (_, index) => (by > 0 ? top + index : bottom - index));
  for (const row of rows) {
    const from = row + by;
    const moved = from >= top && from <= bottom;
    for (let column = left; column <= right; column++) {
      const cell = moved ? read(port, cellAddress(port, page, { row: from, column }), 2) : (attribute << 8) | BLANK;
      write(port, cellAddress(port, page, { row, column }), 2, cell);
    }
  }
}

const CONTROL = { bell: 7, backspace: 8, lineFeed: 10, return: 13 } as const;

/** Where the cursor is behind a character, which is put there unless it controls; the row may be one too far. */
function placeBehind(port: ProcessorPort, page: number, place: Place, code: number, attribute: number): Place {
  const { row, column } = place;
  switch (code) {
    case CONTROL.bell:
      return place;
    case CONTROL.backspace:
      return { row, column: Math.max(0, column - 1) };
    case CONTROL.lineFeed:
      return { row: row + 1, column };
    case CONTROL.return:
      return { row, column: 0 };
  }
  const cell = cellAddress(port, page, place);
  write(port, cell, 1, code);
  if (attribute >= 0) write(port, cell + 1, 1, attribute);
  return column + 1 < columnsOf(port) ? { row, column: column + 1 } : { row: row + 1, column: 0 };
}

/** Writes a character as a terminal does; -1 keeps the attribute that is there. */
export function teletype(port: ProcessorPort, page: number, code: number, attribute = -1): void {
  const behind = placeBehind(port, page, cursorOf(port, page), code, attribute);
  const rows = rowsOf(port);
  if (behind.row < rows) {
    setCursor(port, page, behind);
    return;
  }
  const row = rows - 1;
  const fill = read(port, cellAddress(port, page, { row, column: behind.column }) + 1, 1);
  scroll(port, page, { top: 0, left: 0, bottom: row, right: columnsOf(port) - 1 }, 1, fill);
  setCursor(port, page, { row, column: behind.column });
}
