import { describe, expect, it } from "vitest";
import { Machine } from "../../hardware/machine.js";
import { installDisplays } from "../install.js";
import { show } from "../show.js";
import { screenDiagram } from "./screen.js";

installDisplays();
const hostile = [..."<b>&"].flatMap((character) => [character.charCodeAt(0), 0x1f]);
const machine = Machine.create({ machine: "pc", memory: "2M" }).write(
  0xb8000,
  Uint8Array.from([0x41, 7, 0xdb, 4, ...hostile]),
);

describe("the drawing of a screen", () => {
  it("has a text for each run of one colour, in columns of one width, and its lines as words", () => {
    const { svg, text } = screenDiagram({ ...machine.screen!, cursor: { row: 0, column: 1 } }, { from: machine });
    expect(svg).toContain('<text x="9" y="12.5" fill="#aa0000" xml:space="preserve">█</text>');
    expect(svg).toContain('<rect x="18" y="0" width="36" height="16" fill="#0000aa"/>');
    expect(svg).toContain('<text x="18 27 36 45" y="12.5" fill="#ffffff" xml:space="preserve">&lt;b&gt;&amp;</text>');
    expect(svg).toContain('<rect x="9" y="13" width="9" height="2" fill="#aa0000"/>');
    expect(text.split("\n").slice(0, 2)).toEqual(["screen of 80 by 25", "  A█<b>&"]);
  });
});

describe("Machine.screen", () => {
  it("shows itself, and is not there without a VGA", () => {
    expect(show(machine.screen!).text).toContain("A█<b>&");
    expect(Machine.create().screen).toBeUndefined();
  });
});
