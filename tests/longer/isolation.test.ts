/** The whole matrices: every attack under every technique, every protection removed under every technique that relies on it; red pills. */
import { beforeAll, describe, expect, it } from "vitest";
import { battery } from "../../src/hypervisor/isolation/battery.js";
import { missingProtections, witnessAttacks } from "../../src/hypervisor/isolation/missing.js";
import { protectionNames, protections } from "../../src/hypervisor/isolation/protections.js";
import {
  type AttackName,
  type AttackRow,
  attackMatrix,
  attackNames,
  guest,
  isolation,
  pillMatrix,
  type RedPillReport,
  redPills,
  type TechniqueName,
  techniqueNames,
} from "../../src/index.js";

const guests = { attacker: guest("attacker"), victim: guest("kernel"), paravirtualVictim: guest("kernel-xen") };

/** What a paravirtual guest has not. */
const notOfPv: readonly AttackName[] = [
  ...(["ports-user", "mmio", "dma", "nmi", "virtualization-on", "cr4", "control-register-pairs"] as const),
  ...(["segment-limits", "reset-keyboard", "reset-port-92", "reset-port-cf9"] as const),
];

describe("every attack", () => {
  let matrix: readonly AttackRow[];
  beforeAll(() => {
    matrix = attackMatrix(isolation(guests));
  }, 1_200_000);

  it.each(attackNames)("%s holds under every technique that it can be made under", (attack) => {
    const row = matrix.find((one) => one.attack === attack);
    const expected = techniqueNames.map((technique) => [
      technique,
      technique === "pv" && notOfPv.includes(attack) ? "not applicable" : "held",
    ]);
    expect(row?.verdicts).toEqual(Object.fromEntries(expected));
  });
});

describe("a protection that is removed", () => {
  const attacks = Object.values(witnessAttacks).flat();
  const cases = protectionNames.flatMap((name) =>
    techniqueNames
      .filter((technique) => protections[name].establishedBy[technique] !== undefined)
      .map((technique) => [name, technique] as const),
  );

  it.each(cases)("is named: %s under %s", (name, technique) => {
    expect(missingProtections(battery({ ...guests, technique, attacks }, [name]))).toEqual([name]);
  });
});

describe("a red pill", () => {
  let reports: readonly RedPillReport[];
  beforeAll(() => {
    reports = redPills(guest("red-pill"));
  }, 600_000);
  const revealed = (technique: TechniqueName): readonly string[] =>
    reports.find((report) => report.technique === technique)!.revealed.map(({ name }) => name);

  it.each(["sim", "vmx-shadow", "vmx-ept", "svm-npt"] as const)("reveals nothing under %s", (technique) => {
    expect(revealed(technique)).toEqual([]);
  });

  it("reveals instructions that do not trap under trap-and-emulate", () => {
    expect(revealed("trap")).toEqual([
      ...["sidt-limit-0", "sidt-limit-3", "sidt-base-is-own-0", "sidt-base-is-own-3"],
      ...["sgdt-limit-0", "sgdt-limit-3", "sgdt-base-is-own-0", "sgdt-base-is-own-3", "str-0", "str-3"],
      ...["mov-from-cs-0", "mov-from-ss-0", "push-cs-0", "lar-kernel-code-0", "lar-kernel-data-0"],
      ...["lsl-kernel-code-0", "lsl-kernel-data-0", "descriptor-in-memory-0", "pushf-if-after-cli-0"],
      ...["popf-clears-if-0", "popf-sets-iopl-0"],
    ]);
  });

  it("reveals under binary translation what programs see, which are not translated", () => {
    expect(revealed("bt")).toEqual([
      ...["sidt-limit-3", "sidt-base-is-own-3", "sgdt-limit-3", "sgdt-base-is-own-3", "str-3"],
    ]);
  });

  it("reveals ring, tables, flags and time to a paravirtual kernel, which is told anyway", () => {
    const families = pillMatrix(reports)
      .filter(({ cells }) => cells.pv?.reveals)
      .map(({ family }) => family);
    expect([...new Set(families)]).toEqual([
      "SIDT",
      "SGDT",
      "STR",
      "MOV",
      "PUSH",
      "READ",
      "PUSHF",
      "POPF",
      "CR0",
      "time",
    ]);
  });
});
