import { describe, expect, it } from "vitest";
import { newRate } from "./rate.js";

describe("a rate", () => {
  it("is not known before time has passed", () => {
    expect(newRate(5).at(5, 0)).toBeUndefined();
  });

  it("is right from the beginning where it does not change", () => {
    const rate = newRate(5000);
    for (let tenth = 1; tenth < 100; tenth++) expect(rate.at(5000 + tenth * 70, tenth / 10)).toBeCloseTo(700, 6);
  });

  it("follows a change within seconds, and gives in to no single moment", () => {
    const rate = newRate(0);
    for (let tenth = 1; tenth <= 200; tenth++) rate.at(tenth * 10, tenth / 10);
    expect(rate.at(2000 + 100, 20.1)).toBeLessThan(140);
    let after: number | undefined;
    for (let tenth = 2; tenth <= 120; tenth++) after = rate.at(2000 + tenth * 100, 20 + tenth / 10);
    expect(after).toBeGreaterThan(950);
    expect(after).toBeLessThanOrEqual(1000);
  });
});
