import { describe, expect, it } from "vitest";
import { append, textFrom } from "./sent-text.js";

describe("a text that grows", () => {
  it("has the end that it would have by itself, from whatever place and whichever text grew last", () => {
    const texts = ["", "abc"];
    for (let count = 0; count < 3000; count++) {
      const which = count % 700 < 500 ? 0 : 1;
      const character = String.fromCharCode((count * 7) & 0xff);
      const before = texts[which]!;
      const after = append(before, character);
      expect(after).toBe(before + character);
      texts[which] = after;
      for (const text of texts)
        for (const length of [0, 1, count % 300])
          expect(textFrom(text, text.length - Math.min(length, text.length))).toBe(
            text.slice(text.length - Math.min(length, text.length)),
          );
    }
  });

  it("has its own end beside another text of the same length", () => {
    const first = append("first", "!");
    const second = append("secon", "?");
    expect([textFrom(first, 4), textFrom(second, 4), textFrom(second, 6)]).toEqual(["t!", "n?", ""]);
  });
});
