/** Guests with page tables and interrupts of their own in lockstep with QEMU: the slowest, in a file that runs beside the others. */
import { it } from "vitest";
import { expectNoDifference, lockstepGuests } from "../support/lockstep-guests.js";

for (const { guest, steps, kernel } of lockstepGuests) {
  if (!kernel) continue;
  it(`virtlab and QEMU go the same way through ${guest.name}, step by step up to ${steps}`, async (context) => {
    await expectNoDifference(context, guest, { steps });
  });
}
