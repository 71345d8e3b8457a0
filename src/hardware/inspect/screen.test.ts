import { describe, expect, it } from "vitest";
import { Machine } from "../machine.js";
import { screenOf, textMode } from "./screen.js";

const VIDEO = 0xb8000;
/** Characters with one attribute each, as video memory has them. */
const shown = (text: string, attribute = 7): Uint8Array =>
  Uint8Array.from([...text].flatMap((character) => [character.charCodeAt(0), attribute]));
const blank = Machine.create({ memory: "1M" });

describe("Machine.screen", () => {
  it("has the characters of video memory in lines of 80, without the blanks at their ends", () => {
    const machine = blank.write(VIDEO, shown("Hello, ")).write(VIDEO + 160 * 24, shown("the last line  "));
    const { columns, rows, lines, cursor } = machine.screen;
    expect([columns, rows, cursor]).toEqual([80, 25, undefined]);
    expect(lines).toHaveLength(25);
    expect([lines[0], lines[1], lines[24]]).toEqual(["Hello,", "", "the last line"]);
  });

  it("has colours and blinking by attribute, and shapes for codes that are no letters", () => {
    const { cells } = blank.write(VIDEO, Uint8Array.of(0x41, 0x1f, 0xdb, 0x8e, 0x01, 0x70)).screen;
    expect(cells[0]!.slice(0, 3)).toEqual([
      { character: "A", code: 0x41, foreground: 15, background: 1, blink: false },
      { character: "█", code: 0xdb, foreground: 14, background: 0, blink: true },
      { character: "☺", code: 1, foreground: 0, background: 7, blink: false },
    ]);
  });

  it("cannot be changed from outside, and needs video memory", () => {
    const { cells, lines } = blank.screen;
    expect(Object.isFrozen(cells) && Object.isFrozen(cells[0]) && Object.isFrozen(lines)).toBe(true);
    expect(() => Machine.create({ memory: "512K" }).screen).toThrow("RAM ends below the video memory");
  });
});

describe("a text mode", () => {
  /** CRT controller registers of mode 3, as the VGA's BIOS has them: 80 by 25, characters of 16 lines. */
  const mode3 = [
    ...[0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e],
    ...[0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff],
  ];
  const changed = (change: Readonly<Record<number, number>>): readonly number[] =>
    mode3.map((value, index) => change[index] ?? value);

  it("has its size, first character and cursor from the CRT controller", () => {
    expect(textMode(mode3, true)).toEqual({
      ...{ columns: 80, rows: 25, start: 0, blinks: true, cursor: { at: 0, from: 13, to: 14 } },
    });
    // 50 lines of 8, and the cursor in the third one.
    const small = textMode(changed({ 9: 0x47, 10: 6, 11: 7, 14: 0, 15: 165 }), true);
    expect([small.rows, small.cursor]).toEqual([50, { at: 165, from: 6, to: 7 }]);
  });

  it("shows from the first character on, round the end of video memory", () => {
    const machine = blank.write(VIDEO + 160, shown("second")).write(VIDEO + 0x8000 - 2, shown("Z"));
    const scrolled = textMode(changed({ 13: 80, 15: 83 }), true);
    const { lines, cursor } = screenOf(machine, scrolled);
    expect([lines[0], cursor]).toEqual(["second", { row: 0, column: 3, from: 13, to: 14 }]);
    expect(screenOf(machine, textMode(changed({ 12: 0x3f, 13: 0xff }), true)).lines[0]?.[0]).toBe("Z");
    expect(screenOf(machine, textMode(changed({ 12: 0x3f, 13: 0xff }), true)).cells[0]![1]!.code).toBe(0);
  });

  it("has no cursor that is off, or elsewhere", () => {
    expect(textMode(changed({ 10: 0x2d }), true).cursor).toBeUndefined();
    expect(screenOf(blank, textMode(changed({ 14: 0x3f }), true)).cursor).toBeUndefined();
  });

  it("has bright backgrounds where nothing blinks", () => {
    const machine = blank.write(VIDEO, shown("!", 0xf4));
    expect(screenOf(machine, textMode(mode3, false)).cells[0]![0]).toMatchObject({ background: 15, blink: false });
  });
});
