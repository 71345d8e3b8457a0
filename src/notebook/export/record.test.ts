import { describe, expect, it } from "vitest";
import { VirtlabError } from "../../state/error.js";
import { sourceHash } from "../document/fingerprint.js";
import { type NotebookCell, type NotebookDocument, parseNotebook } from "../document/notebook-document.js";
import { markdownPage } from "./markdown-page.js";
import { notebookPage } from "./page.js";
import { openPage } from "./record.js";

const hostile = '</script><!-- --> --!> \u2028 & "\\u003c" ``` {"a":-1}';
const cells: NotebookCell[] = [
  {
    id: "t",
    cell_type: "markdown",
    metadata: { own: [1] },
    source: `# T\n\n${hostile}`,
    attachments: { a: { "image/png": "iVBORw==" } },
  },
  { id: "r", cell_type: "raw", metadata: {}, source: "uncooked" },
  {
    id: "c",
    cell_type: "code",
    metadata: { tags: ["raises-exception"] },
    source: hostile,
    execution_count: 7,
    outputs: [{ output_type: "stream", name: "stdout", text: hostile }],
  },
];
const notebook: NotebookDocument = { cells, metadata: { title: hostile } };
const versions = { virtlab: "1.2.3", node: "v20.1.0" };
const pages = {
  html: notebookPage(notebook, { name: "n.ipynb", versions }),
  md: markdownPage(notebook, { name: "n.ipynb", versions, pictures: "n_files" }).text,
};

describe.each(Object.entries(pages))("the record of a page in %s", (kind, page) => {
  it("has the notebook without loss but for its outputs, whatever is written in it", () => {
    const record = openPage(page, "page");
    expect(record).toMatchObject({ name: "n.ipynb", versions, source: sourceHash(notebook) });
    const again = parseNotebook(record.notebook, "n.ipynb");
    expect(again.metadata).toEqual(notebook.metadata);
    expect(again.cells).toEqual([cells[0], cells[1], { ...cells[2], execution_count: null, outputs: [] }]);
    expect(record.displays).toMatchObject([
      { cell: 3, output: 1, kind: "text", title: expect.stringMatching(/^<\/script>/) },
    ]);
  });

  it("is found behind outputs that look like one, and survives other line ends", () => {
    const { html, md } = {
      html: '<script type="application/json" id="virtlab-record">{}</script>',
      md: "<!-- virtlab-record {} -->",
    };
    const decoy = page.replace(/<body>|^# T/m, (start) => `${start} ${kind === "html" ? html : md}`);
    expect(() => openPage(decoy, "page")).toThrow("changed since it was made");
    expect(openPage(page.replace(/\n/g, "\r\n"), "page")).toEqual(openPage(page, "page"));
  });

  it("refuses a page that was changed, is damaged or is none, in one sentence", () => {
    const refused: readonly [string, string][] = [
      [page.replace("uncooked", "cooked"), "edited by hand: the notebook in it is not the one"],
      [page.replace(/T/, "U"), "changed since it was made: its text or its record"],
      [page.replace(/("stdout":")./, "$1z"), "changed since it was made"],
      [page.replace('"1.2.3"', '"1.2.4"'), "changed since it was made"],
      [page.slice(0, -200), "damaged: the record of its notebook cannot be read"],
      [page.replace('{"format":1', '{"format":2'), "made by a newer virtlab (its record has format 2, known is 1)"],
      [page.replace('{"format":1', '{"format":"1"'), "damaged"],
      [page.replace(/virtlab-record/g, "other"), "no page of virtlab: it carries no notebook"],
      ["", "no page of virtlab"],
    ];
    for (const [text, message] of refused) {
      expect(text).not.toBe(page);
      expect(() => openPage(text, "p.html")).toThrow(VirtlabError);
      expect(() => openPage(text, "p.html")).toThrow(`p.html: ${message}`);
    }
  });
});
