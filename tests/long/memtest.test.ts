/** memtest86+ as Debian has it, by the Linux boot protocol and from its disk: a real program that lives on the screen. */
import { describe, expect, it, type TestContext } from "vitest";
import { packageFolder } from "../../src/cli/debian/debian-system.js";
import { fetchPackage, fileOfPackage } from "../../src/cli/debian/packages.js";
import { Machine, screen, VirtlabError } from "../../src/index.js";
import { missing } from "../support/peers.js";

const PIECE = 20_000_000;
const PIECES = 150;

function memtest(context: TestContext, file: string): Uint8Array {
  try {
    const needed = { prefix: "memtest86+", name: /^memtest86\+$/, architecture: "amd64" } as const;
    return fileOfPackage(fetchPackage(packageFolder(), needed), file);
  } catch (error) {
    if (!(error instanceof VirtlabError)) throw error;
    return missing(context, error.message);
  }
}

describe("memtest86+", () => {
  it("passes its tests 0 to 2 over 16 MiB, and says so on the screen", (context) => {
    const image = memtest(context, "./boot/memtest86+ia32.bin");
    let machine = Machine.boot({ image, imageName: "memtest86+", memory: "16M", devices: ["vga"] });
    let text = "";
    for (let piece = 0; piece < PIECES && !text.includes("Test #3"); piece++) {
      machine = machine.run({ maxInstructions: PIECE });
      expect(machine.stop).toEqual({ reason: "limit" });
      text = screen(machine).text.join("\n");
    }
    expect(text).toContain("Test #3");
    expect(text).toMatch(/Memory +: +16MB/);
    expect(text).toMatch(/of 15\.6MB\]/);
    expect(text).toMatch(/Pass: +0 +Errors: 0$/m);
    expect(text).not.toContain("Failing");
  });

  it("begins by itself on a PC, and uses both of its processors", (context) => {
    const image = memtest(context, "./boot/memtest86+x64.bin");
    const options = { machine: "pc", processors: 2, memory: "16M" } as const;
    let machine = Machine.boot({ image, imageName: "memtest86+", ...options });
    let text = "";
    for (let piece = 0; piece < PIECES && !/Test #[1-9]/.test(text); piece++) {
      machine = machine.run({ maxInstructions: PIECE });
      expect(machine.stop).toEqual({ reason: "limit" });
      text = screen(machine).text.join("\n");
    }
    expect(text).toMatch(/CPU: 2 Cores 2 Threads +SMP: 2T/);
    expect(text).toMatch(/Pass: +0 +Errors: 0$/m);
  });

  it("is loaded from its own disk, whose boot sector and loader know BIOS services alone", (context) => {
    const disk = memtest(context, "./usr/lib/memtest86+/memtest86+ia32.iso");
    let machine = Machine.boot({ disks: [{ image: disk, readOnly: true }], memory: "16M" });
    let text = "";
    for (let piece = 0; piece < PIECES && !/Test #\d/.test(text); piece++) {
      machine = machine.run({ maxInstructions: PIECE });
      expect(machine.stop).toEqual({ reason: "limit" });
      text = screen(machine).text.join("\n");
    }
    expect(text).toMatch(/Test #\d/);
    expect(text).toMatch(/Pass: +0 +Errors: 0$/m);
  });
});
