import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { costTables, DISPLAY, Hypervisor, Machine, type MimeBundle, show, vmStatistics } from "../../index.js";

const image = readFileSync(path.join(__dirname, "../../../guests/images/hello.elf"));
const start = Hypervisor.create({ memory: "16M" }).addVm({
  name: "<b>a",
  guest: Machine.boot({ image, memory: "4M", model: "nehalem" }),
  technique: "vmx-ept",
});
const end = start.run({ until: { vm: "<b>a" } });
const bundle = (value: unknown): MimeBundle => (value as Record<symbol, () => MimeBundle>)[DISPLAY]!();

describe("the display of", () => {
  it("a host has its VMs with technique, status and exits, and no markup of theirs", () => {
    const { text, html } = show(end);
    expect(text).toContain("host at step ");
    expect(text).toMatch(/<b>a +VT-x with EPT +debug exit with 16 \(status 33\) +\d+ /);
    expect(html).toContain("&lt;b&gt;a");
    expect(html).not.toContain("<b>a");
    expect(bundle(end)["text/plain"]).toBe(text);
  });

  it("a VM has its exits and their sum", () => {
    const vm = end.vm("<b>a");
    const text = String(bundle(vm)["text/plain"]);
    expect(text.split("\n")[0]).toContain("VM <b>a: VT-x with EPT; debug exit with 16 (status 33)");
    expect(text).toMatch(new RegExp(`\\nsum +${vm.exits}$`));
    expect(bundle(end.vms[0])["text/plain"]).toBe(text);
    expect(bundle(vm.ledger)["text/plain"]).toContain("I/O instruction");
  });

  it("statistics have cycles", () => {
    const statistics = vmStatistics(end.vm("<b>a"), costTables.nehalem);
    expect(show(statistics).text).toContain(statistics.sum.cycles.toLocaleString("en"));
  });

  it("a difference of two hosts is that of their machines", () => {
    expect(show(Hypervisor.diff(start, end)).text).toBe(show(Machine.diff(start.machine, end.machine)).text);
  });
});

describe("a VM with a display", () => {
  it("is looked at only as far as it is asked for, and cannot be changed", () => {
    const vm = end.vm("<b>a");
    expect(Object.isFrozen(vm)).toBe(true);
    expect(Object.isFrozen(vm.ledger)).toBe(true);
    expect(Object.getOwnPropertyDescriptor(vm, "machine")?.get).toBeTypeOf("function");
  });
});
