/**
 * The extension that draws Plotly figures in JupyterLab 4 and Notebook 7, in Jupyter's folders: a prebuilt one, so that
 * neither Node nor Python is needed to have it. Manual: JupyterLab, "Extension Developer Guide", prebuilt extensions.
 */
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { VirtlabError } from "../../state/error.js";
import { withFile } from "../file-error.js";
import { replaceFolder } from "../make-folder.js";

const NAME = "virtlab-plotly";
/** What the build has made of it, without Plotly; sources and built files lie equally deep in the package. */
const BUILT = path.resolve(__dirname, "../../../dist/jupyter-extension");

const folderIn = (dataFolder: string): string => path.join(dataFolder, "labextensions", NAME);

/**
 * Installs the extension below a Jupyter data folder and gives its folder. One that is there is replaced.
 * @throws VirtlabError when it cannot be written, belongs to another program, or was not built.
 */
export function installPlotlyExtension(dataFolder: string): string {
  const folder = folderIn(dataFolder);
  if (!existsSync(path.join(BUILT, "package.json")))
    throw new VirtlabError(`${BUILT}: the extension was not built (npm run build)`);
  refuseOthers(folder);
  // JupyterLab passes over names that begin with a dot: it must not meet half an extension.
  const unfinished = path.join(path.dirname(folder), `.${NAME}.${process.pid}.new`);
  withFile(folder, "cannot be written", () => {
    replaceFolder(folder, unfinished, () => {
      cpSync(BUILT, unfinished, { recursive: true });
      const { virtlab } = readJson(path.join(BUILT, "package.json")) as {
        readonly virtlab: { readonly plotly: string };
      };
      cpSync(require.resolve("plotly.js-dist-min"), path.join(unfinished, virtlab.plotly));
    });
  });
  return folder;
}

/**
 * Takes the extension away from below a Jupyter data folder and gives the folder it was in; undefined if there was none.
 * @throws VirtlabError when it belongs to another program or cannot be removed.
 */
export function removePlotlyExtension(dataFolder: string): string | undefined {
  const folder = folderIn(dataFolder);
  if (!existsSync(folder)) return undefined;
  refuseOthers(folder);
  withFile(folder, "cannot be removed", () => rmSync(folder, { recursive: true }));
  return folder;
}

function refuseOthers(folder: string): void {
  if (existsSync(folder) && installerOf(folder) !== "virtlab")
    throw new VirtlabError(`${folder}: an extension of another program is there`);
}

/** The package that has installed an extension, as JupyterLab's own list tells it. */
function installerOf(folder: string): unknown {
  try {
    return (readJson(path.join(folder, "install.json")) as { readonly packageName?: unknown }).packageName;
  } catch {
    return undefined;
  }
}

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));
