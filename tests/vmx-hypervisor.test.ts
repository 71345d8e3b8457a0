/** The hypervisor in machine code of `guests/vmx-hypervisor`: what it prints of its guests' exits, as Bochs has it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Machine } from "../src/index.js";
import { images } from "./support/guests.js";
import { packageRoot } from "./support/virtlab.js";

const image = readFileSync(join(images, "vmx-hypervisor.elf"));
const expected = (name: string): string => readFileSync(join(packageRoot, "guests", "expected", `${name}.txt`), "utf8");

describe("a hypervisor in machine code", () => {
  for (const [model, output] of [
    ["max", "vmx-hypervisor"],
    ["nehalem", "vmx-hypervisor-shadow"],
    ["core2", "vmx-hypervisor-shadow"],
    ["phenom", "vmx-hypervisor-none"],
  ] as const) {
    const boot = (): Machine => Machine.boot({ image, model, memory: "16M" });

    it(`sees on ${model} what it sees on a processor like it`, () => {
      const end = boot().run({ maxInstructions: 5_000_000 });
      expect(end.serial).toBe(expected(output));
      expect(end.stop?.reason).toBe("debug-exit");
    });

    it(`runs on ${model} in odd pieces, saved and loaded on the way, to the same hash`, () => {
      const whole = boot().run({ maxInstructions: 5_000_000 });
      let machine = boot();
      for (let piece = 1; machine.steps < whole.steps; piece = (piece * 7 + 3) % 4999) {
        machine = machine.run({ maxInstructions: Math.min(piece, whole.steps - machine.steps) });
        if (piece % 5 === 0) machine = Machine.load(machine.save());
      }
      expect(machine.hash).toBe(whole.hash);
    });
  }
});
