import { describe, expect, it } from "vitest";
import {
  DISPLAY,
  type Displayable,
  diff,
  guest,
  Machine,
  show,
  Timeline,
  ToyMachine,
  tableOf,
  VirtlabError,
} from "../../index.js";
import { codeAround } from "./code-window.js";
import { faultText } from "./walk-display.js";

const rings = Machine.boot({ image: guest("rings"), memory: "16M" });
const atTask = rings.run({ until: { serial: "primes below" } });

/** A machine that prints the text to the serial port. */
function printing(text: string): Machine {
  // mov dx, 0x3f8; then mov al, c; out dx, al for each character; hlt
  const code = [
    0xba,
    0xf8,
    0x03,
    0,
    0,
    ...[...new TextEncoder().encode(text)].flatMap((byte) => [0xb0, byte, 0xee]),
    0xf4,
  ];
  return Machine.create({ memory: "1M" })
    .write(0x1000, Uint8Array.from(code))
    .edit((draft) => {
      draft.registers.eip = 0x1000;
    })
    .run();
}

async function bundleOf(value: unknown): Promise<Readonly<Record<string, unknown>>> {
  return await (value as Displayable)[DISPLAY]();
}

/** HTML that is well-formed, has no script, and loads nothing. */
function expectHarmless(html: string): void {
  expect(html).not.toMatch(/<script|\son\w+\s*=|url\(|@import|<img|<iframe|<link|javascript:/i);
  const open: string[] = [];
  for (const [, close, name, rest] of html
    .replace(/<style>[^<]*<\/style>/g, "")
    .matchAll(/<(\/?)([a-z0-9]+)([^>]*)>/g)) {
    if (close === "/") expect(open.pop()).toBe(name);
    else if (!rest!.endsWith("/")) open.push(name!);
  }
  expect(open).toEqual([]);
}

describe("a machine's display", () => {
  it("shows registers, flags, code at EIP, counters and output, as HTML and as text", () => {
    const { html, text } = show(atTask);
    for (const form of [html, text]) {
      expect(form).toContain(atTask.registers.esp.toString(16).padStart(8, "0"));
      expect(form).toContain("task: hello from CPL 3");
      expect(form).toContain("stopped where asked");
      expect(form).toContain(atTask.hash.slice(0, 12));
      expect(form).toContain("IOPL 0");
    }
    expect(text).toMatch(new RegExp(`=> ${atTask.registers.eip.toString(16).padStart(8, "0")}`));
    expect(html.match(/class="here"/g)).toHaveLength(1);
    expectHarmless(html);
  });

  it("marks what changed since another machine, before and after, and nothing else", () => {
    const next = rings.step();
    const { html, text } = show(next, { since: rings });
    const [from, to] = [rings, next].map(({ registers }) => registers.eip.toString(16).padStart(8, "0"));
    expect(text).toContain(`eip ${from}→${to}`);
    expect(text.match(/→/g)).toHaveLength(1);
    expect(html).toContain(`<span class="was">${from} →</span> <mark>${to}</mark>`);
    expect(html.match(/<mark>/g)).toHaveLength(3); // EIP, one step, one instruction
    expect(show(rings, { since: rings }).html).not.toContain("<mark");
  });

  it("shows output of a guest as text, whatever it holds", () => {
    const hostile = printing('</pre><script>alert(1)</script><img src=x onerror=alert(1)>"\u001b[2J\u202e&amp;');
    const { html, text } = show(hostile);
    expectHarmless(html.replaceAll("onerror=alert", ""));
    expect(html).toContain("&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x");
    expect(html).toContain("\\u{1b}[2J\\u{202e}&amp;amp;");
    expect(text).not.toContain("\u001b");
  });

  it("shows the last lines of output and counts those before", () => {
    const { text, html } = show(printing("one\ntwo\nthree\n"), { serialLines: 2 });
    expect(text).toContain("serial output, 1 line before these:\n| two\n| three");
    expect(html).toContain("Serial output, 1 line before these");
    expect(text).not.toContain("one");
  });

  it("marks the part of the output that is new", () => {
    const before = rings.run({ until: { serial: "hello from" } });
    const after = before.run({ until: { serial: "CPL 3" } });
    expect(show(after, { since: before }).html).toContain("task: hello from<mark> CPL 3</mark>");
  });

  it("says so where nothing is mapped at EIP", () => {
    const lost = atTask.edit((draft) => {
      draft.registers.eip = 0x7fff0000;
    });
    expect(codeAround(lost)).toEqual([]);
    expect(show(lost).text).toContain("nothing is mapped at 0x7fff0000");
    expect(show(lost).html).toContain("Nothing is mapped at 0x7fff0000");
    const beyond = Machine.create({ memory: "1M" }).edit((draft) => {
      draft.registers.eip = 0xffffffff;
    });
    expect(show(beyond).text).toContain("nothing is mapped");
  });

  it("is the same for the same machine, and the machine shows itself", async () => {
    expect(show(atTask).html).toBe(show(atTask).html);
    expect(await bundleOf(atTask)).toEqual({ "text/html": show(atTask).html, "text/plain": show(atTask).text });
  });
});

describe("a toy machine's display", () => {
  const machine = ToyMachine.boot({ program: "set r1, '<'\nout r1\nset r2, -2\nhalt" });

  it("shows registers with what changed, code around pc, and output, as HTML and as text", async () => {
    const there = machine.run({ maxInstructions: 3 });
    const { html, text } = show(there, { since: machine });
    expect(text.split("\n")).toEqual([
      `toy machine at step 3, stopped at the limit, content ${there.hash.slice(0, 12)}`,
      "r0 00000000  r1 0000003c  r2 fffffffe  r3 00000000",
      "r4 00000000  r5 00000000  r6 00000000  r7 00000000  pc 0000000c",
      "",
      "   0000  10 01 3c 00  set r1, 60",
      "   0004  50 01 00 00  out r1",
      "   0008  10 02 fe ff  set r2, -2",
      "=> 000c  51 00 00 00  halt",
      ...Array.from({ length: 8 }, (_, index) => `   00${(16 + 4 * index).toString(16)}  00 00 00 00  (bad)`),
      "",
      "output:",
      "| <",
    ]);
    expect(html).toContain("<mark>fffffffe</mark>");
    expect(html).toContain("<pre>&lt;</pre>");
    expect(html.match(/class="here"/g)).toHaveLength(1);
    expectHarmless(html);
    expect((await bundleOf(there))["text/plain"]).toBe(show(there).text);
    expect((await bundleOf(diff(machine, there)))["text/plain"]).toContain("cpu.r2");
    expect(show(new Timeline(machine)).text).toContain("timeline at step 0");
  });

  it("says why the machine stopped, and where there is no memory", () => {
    const lost = machine.edit(({ registers }) => {
      registers.pc = 0x10000;
    });
    expect(show(lost.run()).text).toContain("exception: there is no memory at 0x10000 (instruction at 0x10000)");
    expect(show(lost).text).toContain("there is no memory at pc");
    expect(show(machine.run().step()).text).toContain("halted");
  });
});

describe("code around EIP", () => {
  it("lists instructions that end exactly at EIP before it, and begins at EIP", () => {
    const lines = codeAround(atTask, { before: 3, after: 2 });
    expect(lines.map(({ place }) => place)).toEqual(["before", "before", "before", "here", "after", "after"]);
    expect(lines[3]!.address).toBe(atTask.registers.eip);
    for (const [index, line] of lines.slice(0, -1).entries())
      expect(line.address + line.bytes.length).toBe(lines[index + 1]!.address);
  });

  it("ends where the memory ends", () => {
    const last = Machine.create({ memory: "1M" })
      .write(0xffffe, Uint8Array.of(0x90, 0x90))
      .edit((draft) => {
        draft.registers.eip = 0xffffe;
      });
    expect(codeAround(last, { before: 0 }).map(({ text }) => text)).toEqual(["nop", "nop"]);
    const first = last.edit((draft) => {
      draft.registers.eip = 0;
    });
    expect(codeAround(first)[0]).toMatchObject({ address: 0, place: "here" });
  });
});

describe("a difference's display", () => {
  it("names fields with their values before and after, and what was appended to output", async () => {
    const later = atTask.run({ until: { serial: "fibonacci" } });
    const difference = diff(atTask, later);
    const { text, html } = show(difference);
    expect(text).toContain(`${atTask.steps.toLocaleString("en-US")} → ${later.steps.toLocaleString("en-US")}`);
    expect(text).toMatch(/devices\.uart\.output +\+ .*fibonacci/);
    expectHarmless(html);
    expect(await bundleOf(difference)).toEqual({ "text/html": html, "text/plain": text });
  });

  it("shows bytes by physical address and counts what it leaves out", () => {
    const base = Machine.create({ memory: "1M" });
    let other = base.write(0x2000, new Uint8Array(100).fill(0xab));
    for (let run = 0; run < 20; run++) other = other.write(0x4000 + run * 16, Uint8Array.of(1));
    const { text } = show(diff(base, other));
    expect(text).toContain("registers and devices are equal, 120 bytes of memory in 21 runs");
    expect(text).toMatch(/0x00002000 +00 00 .* … → ab ab .* …/);
    expect(text).toContain("… and 5 more runs, 89 bytes not shown");
  });

  it("says that equal machines are equal", () => {
    expect(show(diff(rings, rings)).text).toBe("no difference: the two machines are equal");
    expect(show(diff(rings, rings)).html).toContain("No difference");
  });

  it("keeps the difference a plain record", () => {
    expect({ ...diff(rings, rings) }).toEqual({ state: [], memory: [] });
    expect(Object.isFrozen(diff(rings, rings))).toBe(true);
  });
});

describe("a page walk's display", () => {
  it("shows the parts of the address, each entry, and the physical address or the fault", async () => {
    const found = atTask.walk(0x100123);
    expect(show(found).text).toMatch(
      /page table index 0x100, offset 0x123[\s\S]*page directory[\s\S]*page table[\s\S]*→ physical 0x00100123$/,
    );
    const fault = atTask.walk(0x300004, { user: true });
    expect(show(fault).text).toMatch(
      /not present\n {2}→ #PF with error code 4: a user read, and the page is not present$/,
    );
    expect(await bundleOf(fault)).toEqual({ "text/html": show(fault).html, "text/plain": show(fault).text });
    for (const walk of [found, fault]) expectHarmless(show(walk).html);
  });

  it("says that paging is off", () => {
    expect(show(rings.walk(0x1234)).text).toContain("→ physical 0x00001234 (paging is off)");
  });

  it("puts a page-fault error code into words", () => {
    expect(faultText(7)).toBe("#PF with error code 7: a user write, and the rights do not allow it");
    expect(faultText(0)).toBe("#PF with error code 0: a supervisor read, and the page is not present");
    expect(faultText(9)).toContain("reserved bits");
  });
});

describe("a timeline's display", () => {
  it("tells where the cursor is, and how many values and edits there are", async () => {
    const timeline = new Timeline(rings);
    timeline.forward(5000);
    timeline.edit((machine) => machine.type("x"));
    timeline.forward(1000);
    timeline.back(2000);
    const { text } = show(timeline);
    expect(text).toMatch(/^timeline at step 4,000 of 0 to 6,000; [\d,]+ values kept, 1 edit$/);
    expect((await bundleOf(timeline))["text/plain"]).toBe(text);
  });
});

it("show refuses what has no display", () => {
  expect(() => show({} as Machine)).toThrow(VirtlabError);
  expect(() => show(null as unknown as Machine)).toThrow("no machine, timeline, difference or page walk");
});

describe("a stack switch in a difference", () => {
  const before = rings.run({ until: { serial: "trying CLI" } }).run({ until: ({ cpl }) => cpl === 3 });
  // The task's next exception, a #GP: five dwords and an error code.
  const timeline = new Timeline(before);
  timeline.forward(100_000);
  const fault = timeline.find(({ counters }) => counters.exceptions > before.counters.exceptions, {
    direction: "forward",
    from: before.steps,
  })!;
  const [user, kernel] = [timeline.goto(fault - 1), timeline.goto(fault)];

  it("shows registers by name and every dword of the new stack by what it holds", () => {
    const { text, html } = show(diff(user, kernel));
    const hex8 = (value: number): string => `0x${value.toString(16).padStart(8, "0")}`;
    expect(text).toMatch(new RegExp(`esp +${hex8(user.registers.esp)} → ${hex8(kernel.registers.esp)}\n`));
    expect(text).toMatch(/cs +0x00.. → 0x00.. {2}\(RPL 3 → 0\)\n/);
    expect(text).toContain("IF 1 → 0");
    const holds = [...text.matchAll(/^ +(\[esp[+\d]*\]) +(0x[\da-f]{8}) {2}([a-z ]+)$/gm)].map((match) =>
      match.slice(1),
    );
    expect(holds).toEqual([
      ["[esp]", hex8(0), "error code"],
      ["[esp+4]", hex8(user.registers.eip), "eip"],
      ["[esp+8]", hex8(user.registers.cs), "cs"],
      ["[esp+12]", expect.any(String), "eflags"],
      ["[esp+16]", hex8(user.registers.esp), "esp"],
      ["[esp+20]", hex8(user.registers.ss), "ss"],
    ]);
    expectHarmless(html);
  });

  it("leaves the rest of memory as bytes, and shows a plain push without names", () => {
    const push = Machine.boot({ image: Uint8Array.of(0x68, 0x78, 0x56, 0x34, 0x12) }); // push 0x12345678
    const { text } = show(diff(push, push.step()));
    expect(text).toMatch(/pushed on the stack:\n +\[esp\] +0x12345678$/m);
    expect(text).not.toMatch(/78 56 34 12/);
  });
});

describe("a table of one's own", () => {
  it("has a column for every name, marks cells, and shows whatever it is given as text", () => {
    const rows = [
      { ring: 0, cli: "runs" },
      { ring: 3, cli: "#GP(0)", note: "<b>\u001b" },
    ];
    const { html, text } = tableOf(rows, {
      caption: "Rings",
      mark: (value, column) => (column === "cli" && value !== "runs" ? "no" : undefined),
    });
    expect(text).toBe("Rings\nring  cli     note\n0     runs\n3     #GP(0)  <b>\\u{1b}");
    expect(html).toContain('<span class="no">#GP(0)</span>');
    expect(html.match(/class="no"/g)).toHaveLength(1);
    expectHarmless(html);
  });
});
