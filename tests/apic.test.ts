/** Interrupt controllers and several processors as guests see them, here and on QEMU's PC. */
import { describe, expect, it } from "vitest";
import { apicCellImage, apicCells, perCell } from "./support/apic-cells.js";
import { type GuestRun, runGuest, runGuestOnQemu } from "./support/apic-guest.js";
import { peer } from "./support/peers.js";
import { severalGuests } from "./support/several-cells.js";

const qemuProgram = "qemu-system-i386";

describe("local APIC and I/O APIC", () => {
  const image = apicCellImage(apicCells);
  const named = (run: GuestRun, unlike: boolean): Record<string, string | undefined> => {
    const parts = perCell(run.said);
    const cells = apicCells.map(({ name, unlikeQemu }, cell) => [name, (unlike && unlikeQemu?.says) || parts[cell]]);
    return Object.fromEntries(cells);
  };

  it("do what QEMU's do in every cell", (context) => {
    const qemu = runGuestOnQemu(peer(context, qemuProgram), image);
    const own = runGuest(image);
    expect(named(own, false)).toEqual(named(qemu, true));
    expect(own.end).toBe(qemu.end);
  });
});

describe("two processors", () => {
  it.for(severalGuests)("$name, as on QEMU", ({ image }, context) => {
    const own = runGuest(image, { processors: 2 });
    expect(own.end).toBe("debug-exit");
    expect(own).toEqual(runGuestOnQemu(peer(context, qemuProgram), image, { processors: 2 }));
  });
});
