import { describe, expect, it } from "vitest";
import type { BootFlags } from "./flags.js";
import { checkFlags, checkStart, modelFor, techniqueOf } from "./technique.js";

const none: BootFlags = { machine: "isapc", smp: 1, memory: "64M", disk: [], module: [], debugExit: 0xf4 };
const all = (flags: Partial<BootFlags>): void => {
  const given = { ...none, ...flags };
  const technique = techniqueOf(given);
  checkFlags(given, technique !== undefined);
  if (technique !== undefined) checkStart(technique, given, given.disk.length > 0 ? undefined : "image");
};

describe("the options of a hypervisor", () => {
  it.each([
    ["vmx", {}, "vmx-ept", "nehalem"],
    ["vmx", { ept: true }, "vmx-ept", "nehalem"],
    ["vmx", { shadow: true }, "vmx-shadow", "nehalem"],
    ["vmx", { real: true }, "vmx-ept", "max"],
    ["svm", {}, "svm-npt", "phenom"],
    ["bt", {}, "bt", "pentium3"],
    ["sim", {}, "sim", "nehalem"],
    ["trap", {}, "trap", "pentium3"],
    ["pv", {}, "pv", "pentium3"],
    ["vmx", { model: "core2", shadow: true }, "vmx-shadow", "core2"],
    ["svm", { machine: "pc", smp: 2 }, "svm-npt", "phenom"],
  ] as const)("%s with %o choose %s on a %s", (hypervisor, flags, technique, model) => {
    const given = { ...none, ...flags, hypervisor };
    expect(techniqueOf(given)).toBe(technique);
    expect(modelFor(technique, given, "image")).toBe(model);
    expect(() => all(given)).not.toThrow();
  });

  it.each<readonly [Partial<BootFlags>, string]>([
    [{ hypervisor: "vmx", model: "pentium3" }, "boot: VT-x with EPT needs VT-x, which a pentium3 has not"],
    [{ hypervisor: "vmx", model: "core2" }, "boot: VT-x with EPT needs EPT, which a core2 has not"],
    [{ hypervisor: "svm", model: "max" }, "boot: AMD-V with nested paging needs AMD-V, which a max has not"],
    [{ hypervisor: "svm", ept: true }, "AMD-V with nested paging has no such choice"],
    [{ hypervisor: "bt", shadow: true }, "boot: --shadow goes with --hypervisor vmx alone"],
    [{ hypervisor: "vmx", ept: true, shadow: true }, "not both"],
    [{ ept: true }, "boot: --ept goes with --hypervisor vmx alone"],
    [{ hostMemory: "1G" }, "boot: --host-memory goes with --hypervisor alone"],
    [{ costTable: "merom" }, "boot: --cost-table goes with --hypervisor alone"],
    [{ hypervisor: "bt", smp: 2 }, "boot: a VM of binary translation has one processor, not 2"],
    [{ hypervisor: "vmx", shadow: true, smp: 3 }, "boot: a VM of VT-x with shadow paging has one processor, not 3"],
    [{ hypervisor: "vmx", gdb: 0 }, "boot: a VM cannot be debugged"],
    [{ hypervisor: "vmx", portLog: [0x80] }, "boot: a VM's ports are not logged"],
    [
      { hypervisor: "vmx", model: "nehalem", real: true },
      "image: begins in real mode, which VT-x with EPT needs unrestricted guests for, and a nehalem has not",
    ],
    [{ hypervisor: "bt", real: true }, "image: begins in real mode, which binary translation cannot run"],
    [{ hypervisor: "vmx", shadow: true, disk: ["d.img"] }, "d.img: begins in real mode, which VT-x with shadow paging"],
  ])("%o are refused: %s", (flags, error) => {
    expect(() => all(flags)).toThrow(error);
  });
});
