/** Guests with several virtual processors, and two VMs of each side by side, compared with the bare machine at many steps. */
import { expect } from "vitest";
import { Hypervisor, type Machine, type ModelName, type TechniqueName } from "../../src/index.js";
import { bootGuest } from "./apic-guest.js";
import { severalGuests } from "./several-cells.js";
import { adders, faults, shadows, timers } from "./virtual-processor-guests.js";
import { NOTHING, visible } from "./visible.js";

/** Techniques that have such VMs, and models. */
export const cases: readonly (readonly [TechniqueName, ModelName])[] = [
  ["sim", "nehalem"],
  // Without unrestricted guests, and with them.
  ["vmx-ept", "nehalem"],
  ["vmx-ept", "max"],
  ["svm-npt", "phenom"],
];

export interface SeveralGuest {
  readonly name: string;
  readonly image: Uint8Array;
  readonly processors?: number;
}

export const guests: readonly SeveralGuest[] = [
  ...severalGuests,
  { name: "three processors add under a lock", image: adders(3), processors: 3 },
  { name: "four processors add under a lock", image: adders(4), processors: 4 },
  ...[
    [251, 700],
    [255, 256],
    [256, 512],
    [257, 300],
    [1000, 254],
    [97, 2000],
  ].map(([first, second]) => ({
    name: `timers of ${first} and ${second} ticks interrupt both`,
    image: timers(first!, second!),
  })),
  { name: "both hold interrupts back", image: timers(700, 900, shadows) },
  { name: "both pause", image: timers(700, 900, "pause\n") },
  { name: "both fault and trace themselves", image: faults },
];

/** An exit for a fault, which the hypervisor has still to see, has saved RF. */
const withoutResume = (machine: Machine): Machine =>
  machine.edit((draft) => {
    draft.registers.eflags &= ~0x1_0000;
  });

/** Every guest here has ended by then. */
export const LAST = { maxInstructions: 400_000 } as const;
export const SPACE = { memory: "64M" } as const;

/** Runs two VMs of each guest on a host with so many processors. */
export function sideBySide(
  technique: TechniqueName,
  model: ModelName,
  processors: number,
  which: readonly SeveralGuest[],
): void {
  for (const { name: what, image, processors: own = 2 } of which) {
    const guest = bootGuest(image, { processors: own, model });
    let host = Hypervisor.create({ ...SPACE, model, processors, slice: 2000 });
    for (const name of ["a", "b"]) host = host.addVm({ name, guest, technique, quantum: 700 });
    host = host.run({ maxInstructions: 6100 });
    for (let piece = 0; piece < 10; piece++) {
      host = host.run({ maxInstructions: 301 + piece });
      for (const { name, machine, status } of host.vms) {
        // Time that a halted guest skips is the host's before it is the VM's.
        if (status.kind === "halted") continue;
        const there = withoutResume(guest.run({ maxInstructions: machine.steps }));
        expect([what, name, machine.steps, visible(there, withoutResume(machine))]).toEqual([
          what,
          name,
          machine.steps,
          NOTHING,
        ]);
      }
    }
    const bare = guest.run(LAST);
    for (const { name, machine } of host.run().vms)
      expect([what, name, visible(bare, machine)]).toEqual([what, name, NOTHING]);
  }
}
