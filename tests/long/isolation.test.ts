/** What a guest can do to its neighbour and to what is below it, with a protection missing and without, under one technique for each. */
import { describe, expect, it } from "vitest";
import { battery } from "../../src/hypervisor/isolation/battery.js";
import { missingProtections, witnessAttacks } from "../../src/hypervisor/isolation/missing.js";
import { type ProtectionName, protections } from "../../src/hypervisor/isolation/protections.js";
import { guest, type TechniqueName } from "../../src/index.js";

const guests = {
  attacker: guest("attacker"),
  victim: guest("kernel"),
  paravirtualVictim: guest("kernel-xen"),
  memory: "4M",
};
const attacks = Object.values(witnessAttacks).flat();

const cases: readonly (readonly [ProtectionName, TechniqueName])[] = [
  ["EPT permission", "vmx-ept"],
  ["shadow-entry validation", "trap"],
  ["I/O bitmap", "vmx-ept"],
  ["MSR bitmap", "vmx-ept"],
  ["DMA bounds", "vmx-ept"],
  ["segment truncation", "bt"],
  ["scheduler cap", "pv"],
];

describe("without a protection", () => {
  it.each(cases)("%s, guests under %s break out, and the battery names it and nothing else", (name, technique) => {
    expect(protections[name].establishedBy[technique]).toBeDefined();
    expect(missingProtections(battery({ ...guests, technique, attacks }, [name]))).toEqual([name]);
  });
});

describe("with all protections", () => {
  it("every attack under VT-x with EPT leaves everything as it is", () => {
    const reports = battery({ ...guests, technique: "vmx-ept" }, []);
    expect(reports.filter(({ verdict }) => verdict !== "held")).toEqual([]);
    expect(missingProtections(reports)).toEqual([]);
  });
});
