/** What a guest can do to its neighbour and to what is below it, and what each technique reveals of itself. */
import { describe, expect, it } from "vitest";
import { type AttackName, guest, isolation, redPills, type TechniqueName } from "../../src/index.js";

const run: readonly TechniqueName[] = ["trap", "vmx-shadow", "vmx-ept"];

const attacks: readonly AttackName[] = ["ports-out", "triple-fault"];

describe("a guest under VT-x with EPT", () => {
  const technique = "vmx-ept";
  it.each(attacks)("can do nothing to another guest or to the hypervisor by %s", (attack) => {
    const files = { attacker: guest("attacker"), victim: guest("kernel") };
    expect(isolation({ technique, ...files, attacks: [attack] })).toEqual([
      { technique, attack, guest: "held", share: "held", hypervisor: "held" },
    ]);
  });
});

describe("a red pill", () => {
  const [trap, shadow, ept] = redPills(guest("red-pill"), { techniques: run });
  const names = (report: typeof trap): readonly string[] | undefined => report?.revealed.map(({ name }) => name);

  it("shows nothing under VT-x but time, if that", () => {
    for (const report of [shadow, ept]) expect(names(report)?.filter((name) => !name.startsWith("time-"))).toEqual([]);
  });

  it("shows instructions that do not trap under trap-and-emulate", () => {
    expect(trap?.refused).toBeUndefined();
    expect(names(trap)?.length).toBeGreaterThan(0);
  });
});
