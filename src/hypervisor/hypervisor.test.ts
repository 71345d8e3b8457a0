/** Every technique on small guests; larger ones and what takes longer are in tests/long. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { ModelName } from "../hardware/cpu/model.js";
import { Machine } from "../hardware/machine.js";
import { Hypervisor } from "./hypervisor.js";
import { type TechniqueName, techniqueNames } from "./techniques/names.js";

/** What no hypervisor sees happen. */
const UNSEEN = ["counts.repeats", "counts.exceptions"];

const cases: readonly (readonly [TechniqueName, ModelName, 32 | 64])[] = [
  ["sim", "nehalem", 64],
  ["trap", "pentium2", 32],
  ["bt", "pentium2", 32],
  ["vmx-shadow", "core2", 64],
  ["vmx-ept", "nehalem", 64],
  ["svm-npt", "phenom", 64],
];

const guestOf = (name: string, model: ModelName): Machine =>
  Machine.boot({
    image: readFileSync(path.join(__dirname, `../../guests/images/${name}.elf`)),
    memory: "16M",
    model,
  });

describe("a guest that was written for a bare machine", () => {
  it("has every technique but paravirtualization tried on it", () => {
    expect(cases.map(([technique]) => technique)).toEqual(techniqueNames.filter((name) => name !== "pv"));
  });

  it.each(cases)("ends under %s as it does on the bare machine, in the same guest time", (technique, model, bits) => {
    for (const name of ["hello", "triple"]) {
      const guest = guestOf(name, model);
      const bare = guest.run();
      const host = Hypervisor.create({ model, memory: "64M", bits }).addVm({ name, guest, technique });
      const vm = host.run({ until: { vm: name } }).vm(name);
      expect(vm.status).toEqual({ kind: "stopped", stop: bare.stop });
      const { state, memory } = Machine.diff(bare, vm.machine);
      expect(state.filter(({ path: field }) => !UNSEEN.includes(field))).toEqual([]);
      expect(memory).toEqual([]);
    }
  });
});
