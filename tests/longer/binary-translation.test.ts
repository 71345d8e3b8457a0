/** Every guest of ours under binary translation: the same end as on the bare machine, in the same guest time. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { ModelName } from "../../src/hardware/cpu/model.js";
import { Machine } from "../../src/hardware/machine.js";
import { Hypervisor } from "../../src/hypervisor/hypervisor.js";
import { packageRoot } from "../support/virtlab.js";
import { NOTHING, visible } from "../support/visible.js";

/** What no hypervisor sees happen. */

const boot = (name: string, model: ModelName): Machine =>
  Machine.boot({ image: readFileSync(path.join(packageRoot, `guests/images/${name}.elf`)), memory: "16M", model });

const guests = ["hello", "rings", "faults", "memory", "nanobench", "triple", "kernel"] as const;

describe("binary translation", () => {
  it.each([
    ...guests.map((name) => [name, "pentium2"] as const),
    // UMIP keeps the hypervisor's tables from programs that ask for them.
    ...(["sensitive", "kernel"] as const).map((name) => [name, "max"] as const),
  ])("runs %s on a %s to the end it has on the bare machine", (name, model) => {
    const guest = boot(name, model);
    const host = Hypervisor.create({ model, memory: "64M", bits: 32 }).addVm({ name: "a", guest, technique: "bt" });
    const done = host.run({ until: { vm: "a" } });
    const bare = guest.run();
    expect(done.vm("a").status).toEqual({ kind: "stopped", stop: bare.stop });
    expect(visible(bare, done.vm("a").machine)).toEqual(NOTHING);
  });

  it("shows the guest between any two of its instructions, wherever the host is", () => {
    let bare = boot("kernel", "pentium2");
    let host = Hypervisor.create({ model: "pentium2", memory: "64M" }).addVm({
      name: "a",
      guest: bare,
      technique: "bt",
    });
    for (let turn = 0; turn < 600; turn++) {
      host = host.run({ maxInstructions: 1 + ((turn * 2711) % 6007) });
      const { machine } = host.vm("a");
      if (machine.steps > bare.steps) bare = bare.run({ maxInstructions: machine.steps - bare.steps });
      expect([host.steps, visible(bare, machine)]).toEqual([host.steps, NOTHING]);
    }
  });

  it("runs two guests side by side, each to its own end", () => {
    const names = ["kernel", "hello"] as const;
    let host = Hypervisor.create({ model: "pentium2", memory: "64M" });
    for (const name of names) host = host.addVm({ name, guest: boot(name, "pentium2"), technique: "bt" });
    for (const name of names) host = host.run({ until: { vm: name } });
    for (const name of names) expect(visible(boot(name, "pentium2").run(), host.vm(name).machine)).toEqual(NOTHING);
  });

  it("shares a host with trap-and-emulate, each guest with its own segments", () => {
    let host = Hypervisor.create({ model: "pentium2", memory: "64M" });
    for (const technique of ["bt", "trap"] as const)
      host = host.addVm({ name: technique, guest: boot("kernel", "pentium2"), technique });
    const bare = boot("kernel", "pentium2").run();
    for (const name of ["bt", "trap"]) host = host.run({ until: { vm: name } });
    for (const name of ["bt", "trap"]) expect(visible(bare, host.vm(name).machine)).toEqual(NOTHING);
  });

  it("goes on from a saved host as from the host itself", () => {
    const guest = boot("kernel", "pentium2");
    const host = Hypervisor.create({ model: "pentium2", memory: "64M" }).addVm({ name: "a", guest, technique: "bt" });
    const half = host.run({ maxInstructions: 900_001 });
    const again = Hypervisor.load(half.save());
    expect(again.hash).toBe(half.hash);
    const [a, b] = [half, again].map((one) => one.run({ until: { vm: "a" } }));
    expect(a!.hash).toBe(b!.hash);
  });
});
