import { describe, expect, it } from "vitest";
import type { PageWalk } from "../../hardware/cpu/page-walk.js";
import {
  DISPLAY,
  type Displayable,
  descriptorTable,
  explain,
  flagsOf,
  guest,
  interruptControllers,
  Machine,
  registersOf,
  type Showable,
  selector,
  show,
  taskState,
  why,
} from "../../index.js";
import { walkDisplay } from "./walk-display.js";

const rings = Machine.boot({ image: guest("rings"), memory: "16M" }).run({ until: { serial: "hello" } });
const later = rings.run({ maxInstructions: 5000 });

/** HTML that is well-formed, has no script, and loads nothing. */
function expectHarmless(html: string): void {
  expect(html).not.toMatch(/<script|\son\w+\s*=|url\(|@import|<img|<iframe|<link|javascript:/i);
  const open: string[] = [];
  for (const [, close, name, rest] of html
    .replace(/<style>[^<]*<\/style>/g, "")
    .matchAll(/<(\/?)([a-z0-9]+)([^>]*)>/g)) {
    if (close === "/") expect(open.pop()).toBe(name);
    else if (!rest!.endsWith("/") && name !== "br") open.push(name!);
  }
  expect(open).toEqual([]);
}

const values: readonly (readonly [string, Showable])[] = [
  ["registers", registersOf(later, { since: rings })],
  ["flags", flagsOf(later)],
  ["the GDT", descriptorTable(rings, "gdt")],
  ["the IDT", descriptorTable(rings, "idt")],
  ["a selector", selector(rings, 0x1b)],
  ["the null selector", selector(rings, 0)],
  ["a selector beyond its table", selector(rings, 0x1000)],
  ["a task", taskState(rings)],
  ["the interrupt controllers", interruptControllers(rings)],
  ["a cause", why(rings, "#GP")],
  ["no cause", why(rings, "#UD")],
  ["an explanation", explain(rings)],
  ["an explanation by the machine", rings.explain()],
];

describe("what is made from a machine", () => {
  it.each(values)("shows itself as HTML and as text: %s", async (_, value) => {
    const { html, text } = show(value);
    expectHarmless(html);
    expect(text).not.toMatch(/undefined|NaN|\[object/);
    expect(html).not.toMatch(/>undefined<|NaN|\[object/);
    expect(await (value as unknown as Displayable)[DISPLAY]()).toEqual({ "text/html": html, "text/plain": text });
    expect(Object.isFrozen(value)).toBe(true);
  });

  it("stays plain: lists are lists, and the display does not count", () => {
    const gdt = descriptorTable(rings, "gdt");
    expect(Array.isArray(gdt)).toBe(true);
    expect(Object.keys(gdt)).toHaveLength(8);
    expect(gdt.filter(({ kind }) => kind === "code")).toHaveLength(3);
    expect(JSON.parse(JSON.stringify(flagsOf(rings)))).toEqual({ ...flagsOf(rings) });
  });
});

describe("displays of parts of a machine", () => {
  it("mark the registers that changed, with what they were", () => {
    const { html, text } = show(registersOf(later, { since: rings }));
    expect(html).toContain('<span class="was">0008 →</span> <mark>001b</mark>');
    expect(text).toMatch(/cs +0008 → 001b/);
    expect(show(registersOf(rings)).html).not.toContain("<mark>");
    expect(show(registersOf(rings)).html).toContain('title="signed: −2,147,418,095"');
  });

  it("have a box for every flag, with its meaning, and mark those that are set", () => {
    const { html } = show(flagsOf(later));
    expect(html.match(/<small>/g)).toHaveLength(17);
    expect(html).toMatch(/<span class="on" title="maskable interrupts are let in">/);
    expect(html).toMatch(/<span class="off" title="zero: the result was 0">/);
  });

  it("show runs of gates that are alike as one row, and the gate of ring 3 by itself", () => {
    const { text } = show(descriptorTable(rings, "idt"));
    expect(text).toMatch(/20–127 +108 vectors +32-bit interrupt gate/);
    expect(text).toMatch(/128 +vector 128 +32-bit interrupt gate .* DPL 3/);
    expect(text.split("\n").length).toBeLessThan(30);
  });

  it("draw a selector's bits in their groups", () => {
    const { html, text } = show(selector(rings, 0x1b));
    expect(html.match(/<i>[01]<\/i>/g)).toHaveLength(16);
    expect(html).toMatch(/index <b class="mono">3<.*TI <b class="mono">GDT<.*RPL <b class="mono">3</s);
    expect(text).toContain("SS                 #GP(0x18): RPL 3 is not CPL 0.");
  });

  it("tell a cause in one sentence and its chain", () => {
    const answer = why(rings, "#PF");
    const { html, text } = show(answer);
    expect(text.split("\n")[0]).toBe(answer.sentence);
    expect(html).toContain("Why #PF?");
    expect(html).toContain("steps ahead");
    expect(html.match(/class="row link"/g)).toHaveLength(1);
  });

  it("escape what is not theirs", () => {
    const { machine: _, ...answer } = why(rings, "#GP");
    const hostile = { ...answer, sentence: "<img src=x>", chain: [{ ...answer.chain[0]!, check: "<b>&" }] };
    const display = Object.getOwnPropertyDescriptor(why(rings, "#GP"), DISPLAY);
    expect(display?.enumerable).toBe(false);
    return import("./why-display.js").then(({ whyDisplay }) => {
      const { html } = whyDisplay(hostile);
      expectHarmless(html);
      expect(html).toContain("&lt;img src=x&gt;");
      expect(html).toContain("&lt;b&gt;&amp;");
    });
  });
});

describe("a page walk of PAE paging", () => {
  const flags = {
    present: true,
    writable: true,
    user: true,
    writeThrough: false,
    cacheDisabled: false,
    accessed: true,
    dirty: true,
    global: false,
    executeDisable: false,
    bytes: 8,
  } as const;
  const entry = { ...flags, pageSize: false, leaf: false };
  const pointer = { ...entry, level: 3, table: "page-directory-pointer table", index: 3, bits: [31, 30] } as const;
  const directory = { ...entry, level: 2, table: "page directory", index: 5, bits: [29, 21] } as const;

  it("has three parts and an offset, 64-bit entries, and pages of 2 MiB", () => {
    const walk: PageWalk = {
      linear: 0xc0abcdef,
      paging: true,
      entries: [
        { ...pointer, address: 0x1018, entry: 0x2001, words: [0x2001, 0] },
        { ...directory, address: 0x2028, entry: 0x3_0020_00e7, words: [0x2000e7, 3], pageSize: true, leaf: true },
      ],
      physical: 0x3_002b_cdef,
      pageBytes: 2 ** 21,
    };
    const { text, html } = walkDisplay(walk);
    expect(text).toContain("page-directory-pointer table index 0x3, page directory index 0x5, offset 0xbcdef");
    expect(text).toContain("00000003002000e7  present, writable, user, accessed, dirty, 2 MiB page");
    expect(text).toMatch(/→ physical 0x3002bcdef$/);
    expectHarmless(html);
  });

  it("that ends early says what was left", () => {
    const walk: PageWalk = {
      linear: 0xc0abcdef,
      paging: true,
      entries: [{ ...pointer, address: 0x1018, entry: 0, words: [0, 0], present: false }],
      fault: { vector: 14, errorCode: 0, rule: "page-not-present" },
    };
    expect(walkDisplay(walk).text).toMatch(/table index 0x3, rest 0xabcdef\)\n.*0000000000000000 {2}not present/);
  });
});
