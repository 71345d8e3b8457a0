/**
 * Which saved outputs may run scripts: those that were made in this browser. Jupyter keeps signatures on the server for
 * that; here the browser remembers the content it has saved. What others have put into a file is shown without scripts.
 * Manual: Jupyter Notebook, "Security in notebook documents".
 */
import { isCodeCellModel } from "@jupyterlab/cells";
import type { INotebookModel } from "@jupyterlab/notebook";

const STORED = "virtlab.trusted:";

/** Trusts the outputs when they are those this browser saved last. */
export async function trustKnownOutputs(path: string, model: INotebookModel): Promise<void> {
  if (remembered(path) !== (await digestOfOutputs(model))) return;
  for (const cell of model.cells) if (isCodeCellModel(cell)) cell.trusted = true;
}

/** After saving: when nothing in the notebook is untrusted, its outputs are known from now on. */
export async function rememberOutputs(path: string, model: INotebookModel): Promise<void> {
  const codeCells = [...model.cells].filter(isCodeCellModel);
  if (codeCells.some((cell) => !cell.trusted && cell.outputs.length > 0)) return;
  try {
    localStorage.setItem(STORED + path, await digestOfOutputs(model));
  } catch {
    // Where nothing may be stored, scripts in outputs run again when their cells do.
  }
}

function remembered(path: string): string | null {
  try {
    return localStorage.getItem(STORED + path);
  } catch {
    return null;
  }
}

async function digestOfOutputs(model: INotebookModel): Promise<string> {
  const outputs = [...model.cells].filter(isCodeCellModel).map((cell) => cell.outputs.toJSON());
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(outputs)));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
