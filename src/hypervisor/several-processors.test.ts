/** Hosts with several processors. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { ModelName } from "../hardware/cpu/model.js";
import { Machine } from "../hardware/machine.js";
import { Hypervisor } from "./hypervisor.js";
import type { TechniqueName } from "./techniques/names.js";
import { turnsOf } from "./turns.js";

const image = (name: string): Uint8Array => readFileSync(path.join(__dirname, `../../guests/images/${name}`));
const UNSEEN = ["counts.repeats", "counts.exceptions"];

const endsAs = (bare: Machine, machine: Machine): void => {
  const { state, memory } = Machine.diff(bare, machine);
  expect(state.filter(({ path: name }) => !UNSEEN.includes(name))).toEqual([]);
  expect(memory).toEqual([]);
};

const cases: readonly (readonly [TechniqueName, ModelName])[] = [
  ["sim", "nehalem"],
  ["vmx-ept", "nehalem"],
  ["vmx-shadow", "core2"],
  ["svm-npt", "phenom"],
];

describe.each(cases)("a host with two processors under %s", (technique, model) => {
  const host = Hypervisor.create({ model, memory: "64M", processors: 2 });
  const guest = Machine.boot({ image: image("kernel.elf"), memory: "8M", model });
  const bare = guest.run();

  it("gives each of two VMs one of them, and each ends as on the bare machine", () => {
    const two = host.addVm({ name: "a", guest, technique }).addVm({ name: "b", guest, technique });
    const ended = two.run({ until: { vm: "a" }, observe: ["schedule"] });
    const done = ended.run({ until: { vm: "b" } });
    for (const name of ["a", "b"]) {
      expect(done.vm(name).status).toEqual({ kind: "stopped", stop: bare.stop });
      endsAs(bare, done.vm(name).machine);
    }
    const spans = turnsOf(ended.events, ended.ticks);
    expect(new Set(spans.filter(({ vm }) => vm !== undefined).map(({ processor }) => processor))).toEqual(
      new Set([0, 1]),
    );
  });
});
