import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Machine, plot, scrubber, Timeline, ToyMachine } from "../../index.js";
import { SCRUBBER_SCRIPT } from "../../view/scrubber/script.js";
import { sourceHash } from "../document/fingerprint.js";
import type { NotebookCell, NotebookDocument } from "../document/notebook-document.js";
import { notebookPage } from "./page.js";

let count = 0;
const cell = (
  cell_type: NotebookCell["cell_type"],
  source: string,
  more: Partial<NotebookCell> = {},
): NotebookCell => ({
  id: `c${++count}`,
  cell_type,
  metadata: {},
  source,
  ...more,
});
const markdown = (source: string) => cell("markdown", source);
const code = (source: string, ...outputs: unknown[]) => cell("code", source, { execution_count: 1, outputs });
const display = (data: object, metadata = {}) => ({ output_type: "display_data", data, metadata });
const notebook = (...cells: NotebookCell[]): NotebookDocument => ({ cells, metadata: {} });
const page = (...cells: NotebookCell[]) => notebookPage(notebook(...cells), { name: "some.ipynb" });
/** What stands between header and footer. */
const body = (...cells: NotebookCell[]) => /<main[^>]*>\n([\s\S]*)\n<\/main>/.exec(page(...cells))![1]!;

describe("a notebook page", () => {
  it("forbids scripts and loading, and contains neither", () => {
    const html = page(
      markdown("# T\n\n![p](https://example.org/p.png)"),
      code("1", display({ "text/html": "<b>x</b>" })),
    );
    expect(html).toContain("default-src 'none'; style-src 'unsafe-inline'; img-src data:");
    expect(html).not.toContain("script-src");
    expect(html).not.toMatch(/<script(?! type="application\/json")|<link|<iframe|\bsrc="(?!data:)|@import|url\(/);
  });

  it("with a scrubber allows exactly the scrubber's script, once, and keeps its data apart from markup", () => {
    const timeline = new Timeline(ToyMachine.boot({ program: "set r1, 'A'\nout r1\nhalt" }));
    timeline.forward(10);
    const shown = display({ "text/html": scrubber(timeline).html });
    const html = page(code("1", shown), code("2", shown));
    const scripts = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, text]) => text!);
    expect(scripts).toEqual([SCRUBBER_SCRIPT]);
    const hash = createHash("sha256").update(scripts[0]!).digest("base64");
    expect(html).toContain(`script-src 'sha256-${hash}'">`);
    const own =
      '<div class="vl-scrubber"><script type="application/json">["</p>", 1]</script><script>x()</script></div>';
    const cleaned = body(code("1", display({ "text/html": own })));
    expect(cleaned).toContain('<script type="application/json">["\\u003c/p\\u003e",1]</script></div>');
    for (const other of [
      '<script type="application/json">{}</script>',
      '<div class="vl-scrubber"><script type="application/json">{</script>a</div>',
      '<div class="vl-scrubber"><script type="module">1</script>a</div>',
      '<svg class="vl-scrubber"><script type="application/json">1</script></svg>',
    ])
      expect(body(code("1", display({ "text/html": other })))).not.toContain("<script");
  });

  it("ends with what ran it, the hash of its source, and the hashes of its figures", () => {
    const figure = plot([{ y: [1, 2] }], { title: "Two <points>", from: Machine.create({ memory: "1M" }) });
    const { data, layout, provenance } = figure;
    const notebook = {
      cells: [code("1", display({ "application/vnd.plotly.v1+json": { data, layout } }))],
      metadata: {},
    };
    const html = notebookPage(notebook, {
      name: "a.ipynb",
      versions: { virtlab: "1.2.3", node: "v20.1.0" },
      note: "n & m",
    });
    const footer = /<footer>([\s\S]*)<\/footer>/.exec(html)![1]!;
    expect(footer).toContain(
      `n &amp; m · virtlab 1.2.3, Node.js v20.1.0 · source ${sourceHash(notebook).slice(0, 12)}`,
    );
    expect(footer).toContain(`<dd>${sourceHash(notebook)}</dd>`);
    expect(footer).toContain(`<td class="hash">${provenance.states[0]!.slice(0, 12)}</td>`);
    expect(footer).toContain(`<td class="hash">${provenance.data.slice(0, 12)}</td>`);
    expect(page(code("1"))).toContain("versions not known");
  });

  it("takes its title from the first heading of depth 1, and from the file's name where there is none", () => {
    expect(page(markdown("## a"), markdown("# What is a *ring*?"))).toContain(
      "<title>What is a ring? · virtlab</title>",
    );
    const untitled = page(markdown("text"));
    expect(untitled).toContain("<title>some.ipynb · virtlab</title>");
    expect(untitled).toContain("<h1>some.ipynb</h1>");
  });

  it("has contents only with more than six headings, with links that lead to them", () => {
    const headings = (total: number) => Array.from({ length: total }, () => "## Same `name`\n").join("\n");
    expect(page(markdown("# T"), markdown(headings(5)))).not.toContain("<nav");
    const html = page(markdown("# T"), markdown(headings(6)));
    const links = [...html.matchAll(/<li class="level-1"><a href="#([^"]+)">Same name<\/a>/g)].map(
      (match) => match[1]!,
    );
    expect(links).toEqual(["same-name", "same-name-2", "same-name-3", "same-name-4", "same-name-5", "same-name-6"]);
    for (const id of links) expect(html).toContain(`<h2 id="${id}">`);
  });

  it("says at the top how many cells passed, or which one failed", () => {
    const error = {
      output_type: "error",
      ename: "RangeError",
      evalue: "too big",
      traceback: ["RangeError: too big", "    at [cell 1]:2"],
    };
    expect(page(code("1"), code("2"))).toContain("2 cells passed");
    expect(page(markdown("a"), code("throw 1", error))).toContain(
      '<a class="status bad" href="#_cell-2">cell 2 failed</a>',
    );
    const wanted = cell("code", "throw 1", {
      execution_count: 1,
      outputs: [error],
      metadata: { tags: ["raises-exception"] },
    });
    expect(page(wanted)).toContain("1 cell passed");
    expect(page(cell("code", "1", { execution_count: null, outputs: [] }))).not.toContain('class="status');
    expect(body(wanted)).toContain("<strong>RangeError: too big</strong>\n    at [cell 1]:2</pre>");
  });

  it("shows the same notebook with the same bytes", () => {
    const cells = [markdown("# T"), code("1", display({ "text/plain": "1" }))];
    expect(page(...cells)).toBe(page(...cells));
  });
});

describe("markdown on a page", () => {
  it("lets answers be hidden until they are asked for, and nothing else", () => {
    const html = body(markdown("<details><summary>Answers</summary>\n\n1. *yes*\n\n</details>"));
    expect(html).toMatch(
      /<details><summary>Answers<\/summary>\s*<ol>\s*<li><em>yes<\/em><\/li>\s*<\/ol>\s*<\/details>/,
    );
    expect(body(markdown("<details open onclick=x><summary>A</summary>"))).toContain("&lt;details open");
    expect(body(markdown("<details><summary><b>A</b></summary>"))).toContain("&lt;details&gt;");
  });

  it("shows HTML as text and drops links that would run something", () => {
    const html = body(
      markdown(
        '<img src=x onerror="alert(1)"> and <b>bold</b>\n\n<script>alert(1)</script>\n\n' +
          "[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [d](data:text/html,x) [e](vbscript:x) <javascript:alert(1)>",
      ),
    );
    expect(html).toContain("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;");
    expect(html).not.toMatch(/<(?:script|img|b)\b|href=/);
  });

  it("never reads an entity in a link twice", () => {
    const html = body(
      markdown("[a](&#106;avascript:alert) [b](&amp;#106;avascript:alert) [c](https://a.b/?c=1&amp;d=2)"),
    );
    const addresses = [...html.matchAll(/href="([^"]*)"/g)].map((match) => match[1]);
    expect(addresses).toEqual(["&amp;#106;avascript:alert", "&amp;#106;avascript:alert", "https://a.b/?c=1&amp;d=2"]);
  });

  it("keeps links to the web and shows pictures only when the cell holds them", () => {
    const attached = cell(
      "markdown",
      "![a](attachment:a.png) ![b](b.png) [w](https://example.org/?a=1&b=2 'T \"q\"')",
      {
        attachments: { "a.png": { "image/png": "iVBORw==" } },
      },
    );
    const html = body(attached);
    expect(html).toContain('<img src="data:image/png;base64,iVBORw==" alt="a">');
    expect(html).toContain("<em>b</em>");
    expect(html).toContain('<a href="https://example.org/?a=1&amp;b=2" title="T &quot;q&quot;"');
  });

  it("colours TypeScript in fences and escapes every other language", () => {
    const html = body(markdown("```ts\nconst a = '<b>';\n```\n\n```html\n<b>const</b>\n```"));
    expect(html).toContain('<span class="tok-keyword">const</span>');
    expect(html).toContain("&lt;b&gt;const&lt;/b&gt;");
  });
});

describe("outputs on a page", () => {
  it("show the richest form there is: svg, html, png, plain", () => {
    const forms = {
      "text/plain": "PLAIN",
      "image/png": "iVBORw==\n",
      "text/html": "<p>HTML</p>",
      "image/svg+xml": ['<svg viewBox="0 0 1 1">\n', "</svg>"],
      "application/vnd.plotly.v1+json": { data: [] },
    };
    const { "image/svg+xml": svg, ...withoutSvg } = forms;
    const { "text/html": html, ...withoutHtml } = withoutSvg;
    const { "image/png": png, ...withoutPng } = withoutHtml;
    const address = /src="data:image\/svg\+xml;base64,([^"]+)" alt="PLAIN"/.exec(body(code("1", display(forms))))?.[1];
    expect(Buffer.from(address ?? "", "base64").toString()).toBe(
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">\n</svg>',
    );
    expect(body(code("1", display(withoutSvg)))).toContain("<p>HTML</p>");
    expect(body(code("1", display(withoutHtml)))).toContain('<img src="data:image/png;base64,iVBORw==" alt="PLAIN">');
    expect(body(code("1", display(withoutPng)))).toContain('<pre class="plain" tabindex="0">PLAIN</pre>');
    expect(body(code("1", display({ "application/x-own": {} })))).toContain(
      "application/x-own, which this page cannot show",
    );
    expect([svg, html, png]).not.toContain(undefined);
  });

  it("of streams and plain text are text, whatever the guest printed", () => {
    const attack = "</pre><script>alert(1)</script>\u001b[31mred\u001b[0m 10%\r100%\r\n\u0000end\n";
    const stream = { output_type: "stream", name: "stdout", text: [attack] };
    const expected = "&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;";
    const html = body(code("1", stream, display({ "text/plain": attack })));
    expect(html).toContain('<pre class="stdout" tabindex="0">100%\n␀end</pre>');
    expect(html).not.toContain("<script");
    expect(body(code("1", display({ "text/plain": "</pre><script>alert(1)</script>" })))).toContain(expected);
  });

  it("of SVG are pictures, which run nothing", () => {
    const html = body(
      code("1", display({ "image/svg+xml": '<svg onload="alert(1)"><script>alert(1)</script></svg>' })),
    );
    expect(html).not.toMatch(/<script|onload|<svg/);
    expect(body(code("1", display({ "image/png": '"><script>', "text/plain": "p" })))).toContain(">p</pre>");
  });

  it("of HTML with a style keep it to themselves", () => {
    const html = body(code("1", display({ "text/html": "<style>p { color: red }</style><p>a</p>" })));
    expect(html).toMatch(
      /<template shadowrootmode="open"><style>[^<]*<\/style><style>p { color: red }<\/style><p>a<\/p><\/template>/,
    );
  });
});
