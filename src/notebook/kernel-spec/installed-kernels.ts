/**
 * This package's kernel in Jupyter's folders: put there, found, taken away. Kernels of other programs are listed and
 * never changed. Manual: Jupyter client, "Making kernels for Jupyter", kernel specs.
 */
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { VirtlabError } from "../../state/error.js";
import { withFile } from "../file-error.js";
import { KERNEL_NAME } from "../hub/kernel-spec.js";
import { replaceFolder } from "../make-folder.js";

/** The package, as it lies now; sources and built files lie equally deep in it. */
const PACKAGE = path.resolve(__dirname, "../../..");
const LOGOS = ["logo-32x32.png", "logo-64x64.png", "logo-svg.svg"];

export interface InstalledSpec {
  readonly argv: readonly string[];
  readonly display_name: string;
  readonly language: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface InstalledKernel {
  readonly name: string;
  readonly folder: string;
  readonly spec: InstalledSpec;
  /** The version of virtlab that installed it; undefined for the kernels of other programs. */
  readonly version: string | undefined;
  /** The program or launcher that its command names and that is no longer there. */
  readonly missing: string | undefined;
}

/**
 * Installs the kernel below a Jupyter data folder and gives the folder of its kernelspec. One that is there is replaced.
 * @throws VirtlabError when it cannot be written or belongs to another program.
 */
export function installKernel(dataFolder: string): string {
  const kernels = path.join(dataFolder, "kernels");
  const folder = path.join(kernels, KERNEL_NAME);
  const unfinished = path.join(kernels, `${KERNEL_NAME}.${process.pid}.new`);
  withFile(folder, "cannot be written", () => {
    refuseOthers(folder);
    // Jupyter must not meet half a kernelspec.
    replaceFolder(folder, unfinished, () => {
      writeFileSync(path.join(unfinished, "kernel.json"), `${JSON.stringify(specToInstall(), null, 2)}\n`);
      for (const logo of LOGOS) copyFileSync(path.join(PACKAGE, "kernel-spec", logo), path.join(unfinished, logo));
    });
  });
  return folder;
}

/**
 * Takes the kernel away from below a Jupyter data folder and gives the folder it was in.
 * @throws VirtlabError when it is not there, belongs to another program or cannot be removed.
 */
export function removeKernel(dataFolder: string): string {
  const folder = path.join(dataFolder, "kernels", KERNEL_NAME);
  if (readKernel(folder) === undefined) throw new VirtlabError(`${folder}: no kernel is installed there`);
  refuseOthers(folder);
  withFile(folder, "cannot be removed", () => rmSync(folder, { recursive: true }));
  return folder;
}

/** The kernels that Jupyter finds in these data folders; of one name the first counts, as it does for Jupyter. */
export function installedKernels(dataFolders: readonly string[]): InstalledKernel[] {
  const found = new Map<string, InstalledKernel>();
  for (const folder of dataFolders.map((data) => path.join(data, "kernels"))) {
    for (const name of namesIn(folder)) {
      const kernel = readKernel(path.join(folder, name));
      if (kernel !== undefined && !found.has(kernel.name)) found.set(kernel.name, kernel);
    }
  }
  return [...found.values()];
}

/** Absolute paths, because editors start kernels with another PATH than a shell's. */
function specToInstall(): unknown {
  const text = (file: string) => readFileSync(path.join(PACKAGE, file), "utf8");
  const spec = JSON.parse(text("kernel-spec/kernel.json")) as InstalledSpec;
  const { version } = JSON.parse(text("package.json")) as { version: string };
  const [, ...parts] = spec.argv.map((part) => part.replace("{resource_dir}", path.join(PACKAGE, "kernel-spec")));
  return {
    ...spec,
    argv: [process.execPath, ...parts],
    metadata: { ...spec.metadata, virtlab: { version } },
  };
}

function refuseOthers(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false) {
    throw new VirtlabError(`${folder}: a file is there, not a folder`);
  }
  const kernel = readKernel(folder);
  if (kernel !== undefined && kernel.version === undefined) {
    throw new VirtlabError(`${folder}: a kernel of another program is there`);
  }
}

function readKernel(folder: string): InstalledKernel | undefined {
  let spec: InstalledSpec;
  try {
    spec = JSON.parse(readFileSync(path.join(folder, "kernel.json"), "utf8")) as InstalledSpec;
  } catch {
    return undefined;
  }
  if (!Array.isArray(spec?.argv)) return undefined;
  const { version } = (spec.metadata?.["virtlab"] ?? {}) as { version?: unknown };
  const name = path.basename(folder).toLowerCase();
  const missing = spec.argv.find((part) => path.isAbsolute(part) && !existsSync(part));
  return { name, folder, spec, version: typeof version === "string" ? version : undefined, missing };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
