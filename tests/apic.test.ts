/** Interrupt controllers and several processors as guests see them; `tests/long/apic.test.ts` has the same on QEMU. */

import { describe, expect, it } from "vitest";
import type { ModelName } from "../src/hardware/cpu/model.js";
import { apicCellImage, apicCells, perCell } from "./support/apic-cells.js";
import { apicGuest, end, runGuest, say, sayApic, sayIoApic, words, writeApic } from "./support/apic-guest.js";
import { severalGuests } from "./support/several-cells.js";

describe("local APIC and I/O APIC", () => {
  it("say in every cell what the manual says", () => {
    const parts = perCell(runGuest(apicCellImage(apicCells)).said);
    const saying = (of: (cell: number) => string | undefined): Record<string, string | undefined> =>
      Object.fromEntries(apicCells.map(({ name }, cell) => [name, of(cell)]));
    expect(saying((cell) => parts[cell])).toEqual(saying((cell) => apicCells[cell]!.says));
  });
});

describe("a guest", () => {
  const wordsOf = (main: string, more = "", model?: ModelName): string[] =>
    words(runGuest(apicGuest({ main: main + end, more }), model === undefined ? {} : { model }).said);

  it("reads the timer's count at the tick of the very instruction, which may read and write", () => {
    const main = [
      writeApic(0x3e0, 0xb),
      writeApic(0x380, 1_000_000),
      "mov ebx, [0xfee00390]\n",
      "nop\n".repeat(7),
      "sub ebx, [0xfee00390]\nmov eax, ebx\n",
      say,
      "mov ebx, [0xfee00390]\nmov esi, 0xfee00390\nmov edi, 0x280000\nmov ecx, 4\nrep movsd\n",
      "sub ebx, [0x280000]\nmov eax, ebx\n",
      say,
      "add dword [0xfee00380], 5\nmov eax, [0xfee00380]\n",
      say,
    ].join("");
    expect(wordsOf(main)).toEqual(["8", "4", (1_000_005).toString(16)]);
  });

  it("reads and writes half registers of the local APIC as nothing", () => {
    const main = `mov byte [0xfee00080], 0x20\nmov ax, [0xfee00030]\nmovzx eax, ax\n${say}${sayApic(0x80)}`;
    expect(wordsOf(main)).toEqual(["0", "0"]);
  });

  it("finds nothing at the APICs' addresses of an isapc, and no local APIC in CPUID", () => {
    const main = `mov eax, 1\ncpuid\nmov eax, edx\nand eax, 0x200\n${say}${sayApic(0x30)}${sayIoApic(1)}`;
    const image = apicGuest({ main: main + end });
    expect(words(runGuest(image, { machine: "isapc" }).said)).toEqual(["0", "ffffffff", "ffffffff"]);
    expect(words(runGuest(image).said)).toEqual(["200", "50014", "170020"]);
  });

  const rdmsr = (address: number): string => `mov ecx, 0x${address.toString(16)}\nrdmsr\n`;
  const wrmsr = (address: number, low: number, high = 0): string =>
    `mov ecx, 0x${address.toString(16)}\nmov eax, 0x${low.toString(16)}\nmov edx, ${high}\nwrmsr\n`;

  it("goes to x2APIC mode, interrupts itself and ends interrupts by MSRs", () => {
    const main = [
      wrmsr(0x1b, 0xfee0_0d00),
      rdmsr(0x802),
      say,
      rdmsr(0x803),
      say,
      sayApic(0x30),
      `sti\n${wrmsr(0x83f, 0x50)}nop\ncli\n`,
      rdmsr(0x812),
      say,
      rdmsr(0x1b),
      say,
    ].join("");
    const more = `on_80:\nmov eax, 0x5050\n${say}${rdmsr(0x812)}${say}${wrmsr(0x80b, 0)}jmp done\n`;
    expect(wordsOf(main, more, "nehalem")).toEqual([...["0", "50014", "ffffffff", "5050", "10000", "0"], "fee00d00"]);
  });

  it("is refused a way back to memory, and x2APIC mode where the model has none: #GP(0)", () => {
    const more = `on_13:\nmov eax, 0x1313\n${say}jmp finish\n`;
    expect(wordsOf(wrmsr(0x1b, 0xfee0_0d00) + wrmsr(0x1b, 0xfee0_0900) + say, more, "nehalem")).toEqual(["1313"]);
    expect(wordsOf(wrmsr(0x1b, 0xfee0_0d00) + say, more, "pentium2")).toEqual(["1313"]);
    expect(wordsOf(rdmsr(0x802) + say, more, "nehalem")).toEqual(["1313"]);
  });

  it("is interrupted when the time-stamp counter reaches the deadline, also after the counter was moved", () => {
    const main = [
      writeApic(0x320, 0x4_0051),
      wrmsr(0x10, 1000),
      `rdtsc\nadd eax, 5000\nmov ebx, eax\nmov ecx, 0x6e0\nwrmsr\n${rdmsr(0x6e0)}sub eax, ebx\n${say}`,
      wrmsr(0x10, 3000),
      `${rdmsr(0x6e0)}sub eax, ebx\n${say}sti\nhlt\ncli\n`,
      `rdtsc\nsub eax, ebx\ncmp eax, 200\nsetb al\nmovzx eax, al\n${say}${rdmsr(0x6e0)}${say}`,
    ].join("");
    expect(wordsOf(main, `on_81:\n${writeApic(0xb0, 0)}jmp done\n`, "max")).toEqual(["0", "0", "1", "0"]);
  });
});

describe("two processors", () => {
  it.for(severalGuests)("$name", ({ image, says }) => {
    expect(runGuest(image, { processors: 2 })).toEqual({ said: [...Buffer.from(says, "hex")], end: "debug-exit" });
  });
});
