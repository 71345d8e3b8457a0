/** Real Jupyter as a peer: its programs, kept away from the user's own Jupyter folders, and a server of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "vitest";
import { missing } from "./peers.js";
import { runProcess } from "./processes.js";
import { packageRoot } from "./virtlab.js";

/** Names the folder of Jupyter's programs, such as `bin` of a virtual environment that .ci/run has made. */
const VARIABLE = "VIRTLAB_JUPYTER";
const START_MILLISECONDS = 120_000;

export interface Jupyter {
  /** A folder of its own, where notebooks may lie. */
  readonly folder: string;
  /** The full path of one of its programs. */
  program(name: string): string;
  readonly environment: NodeJS.ProcessEnv;
  remove(): void;
}

export interface JupyterServer {
  readonly url: string;
  readonly token: string;
  /** The page of a notebook in Jupyter's folder. */
  address(notebook: string): string;
  close(): Promise<void>;
}

/**
 * Jupyter with the kernel of this package, put there by `virtlab kernelspec install` with these options; ends the test where
 * it is missing.
 */
export async function jupyterWithKernel(context: TestContext, options: readonly string[] = []): Promise<Jupyter> {
  const programs = process.env[VARIABLE];
  if (programs === undefined || !existsSync(path.join(programs, "jupyter"))) {
    return missing(context, `${VARIABLE} does not name a folder with Jupyter's programs`);
  }
  const home = mkdtempSync(path.join(tmpdir(), "virtlab-jupyter-"));
  const folder = path.join(home, "notebooks");
  mkdirSync(folder);
  const environment = {
    ...process.env,
    HOME: home,
    JUPYTER_CONFIG_DIR: path.join(home, "config"),
    JUPYTER_RUNTIME_DIR: path.join(home, "runtime"),
    JUPYTER_DATA_DIR: path.join(home, "data"),
    IPYTHONDIR: path.join(home, "ipython"),
  };
  const jupyter = {
    folder,
    environment,
    program: (name: string) => path.join(programs, name),
    remove: () => rmSync(home, { recursive: true, force: true, maxRetries: 5 }),
  };
  const command = path.join(packageRoot, "dist/cli/main.js");
  const install = ["kernelspec", "install", "--user", ...options];
  const { status, stderr } = await runProcess(process.execPath, [command, ...install], { environment });
  if (status !== 0) throw new Error(`virtlab kernelspec install: ${stderr}`);
  return jupyter;
}

/** Starts a server on any free port of the loopback address. */
export async function startJupyterServer(
  jupyter: Jupyter,
  program: "jupyter-lab" | "jupyter-notebook" = "jupyter-lab",
): Promise<JupyterServer> {
  const token = "0123456789abcdef";
  const options = [
    ...["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"],
    ...[`--IdentityProvider.token=${token}`, `--ServerApp.root_dir=${jupyter.folder}`],
  ];
  const child = spawn(jupyter.program(program), options, {
    env: jupyter.environment,
    cwd: jupyter.folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const url = await serverUrl(jupyter.environment["JUPYTER_RUNTIME_DIR"]!, child, () => log);
  const route = program === "jupyter-lab" ? "lab/tree" : "notebooks";
  return {
    url,
    token,
    address: (notebook) => `${url}${route}/${notebook}?token=${token}`,
    close: () => end(child),
  };
}

/** The server writes where it listens into its runtime folder. */
async function serverUrl(runtime: string, child: ChildProcess, log: () => string): Promise<string> {
  const limit = Date.now() + START_MILLISECONDS;
  while (child.exitCode === null && Date.now() < limit) {
    for (const name of existsSync(runtime) ? readdirSync(runtime) : []) {
      if (!/^jpserver-\d+\.json$/.test(name)) continue;
      const { port } = JSON.parse(readFileSync(path.join(runtime, name), "utf8")) as { port: number };
      const url = `http://127.0.0.1:${port}/`;
      if (port !== 0 && (await isUp(url))) return url;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill("SIGKILL");
  throw new Error(`Jupyter's server did not start: ${log().slice(-2000)}`);
}

async function isUp(url: string): Promise<boolean> {
  return fetch(`${url}api`).then(
    ({ ok }) => ok,
    () => false,
  );
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve();
    child.once("exit", () => resolve());
    // Jupyter's server ends its kernels and asks nobody at the second signal.
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), 20_000).unref();
  });
}

/** Writes a notebook with these code cells for this package's kernel. */
export function writeNotebook(file: string, sources: readonly string[]): void {
  const cells = sources.map((source, index) => ({
    ...{ id: `c${index}`, cell_type: "code", metadata: {} },
    ...{ source, execution_count: null, outputs: [] },
  }));
  const kernelspec = { name: "virtlab", display_name: "virtlab (TypeScript)", language: "typescript" };
  writeFileSync(file, JSON.stringify({ cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 }));
}
