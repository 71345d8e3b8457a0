import { describe, expect, it } from "vitest";
import { peer } from "../../../tests/support/peers.js";
import { screen } from "../../index.js";
import { screenDisplay } from "../../view/displays/screen-display.js";
import { Machine } from "../machine.js";
import { createDevices } from "./bus.js";
import { out, type PortAction, read, runOnDevices, runOnQemu } from "./port-script.test-helper.js";

const indexed = (port: number, index: number, value: number): PortAction[] => [
  ...out(port, index),
  ...out(port + 1, value),
];
const readIndexed = (port: number, ...indices: readonly number[]): PortAction[] =>
  indices.flatMap((index) => [...out(port, index), ...read(port + 1)]);

describe("a VGA's registers", () => {
  it("read the same as QEMU's, after its firmware and after writes", (context) => {
    const qemu = peer(context, "qemu-system-i386");
    const script = [
      ...read(0x3cc),
      ...readIndexed(0x3c4, 1, 2, 3, 4),
      ...readIndexed(0x3ce, 0, 1, 2, 3, 4, 5, 6, 7, 8),
      ...readIndexed(0x3d4, 0, 1, 2, 3, 4, 5, 6, 7, 9, 0x10, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17),
      ...indexed(0x3d4, 0x0e, 0x05),
      ...indexed(0x3d4, 0x0f, 0xa7),
      ...indexed(0x3d4, 0x0a, 0x20),
      // Registers 0 to 7 are protected.
      ...indexed(0x3d4, 1, 0x27),
      ...readIndexed(0x3d4, 0x0e, 0x0f, 0x0a, 1),
      ...indexed(0x3d4, 0x11, 0x0e),
      ...indexed(0x3d4, 1, 0x27),
      ...readIndexed(0x3d4, 1),
      // The attribute controller: index and data at one port, read at the next; the status port makes it an index.
      ...read(0x3da).slice(0, 0),
      ...[0, 1, 5, 0x14].flatMap((index) => [{ in: 0x3da, mask: 0 }, ...out(0x3c0, 0x20 | index), ...read(0x3c1)]),
      { in: 0x3da, mask: 0 },
      ...out(0x3c0, 0x03, 0x2a),
      { in: 0x3da, mask: 0 },
      ...out(0x3c0, 0x23),
      ...read(0x3c1),
      // The DAC: three colours of 6 bits an entry.
      ...out(0x3c8, 5),
      ...out(0x3c9, 1, 2, 0x3f, 4),
      ...out(0x3c7, 5),
      ...read(0x3c9, 0x3c9, 0x3c9, 0x3c9),
      ...out(0x3c7, 0x14),
      ...read(0x3c9, 0x3c9, 0x3c9),
      // Nothing is at the monochrome addresses.
      ...out(0x3b4, 0x0f),
      ...read(0x3b5),
    ];
    const hex = (values: readonly number[]): string[] => values.map((value) => value.toString(16));
    expect(hex(runOnDevices(script, createDevices({ machine: "pc" })).values)).toEqual(hex(runOnQemu(qemu, script)));
  });
});

describe("the screen", () => {
  const row = (text: string, attribute = 7): Uint8Array =>
    Uint8Array.from([...text].flatMap((character) => [character.charCodeAt(0), attribute]));
  const blank = Machine.create({ machine: "pc", memory: "2M" });

  it("has 25 rows of 80 characters, with their colours", () => {
    const shown = screen(blank.write(0xb8000, row("Hi", 0x1e)));
    expect([shown.columns, shown.rows, shown.text[0], shown.text[24]]).toEqual([80, 25, "Hi", ""]);
    const { foreground, background } = shown.cells[0]![1]!;
    expect([shown.colours[foreground], shown.colours[background]]).toEqual(["#ffff55", "#0000aa"]);
  });

  it("begins where the CRTC says, and has the cursor where it is", () => {
    const moved = blank.write(0xb8000 + 2 * 160, row("third")).edit(({ devices }) => {
      const { crtc } = devices.vga!;
      devices.vga = { ...devices.vga!, crtc: crtc.with(0x0d, 160).with(0x0f, 165).with(0x0e, 0) };
    });
    expect(screen(moved).text[0]).toBe("third");
    expect(screen(moved).cursor).toEqual({ column: 5, row: 0 });
    const hidden = moved.edit(({ devices }) => {
      devices.vga = { ...devices.vga!, crtc: devices.vga!.crtc.with(0x0a, 0x20) };
    });
    expect(screen(hidden).cursor).toBe(undefined);
  });

  it("has the characters of code page 437, and shows them escaped", () => {
    const shown = screen(blank.write(0xb8000, Uint8Array.of(0xc9, 7, 0xcd, 7, 0x3c, 7)));
    expect(shown.text[0]).toBe("╔═<");
    const { html, text } = screenDisplay(shown);
    expect(html).toContain("═&lt;</span>");
    expect(text.split("\n")[1]).toBe("╔═<");
  });

  it("needs a VGA", () => {
    expect(() => screen(Machine.create())).toThrow('a machine of the kind "isapc" has no VGA');
    expect(screen(Machine.create({ devices: ["vga"] })).rows).toBe(25);
  });
});
