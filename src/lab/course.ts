/**
 * The notebooks of a folder as a course: in the order of their names, each with its title and how far one has come. That
 * is read from the notebooks themselves, so it is the same in every browser; what was read is remembered until a file
 * changes. The open notebook tells its own progress as it happens.
 */
import type { Contents } from "@jupyterlab/services";
import { nameOf } from "./address.js";
import { Variable } from "./observable.js";
import { factsOfFile, type NotebookSummary, summarize } from "./sections.js";

export interface CourseEntry {
  readonly path: string;
  readonly name: string;
  /** undefined until the notebook has been read. */
  readonly summary: NotebookSummary | undefined;
}

export interface Folder {
  readonly path: string;
  readonly folders: readonly { readonly path: string; readonly name: string }[];
  readonly entries: readonly CourseEntry[];
  /** Why the folder cannot be shown. */
  readonly problem?: string;
}

const STORED = "virtlab.summary:";
const byName = new Intl.Collator("en", { numeric: true });

export class Course {
  readonly folder = new Variable<Folder>({ path: "", folders: [], entries: [] });
  readonly #contents: Contents.IManager;
  /** What open notebooks have said of themselves. */
  readonly #told = new Map<string, NotebookSummary>();

  constructor(contents: Contents.IManager) {
    this.#contents = contents;
  }

  /** Lists a folder; the summaries follow one by one, so that they do not get in the way of what is read now. */
  async show(path: string): Promise<void> {
    const listed = await this.#contents.get(path, { content: true });
    const children = (listed.content as Contents.IModel[]).toSorted((a, b) => byName.compare(a.name, b.name));
    const folders = children.filter(({ type }) => type === "directory").map(({ path, name }) => ({ path, name }));
    const notebooks = children.filter(({ type }) => type === "notebook");
    const known = (model: Contents.IModel) => this.#told.get(model.path) ?? remembered(model);
    const entries = notebooks.map((model) => ({ path: model.path, name: model.name, summary: known(model) }));
    this.folder.set({ path, folders, entries });
    for (const model of notebooks) if (known(model) === undefined) await this.#read(model);
  }

  /** What the open notebook says of itself. */
  tell(path: string, summary: NotebookSummary): void {
    this.#told.set(path, summary);
    this.#update(path, summary);
  }

  #update(path: string, summary: NotebookSummary): void {
    const { folder } = this;
    const entries = folder.value.entries.map((entry) => (entry.path === path ? { ...entry, summary } : entry));
    folder.set({ ...folder.value, entries });
  }

  async #read(model: Contents.IModel): Promise<void> {
    try {
      // As text: a file that is no notebook is then no failed request.
      const file = await this.#contents.get(model.path, { type: "file", format: "text", content: true });
      const { last_modified } = file;
      const { cells } = JSON.parse(file.content) as { cells: object[] };
      const summary = summarize(cells.map(factsOfFile));
      remember({ ...model, last_modified }, summary);
      this.#update(model.path, summary);
    } catch {
      // A file that is no notebook is listed by its name; opening it says what is wrong.
    }
  }
}

/** What a notebook is called before it has been read: its file's name in words. */
export function titleOf({ path, summary }: Pick<CourseEntry, "path" | "summary">): string {
  return summary?.title ?? nameOf(path).replace(/\.ipynb$/, "");
}

function remembered({ path, last_modified, size }: Contents.IModel): NotebookSummary | undefined {
  try {
    const stored = JSON.parse(localStorage.getItem(STORED + path) ?? "null") as {
      stamp: string;
      summary: NotebookSummary;
    } | null;
    return stored?.stamp === `${last_modified} ${size}` ? stored.summary : undefined;
  } catch {
    return undefined;
  }
}

function remember({ path, last_modified, size }: Contents.IModel, summary: NotebookSummary): void {
  try {
    localStorage.setItem(STORED + path, JSON.stringify({ stamp: `${last_modified} ${size}`, summary }));
  } catch {
    // It is read again next time.
  }
}
