/** As tests/lockstep.test.ts, with every guest and further. */
import { it } from "vitest";
import { guests } from "../support/guests.js";
import { expectNoDifference } from "../support/lockstep-guests.js";

const STEPS = 100_000;
/** Of what only repeats a loop. */
const STEPS_OF_LOOPS = 25_000;
/** Modules are files that only QEMU's command line names; the image is hello's. */
const compared = guests.filter(({ modules }) => modules === undefined);

for (const guest of compared) {
  // The part of faults below has it all.
  if (guest.name === "faults") continue;
  const steps = /^(bench|attacker)-/.test(guest.name) ? STEPS_OF_LOOPS : STEPS;
  it(`virtlab and QEMU go the same way through ${guest.name}, step by step up to ${steps}`, async (context) => {
    await expectNoDifference(context, guest, { steps });
  });
}

// Beyond that limit: exceptions in ring 3 and while an exception is delivered.
it("virtlab and QEMU go the same way through all of faults, step by step", async (context) => {
  await expectNoDifference(context, { image: "faults.elf" }, { steps: 1_000_000 });
});
