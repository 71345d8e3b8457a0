/** VMs with several virtual processors: each is the machine with as many. */
import { describe, expect, it } from "vitest";
import { bootGuest } from "../../tests/support/apic-guest.js";
import { severalGuests } from "../../tests/support/several-cells.js";
import { NOTHING, visible } from "../../tests/support/visible.js";
import type { ModelName } from "../hardware/cpu/model.js";
import type { Machine } from "../hardware/machine.js";
import { Hypervisor } from "./hypervisor.js";
import type { TechniqueName } from "./techniques/names.js";

const cases: readonly (readonly [TechniqueName, ModelName])[] = [
  ["sim", "nehalem"],
  ["vmx-ept", "nehalem"],
  ["vmx-ept", "max"],
  ["svm-npt", "phenom"],
];

describe.each(cases)("a VM with two processors under %s on a %s", (technique, model) => {
  it.each(severalGuests)("$name", ({ image }) => {
    const guest = bootGuest(image, { processors: 2, model });
    const bare = guest.run();
    const { machine, status } = Hypervisor.create({ model, memory: "64M" })
      .addVm({ name: "a", guest, technique })
      .run({ until: { vm: "a" } })
      .vm("a");
    expect(status).toEqual({ kind: "stopped", stop: bare.stop });
    expect(visible(bare, machine)).toEqual(NOTHING);
  });
});

/** An exit for a fault, which the hypervisor has still to see, has saved RF. */
const withoutResume = (machine: Machine): Machine =>
  machine.edit((draft) => {
    draft.registers.eflags &= ~0x1_0000;
  });

describe.each(cases)("two VMs with two processors each under %s on a %s", (technique, model) => {
  it.each([1, 2])("are at any step what the machine is, on a host with %i", (processors) => {
    for (const { name: guestName, image } of severalGuests) {
      const guest = bootGuest(image, { processors: 2, model });
      const bare = guest.run();
      let host = Hypervisor.create({ model, memory: "64M", processors, slice: 2000 });
      for (const name of ["a", "b"]) host = host.addVm({ name, guest, technique, quantum: 700 });
      host = host.run({ maxInstructions: 6000 });
      for (let piece = 0; piece < 12; piece++) {
        host = host.run({ maxInstructions: 301 + piece });
        for (const { name, machine, status } of host.vms) {
          if (status.kind === "halted") continue;
          const there = withoutResume(guest.run({ maxInstructions: machine.steps }));
          expect([guestName, name, machine.steps, visible(there, withoutResume(machine))]).toEqual([
            guestName,
            name,
            machine.steps,
            NOTHING,
          ]);
        }
      }
      host = host.run();
      for (const { name, machine } of host.vms)
        expect([guestName, name, visible(bare, machine)]).toEqual([guestName, name, NOTHING]);
    }
  });
});
