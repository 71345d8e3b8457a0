/**
 * `virtlab kernelspec install|list|remove`: the kernel for JupyterLab, Notebook and VS Code, without Python.
 * Exit status: 0 done, 2 bad input or a folder that cannot be written.
 */
import path from "node:path";
import { Command, Option } from "commander";
import {
  type InstalledKernel,
  installedKernels,
  installKernel,
  removeKernel,
} from "../notebook/kernel-spec/installed-kernels.js";
import {
  activeEnvironment,
  dataFolders,
  prefixDataFolder,
  surroundings,
  userDataFolder,
} from "../notebook/kernel-spec/jupyter-folders.js";
import { installPlotlyExtension, removePlotlyExtension } from "../notebook/kernel-spec/plotly-extension.js";
import { VirtlabError } from "../state/error.js";

/** Which of Jupyter's data folders is meant; the user's own when nothing is said. */
interface PlaceFlags {
  readonly user?: true;
  readonly sysPrefix?: true;
  readonly prefix?: string;
}

/** The `kernelspec` command for the command line's table. */
export function kernelspecCommand(): Command {
  const command = new Command("kernelspec")
    .description("the kernel for JupyterLab, Notebook and VS Code")
    .exitOverride();
  withPlace(command.command("install"))
    .description("install the kernel where Jupyter finds it")
    .option("--with-plotly", "and an extension that draws Plotly figures in JupyterLab 4 and Notebook 7")
    .action((flags: PlaceFlags & { readonly withPlotly?: true }) => {
      const data = dataFolder(flags);
      tell(`installed: ${installKernel(data)}`);
      if (flags.withPlotly) tell(`installed: ${installPlotlyExtension(data)}`);
      tell('Choose the kernel "virtlab (TypeScript)" in JupyterLab, Notebook or VS Code.');
      // npm empties this cache when it likes, and the kernel with it.
      if (__dirname.split(path.sep).includes("_npx")) {
        process.stderr.write(
          "virtlab: this virtlab lies in the cache of npx; the kernel ends with it. Install it with npm.\n",
        );
      }
    });
  command
    .command("list")
    .description("list the kernels that Jupyter finds")
    .option("--json", "as JSON, in the form of jupyter kernelspec list --json")
    .action(({ json }: { json?: true }) => {
      const folders = dataFolders(surroundings());
      const kernels = installedKernels(folders);
      if (json) tell(JSON.stringify({ kernelspecs: jsonOf(kernels) }, null, 2));
      else if (kernels.length > 0) tell(tableOf(kernels));
      else tell(`no kernels in ${folders.join(", ")}`);
    });
  withPlace(command.command("remove"))
    .description("remove what install has installed")
    .action((flags: PlaceFlags) => {
      const data = dataFolder(flags);
      tell(`removed: ${removeKernel(data)}`);
      const extension = removePlotlyExtension(data);
      if (extension !== undefined) tell(`removed: ${extension}`);
    });
  return command;
}

function withPlace(command: Command): Command {
  return command
    .addOption(new Option("--user", "for this user (default)").conflicts(["sysPrefix", "prefix"]))
    .addOption(new Option("--sys-prefix", "for the active virtual or Conda environment").conflicts("prefix"))
    .option("--prefix <dir>", "below DIR/share/jupyter, such as /usr/local or a Python environment");
}

function dataFolder({ prefix, sysPrefix }: PlaceFlags): string {
  if (prefix !== undefined) return prefixDataFolder(path.resolve(prefix));
  const around = surroundings();
  if (sysPrefix !== true) return userDataFolder(around);
  const active = activeEnvironment(around);
  if (active === undefined) throw new VirtlabError("--sys-prefix: no virtual or Conda environment is active");
  return prefixDataFolder(active);
}

function jsonOf(kernels: readonly InstalledKernel[]): unknown {
  return Object.fromEntries(
    kernels.map(({ name, folder, spec, missing }) => [
      name,
      { resource_dir: folder, spec, ...(missing === undefined ? {} : { missing }) },
    ]),
  );
}

/** Names and titles in columns; a kernel that cannot start says so. */
function tableOf(kernels: readonly InstalledKernel[]): string {
  const title = ({ spec, version }: InstalledKernel) =>
    version === undefined ? spec.display_name : `${spec.display_name} ${version}`;
  const width = (text: (kernel: InstalledKernel) => string) => Math.max(...kernels.map((one) => text(one).length));
  const [names, titles] = [width(({ name }) => name), width(title)];
  return kernels
    .map((kernel) => {
      const problem = kernel.missing === undefined ? "" : `\n  cannot start: ${kernel.missing} is not there`;
      const again = problem !== "" && kernel.version !== undefined ? "; run virtlab kernelspec install" : "";
      return `${kernel.name.padEnd(names)}  ${title(kernel).padEnd(titles)}  ${kernel.folder}${problem}${again}`;
    })
    .join("\n");
}

function tell(text: string): void {
  process.stdout.write(`${text}\n`);
}
