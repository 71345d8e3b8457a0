/** Guests that are about virtualization, in Bochs: it has VT-x, which QEMU has not. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { bochsOutput } from "../support/bochs.js";
import { peer } from "../support/peers.js";
import { packageRoot } from "../support/virtlab.js";

const expected = (name: string): string => readFileSync(join(packageRoot, "guests", "expected", `${name}.txt`), "utf8");

for (const [image, cpu, output] of [
  ["kernel.elf", "corei5_lynnfield_750", "kernel-disk"],
  ["sensitive.elf", "corei5_lynnfield_750", "sensitive"],
  ["vmx-hypervisor.elf", "corei5_lynnfield_750", "vmx-hypervisor-shadow"],
  ["vmx-hypervisor.elf", "corei5_arrandale_m520", "vmx-hypervisor"],
  ["vmx-hypervisor.elf", "corei7_haswell_4770", "vmx-hypervisor"],
  ["vmx-hypervisor.elf", "p4_willamette", "vmx-hypervisor-none"],
] as const) {
  it(`${image} prints in Bochs on ${cpu} what is expected`, async (context) => {
    expect(await bochsOutput(peer(context, "bochs"), image, cpu)).toBe(expected(output));
  }, 150_000);
}
