import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { ModelName } from "../../src/hardware/cpu/model.js";
import { Machine } from "../../src/hardware/machine.js";
import { Hypervisor } from "../../src/hypervisor/hypervisor.js";
import type { TechniqueName } from "../../src/hypervisor/techniques/names.js";
import { NOTHING, visible } from "../support/visible.js";

/** What no hypervisor sees happen. */

const guestOf = (name: string, model: ModelName): Machine =>
  Machine.boot({
    image: readFileSync(path.join(__dirname, `../../guests/images/${name}.elf`)),
    memory: "16M",
    model,
  });

const assisted: readonly { technique: TechniqueName; model: ModelName }[] = [
  { technique: "vmx-ept", model: "nehalem" },
  { technique: "svm-npt", model: "phenom" },
];
/** `rings` is interrupted anywhere. Others are in tests/long. */
const guests = ["kernel", "rings", "red-pill", "triple"] as const;

describe.each(assisted)("a VM under $technique", ({ technique, model }) => {
  const hostOf = (...names: readonly string[]): Hypervisor =>
    names.reduce(
      (host, name) => host.addVm({ name, guest: guestOf(name, model), technique }),
      Hypervisor.create({ model, memory: "64M" }),
    );

  it.each(guests)("ends as the bare machine does, in the same guest time: %s", (name) => {
    const bare = guestOf(name, model).run();
    const vm = hostOf(name)
      .run({ until: { vm: name } })
      .vm(name);
    expect(vm.status).toEqual({ kind: "stopped", stop: bare.stop });
    expect(vm.serial).toBe(bare.serial);
    expect(visible(bare, vm.machine)).toEqual(NOTHING);
  });

  it("is what the bare machine is at every step of the host, in the guest and behind its exits", () => {
    let bare = guestOf("red-pill", model);
    let host = hostOf("red-pill").run({ maxInstructions: 8000 });
    for (let step = 0; step < 400; step++) {
      host = host.step();
      const { machine } = host.vm("red-pill");
      if (machine.steps > bare.steps) bare = bare.run({ maxInstructions: machine.steps - bare.steps });
      expect({ at: machine.steps, ...visible(bare, machine) }).toEqual({ at: bare.steps, ...NOTHING });
    }
  });

  it("comes to the same in odd pieces, saved and loaded on the way", () => {
    const whole = hostOf("faults").run({ until: { vm: "faults" } });
    let host = hostOf("faults");
    while (host.vm("faults").status.kind !== "stopped") {
      host = host.run({ maxInstructions: 49_999, until: { vm: "faults" } });
      host = Hypervisor.load(host.save());
    }
    expect(host.hash).toBe(whole.hash);
  });

  it("does beside another what it does alone", () => {
    const names = ["kernel", "memory"];
    let host = hostOf(...names);
    for (const name of names) if (host.vm(name).status.kind !== "stopped") host = host.run({ until: { vm: name } });
    for (const name of names) expect(visible(guestOf(name, model).run(), host.vm(name).machine)).toEqual(NOTHING);
  });

  it("shows a guest that waits for input as halted, and gives it what is typed", () => {
    const bare = guestOf("echo", model).run();
    const host = hostOf("echo").run();
    expect(visible(bare, host.vm("echo").machine)).toEqual(NOTHING);
    const answered = host.type("echo", "hypervisor\n").run().vm("echo");
    expect(answered.serial).toBe(bare.type("hypervisor\n").run().serial);
  });
});
