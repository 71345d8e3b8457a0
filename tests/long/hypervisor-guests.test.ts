/** More guests under VT-x and AMD-V: each ends as the bare machine does. The ones that tell most are in src/hypervisor. */
import { describe, expect, it } from "vitest";
import { Machine } from "../../src/hardware/machine.js";
import { Hypervisor } from "../../src/hypervisor/hypervisor.js";
import { guest } from "../../src/systems/packaged-guest.js";
import { NOTHING, visible } from "../support/visible.js";

/** What no hypervisor sees happen. */

describe.each([
  { technique: "vmx-ept", model: "nehalem" },
  { technique: "svm-npt", model: "phenom" },
] as const)("under $technique", ({ technique, model }) => {
  it.each(["faults", "memory", "sensitive", "hello", "nanobench"])(
    "%s ends as it does alone, in the same guest time",
    (name) => {
      const machine = Machine.boot({ image: guest(name), memory: "16M", model });
      const bare = machine.run();
      const vm = Hypervisor.create({ model, memory: "64M" })
        .addVm({ name, guest: machine, technique })
        .run({ until: { vm: name } })
        .vm(name);
      expect(vm.status).toEqual({ kind: "stopped", stop: bare.stop });
      expect(visible(bare, vm.machine)).toEqual(NOTHING);
    },
  );
});
