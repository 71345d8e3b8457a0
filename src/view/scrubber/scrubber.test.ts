import { JSDOM } from "jsdom";
import { describe, expect, it } from "vitest";
import { assemble, guest, Machine, scrubber, show, Timeline, ToyMachine, VirtlabError } from "../../index.js";
import type { Progress } from "../../state/progress.js";
import type { ScrubberData } from "./columns.js";
import { inertJson } from "./inert-json.js";
import { outputTails } from "./output-tail.js";
import { SCRUBBER_SCRIPT } from "./script.js";

const rings = Machine.boot({ image: guest("rings"), memory: "16M" });
const whole = new Timeline(rings);
whole.forward(1_000_000);

function toyTimeline(program = "set r1, 'A'\nset r3, 1\nout r1\nadd r1, r1, r3\nout r1\nhalt"): Timeline<ToyMachine> {
  const timeline = new Timeline(ToyMachine.boot({ program }));
  timeline.forward(100);
  return timeline;
}

const dataOf = (html: string): ScrubberData =>
  JSON.parse(/<script type="application\/json">([^<]*)<\/script>/.exec(html)![1]!) as ScrubberData;

/** The numbers of a column, one a place. */
function columnOf({ columns }: ScrubberData, number: number): readonly number[] {
  const values: number[] = [];
  const pairs = columns[number]!;
  for (let index = 0, value = 0; index < pairs.length; index += 2)
    for (let count = pairs[index + 1]!; count > 0; count--) {
      value += pairs[index]!;
      values.push(value);
    }
  return values;
}

/** The texts of the column whose number stands behind this pattern. */
function textsOf(html: string, pattern: RegExp): readonly string[] {
  const data = dataOf(html);
  return columnOf(data, Number(pattern.exec(html)![1])).map((text) => data.texts[text]!);
}

const registerColumn = (name: string): RegExp => new RegExp(`<th scope="row">${name}</th><td><span data-s="v(\\d+)"`);
const stepsOf = (html: string): readonly number[] =>
  columnOf(dataOf(html), Number(/data-s="n(\d+)" data-is="step"/.exec(html)![1]));
const labelsOf = (html: string): readonly string[] => textsOf(html, /data-s="t(\d+)" class="label mono"/);

/** The scrubber in a document, started as a front end does it. */
function started(html: string): { readonly box: HTMLElement; readonly window: JSDOM["window"] } {
  const { window } = new JSDOM(`<!doctype html><body>${html.replace(/<script>[\s\S]*?<\/script>/, "")}</body>`, {
    runScripts: "outside-only",
  });
  window.eval(SCRUBBER_SCRIPT);
  return { box: window.document.querySelector<HTMLElement>(".vl-scrubber")!, window };
}

const shown = (box: HTMLElement): string =>
  box.querySelector(".box")!.textContent!.replace(/place [\d,]+ of [\d,]+/, "");
const sliderOf = (box: HTMLElement): HTMLInputElement => box.querySelector<HTMLInputElement>("input")!;
const press = (box: HTMLElement, key: string, options: KeyboardEventInit = {}): void => {
  const { KeyboardEvent } = box.ownerDocument.defaultView!;
  sliderOf(box).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...options }));
};

describe("the places of a scrubber", () => {
  it("are all steps of a short timeline, and of a long one as many as the limit, with both ends and the cursor", () => {
    const short = new Timeline(rings);
    short.forward(30);
    expect(stepsOf(scrubber(short).html)).toEqual(Array.from({ length: 31 }, (_, step) => step));
    whole.goto(12_345);
    const { html, text } = scrubber(whole, { limit: 50 });
    const steps = stepsOf(html);
    expect([steps.length, steps[0], steps.at(-1)]).toEqual([50, 0, whole.end]);
    expect(steps).toContain(12_345);
    expect(text).toMatch(/^scrubber over steps 0 to 377,345: 50 of 377,346 steps, evenly chosen\n/);
    const gaps = steps.slice(1).map((step, index) => step - steps[index]!);
    expect(Math.max(...gaps)).toBeLessThan((2 * whole.length) / 49);
    whole.goto(whole.end);
  });

  it("are the machines just before each event of a kind, as an observed run tells them", () => {
    const events = rings.run({ observe: ["exception"] }).events;
    const { html } = scrubber(whole, { at: "exception" });
    const steps = stepsOf(html).slice(1, -1);
    expect(steps).toHaveLength(events.length);
    for (const [index, event] of events.entries()) {
      const before = whole.goto(steps[index]!);
      expect(before.registers.eip).toBe(event.eip);
      expect(before.step().counters.exceptions).toBe(before.counters.exceptions + 1);
      expect(before.step().ticks).toBe(event.tick + 1);
    }
    expect(labelsOf(html)[1]).toBe("#GP(0)");
    expect(labelsOf(html)).toContain("#PF(4) at 0x00300000");
  });

  it("are found where time was skipped, at interrupts that end a halt", () => {
    const steps = stepsOf(scrubber(whole, { at: "interrupt" }).html).slice(1, -1);
    const interrupts = rings.run({ observe: ["interrupt"] }).events;
    expect(steps).toHaveLength(interrupts.length);
    for (const [index, step] of steps.entries()) {
      const before = whole.goto(step);
      expect(before.step().counters.interrupts).toBe(index + 1);
    }
    expect(steps.some((step) => whole.goto(step).halted)).toBe(true);
    const changes = stepsOf(scrubber(whole, { at: "privilege" }).html).slice(1, -1);
    for (const step of changes.slice(0, 20)) expect(whole.goto(step).cpl).not.toBe(whole.goto(step - 1).cpl);
  });

  it("are the executions of an instruction, or wherever a predicate holds", () => {
    const to = 355_000;
    const from = 340_000;
    const ints = scrubber(whole, { at: "INT", from, to });
    expect(ints.text).toMatch(/: \d+ INT instructions\n/);
    expect(new Set(labelsOf(ints.html).slice(1, -1))).toEqual(new Set(["int 0x80"]));
    const both = stepsOf(scrubber(whole, { at: ["INT", "exception"], from, to }).html).length - 2;
    expect(both).toBe(stepsOf(ints.html).length - 2 + whole.goto(to).counters.exceptions);
    const found = stepsOf(scrubber(whole, { at: ({ cpl }) => cpl === 3, from: 14_000, to: 14_300 }).html);
    expect(found.slice(1, -1).every((step) => whole.goto(step).cpl === 3)).toBe(true);
    expect(found).toHaveLength(14_300 - 14_240 + 1 + 1);
  });

  it("follow an edit, whose machine is the one shown at its step", () => {
    const { bytes } = assemble("again: inc eax\nnop\njmp again", { address: 0x100000 });
    const timeline = new Timeline(Machine.boot({ image: bytes, memory: "2M" }));
    timeline.forward(1);
    timeline.edit((machine) =>
      machine.edit(({ registers }) => {
        registers.eax = 0x55;
      }),
    );
    timeline.forward(20);
    const { html } = scrubber(timeline);
    expect(
      textsOf(html, registerColumn("eax"))
        .slice(0, 5)
        .map((text) => Number.parseInt(text, 16)),
    ).toEqual([0, 0x55, 0x55, 0x55, 0x56]);
    expect(html).toMatch(/<path class="edit" d="M\d/);
    expect(html).toContain('<i class="k-edit"></i>edit');
  });

  it("that no timeline has are refused in one sentence", () => {
    const refused: readonly [() => unknown, string][] = [
      [() => scrubber(whole, { at: "page-walk" }), 'unknown place "page-walk" (known: exception, interrupt'],
      [() => scrubber(whole, { at: [] }), "no places are asked for"],
      [() => scrubber(toyTimeline(), { at: "exception" }), "this machine has no events"],
      [() => scrubber(whole, { from: 10, to: 9 }), "cannot show steps 10 to 9: the timeline has 0 to 377345"],
      [() => scrubber(whole, { to: 1e9 }), "the timeline has 0 to 377345"],
      [() => scrubber(whole, { limit: 1 }), "a limit of 1 places is not a whole number from 2 to 2000"],
    ];
    for (const [call, message] of refused) {
      expect(call).toThrow(VirtlabError);
      expect(call).toThrow(message);
    }
  });
});

describe("the data of a scrubber", () => {
  it("are what the machine at each place has", () => {
    const { html } = scrubber(whole, { from: 350_300, to: 350_500 });
    const steps = stepsOf(html);
    const [eax, eip] = [textsOf(html, registerColumn("eax")), textsOf(html, registerColumn("eip"))];
    const hashes = textsOf(html, /content <span data-s="t(\d+)"/);
    for (const [place, step] of steps.entries()) {
      const { registers, hash } = whole.goto(step);
      expect(Number.parseInt(eax[place]!, 16)).toBe(registers.eax);
      expect(Number.parseInt(eip[place]!, 16)).toBe(registers.eip);
      expect(hash.startsWith(hashes[place]!)).toBe(true);
    }
  });

  it("take less than 300 bytes a place, also where much happens between two", () => {
    const size = (html: string): number => JSON.stringify(dataOf(html)).length;
    expect(size(scrubber(whole, { from: 14_000, to: 14_999, limit: 1000 }).html) / 1000).toBeLessThan(150);
    expect(size(scrubber(whole, { limit: 300 }).html) / 300).toBeLessThan(280);
  });

  it("leave the timeline as it was", () => {
    const timeline = new Timeline(rings);
    timeline.forward(20_000);
    timeline.goto(777);
    scrubber(timeline, { at: "privilege" });
    expect([timeline.position, timeline.end, timeline.current.steps]).toEqual([777, 20_000, 777]);
  });

  it("are gathered with words on how far that is, up to all steps, searched and shown", () => {
    const short = new Timeline(rings);
    short.forward(20_000);
    for (const [at, times] of [
      ["instruction", 1],
      ["exception", 2],
      [() => false, 2],
    ] as const) {
      const told: Progress[] = [];
      scrubber(short, { at, limit: 10, onProgress: (progress) => told.push(progress) });
      expect(told.map(({ finished }) => finished)).toEqual([...told.slice(1).map(() => false), true]);
      expect(told.length).toBeGreaterThan(3);
      expect([told[0]!.done, told.at(-1)!.done, told.at(-1)!.total]).toEqual([0, times * 20_000, times * 20_000]);
    }
  });

  it("hold output that a guest printed as text, whatever it is", () => {
    const hostile = "</script><img src=x onerror=alert(1)><!-- \u001b[2J\u202e";
    const timeline = new Timeline(rings);
    timeline.forward(10);
    timeline.edit((machine) =>
      machine.edit(({ devices }) => {
        devices.uart = { ...devices.uart, output: String.fromCharCode(...new TextEncoder().encode(hostile)) };
      }),
    );
    const { html } = scrubber(timeline);
    expect(html).not.toContain("<img");
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    const { box } = started(html);
    expect(box.querySelector(".tail")!.textContent).toBe(
      "</script><img src=x onerror=alert(1)><!-- \\u{1b}[2J\\u{202e}",
    );
    expect(inertJson("</script>\u2028&")).toBe('"\\u003c/script\\u003e\\u2028\\u0026"');
  });
});

describe("the output of places", () => {
  it("is held once, and each place has its end of it with what is new", () => {
    const outputs = ["", "one\n", "one\ntwo\n", "one\ntwo\nthree", `one\ntwo\nthree\n${"x\n".repeat(40)}end`];
    const { text, parts } = outputTails(outputs);
    const [tails, news] = [
      parts.map(([from, , to]) => text.slice(from, to)),
      parts.map(([, fresh, to]) => text.slice(fresh, to)),
    ];
    expect(tails).toEqual(["", "one\n", "one\ntwo\n", "one\ntwo\nthree", `${"x\n".repeat(5)}end`]);
    expect(news).toEqual(["", "one\n", "two\n", "three", `${"x\n".repeat(5)}end`]);
    expect(text).toBe(`one\ntwo\nthree${"x\n".repeat(5)}end`);
  });

  it("is not taken apart by half a line end or half a character", () => {
    const { text, parts } = outputTails(["a", "a\r", "a\r\n\ufffd", "a\r\né", "other"]);
    expect(parts.map(([from, , to]) => text.slice(from, to))).toEqual(["a", "a", "a\n", "a\né", "other"]);
    expect(text).toBe("a\néother");
  });
});

describe("the script of a scrubber", () => {
  it("shows at first what the HTML already shows, and by the keys every other place, and back", () => {
    whole.goto(350_372);
    const { html } = scrubber(whole, { from: 350_300, to: 350_500 });
    whole.goto(whole.end);
    const { window: still } = new JSDOM(html);
    const { box } = started(html);
    const panel = (from: Element): string =>
      from.querySelector(".cols")!.parentElement!.innerHTML.replace(/^[\s\S]*?(?=<div class="cols)/, "");
    expect(panel(box)).toBe(panel(still.document.querySelector(".vl-scrubber")!));
    const first = shown(box);
    const slider = sliderOf(box);
    expect([slider.value, slider.max, slider.getAttribute("role")]).toEqual(["72", "200", "slider"]);
    expect(slider.getAttribute("aria-valuetext")).toMatch(/^step 350,372, \S/);
    press(box, "ArrowRight");
    expect(slider.getAttribute("aria-valuetext")).toMatch(/^step 350,373, /);
    expect(shown(box)).not.toBe(first);
    press(box, "ArrowLeft");
    expect(shown(box)).toBe(first);
    press(box, "Home");
    expect(slider.value).toBe("0");
    press(box, "End");
    press(box, "ArrowRight");
    expect(slider.value).toBe("200");
    press(box, "z", { ctrlKey: true });
    press(box, "z", { metaKey: true });
    expect(slider.value).toBe("72");
    expect(shown(box)).toBe(first);
  });

  it("shows at each place the registers of the machine there, with those marked that changed", () => {
    const { box } = started(scrubber(whole, { from: 14_430, to: 14_460 }).html);
    press(box, "Home");
    for (let step = 14_430; step < 14_460; step++) {
      const [before, now] = [whole.goto(step - 1).registers, whole.goto(step).registers];
      const rows = [...box.querySelectorAll(".registers tr")];
      for (const row of rows) {
        const name = row.querySelector("th")!.textContent as keyof typeof now;
        const [value, was] = row.querySelectorAll("td");
        expect(Number.parseInt(value!.textContent!, 16)).toBe(now[name]);
        const isNew = step > 14_430 && before[name] !== now[name];
        expect([value!.firstElementChild!.classList.contains("new"), was!.textContent !== ""]).toEqual([isNew, isNew]);
      }
      const here = box.querySelector(".listing tr.here")!;
      expect(here.querySelectorAll("td")[1]!.textContent).toBe(now.eip.toString(16).padStart(8, "0"));
      expect(here.querySelectorAll("td")[3]!.textContent).toBe(whole.current.explain().text);
      press(box, "ArrowRight");
    }
  });

  it("has buttons with names, disabled where they lead nowhere", () => {
    const { box, window } = started(scrubber(toyTimeline()).html);
    const button = (name: string) => box.querySelector<HTMLButtonElement>(`button[aria-label^="${name}"]`)!;
    expect([...box.querySelectorAll("button")].every((one) => one.getAttribute("aria-label"))).toBe(true);
    expect([button("First").disabled, button("Last").disabled, button("Back").disabled]).toEqual([false, true, true]);
    button("First").click();
    expect([button("First").disabled, button("Back").disabled]).toEqual([true, false]);
    expect(box.querySelector(".tail")!.textContent).toBe("");
    button("One place forward").click();
    button("Back to").click();
    button("Back to").click();
    expect(sliderOf(box).value).toBe("6");
    expect(box.querySelector(".tail")!.textContent).toBe("AB");
    button("Play").click();
    expect(button("Pause")).not.toBeNull();
    button("Pause").click();
    window.close();
  });

  it("starts every scrubber once, and passes over data that are none", () => {
    const { html } = scrubber(toyTimeline());
    const broken = html.replace(/(<script type="application\/json">)[^<]*/, '$1{"places":1e9,"columns":[[0,1e9]]}');
    const { window } = new JSDOM(`<body>${broken}${html}${html}</body>`, { runScripts: "outside-only" });
    const complaints: string[] = [];
    window.console.warn = (text: string) => complaints.push(text);
    window.eval(SCRUBBER_SCRIPT);
    window.eval(SCRUBBER_SCRIPT);
    expect(complaints).toEqual(["virtlab: this scrubber cannot be moved: RangeError: places: 1000000000"]);
    const boxes = [...window.document.querySelectorAll(".vl-scrubber")];
    expect(boxes.map((box) => box.querySelectorAll("input").length)).toEqual([0, 1, 1]);
  });
});

describe("a timeline in a notebook", () => {
  it("is shown as a scrubber at the cursor's place", () => {
    whole.goto(20_000);
    const { html, text } = show(whole);
    expect(text).toMatch(/^timeline at step 20,000 of 0 to 377,345; /);
    expect(html).toContain("120 of 377,346 steps, evenly chosen");
    expect(html).toMatch(/data-is="step">20,000</);
    whole.goto(whole.end);
  });
});
