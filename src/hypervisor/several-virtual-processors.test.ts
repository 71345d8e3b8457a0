/** VMs with several virtual processors: each is the machine with as many. */
import { describe, expect, it } from "vitest";
import { bootGuest } from "../../tests/support/apic-guest.js";
import { severalGuests } from "../../tests/support/several-cells.js";
import { NOTHING, visible } from "../../tests/support/visible.js";
import type { ModelName } from "../hardware/cpu/model.js";
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
