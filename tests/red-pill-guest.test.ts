/** The guest `red-pill` where nothing is below it, and in QEMU, which says that it is there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { guest, Machine, type ModelName } from "../src/index.js";
import { images } from "./support/guests.js";
import { peer } from "./support/peers.js";
import { runProcessToFile } from "./support/processes.js";
import { packageRoot } from "./support/virtlab.js";

const expected = readFileSync(join(packageRoot, "guests", "expected", "red-pill.txt"), "utf8");
const image = guest("red-pill");
const swallow = (model: ModelName, machine: "isapc" | "pc" = "isapc"): Machine =>
  Machine.boot({ image, model, machine, memory: "16M" }).run({ maxInstructions: 1_000_000 });

/** The lines that differ from those expected, by their names. */
function differing(text: string): readonly string[] {
  const lines = text.split("\n");
  const wanted = expected.split("\n");
  expect(lines.map((line) => line.split(" ")[1])).toEqual(wanted.map((line) => line.split(" ")[1]));
  return lines.filter((line, index) => line !== wanted[index]).map((line) => line.split(" ")[1]!);
}

it.each(["isapc", "pc"] as const)("the red pill finds nothing on a bare %s", (machine) => {
  const end = swallow("pentium2", machine);
  expect(end.serial).toBe(expected);
  expect(end.stop).toMatchObject({ reason: "debug-exit", value: 0x10 });
});

it("other processors differ in nothing but their maker's name and their time", () => {
  for (const model of ["nehalem", "phenom", "max"] as const) {
    const names = differing(swallow(model).serial);
    expect(names.filter((name) => !/^cpuid-vendor$|^time-/.test(name))).toEqual([]);
  }
  expect(swallow("phenom").serial).toContain("pill cpuid-vendor AuthenticAMD");
});

it("in QEMU it finds what QEMU says of itself, and another time", async (context) => {
  const ended = await runProcessToFile(peer(context, "qemu-system-i386"), [
    ...["-kernel", join(images, "red-pill.elf"), "-cpu", "pentium2", "-m", "16", "-accel", "tcg", "-display", "none"],
    ...["-serial", "stdio", "-monitor", "none", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
  ]);
  expect(ended.status, ended.stderr).toBe(33);
  const names = differing(ended.stdout).filter((name) => !name.startsWith("time-"));
  expect(names).toEqual(["cpuid-hypervisor-bit", "cpuid-hypervisor-name"]);
  expect(ended.stdout).toContain("pill cpuid-hypervisor-name TCGTCGTCGTCG");
});
