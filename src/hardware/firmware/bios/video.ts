/**
 * INT 10h, as far as text needs it: 80 columns and 25 lines. Functions that are not here, graphics modes too, are refused
 * with CF and AH = 86h.
 * Manual: Ralf Brown's Interrupt List, INT 10.
 */
import type { ProcessorPort } from "../../cpu/processor.js";
import { MEMORY, PORT } from "../../devices/layout.js";
import { CRTC, MODE_3, VGA_OFFSET } from "../../devices/vga.js";
import { addressIn, byFunction, byte, input, output, read, refuse, setByte, setWord, word, write } from "./access.js";
import { BDA } from "./data-area.js";
import { cellAddress, columnsOf, cursorOf, rowsOf, scroll, setCursor, teletype, writeCrtc } from "./screen-text.js";

const KEEPS_MEMORY = 0x80;
/** Modes of 80 by 25 characters, of which 2 is 3 without a colour burst. */
const TEXT_MODES: readonly number[] = [2, 3];
const LIGHT_GREY = 0x07;
const CRTC_PROTECTION = 0x11;
const PALETTE_THROUGH = 0x20;

function setMode(port: ProcessorPort): void {
  const wanted = byte(port, "al");
  const mode = wanted & ~KEEPS_MEMORY;
  if (!TEXT_MODES.includes(mode)) {
    refuse(port);
    return;
  }
  writeMode3(port);
  write(port, BDA.videoMode, 1, mode);
  write(port, BDA.columns, 2, 80);
  write(port, BDA.lastRow, 1, 24);
  write(port, BDA.page, 1, 0);
  write(port, BDA.pageStart, 2, 0);
  for (let page = 0; page < 8; page++) setCursor(port, page, { row: 0, column: 0 });
  if ((wanted & KEEPS_MEMORY) !== 0) return;
  const cell = (LIGHT_GREY << 8) | 0x20;
  for (let at = 0; at < MEMORY.text.length; at += 4) write(port, MEMORY.text.base + at, 4, cell * 0x10001);
}

/** All registers of the mode. */
function writeMode3(port: ProcessorPort): void {
  const at = (offset: number): number => PORT.vga.base + offset;
  const indexed = (index: number, values: readonly number[]): void =>
    values.forEach((value, register) => {
      output(port, at(index), register);
      output(port, at(index) + 1, value);
    });
  output(port, at(VGA_OFFSET.misc), MODE_3.misc);
  indexed(VGA_OFFSET.sequencerIndex, MODE_3.sequencer);
  output(port, at(VGA_OFFSET.index), CRTC_PROTECTION);
  output(port, at(VGA_OFFSET.data), 0);
  indexed(VGA_OFFSET.index, MODE_3.crtc);
  indexed(VGA_OFFSET.graphicsIndex, MODE_3.graphics);
  // Reading the status makes the attribute controller's next write an index.
  input(port, at(VGA_OFFSET.status));
  MODE_3.attribute.forEach((value, register) => {
    output(port, at(VGA_OFFSET.attribute), register);
    output(port, at(VGA_OFFSET.attribute), value);
  });
  output(port, at(VGA_OFFSET.attribute), PALETTE_THROUGH);
}

function setCursorShape(port: ProcessorPort): void {
  write(port, BDA.cursorShape, 2, word(port, "cx"));
  writeCrtc(port, CRTC.cursorStart, word(port, "cx"));
}

function readCursor(port: ProcessorPort): void {
  const { row, column } = cursorOf(port, byte(port, "bh"));
  setWord(port, "dx", (row << 8) | column);
  setWord(port, "cx", read(port, BDA.cursorShape, 2));
}

function showPage(port: ProcessorPort): void {
  const page = byte(port, "al") & 7;
  const start = page * read(port, BDA.pageSize, 2);
  write(port, BDA.page, 1, page);
  write(port, BDA.pageStart, 2, start);
  writeCrtc(port, CRTC.startHigh, start / 2);
  setCursor(port, page, cursorOf(port, page));
}

const scrollBy =
  (direction: 1 | -1) =>
  (port: ProcessorPort): void => {
    const window = {
      top: byte(port, "ch"),
      left: byte(port, "cl"),
      bottom: byte(port, "dh"),
      right: byte(port, "dl"),
    };
    scroll(port, read(port, BDA.page, 1), window, direction * byte(port, "al"), byte(port, "bh"));
  };

const readCharacter = (port: ProcessorPort): void => {
  const page = byte(port, "bh");
  setWord(port, "ax", read(port, cellAddress(port, page, cursorOf(port, page)), 2));
};

/** CX times the character, from the cursor on, which stays. */
const writeCharacters =
  (withAttribute: boolean) =>
  (port: ProcessorPort): void => {
    const page = byte(port, "bh");
    const place = cursorOf(port, page);
    const first = cellAddress(port, page, place);
    const left = columnsOf(port) * rowsOf(port) - (place.row * columnsOf(port) + place.column);
    const count = Math.min(word(port, "cx"), Math.max(0, left));
    for (let index = 0; index < count; index++) {
      write(port, first + 2 * index, 1, byte(port, "al"));
      if (withAttribute) write(port, first + 2 * index + 1, 1, byte(port, "bl"));
    }
  };

function modeNow(port: ProcessorPort): void {
  setByte(port, "al", read(port, BDA.videoMode, 1));
  setByte(port, "ah", columnsOf(port));
  setByte(port, "bh", read(port, BDA.page, 1));
}

const WITH_CURSOR = 1;
const WITH_ATTRIBUTES = 2;

/** A string at ES:BP, with attributes in it or in BL; the cursor moves behind it or stays. */
function writeString(port: ProcessorPort): void {
  const how = byte(port, "al");
  const page = byte(port, "bh");
  const before = cursorOf(port, page);
  const width = (how & WITH_ATTRIBUTES) !== 0 ? 2 : 1;
  setCursor(port, page, { row: byte(port, "dh"), column: byte(port, "dl") });
  for (let index = 0; index < word(port, "cx"); index++) {
    const at = (offset: number): number =>
      read(port, addressIn(port, "es", word(port, "bp") + index * width + offset, 1, false), 1);
    teletype(port, page, at(0), width === 2 ? at(1) : byte(port, "bl"));
  }
  if ((how & WITH_CURSOR) === 0) setCursor(port, page, before);
}

export const video = byFunction({
  0: setMode,
  1: setCursorShape,
  2: (port) => setCursor(port, byte(port, "bh"), { row: byte(port, "dh"), column: byte(port, "dl") }),
  3: readCursor,
  5: showPage,
  6: scrollBy(1),
  7: scrollBy(-1),
  8: readCharacter,
  9: writeCharacters(true),
  10: writeCharacters(false),
  14: (port) => teletype(port, read(port, BDA.page, 1), byte(port, "al")),
  15: modeNow,
  19: writeString,
});
