import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Machine } from "../../../hardware/machine.js";
import { Hypervisor } from "../../hypervisor.js";

const image = readFileSync(path.join(__dirname, "../../../../guests/images/kernel.elf"));
const guest = Machine.boot({ image, memory: "16M", model: "nehalem" });
const bare = guest.run();

const NONE = { state: [], memory: [] };

describe("a simulated VM", () => {
  it("ends equal to the bare machine, on a 64-bit host and on a 32-bit host", () => {
    for (const model of ["nehalem", "pentium2"] as const) {
      const host = Hypervisor.create({ model, memory: "64M" }).addVm({ name: "a", guest, technique: "sim" });
      const { status, machine } = host.run({ until: { vm: "a" } }).vm("a");
      expect(status).toEqual({ kind: "stopped", stop: bare.stop });
      expect(Machine.diff(bare, machine)).toEqual(NONE);
    }
  });

  it("is at every step of its host the bare machine after as many steps, where a quantum is one step", () => {
    let host = Hypervisor.create({ memory: "64M" }).addVm({ name: "a", guest, technique: "sim", quantum: 1 });
    const counts = new Set<number>();
    for (let step = 0; step < 300; step++) {
      host = host.step();
      const { machine } = host.vm("a");
      counts.add(machine.steps);
      if (step % 20 === 0) expect(Machine.diff(guest.run({ maxInstructions: machine.steps }), machine)).toEqual(NONE);
    }
    expect([...counts]).toEqual(Array.from({ length: counts.size }, (_, index) => index));
    expect(counts.size).toBeGreaterThan(50);
  });

  it("takes a tick of its host's for each step, as a VM does that is executed directly", () => {
    const host = Hypervisor.create({ memory: "64M" }).addVm({ name: "a", guest, technique: "sim" });
    const later = host.run({ maxInstructions: 400 });
    const { machine, ran } = later.vm("a");
    expect(ran).toBe(machine.steps);
    expect(later.ticks).toBeGreaterThanOrEqual(machine.ticks);
    expect(later.ticks).toBeLessThan(1.01 * machine.ticks);
  });

  it("shares its host with VMs of other techniques, and each ends as the bare machine does", () => {
    const host = Hypervisor.create({ model: "nehalem", memory: "128M" })
      .addVm({ name: "simulated", guest, technique: "sim" })
      .addVm({ name: "assisted", guest, technique: "vmx-ept" })
      .addVm({ name: "another", guest, technique: "sim", quantum: 5000 })
      .run();
    expect(host.stop).toEqual({ reason: "halted", waitsForInput: true });
    for (const { name, machine, status } of host.vms) {
      expect(status).toEqual({ kind: "stopped", stop: bare.stop });
      const { state, memory } = Machine.diff(bare, machine);
      expect([name, memory]).toEqual([name, []]);
      const unseen = name === "assisted" ? ["counts.repeats", "counts.exceptions"] : [];
      expect(state.filter(({ path: what }) => !unseen.includes(what))).toEqual([]);
    }
  });
});
