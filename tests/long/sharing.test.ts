import { describe, expect, it } from "vitest";
import { Machine } from "../../src/hardware/machine.js";
import { Hypervisor } from "../../src/hypervisor/hypervisor.js";
import { PERIOD } from "../../src/hypervisor/schedule.js";
import { turnsOf } from "../../src/hypervisor/turns.js";

/** INC EAX; JMP. */
const busy = Machine.boot({ image: Uint8Array.of(0x40, 0xeb, 0xfd), memory: "2M", model: "nehalem" });

const two = (options: { weight?: number; cap?: number }, bits: 32 | 64 = 64): Hypervisor =>
  Hypervisor.create({ model: "nehalem", memory: "64M", bits, slice: 300_000 })
    .addVm({ name: "a", guest: busy, technique: bits === 64 ? "vmx-ept" : "sim", ...options })
    .addVm({ name: "b", guest: busy, technique: "sim" });

const runFor = (host: Hypervisor, periods: number): Hypervisor => {
  let later = host;
  while (later.ticks < periods * PERIOD) later = later.run({ maxInstructions: 20_000 });
  return later;
};

describe("VMs that want all of a processor", () => {
  it("have it by weight, whatever their techniques", () => {
    for (const bits of [64, 32] as const) {
      const host = runFor(two({ weight: 768 }, bits), 12);
      const [a, b] = host.vms.map(({ charged }) => charged);
      expect(a! + b!).toBeGreaterThan(0.999 * host.ticks - 20_000);
      expect(Math.abs(a! / (a! + b!) - 0.75)).toBeLessThan(300_000 / host.ticks + 0.01);
    }
  });

  it("have no more than their caps, and the others have the rest", () => {
    const host = runFor(two({ weight: 768, cap: 20 }), 10);
    const [a, b] = host.vms.map(({ charged }) => charged);
    expect(a!).toBeLessThan(0.2 * host.ticks + 0.2 * PERIOD);
    expect(a!).toBeGreaterThan(0.17 * host.ticks);
    expect(b! / host.ticks).toBeGreaterThan(0.75);
  });

  it("have no more than their caps where nobody else wants the rest", () => {
    const host = runFor(
      Hypervisor.create({ memory: "64M" }).addVm({ name: "a", guest: busy, technique: "sim", cap: 30 }),
      8,
    );
    const { charged } = host.vm("a");
    expect(charged).toBeLessThan(0.3 * host.ticks + 0.3 * PERIOD);
    expect(charged).toBeGreaterThan(0.25 * host.ticks);
  });
});

describe("the schedule", () => {
  it("is observed as turns whose lengths are what VMs are charged, and observing it changes nothing", () => {
    const host = two({ weight: 512 });
    const seen = host.run({ maxInstructions: 3_000_000, observe: ["schedule"] });
    expect(seen.hash).toBe(host.run({ maxInstructions: 3_000_000 }).hash);
    const turns = turnsOf(seen.events, seen.ticks);
    for (const { name, charged } of seen.vms) {
      const had = turns.filter(({ vm }) => vm === name).reduce((sum, { from, to }) => sum + to - from, 0);
      expect(had).toBe(charged);
    }
    expect(new Set(turns.map(({ vm }) => vm))).toEqual(new Set(["a", "b"]));
    for (const [index, turn] of turns.slice(1).entries()) expect(turn.from).toBe(turns[index]!.to);
  });
});
