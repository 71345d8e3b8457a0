import type { INotebookContent } from "@jupyterlab/nbformat";
import type { INotebookModel } from "@jupyterlab/notebook";
import type { Contents } from "@jupyterlab/services";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NotANotebook, NotebookFile, readNotebook } from "./notebook-file.js";

const content = (source: string): INotebookContent => ({
  cells: [{ cell_type: "code", metadata: {}, source, execution_count: null, outputs: [] }],
  metadata: {},
  nbformat: 4,
  nbformat_minor: 5,
});

/** A disk with one file, whose time is a counter. */
function disk(source: string) {
  let time = 1;
  const file = { content: content(source), fails: false, duringSave: () => {} };
  const answer = () => {
    if (file.fails) throw new Error("the disk is full");
    return { content: file.content, last_modified: String(time), writable: true };
  };
  const contents = {
    get: async () => answer(),
    save: async (_: string, { content }: { content: INotebookContent }) => {
      answer();
      file.content = content;
      time += 1;
      file.duringSave();
      return answer();
    },
  } as unknown as Contents.IManager;
  const elsewhere = (source: string) => {
    file.content = content(source);
    time += 1;
  };
  return { file, contents, elsewhere };
}

/** The parts of JupyterLab's model that are used. */
function modelOf(start: INotebookContent) {
  let now = start;
  const listeners: (() => void)[] = [];
  const change = (next: INotebookContent) => {
    now = next;
    for (const listener of listeners) listener();
  };
  const model = {
    contentChanged: { connect: (listener: () => void) => listeners.push(listener) },
    toJSON: () => structuredClone(now),
    fromJSON: change,
    dirty: false,
  } as unknown as INotebookModel;
  return { model, type: (source: string) => change(content(source)), change };
}

async function opened(source: string) {
  const there = disk(source);
  const loaded = await readNotebook(there.contents, "a.ipynb");
  const page = modelOf(loaded.content);
  return { ...there, ...page, notebook: new NotebookFile("a.ipynb", loaded, there.contents, page.model) };
}

const sourceOf = ({ cells }: INotebookContent): unknown => cells[0]!.source;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the file of a notebook", () => {
  it("is saved a moment after a change", async () => {
    const { notebook, type, file } = await opened("a");
    type("b");
    expect(notebook.state.value.kind).toBe("changed");
    await vi.advanceTimersByTimeAsync(2000);
    expect([notebook.state.value.kind, sourceOf(file.content)]).toEqual(["saved", "b"]);
  });

  it("is saved after ten seconds of typing without a pause", async () => {
    const { type, file } = await opened("a");
    for (let index = 0; index < 12; index++) {
      type(`b${index}`);
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(sourceOf(file.content)).not.toBe("a");
  });

  it("is saved again when somebody types while it is saved", async () => {
    const { notebook, type, file } = await opened("a");
    file.duringSave = () => {
      file.duringSave = () => {};
      type("c");
    };
    type("b");
    await vi.advanceTimersByTimeAsync(5000);
    expect([notebook.state.value.kind, sourceOf(file.content)]).toEqual(["saved", "c"]);
  });

  it("is left alone when only a kernel has written its version", async () => {
    const { notebook, change, file } = await opened("a");
    const before = file.content;
    change({ ...content("a"), metadata: { language_info: { name: "typescript", version: "5" } } });
    await vi.advanceTimersByTimeAsync(5000);
    expect([notebook.state.value.kind, file.content === before]).toEqual(["saved", true]);
  });

  it("is in conflict when it was changed here and elsewhere, until one of the two is taken", async () => {
    for (const [answer, expected] of [
      ["overwrite", "mine"],
      ["reload", "theirs"],
    ]) {
      const { notebook, type, elsewhere, file, model } = await opened("a");
      elsewhere("theirs");
      type("mine");
      await vi.advanceTimersByTimeAsync(30_000);
      expect([notebook.state.value.kind, sourceOf(file.content)]).toEqual(["conflict", "theirs"]);
      if (answer === "overwrite") await notebook.save({ overwrite: true });
      else await notebook.reload();
      expect(notebook.state.value.kind).toBe("saved");
      expect([sourceOf(file.content), sourceOf(model.toJSON() as INotebookContent)]).toEqual([expected, expected]);
    }
  });

  it("is taken over when it was changed elsewhere alone", async () => {
    const { notebook, elsewhere, model } = await opened("a");
    expect(await notebook.lookAtDisk()).toBe("same");
    elsewhere("theirs");
    expect(await notebook.lookAtDisk()).toBe("reloaded");
    expect(sourceOf(model.toJSON() as INotebookContent)).toBe("theirs");
  });

  it("says why it could not be saved, and is tried again", async () => {
    const { notebook, type, file } = await opened("a");
    file.fails = true;
    type("b");
    await vi.advanceTimersByTimeAsync(2000);
    expect(notebook.state.value).toEqual({ kind: "failed", reason: "the disk is full" });
    file.fails = false;
    await vi.advanceTimersByTimeAsync(10_000);
    expect([notebook.state.value.kind, sourceOf(file.content)]).toEqual(["saved", "b"]);
  });

  it("is refused in a sentence when it is no notebook", async () => {
    const reading = (found: unknown) =>
      readNotebook({ get: async () => ({ content: found }) } as unknown as Contents.IManager, "x.ipynb");
    await expect(reading({ nbformat: 3, worksheets: [] })).rejects.toThrow("nbformat 3");
    await expect(reading([])).rejects.toThrow(NotANotebook);
    await expect(reading(null)).rejects.toThrow("x.ipynb is not a notebook");
  });
});
