/** Guests of `guests/` in lockstep with QEMU, for tests. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type TestContext } from "vitest";
import { loadImage } from "../../src/hardware/boot/image.js";
import type { MachineName } from "../../src/hardware/devices/machines.js";
import { Machine } from "../../src/hardware/machine.js";
import { type Guest, guests, images } from "./guests.js";
import { type LockstepOptions, lockstep, type Outcome } from "./lockstep.js";
import { reportText } from "./lockstep-report.js";
import { peer } from "./peers.js";
import { Qemu } from "./qemu.js";

const MEMORY = "64M";

const STEPS = 100_000;
/** Of what only repeats a loop. */
const STEPS_OF_LOOPS = 25_000;
const KERNELS: readonly string[] = ["rings", "memory", "kernel"];

/** The guests that are compared, and how far. Modules are files that only QEMU's command line names; the image is hello's. */
export const lockstepGuests: readonly { readonly guest: Guest; readonly steps: number; readonly kernel: boolean }[] =
  guests
    .filter(({ modules }) => modules === undefined)
    .map((guest) => ({
      guest,
      steps: /^(bench|attacker)-/.test(guest.name) ? STEPS_OF_LOOPS : STEPS,
      kernel: KERNELS.includes(guest.name),
    }));

/** The outcome for an image; skips the test of `context` where QEMU is absent. */
export async function compareImage(
  context: TestContext,
  image: string,
  options: LockstepOptions & {
    readonly cpu?: string;
    readonly append?: string | undefined;
    readonly kind?: MachineName | undefined;
  },
): Promise<Outcome> {
  const program = peer(context, "qemu-system-i386");
  const { cpu = "pentium2", append, kind } = options;
  const machine = Machine.boot({
    image: readFileSync(image),
    memory: MEMORY,
    ...(append === undefined ? {} : { append }),
    ...(kind === undefined ? {} : { machine: kind, cpu: "pentium2" }),
  });
  const qemu = await Qemu.start({ program, image, cpu, memory: MEMORY, append });
  try {
    return await lockstep(qemu, machine, options);
  } finally {
    await qemu.close();
  }
}

/** Expects no difference; a failure shows the whole report. */
export async function expectNoDifference(
  context: TestContext,
  guest: { readonly image: string; readonly append?: string | undefined; readonly machine?: MachineName | undefined },
  options: LockstepOptions,
): Promise<Outcome> {
  const outcome = await compareImage(context, join(images, guest.image), {
    ...options,
    append: guest.append,
    kind: guest.machine,
  });
  expect(outcome.difference, reportText(guest.image, outcome)).toBeUndefined();
  return outcome;
}

/** Address of a name in an image's symbol table. */
export function addressOf(image: string, name: string): number {
  const { symbols } = loadImage({ image: readFileSync(join(images, image)), memorySize: 2 ** 26 });
  const symbol = symbols.find((one) => one.name === name);
  if (symbol === undefined) throw new Error(`${image} has no symbol "${name}"`);
  return symbol.address;
}
