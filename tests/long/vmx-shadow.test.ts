import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Machine } from "../../src/hardware/machine.js";
import { Hypervisor } from "../../src/hypervisor/hypervisor.js";

const image = readFileSync(path.join(__dirname, "../../guests/images/kernel.elf"));
/** What no hypervisor sees happen. */
const UNSEEN = ["counts.repeats", "counts.exceptions"];

const visible = (a: Machine, b: Machine) => {
  const { state, memory } = Machine.diff(a, b);
  return { state: state.filter(({ path: name }) => !UNSEEN.includes(name)), memory };
};

describe("a VM under VT-x with shadow paging", () => {
  it("ends as the bare machine does, in the same guest time", () => {
    const guest = Machine.boot({ image, memory: "16M", model: "core2" });
    const bare = guest.run();
    const host = Hypervisor.create({ model: "core2", memory: "64M" }).addVm({
      name: "a",
      guest,
      technique: "vmx-shadow",
    });
    const done = host.run({ until: { vm: "a" } });
    expect(done.vm("a").status).toEqual({ kind: "stopped", stop: bare.stop });
    expect(visible(bare, done.vm("a").machine)).toEqual({ state: [], memory: [] });
    const effects = done.vm("a").ledger.map(({ effect }) => effect);
    expect(effects).toEqual(expect.arrayContaining(["hidden page fault", "#PF injected", "traced store"]));
  });
});
