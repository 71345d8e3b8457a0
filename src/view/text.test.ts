import { expect, it } from "vitest";
import { counted, escapeHtml, grouped, hex, quoted, visible } from "./text.js";

it("escapeHtml leaves nothing that has a meaning in content or attributes", () => {
  expect(escapeHtml(`<b a="1" c='2'>&</b>`)).toBe("&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;&lt;/b&gt;");
});

it("visible shows control and direction characters and keeps lines and tabs", () => {
  expect(visible("a\tb\r\nc\u001b[2J\u202ed\u0000\ud800\rz")).toBe("a\tb\nc\\u{1b}[2J\\u{202e}d\\u{0}\\u{d800}\\u{d}z");
  expect(visible("Grüße ✓ 😀")).toBe("Grüße ✓ 😀");
});

it("quoted is one line, and shows the end of a long text", () => {
  expect(quoted('a "b"\n\u001b')).toBe('"a \\"b\\"\\n\\u{1b}"');
  expect(quoted(`${"x".repeat(10)}end`, 5)).toBe('… "xxend"');
});

it("numbers are grouped, counted and written unsigned", () => {
  expect([grouped(7), grouped(1234567), grouped(-1234)]).toEqual(["7", "1,234,567", "-1,234"]);
  expect([counted(1, "byte"), counted(2000, "byte"), counted(0, "entry", "entries")]).toEqual([
    "1 byte",
    "2,000 bytes",
    "0 entries",
  ]);
  expect([hex(-1, 8), hex(10, 4)]).toEqual(["ffffffff", "000a"]);
});
