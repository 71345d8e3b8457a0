/** Every guest in lockstep with QEMU, further than lockstep-first-steps.test.ts; those with page tables of their own are beside this. */
import { it } from "vitest";
import { expectNoDifference, lockstepGuests } from "../support/lockstep-guests.js";

for (const { guest, steps, kernel } of lockstepGuests) {
  // The part of faults below has it all.
  if (kernel || guest.name === "faults") continue;
  it(`virtlab and QEMU go the same way through ${guest.name}, step by step up to ${steps}`, async (context) => {
    await expectNoDifference(context, guest, { steps });
  });
}

// Beyond that limit: exceptions in ring 3 and while an exception is delivered.
it("virtlab and QEMU go the same way through all of faults, step by step", async (context) => {
  await expectNoDifference(context, { image: "faults.elf" }, { steps: 1_000_000 });
});
