/**
 * The kernelspec of this package: how the kernel of notebooks is started. Kernelspecs of other packages are not looked
 * for. Manual: Jupyter client, "Making kernels for Jupyter", kernel specs.
 */
import { readFileSync } from "node:fs";
import path from "node:path";

/** The name under which notebooks ask for the kernel. */
export const KERNEL_NAME = "virtlab";

export interface KernelSpec {
  readonly argv: readonly string[];
  readonly display_name: string;
  readonly language: string;
  readonly interrupt_mode: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** The folder of kernel.json and the launcher; sources and built files lie equally deep below the package. */
export const KERNEL_FOLDER = path.resolve(__dirname, "../../../kernel-spec");

/** The kernelspec with its real paths; `{connection_file}` is still to be filled in. */
export function kernelSpec(folder: string = KERNEL_FOLDER): KernelSpec {
  const spec = JSON.parse(readFileSync(path.join(folder, "kernel.json"), "utf8")) as KernelSpec;
  return { ...spec, argv: spec.argv.map((part) => part.replace("{resource_dir}", folder)) };
}

/** The command that starts a kernel on a connection file. The kernel runs on the same Node as its caller. */
export function kernelCommand(spec: KernelSpec, connectionFile: string): { command: string; args: string[] } {
  const [command, ...args] = spec.argv.map((part) => part.replace("{connection_file}", connectionFile));
  return { command: command === "node" ? process.execPath : command!, args };
}
