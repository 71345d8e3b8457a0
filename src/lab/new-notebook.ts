/** What a new notebook begins with: its question, and an import. */
import type { INotebookContent } from "@jupyterlab/nbformat";

export function emptyNotebook(name: string): INotebookContent {
  const title = name.replace(/^\d+[-_ ]*/, "").replace(/[-_]+/g, " ");
  const heading = title === "" ? name : title[0]!.toUpperCase() + title.slice(1);
  return {
    cells: [
      { id: "title", cell_type: "markdown", metadata: {}, source: `# ${heading}` },
      {
        id: "imports",
        cell_type: "code",
        metadata: {},
        source: 'import { guest, Machine } from "virtlab";',
        execution_count: null,
        outputs: [],
      },
    ],
    metadata: {
      kernelspec: { display_name: "virtlab (TypeScript)", language: "typescript", name: "virtlab" },
      language_info: { name: "typescript", file_extension: ".ts", mimetype: "text/x-typescript" },
    },
    nbformat: 4,
    nbformat_minor: 5,
  };
}
