/** Interrupt controllers as guests see them, here and on QEMU's PC. */
import { describe, expect, it } from "vitest";
import { apicCellImage, apicCells, perCell } from "./support/apic-cells.js";
import { runGuest, runGuestOnQemu } from "./support/apic-guest.js";
import { peer } from "./support/peers.js";

describe("local APIC and I/O APIC", () => {
  const image = apicCellImage(apicCells);

  it("do what QEMU's do in every cell", (context) => {
    const qemu = runGuestOnQemu(peer(context, "qemu-system-i386"), image);
    const own = runGuest(image);
    const named = (run: { readonly said: readonly number[] }): Record<string, string | undefined> => {
      const parts = perCell(run.said);
      return Object.fromEntries(apicCells.map(({ name }, cell) => [name, parts[cell]]));
    };
    expect(named(own)).toEqual(named(qemu));
    expect(own.end).toBe(qemu.end);
  });
});
