import { JSDOM } from "jsdom";
import { expect, it } from "vitest";
import { textWidth } from "../text-width.js";
import { giveTextBoxes } from "./text-boxes.js";

const { window } = new JSDOM(
  `<svg><g id="outer" transform="translate(100,50)"><text id="middle" x="10" y="20" text-anchor="middle" style="font-size: 10px">hello</text>
   <g id="turned" transform="rotate(-90)"><text id="side" style="font-size: 10px">hello</text></g>
   <text id="lines" x="0" y="0" style="font-size: 10px"><tspan class="line">a</tspan><tspan class="line">hello</tspan></text></g><g id="empty"/></svg>`,
);
giveTextBoxes(window.SVGElement as never);
const find = (id: string) => window.document.getElementById(id) as unknown as SVGGElement;
const width = textWidth("hello", 10);

it("a text is where its place, its anchor and what is around it put it", () => {
  const own = find("middle").getBBox();
  expect([own.x + own.width / 2, own.width]).toEqual([10, width]);
  const seen = find("middle").getBoundingClientRect();
  expect(seen.left + seen.width / 2).toBeCloseTo(110);
  expect([seen.top, seen.bottom].map(Math.round)).toEqual([61, 74]);
});

it("a text that is turned is as high as it is wide", () => {
  const { width: across, height } = find("side").getBoundingClientRect();
  expect([across, height]).toEqual([expect.closeTo(13), expect.closeTo(width)]);
});

it("lines stand below each other, and a group covers what is in it", () => {
  expect(find("lines").getBBox()).toMatchObject({ width, height: 26 });
  expect(find("outer").getBBox().width).toBeGreaterThan(width);
  expect(find("empty").getBBox()).toMatchObject({ width: 0, height: 0 });
});

it("wide letters are wider than narrow ones", () => {
  expect(textWidth("MMM", 10)).toBeGreaterThan(2 * textWidth("iii", 10));
});
