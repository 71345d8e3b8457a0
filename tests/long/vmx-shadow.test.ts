import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Machine } from "../../src/hardware/machine.js";
import { Hypervisor } from "../../src/hypervisor/hypervisor.js";
import { NOTHING, visible } from "../support/visible.js";

const imageOf = (name: string) => readFileSync(path.join(__dirname, `../../guests/images/${name}.elf`));
/** What no hypervisor sees happen. */

describe("a VM under VT-x with shadow paging", () => {
  it.each([
    { name: "kernel", effects: ["hidden page fault", "#PF injected", "traced store"] },
    { name: "rings", effects: ["hidden page fault"] },
    { name: "faults", effects: ["hidden page fault", "#PF injected"] },
    { name: "nanobench", machine: "pc", effects: ["hidden page fault", "#PF injected", "traced store", "simulated"] },
  ] as const)("ends as the bare machine does, in the same guest time: $name", ({ name, effects, ...kind }) => {
    const guest = Machine.boot({ image: imageOf(name), memory: "16M", model: "core2", ...kind });
    const bare = guest.run();
    const host = Hypervisor.create({ model: "core2", memory: "64M" }).addVm({
      name: "a",
      guest,
      technique: "vmx-shadow",
    });
    const done = host.run({ until: { vm: "a" } });
    expect(done.vm("a").status).toEqual({ kind: "stopped", stop: bare.stop });
    expect(visible(bare, done.vm("a").machine)).toEqual(NOTHING);
    expect(done.vm("a").ledger.map(({ effect }) => effect)).toEqual(expect.arrayContaining([...effects]));
  });
});
