/** Matrices of attacks and red pills, as readers see them. */
import { describe, expect, it } from "vitest";
import {
  type AttackReport,
  attackMatrix,
  DISPLAY,
  type MimeBundle,
  pillMatrix,
  type RedPillReport,
} from "../../index.js";

const report = (part: Partial<AttackReport>): AttackReport => ({
  ...{ technique: "vmx-ept", attack: "dma", verdict: "held", broken: [], why: "attacker: debug-exit" },
  ...{ guest: "held", share: "held", hypervisor: "held" },
  ...part,
});
const pills = (technique: "trap" | "vmx-ept", virtual: string): RedPillReport => {
  const pill = { name: "sidt-limit-0", bare: "00000407", virtual };
  const revealed = virtual === pill.bare ? [] : [pill];
  return { technique, model: "nehalem", tried: 1, pills: [pill], revealed, refused: undefined };
};

const textOf = (value: unknown): string =>
  String((value as Record<symbol, () => MimeBundle>)[DISPLAY]!()["text/plain"]);

/** The words of a line of a table, which two spaces or more keep apart. */
const wordsOf = (text: string, start: string): readonly string[] =>
  text
    .split("\n")
    .find((line) => line.startsWith(start))!
    .trim()
    .split(/ {2,}/);

describe("the display of", () => {
  it("attacks side by side has a column for each technique, and why one cannot be made", () => {
    const why = "a paravirtual machine has no such device or mode";
    const none = { guest: "not applicable", share: "not applicable", hypervisor: "not applicable" } as const;
    const text = textOf(
      attackMatrix([
        report({ technique: "pv", verdict: "not applicable", why, ...none }),
        report({}),
        report({ technique: "trap", verdict: "broken", broken: ["guest B"], guest: "broken" }),
      ]),
    );
    expect(wordsOf(text, "attack ")).toEqual(["attack", "what it tries", "trap", "pv", "vmx-ept"]);
    expect(wordsOf(text, "dma").slice(2)).toEqual(["broken: guest B", "not applicable", "held"]);
    expect(text).toContain(`not applicable under paravirtualization: ${why}`);
  });

  it("pills side by side says what each technique reveals, and what a bare machine says", () => {
    const text = textOf(pillMatrix([pills("trap", "000007ff"), pills("vmx-ept", "00000407")]));
    expect(wordsOf(text, "SIDT")).toEqual(["SIDT", "sidt-limit-0", "reveals 000007ff, bare 00000407", "nothing"]);
  });
});
