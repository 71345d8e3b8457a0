import { describe, expect, it } from "vitest";
import { safeStyles } from "./safe-styles.js";

describe("styles of untrusted HTML", () => {
  it("are taken out and kept", () => {
    const html = "<div><style media=x>p { color: red }</style><p>a</p><STYLE>b {}</STYLE ></div>";
    expect(safeStyles(html)).toEqual({ styles: "p { color: red }\nb {}", rest: "<div><p>a</p></div>" });
  });

  it.each([
    "@import 'x';",
    "p { background: url(x) }",
    "p { background: u\\72l(x) }",
    "p { background: image-set('x' 1x) }",
  ])("are dropped where they would load something: %s", (css) => {
    expect(safeStyles(`<style>${css}</style><style>b {}</style>`).styles).toBe("b {}");
  });
});
