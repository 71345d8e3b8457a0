import { describe, expect, it } from "vitest";
import { Machine } from "../../hardware/machine.js";
import { screenDiagram } from "../diagram/screen.js";
import { installDisplays } from "../install.js";
import { show } from "../show.js";
import { screenDisplay } from "./screen-display.js";

installDisplays();
const hostile = [..."<b>&"].flatMap((character) => [character.charCodeAt(0), 0x1f]);
const machine = Machine.create({ memory: "1M" }).write(0xb8000, Uint8Array.from([0x41, 7, 0xdb, 4, ...hostile]));

describe("the display of a screen", () => {
  it("has each line with its colours, and what a guest writes as text", () => {
    const { html } = show(machine.screen);
    expect(html).toContain('A<span style="color:#aa0000;background:#000000">█</span>');
    expect(html).toContain('<span style="color:#ffffff;background:#0000aa">&lt;b&gt;&amp;</span>');
    expect(html).not.toContain("<b>&");
  });

  it("is a frame of text for terminals", () => {
    const { text } = show(machine.screen);
    const lines = text.split("\n");
    expect(lines[0]).toBe("screen of 80 by 25");
    expect(lines[2]).toBe(`|${"A█<b>&".padEnd(80)}|`);
    expect(lines).toHaveLength(28);
  });

  it("underlines the cursor, and says where it is", () => {
    const display = screenDisplay({ ...machine.screen, cursor: { row: 0, column: 1, from: 13, to: 14 } });
    expect(display.html).toMatch(/A<u title="cursor"><span [^>]*>█<\/span><\/u>/);
    expect(display.text).toContain("screen of 80 by 25, cursor at line 0, column 1");
  });
});

describe("the drawing of a screen", () => {
  it("has a text for each run of one colour, in columns of one width, and its lines as words", () => {
    const cursor = { row: 0, column: 1, from: 13, to: 14 };
    const { svg, text } = screenDiagram({ ...machine.screen, cursor }, { from: machine });
    expect(svg).toContain('x="18 27 36 45"');
    expect(svg).toContain("&lt;b&gt;&amp;</text>");
    expect(svg).toContain('<rect x="9" y="13" width="9" height="2" fill="#aa0000"/>');
    expect(text.split("\n").slice(0, 2)).toEqual(["screen of 80 by 25", "  A█<b>&"]);
  });
});
