/** Kernels on hosts with several processors: each ends as on the bare machine, and has its share of the processors. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Hypervisor, Machine, type ModelName, type TechniqueName } from "../../src/index.js";
import { images } from "../support/guests.js";
import { NOTHING, visible } from "../support/visible.js";

const image = (name: string): Uint8Array => readFileSync(join(images, `${name}.elf`));
const PERIOD = 3_006_818;
/** Under simulation, of a step that cannot be interrupted. */
const QUANTUM = 2000;

const cases: readonly (readonly [TechniqueName, ModelName])[] = [
  ["sim", "nehalem"],
  ["vmx-ept", "nehalem"],
  ["vmx-shadow", "core2"],
  ["svm-npt", "phenom"],
];

describe.each(cases)("under %s on a %s", (technique, model) => {
  const options = { model, memory: "16M" } as const;

  it("three kernels on two processors end as on the bare machine", () => {
    const guest = Machine.boot({ ...options, image: image("kernel") });
    const bare = guest.run();
    let host = Hypervisor.create({ model, memory: "128M", processors: 2, slice: 50_000 });
    const names = ["a", "b", "c"];
    for (const name of names) host = host.addVm({ name, guest, technique });
    host = host.run();
    for (const name of names) {
      const { status, machine } = host.vm(name);
      expect(status).toEqual({ kind: "stopped", stop: bare.stop });
      expect(visible(bare, machine)).toEqual(NOTHING);
    }
  });

  it("three processors are shared by weight and cap", () => {
    const endless = Machine.boot({ ...options, memory: "2M", image: Uint8Array.of(0x40, 0xeb, 0xfd) });
    let host = Hypervisor.create({ model, memory: "64M", processors: 3, slice: 300_000 });
    const weights = { a: 100, b: 200, c: 300, d: 300, e: 300 } as const;
    for (const [name, weight] of Object.entries(weights))
      host = host.addVm({ name, guest: endless, technique, weight, cap: name === "e" ? 20 : 0, quantum: QUANTUM });
    const steps = (periods: number): number => (technique === "sim" ? 6000 * periods : periods * PERIOD);
    const begun = host.run({ maxInstructions: steps(3) });
    const ended = begun.run({ maxInstructions: steps(12) });
    const charged = (name: string): number => ended.vm(name).charged - begun.vm(name).charged;
    // A cap is a budget for each period, exceeded once by what cannot be interrupted.
    const budget = Math.ceil(ended.ticks / PERIOD) * 0.2 * PERIOD;
    expect(ended.vm("e").charged).toBeLessThanOrEqual(budget + 3 * QUANTUM);
    expect(ended.vm("e").charged).toBeGreaterThan(0.9 * budget);
    // What the cap leaves is shared by the others' weights, and nothing is left over.
    const left = 3 * (ended.ticks - begun.ticks) - charged("e");
    for (const [name, weight] of Object.entries(weights).slice(0, 4))
      expect(Math.abs(charged(name) / left - weight / 900), name).toBeLessThan(0.01);
    // The guests' own steps are in the same proportion: processors take turns.
    const ran = (name: string): number => ended.vm(name).ran - begun.vm(name).ran;
    expect(Math.abs(ran("c") / ran("a") - 3)).toBeLessThan(0.3);
  });
});
