/**
 * A notebook on the server's disk and the model of it in the page: loading, saving, and noticing that somebody else has
 * changed the file. JupyterLab's document context would ask in dialogs, also while one types; here it is a state to show.
 * Manual: Jupyter Server, "Contents API".
 */
import type { INotebookContent } from "@jupyterlab/nbformat";
import type { INotebookModel } from "@jupyterlab/notebook";
import { type Contents, ServerConnection } from "@jupyterlab/services";
import { Variable } from "./observable.js";

export type SaveState =
  | { readonly kind: "saved" }
  | { readonly kind: "changed" }
  | { readonly kind: "saving" }
  | { readonly kind: "failed"; readonly reason: string }
  /** The file is not as we left it; nothing is saved until somebody decides. */
  | { readonly kind: "conflict" };

/** A file that is not a notebook, told in a sentence. */
export class NotANotebook extends Error {}

/** A file as it was read. */
export interface LoadedFile {
  readonly content: INotebookContent;
  readonly modified: string;
  readonly writable: boolean;
}

/**
 * Reads a notebook.
 * @throws NotANotebook when the file is something else, and what the server says when it cannot be read.
 */
export async function readNotebook(contents: Contents.IManager, path: string): Promise<LoadedFile> {
  const model = await contents.get(path, { type: "notebook", format: "json", content: true });
  const content = model.content as Partial<INotebookContent> | null;
  if (content === null || typeof content !== "object" || !Array.isArray(content.cells)) {
    const old = typeof content?.nbformat === "number" && content.nbformat < 4;
    throw new NotANotebook(
      old
        ? `${path} is in the old format nbformat ${content?.nbformat}; \`jupyter nbconvert --to notebook\` makes it a present one.`
        : `${path} is not a notebook: it has no cells.`,
    );
  }
  return { content: content as INotebookContent, modified: model.last_modified, writable: model.writable };
}

/** How long after the last change it is saved, and how long at most after the first, in milliseconds. */
const SAVE_AFTER = 1200;
const SAVE_AT_LATEST = 10_000;
const TRY_AGAIN_AFTER = 5000;

export class NotebookFile {
  readonly state = new Variable<SaveState>({ kind: "saved" });
  readonly #contents: Contents.IManager;
  readonly #model: INotebookModel;
  #modified: string;
  /** What the file on disk says, without what a front end adds by merely opening it. */
  #onDisk: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #changedSince: number | undefined;
  #saving: Promise<boolean> | undefined;

  constructor(
    readonly path: string,
    loaded: LoadedFile,
    contents: Contents.IManager,
    model: INotebookModel,
  ) {
    this.#contents = contents;
    this.#model = model;
    this.#modified = loaded.modified;
    this.#onDisk = essence(contentOf(model));
    model.contentChanged.connect(() => this.#onChange());
  }

  get isSaved(): boolean {
    return this.state.value.kind === "saved";
  }

  /** Saves what has changed; true when the file then is as the page shows it. `overwrite` ends a conflict. */
  async save({ overwrite = false } = {}): Promise<boolean> {
    // Two writers of one file could end in either order.
    while (this.#saving !== undefined) await this.#saving;
    if (this.state.value.kind === "conflict" && !overwrite) return false;
    this.#saving = this.#write(overwrite).finally(() => {
      this.#saving = undefined;
    });
    return this.#saving;
  }

  /** Takes the file's content in place of the page's. */
  async reload(): Promise<void> {
    const loaded = await readNotebook(this.#contents, this.path);
    this.#model.fromJSON(loaded.content);
    this.#modified = loaded.modified;
    this.#onDisk = essence(contentOf(this.#model));
    this.#settle();
  }

  /** Looks whether somebody else has changed the file; a page without changes of its own just takes it over. */
  async lookAtDisk(): Promise<"same" | "reloaded" | "conflict"> {
    if (this.#saving !== undefined || this.state.value.kind === "conflict") return "same";
    const found = await this.#modifiedOnDisk().catch(() => undefined);
    if (found === undefined || found === this.#modified || this.#saving !== undefined) return "same";
    if (essence(contentOf(this.#model)) === this.#onDisk) {
      await this.reload();
      return "reloaded";
    }
    this.state.set({ kind: "conflict" });
    return "conflict";
  }

  dispose(): void {
    clearTimeout(this.#timer);
  }

  async #write(overwrite: boolean): Promise<boolean> {
    clearTimeout(this.#timer);
    if (essence(contentOf(this.#model)) === this.#onDisk && !overwrite) return this.#settle();
    this.state.set({ kind: "saving" });
    try {
      const found = await this.#modifiedOnDisk();
      if (!overwrite && found !== undefined && found !== this.#modified) {
        this.state.set({ kind: "conflict" });
        return false;
      }
      // Meanwhile somebody may have typed.
      const content = contentOf(this.#model);
      const saved = await this.#contents.save(this.path, { type: "notebook", format: "json", content });
      this.#modified = saved.last_modified;
      this.#onDisk = essence(content);
      return this.#settle();
    } catch (error) {
      this.state.set({ kind: "failed", reason: reasonOf(error) });
      this.#saveAfter(TRY_AGAIN_AFTER);
      return false;
    }
  }

  /** After the file and the page have been made the same; meanwhile somebody may have typed on. */
  #settle(): boolean {
    this.#changedSince = undefined;
    this.#model.dirty = false;
    if (essence(contentOf(this.#model)) === this.#onDisk) {
      this.state.set({ kind: "saved" });
      return true;
    }
    this.state.set({ kind: "changed" });
    this.#onChange();
    return false;
  }

  #onChange(): void {
    const { kind } = this.state.value;
    if (kind === "conflict" || kind === "saving") return;
    this.#changedSince ??= Date.now();
    const latest = this.#changedSince + SAVE_AT_LATEST - Date.now();
    if (kind === "saved") this.#showChanged();
    this.#saveAfter(Math.min(SAVE_AFTER, Math.max(0, latest)));
  }

  /** A kernel that starts writes its version into the metadata; that alone is no change. */
  #showChanged(): void {
    if (essence(contentOf(this.#model)) !== this.#onDisk) this.state.set({ kind: "changed" });
  }

  #saveAfter(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.save(), milliseconds);
  }

  /** undefined when the file is gone; saving makes it again. */
  async #modifiedOnDisk(): Promise<string | undefined> {
    try {
      return (await this.#contents.get(this.path, { content: false })).last_modified;
    } catch (error) {
      if (error instanceof ServerConnection.ResponseError && error.response.status === 404) return undefined;
      throw error;
    }
  }
}

const contentOf = (model: INotebookModel): INotebookContent => model.toJSON() as INotebookContent;

/** The notebook as text, without what front ends, kernels and servers write into it by themselves. */
function essence({ metadata, cells }: INotebookContent): string {
  const { kernelspec: _, language_info: __, ...rest } = metadata;
  const own = cells.map((cell) => ({ ...cell, metadata: { ...cell.metadata, trusted: undefined } }));
  return JSON.stringify([rest, own]);
}

/** Why a request failed, in words for the reader. */
export function reasonOf(error: unknown): string {
  if (error instanceof ServerConnection.NetworkError) return "the server does not answer";
  if (error instanceof ServerConnection.ResponseError && error.response.status === 403) {
    return "this server was started anew and wants another token; open the address that it has printed";
  }
  return error instanceof Error ? error.message : String(error);
}
