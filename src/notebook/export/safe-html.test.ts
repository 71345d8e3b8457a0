import { describe, expect, it } from "vitest";
import { isSafeLink, safeHtml } from "./safe-html.js";

describe("safeHtml", () => {
  it("keeps what shows something as it is", () => {
    for (const html of [
      '<table class="r"><tbody><tr><td colspan="2" style="color: red">eax &amp; <code>0x1</code></td></tr></tbody></table>',
      '<details open=""><summary>more</summary><ol start="3"><li>a</li></ol></details>',
      '<svg viewBox="0 0 9 9"><defs><linearGradient id="g"></linearGradient></defs><rect width="9" fill="url(#g)"></rect></svg>',
      '<img src="data:image/png;base64,iVBORw==" alt="a">',
      "<style>.a { color: red }</style>",
    ]) {
      expect(safeHtml(html)).toBe(html);
    }
  });

  it.each([
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">a</a>',
    '<a href="java&#9;script:alert(1)">a</a>',
    '<a href="&#1;javascript:alert(1)">a</a>',
    '<svg><script>alert(1)</script><a xlink:href="javascript:alert(1)"></a><use href="https://example.org/#a"></use></svg>',
    "<svg onload=alert(1)><animate onbegin=alert(1) attributeName=x></animate><foreignObject><img src=x></foreignObject></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<svg></p><style><a id='</style><img src=x onerror=alert(1)>'></a></style></svg>",
    "<svg><title><style><img src=x onerror=alert(1)></style></title></svg>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></p></noscript>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><object data=x></object><embed src=x>",
    "<template><img src=x onerror=alert(1)></template><link rel=stylesheet href=x><meta http-equiv=refresh content=0><base href=x>",
    "<form action=https://example.org><input name=a><button formaction=javascript:alert(1)>b</button></form>",
    "<style>@import 'x';</style><style>a { background: url(https://example.org) }</style>",
    "<p style='background: u\\72l(https://example.org)'>a</p><p style='background: u/**/rl(https://example.org)'></p>",
    "<!--><img src=x onerror=alert(1)>-->",
  ])("leaves nothing of %s that runs or loads", (html) => {
    const safe = safeHtml(html);
    // Attributes end up quoted, so what stands in text or in quotes is not counted.
    const tags = (
      safe
        .replace(/"[^"]*"/g, (value) => (/javascript:|example|url\(/i.test(value) ? value : '""'))
        .match(/<[a-z][^>]*>/gi) ?? []
    ).join("");
    expect(tags).not.toMatch(
      /<(?:script|iframe|object|embed|link|meta|base|form|input|button|math|template|noscript|animate|foreignObject)\b/i,
    );
    expect(tags).not.toMatch(/\son\w+=|javascript:|example\.org|\ssrc=|srcdoc|formaction/i);
    expect(safe).not.toMatch(/@import|url\(https/);
    // What was made harmless is so after it is read once more.
    expect(safeHtml(safe)).toBe(safe);
  });

  it("closes what is open and opens nothing that would end the place it is put", () => {
    expect(safeHtml("</div></section><b>a<i>b")).toBe("<b>a<i>b</i></b>");
  });

  it("drops names that could be taken for the page's own", () => {
    expect(safeHtml('<p id="_cell-1">a</p>')).toBe("<p>a</p>");
  });
});

describe("isSafeLink", () => {
  it("lets the web, mail and places of the page through, and nothing else", () => {
    for (const address of ["https://a.b/c:d", "HTTP://a", "mailto:a@b", "#a", "01-next.ipynb", "a/b:c", "?a=b:c"]) {
      expect([address, isSafeLink(address)]).toEqual([address, true]);
    }
    for (const address of [
      "javascript:a",
      " JavaScript:a",
      "java\nscript:a",
      "data:text/html,a",
      "vbscript:a",
      "file:///etc",
    ]) {
      expect([address, isSafeLink(address)]).toEqual([address, false]);
    }
  });
});
