/** What guests find of interrupt controllers and several processors is what they find on QEMU's PC. */
import { describe, expect, it } from "vitest";
import { apicCellImage, apicCells, perCell } from "../support/apic-cells.js";
import { runGuestOnQemu } from "../support/apic-guest.js";
import { peer } from "../support/peers.js";
import { severalGuests } from "../support/several-cells.js";

const qemu = "qemu-system-i386";

describe("QEMU", () => {
  it("says what the cells about APICs expect, but where it is known not to", (context) => {
    const { said, end } = runGuestOnQemu(peer(context, qemu), apicCellImage(apicCells));
    const parts = perCell(said);
    expect(end).toBe("debug-exit");
    apicCells.forEach(({ name, says, unlikeQemu }, cell) => {
      if (unlikeQemu === undefined) expect([name, parts[cell]]).toEqual([name, says]);
      else expect([name, parts[cell]]).not.toEqual([name, says]);
    });
  });

  it.for(severalGuests)("says the same: $name", ({ image, says }, context) => {
    const run = runGuestOnQemu(peer(context, qemu), image, { processors: 2 });
    expect(run).toEqual({ said: [...Buffer.from(says, "hex")], end: "debug-exit" });
  });
});
