import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeHtml } from "../../view/text.js";
import { highlight } from "./highlight.js";

const textOf = (html: string): string => html.replace(/<\/?span[^>]*>/g, "");

describe("highlight", () => {
  it("colours comments, text, numbers, keywords, types and calls", () => {
    expect(highlight('const m = Machine.boot("a"); // now')).toBe(
      '<span class="tok-keyword">const</span> m = <span class="tok-type">Machine</span>.<span class="tok-call">boot</span>' +
        '(<span class="tok-string">&quot;a&quot;</span>); <span class="tok-comment">// now</span>',
    );
    expect(highlight("0x1f + 5_000n")).toBe(
      '<span class="tok-number">0x1f</span> + <span class="tok-number">5_000n</span>',
    );
  });

  it("takes a keyword after a dot or before a colon for a name", () => {
    expect(highlight("a.default + a.type({ from: 1 })")).not.toContain("tok-keyword");
  });

  it("finds no comment in text and no text in a comment", () => {
    expect(highlight('"a // b"')).toBe('<span class="tok-string">&quot;a // b&quot;</span>');
    expect(highlight("/* 'a' \n 1 */")).toBe('<span class="tok-comment">/* &#39;a&#39; \n 1 */</span>');
  });

  it("changes no character of any text", () => {
    const pieces = fc.constantFrom(
      "`",
      '"',
      "'",
      "/*",
      "*/",
      "//",
      "\n",
      "<",
      "&",
      "\\",
      "a.b(",
      "1e5",
      " const ",
      "${",
      "}",
    );
    const code = fc.array(fc.oneof(pieces, fc.string()), { maxLength: 30 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(code, (text) => {
        expect(textOf(highlight(text))).toBe(escapeHtml(text));
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});
