/** The battery of attacks: what it looks at, and which protection it says is missing where one is. */
import { describe, expect, it } from "vitest";
import { Machine } from "../../hardware/machine.js";
import { guest } from "../../systems/packaged-guest.js";
import { Hypervisor } from "../hypervisor.js";
import { type TechniqueName, techniqueNames } from "../techniques/names.js";
import { type AttackName, attackNames } from "./attacks.js";
import { type AttackReport, battery, type IsolationOptions, isolation } from "./battery.js";
import { attackMatrix } from "./matrix.js";
import { missingProtections, witnessAttacks } from "./missing.js";
import { type ProtectionName, protectionNames, protections, without } from "./protections.js";

const quick: IsolationOptions = {
  attacker: guest("attacker"),
  victim: guest("hello"),
  paravirtualVictim: guest("kernel-xen"),
  memory: "4M",
};
const summary = (reports: readonly AttackReport[]) =>
  reports.map(({ attack, verdict, broken }) => [attack, verdict, ...broken]);

describe("the protections", () => {
  it("are the seven, each with the techniques that establish it and attacks that tell of it", () => {
    expect(Object.keys(protections)).toEqual([...protectionNames]);
    expect(protectionNames).toHaveLength(7);
    for (const name of protectionNames) {
      expect(Object.keys(protections[name].establishedBy).length, name).toBeGreaterThan(0);
      expect(witnessAttacks[name].every((attack) => attackNames.includes(attack))).toBe(true);
    }
  });

  it("of every technique are more than none", () => {
    const relies = (technique: TechniqueName): number =>
      protectionNames.filter((name) => protections[name].establishedBy[technique] !== undefined).length;
    expect(techniqueNames.map((technique) => [technique, relies(technique)])).toEqual([
      ...[["sim", 1] as const, ["trap", 5] as const, ["bt", 5] as const, ["pv", 3] as const],
      ...[["vmx-shadow", 5] as const, ["vmx-ept", 5] as const, ["svm-npt", 5] as const],
    ]);
  });
});

/** A technique in which each is missing, and attacks beside the one that tells of it. The others take longer: tests/long. */
const cases: readonly (readonly [ProtectionName, TechniqueName, readonly AttackName[]])[] = [
  ["I/O bitmap", "vmx-ept", ["ports-user", "hog"]],
  ["MSR bitmap", "vmx-ept", ["memory-types", "dma"]],
  ["DMA bounds", "vmx-ept", ["dma", "memory-types"]],
  ["segment truncation", "trap", ["segments", "dma"]],
  ["scheduler cap", "sim", ["hog", "segments"]],
];

describe("the battery", () => {
  it.each(cases)("names %s, and nothing else, where %s is without it", (name, technique, attacks) => {
    expect(missingProtections(battery({ ...quick, technique, attacks }, [name]))).toEqual([name]);
  });

  it("finds nothing missing where nothing is", () => {
    const attacks = ["ports-user", "memory-types", "dma", "hog"] as const;
    const reports = battery({ ...quick, technique: "vmx-ept", attacks }, []);
    expect(summary(reports)).toEqual(attacks.map((attack) => [attack, "held"]));
    expect(missingProtections(reports)).toEqual([]);
  });

  it("says what without DMA bounds is broken: the other guest's memory", () => {
    const [report] = battery({ ...quick, technique: "vmx-ept", attacks: ["dma"] }, ["DMA bounds"]);
    expect(report).toMatchObject({ verdict: "broken", broken: ["guest B"], guest: "broken", hypervisor: "held" });
  });

  it("makes the attacks that a paravirtual guest can make, and says why it cannot make others", () => {
    const reports = isolation({ ...quick, technique: "pv", attacks: ["virtualization", "dma"] });
    expect(summary(reports)).toEqual([
      ["virtualization", "held"],
      ["dma", "not applicable"],
    ]);
    expect(attackMatrix(reports)[1]).toMatchObject({
      attack: "dma",
      verdicts: { pv: "not applicable" },
      reasons: { pv: "a paravirtual machine has no such device or mode" },
    });
  });

  it("gives a row for each attack and a column for each technique", () => {
    const reports = isolation({ ...quick, technique: ["sim", "vmx-ept"], attacks: ["triple-fault"] });
    expect(attackMatrix(reports).map(({ attack, verdicts, reasons }) => ({ attack, verdicts, reasons }))).toEqual([
      { attack: "triple-fault", verdicts: { sim: "held", "vmx-ept": "held" }, reasons: {} },
    ]);
  });
});

describe("what cannot be asked for", () => {
  it("is an attack that is unknown", () => {
    const attacks = ["memroy" as AttackName];
    expect(() => isolation({ ...quick, technique: "sim", attacks })).toThrow(/^isolation: attack "memroy" is unknown/);
  });

  it("is a technique that is unknown", () => {
    expect(() => isolation({ ...quick, technique: "vmx" as TechniqueName })).toThrow(
      /^isolation: technique "vmx" is unknown/,
    );
  });

  it("is an attacker that makes no attack", () => {
    const options = { ...quick, attacker: guest("hello"), technique: "sim", attacks: ["dma"] } as const;
    expect(() => isolation(options)).toThrow(/^isolation: the attacker does not begin the attack "dma"/);
  });

  it("is a victim that comes to no end", () => {
    const options = { ...quick, victim: guest("echo"), technique: "sim", attacks: ["triple-fault"] } as const;
    expect(() => isolation({ ...options, maxInstructions: 1000 })).toThrow(/^isolation: the victim does not come/);
  });

  it("is a victim that the technique cannot run: the matrix says why", () => {
    const [report] = isolation({ ...quick, paravirtualVictim: guest("hello"), technique: "pv", attacks: ["hog"] });
    expect(report).toMatchObject({ verdict: "not applicable", why: expect.stringMatching(/^the victim: .*#GP/) });
  });
});

describe("the switch", () => {
  const machine = Machine.boot({ image: guest("hello"), model: "nehalem", memory: "4M" });
  const options = { name: "a", guest: machine, technique: "vmx-ept" } as const;
  const host = Hypervisor.create({ model: "nehalem", memory: "16M" });

  it("is a part of the host's value, and goes with a saved host", () => {
    const [usual, open] = [host.addVm(options), host.addVm(without(options, ["I/O bitmap"]))];
    expect(open.hash).not.toBe(usual.hash);
    const loaded = Hypervisor.load(open.save());
    expect(loaded.hash).toBe(open.hash);
    // The guest's text goes to the host's own serial port.
    const end = loaded.run({ until: { vm: "a" }, maxInstructions: 100_000 });
    expect([end.machine.serial.length > 0, end.vm("a").serial]).toEqual([true, ""]);
  });

  it("is not there for who does not ask for it", () => {
    expect(without(options, [])).toBe(options);
    expect(host.addVm({ ...options }).hash).toBe(host.addVm(options).hash);
  });
});
