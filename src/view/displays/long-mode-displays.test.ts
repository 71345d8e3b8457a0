// Displays of a machine in 64-bit mode: the names and widths that it has there.
import { describe, expect, it } from "vitest";
import {
  ABSENT,
  CODE,
  DATA,
  KERNEL_STACK,
  longMachine,
  quadwords,
} from "../../hardware/inspect/long-machine.test-helper.js";
import { Machine } from "../../hardware/machine.js";
import { walkDiagram } from "../diagram/walk.js";
import { descriptorTable, explain, registersOf, taskState } from "../inspections.js";
import { installDisplays } from "../install.js";
import { type Showable, show } from "../show.js";

installDisplays();
// mov rax, ABSENT; mov rax, [rax + 0x10]
const code = [0x48, 0xb8, ...quadwords(BigInt(ABSENT)), 0x48, 0x8b, 0x40, 0x10];
const wide = [0, 0, 0, 0, -1, ...new Array<number>(19).fill(0)];
const start = longMachine({ code, cpu: { esp: KERNEL_STACK | 0, wide } });
const next = start.step();
const linesOf = (value: Showable): readonly string[] => show(value).text.split("\n");

describe("a machine in 64-bit mode", () => {
  it("is shown with RAX to R15 and RIP, and code at addresses of 64 bits", () => {
    const { html, text } = show(next, { since: start });
    expect(text).toContain("rax 0000000000000000→ffffffff81003000  rbx 0000000000000000");
    expect(text).toContain("r15 0000000000000000  rip ffffffff81000000→ffffffff8100000a");
    expect(text).toContain("fs base 0000000000123456");
    expect(text).toContain("=> ffffffff8100000a  48 8b 40 10           mov rax, [rax+0x10]");
    expect(text).not.toMatch(/\beax\b/);
    expect(html).toContain("Code around RIP");
    expect(html).toContain('<span class="was">0000000000000000 →</span> <mark>ffffffff81003000</mark>');
  });

  it("has a list of registers with signed values of 64 bits", () => {
    expect(show(registersOf(next, { since: start })).text).toMatch(
      /rax {6}0{16} → ffffffff81003000 {2}18,446,744,071,578,857,472 {2}−2,130,694,144/,
    );
  });

  it("differs by the names of long mode", () => {
    const { text } = show(Machine.diff(start, next));
    expect(text).toMatch(/rax \(31:0\) +0x00000000 → 0x81003000/);
    expect(text).toMatch(/rax \(63:32\) +0x00000000 → 0xffffffff/);
    expect(text).toMatch(/rip +0xffffffff81000000 → 0xffffffff8100000a/);
    const pushed = show(Machine.diff(next, next.step())).text;
    expect(pushed).toMatch(/\[rsp\+8\] +0xffffffff8100000a {2}rip/);
    expect(pushed).toMatch(/rflags +0x00000202 → 0x00000002 {2}\(IF 1 → 0\)/);
  });

  it("has walks of four levels", () => {
    const [head, ...rest] = linesOf(next.walk(DATA + 8));
    expect(head).toBe(
      "page walk of linear 0xffffffff81001008 (PML4 table index 0x1ff, page-directory-pointer table index 0x1fe, page directory index 0x8, page table index 0x1, offset 0x8)",
    );
    expect(rest[0]).toMatch(
      /^ {2}PML4 table +entry at 0x00001ff8: 0000000000002027 {2}present, writable, user, accessed$/,
    );
    expect(rest[3]).toContain("8000000000011003  present, writable, supervisor, no execution");
    expect(rest[4]).toBe("  → physical 0x00011008");
    expect(linesOf(next.walk(1n << 50n)).at(-1)).toBe("  → #GP(0): the address is not canonical");
  });

  it("has walks that are drawn with four tables and a page", () => {
    const { svg, text } = walkDiagram(next.walk(DATA + 8), { from: next });
    for (const name of [
      "PML4 table",
      "page-directory-pointer table",
      "page directory",
      "page table",
      "page frame, 4 KiB",
    ])
      expect(svg).toContain(`>${name}</text>`);
    expect(svg).toContain("0x8000000000011003");
    expect(svg).toContain("writable, supervisor, XD");
    expect(text).toContain("physical address 0x00011008");
  });

  it("has tables with entries of 16 bytes, and stacks of the interrupt stack table", () => {
    expect(linesOf(descriptorTable(next, "gdt")).at(-1)).toMatch(
      /6 {2}0030 {2}busy 64-bit TSS +ffffffff81001d00 \+ 00000067/,
    );
    expect(linesOf(descriptorTable(next, "idt")).at(-1)).toMatch(
      /#PF {2}64-bit interrupt gate {2}0008:ffffffff81000080 .*stack IST2/,
    );
    expect(linesOf(taskState(next))[1]).toMatch(/rsp0 ffffffff81001ff0 {2}rsp1 0{16}/);
  });

  it("has instructions explained with operands of 64 bits", () => {
    const { text } = show(explain(next));
    expect(text).toContain("mov rax, [rax+0x10] at 0xffffffff8100000a");
    expect(text).toMatch(/linear ffffffff81003010, physical not mapped/);
    expect(show(explain(start, CODE)).text).toMatch(/rax += 0{16}/);
  });
});
