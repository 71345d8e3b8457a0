import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Machine } from "../hardware/machine.js";
import { Hypervisor } from "./hypervisor.js";

const imageOf = (name: string) => readFileSync(path.join(__dirname, `../../guests/images/${name}.elf`));
/** What no hypervisor sees happen. */
const UNSEEN = ["counts.repeats", "counts.exceptions"];

const visible = (a: Machine, b: Machine) => {
  const { state, memory } = Machine.diff(a, b);
  return { state: state.filter(({ path: name }) => !UNSEEN.includes(name)), memory };
};

function bothWays(name: string) {
  const guest = Machine.boot({ image: imageOf(name), memory: "16M", model: "pentium2" });
  const host = Hypervisor.create({ model: "pentium2", memory: "64M" }).addVm({ name: "a", guest, technique: "bt" });
  return { bare: guest.run(), done: host.run({ until: { vm: "a" } }) };
}

describe("a VM under binary translation", () => {
  it("ends as the bare machine does, in the same guest time", () => {
    const { bare, done } = bothWays("kernel");
    expect(done.vm("a").status).toEqual({ kind: "stopped", stop: bare.stop });
    expect(visible(bare, done.vm("a").machine)).toEqual({ state: [], memory: [] });
  });
});
