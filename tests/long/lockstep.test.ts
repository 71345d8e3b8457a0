/** As tests/lockstep.test.ts, with every guest and as far as a minute or so goes. */
import { it } from "vitest";
import { guests } from "../support/guests.js";
import { expectNoDifference } from "../support/lockstep-guests.js";

const STEPS = 100_000;
/** Modules are files that only QEMU's command line names; the image is hello's. */
const compared = guests.filter(({ modules }) => modules === undefined);

for (const guest of compared) {
  it(`virtlab and QEMU go the same way through ${guest.name}, step by step up to ${STEPS}`, async (context) => {
    await expectNoDifference(context, guest, { steps: STEPS });
  });
}

// Its last part, which that limit does not reach: exceptions in ring 3 and while an exception is delivered.
it("virtlab and QEMU go the same way through all of faults, step by step", async (context) => {
  await expectNoDifference(context, { image: "faults.elf" }, { steps: 1_000_000 });
});
