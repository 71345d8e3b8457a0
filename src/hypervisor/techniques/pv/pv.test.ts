import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Hypervisor } from "../../hypervisor.js";
import { paravirtualMachine } from "./builder.js";

const guests = path.join(__dirname, "../../../../guests");
const image = readFileSync(path.join(guests, "images/kernel-xen.elf"));
const expected = (name: string): string => readFileSync(path.join(guests, `expected/${name}.txt`), "utf8");
const hosting = (disks: Uint8Array[] = []) =>
  Hypervisor.create({ model: "pentium2", bits: 32, memory: "32M" }).addVm({
    name: "a",
    guest: paravirtualMachine({ image, disks }),
    technique: "pv",
  });

describe("a VM under paravirtualization", () => {
  it("prints what the bare kernel prints, and ends as it does", () => {
    const done = hosting().run({ until: { vm: "a" }, maxInstructions: 20_000_000 });
    const vm = done.vm("a");
    console.log(JSON.stringify(vm.status), vm.serial, vm.ledger, done.steps, vm.machine.steps);
    expect(vm.serial).toBe(expected("kernel"));
    expect(vm.status).toMatchObject({ kind: "stopped", stop: { reason: "debug-exit", value: 0x10 } });
  });
});
