/** Notebooks made from the sources of their cells. */
import type { NotebookDocument } from "../../src/notebook/document/notebook-document.js";

export { formatNotebook } from "../../src/notebook/document/notebook-document.js";

/** A notebook for this package's kernel with one code cell for each source. */
export function newNotebook(...sources: string[]): NotebookDocument {
  const cells = sources.map((source, index) => ({
    id: `c${index}`,
    cell_type: "code" as const,
    metadata: {},
    source,
    execution_count: null,
    outputs: [],
  }));
  const kernelspec = { display_name: "virtlab (TypeScript)", language: "typescript", name: "virtlab" };
  return { cells, metadata: { kernelspec } };
}
