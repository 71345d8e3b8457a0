/**
 * Guests that are about virtualization, in Bochs: it has VT-x, which QEMU has not. The kernel's longer build. And that images
 * built anew from the sources behave like the committed ones.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Machine } from "../../src/index.js";
import { bochsOutput } from "../support/bochs.js";
import { expectedOutput, guests, images, inputOf, virtlabArguments } from "../support/guests.js";
import { peer } from "../support/peers.js";
import { runProcess } from "../support/processes.js";
import { packageRoot, virtlab } from "../support/virtlab.js";

const expected = (name: string): string => readFileSync(join(packageRoot, "guests", "expected", `${name}.txt`), "utf8");

for (const [image, cpu, output] of [
  ["kernel.elf", "corei5_lynnfield_750", "kernel-disk"],
  ["sensitive.elf", "corei5_lynnfield_750", "sensitive"],
  ["red-pill.elf", "corei5_lynnfield_750", "red-pill"],
  ["vmx-hypervisor.elf", "corei5_lynnfield_750", "vmx-hypervisor-shadow"],
  ["vmx-hypervisor.elf", "corei5_arrandale_m520", "vmx-hypervisor"],
  ["vmx-hypervisor.elf", "corei7_haswell_4770", "vmx-hypervisor"],
  ["vmx-hypervisor.elf", "p4_willamette", "vmx-hypervisor-none"],
] as const) {
  it(`${image} prints in Bochs on ${cpu} what is expected`, async (context) => {
    expect(await bochsOutput(peer(context, "bochs"), image, cpu)).toBe(expected(output));
  }, 150_000);
}

it("kernel-long.elf computes fifty times as much as kernel.elf and is done after the same ticks", () => {
  const image = readFileSync(join(images, "kernel-long.elf"));
  const end = Machine.boot({ image, memory: "16M" }).run({ maxInstructions: 100_000_000 });
  expect(end.serial).toBe(expected("kernel-long"));
  expect(end.stop).toMatchObject({ reason: "debug-exit", value: 0x10 });
}, 60_000);

describe("guests/build.mjs", () => {
  it("builds images that behave like the committed ones", async (context) => {
    peer(context, "nasm");
    peer(context, "ld", ["-m", "elf_i386", "--version"]);
    peer(context, "gcc", ["-m32", "-march=i386", "-x", "c", "-c", "-o", "/dev/null", "-"]);
    const directory = mkdtempSync(join(tmpdir(), "virtlab-guests-"));
    try {
      const builder = join(packageRoot, "guests", "build.mjs");
      const built = await runProcess(process.execPath, [builder, "--out", directory]);
      expect(built.status, built.stderr).toBe(0);
      for (const guest of guests) {
        const ended = await virtlab(virtlabArguments(guest, directory), inputOf(guest));
        expect(`${guest.name}: ${ended.status}\n${ended.stdout}`, ended.stderr).toBe(
          `${guest.name}: ${guest.status}\n${expectedOutput(guest)}`,
        );
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }, 180_000);
});
