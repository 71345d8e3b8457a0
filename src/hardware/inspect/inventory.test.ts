import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Hypervisor, inventory, inventoryDifference, Machine, modelNames, show } from "../../index.js";
import { assemble } from "../isa/assembler/assembler.js";

const hello = readFileSync(path.join(__dirname, "../../../guests/images/hello.elf"));

/** A program on the machine's own processor. */
const ran = (machine: Machine, text: string): Machine =>
  machine
    .write(0x1000, assemble(`bits 32\norg 0x1000\n${text}\nhlt`, { bits: 32, name: "asks" }).bytes)
    .edit((draft) => {
      draft.registers.eip = 0x1000;
    })
    .run();

const hex = (value: number, digits: number): string => (value >>> 0).toString(16).padStart(digits, "0");

describe("an inventory", () => {
  it.each(modelNames)("of a %s has what CPUID gives when the engine executes it", (model) => {
    const machine = Machine.create({ machine: "pc", model, memory: "2M" });
    const leaves = inventory(machine).filter(({ kind }) => kind === "CPUID");
    expect(leaves.length).toBeGreaterThan(1);
    for (const { name, value } of leaves) {
      // SYSCALL is announced in 64-bit code alone.
      if (name === "80000001") continue;
      const [leaf, subleaf = "0"] = name.split(".") as [string, string?];
      const { eax, ebx, ecx, edx } = ran(machine, `mov eax, 0x${leaf}\nmov ecx, ${subleaf}\ncpuid`).registers;
      expect([name, value]).toEqual([name, [eax, ebx, ecx, edx].map((register) => hex(register, 8)).join(" ")]);
    }
  });

  it("has the functions that a program finds through the configuration ports, and no other", () => {
    const machine = Machine.create({ machine: "pc", memory: "2M", devices: ["virtioRng"] });
    const found = new Map(
      inventory(machine)
        .filter(({ kind }) => kind === "PCI")
        .map(({ name, value }) => [name, value.slice(0, 9)]),
    );
    expect([...found.keys()]).toEqual(["00:00.0", "00:01.0", "00:01.1", "00:01.3", "00:03.0"]);
    const read = (slot: number, number: number): number =>
      ran(
        machine,
        `mov dx, 0xcf8\nmov eax, ${0x8000_0000 + (slot << 11) + (number << 8)}\nout dx, eax\nmov dx, 0xcfc\nin eax, dx`,
      ).registers.eax;
    for (let slot = 0; slot < 8; slot++)
      for (const number of [0, 1, 3]) {
        const id = read(slot, number) >>> 0;
        const told = id === 0xffff_ffff ? undefined : `${hex(id & 0xffff, 4)}:${hex(id >>> 16, 4)}`;
        expect([slot, number, found.get(`00:0${slot}.${number}`)]).toEqual([slot, number, told]);
      }
  });

  it("changes nothing of the machine, whose configuration space it writes to find sizes", () => {
    const machine = Machine.create({ machine: "pc", memory: "2M", devices: ["virtioConsole"] });
    const before = machine.hash;
    expect(inventory(machine).find(({ name }) => name === "00:04.0")?.value).toContain(
      "BAR4 memory fe804000, 16384 bytes",
    );
    expect(machine.hash).toBe(before);
  });

  it("has the features of the model, and none that it lacks", () => {
    const flags = (model: "pentium2" | "nehalem" | "phenom"): string[] =>
      inventory(Machine.create({ machine: "pc", model, memory: "2M" }))
        .filter(({ kind }) => kind === "CPUID flag")
        .map(({ value }) => value);
    expect(flags("nehalem")).toEqual(expect.arrayContaining(["VMX", "SYSCALL", "APIC"]));
    expect(flags("pentium2")).not.toContain("VMX");
    expect(flags("phenom")).toEqual(expect.arrayContaining(["SVM", "NPT"]));
  });
});

describe("a difference of inventories", () => {
  const host = Hypervisor.create({ machine: "pc", model: "nehalem", memory: "64M" });
  const guest = Machine.boot({ image: hello, model: "nehalem", memory: "16M" });

  it.each(["sim", "vmx-ept"] as const)("of host and guest under %s has what the VM is without", (technique) => {
    const vm = host
      .addVm({ name: "a", guest, technique })
      .run({ until: { vm: "a" } })
      .vm("a");
    const { first, second, common } = inventoryDifference(host.machine, vm.machine);
    expect(first.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["00:01.1", "00100000-03fdffff", "fec00000-fec00fff", "00000001 edx 9"]),
    );
    expect(second.map(({ name, value }) => `${name} ${value}`)).toContain("00100000-00ffffff E820 available");
    expect(second.some(({ kind }) => kind === "PCI")).toBe(false);
    expect(common).toBeGreaterThan(20);
    expect(inventoryDifference(guest, vm.machine)).toEqual({ first: [], second: [], common: inventory(guest).length });
  });

  it("is a table with both sides", () => {
    const { text } = show(inventoryDifference(host.machine, guest));
    expect(text).toMatch(/CPUID flag +00000001 edx 9 +APIC/);
    expect(text).toMatch(/memory +00100000-00ffffff +E820 available/);
  });
});
