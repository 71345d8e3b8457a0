/**
 * JupyterLab and Notebook as they come from PyPI, on a folder of their own and with this package's kernel and extension
 * as installed by its command. VIRTLAB_JUPYTER names the Python environment that has them; else they are looked for on PATH.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestContext } from "vitest";
import { findPeer, missing } from "./peers.js";
import { runProcess } from "./processes.js";
import { packageRoot } from "./virtlab.js";

export type JupyterProgram = "jupyter-lab" | "jupyter-notebook";

const PATIENCE_MILLISECONDS = 120_000;

/** The program's path; if it is not installed, ends the test of `context`. */
export function jupyterProgram(context: TestContext, program: JupyterProgram): string {
  const named = process.env["VIRTLAB_JUPYTER"];
  if (named === undefined || named === "") return findPeer(program) ?? missing(context, `${program} is not installed`);
  const inFolder = [
    path.join(named, "bin", program),
    path.join(named, program),
    path.join(path.dirname(named), program),
  ];
  const found = inFolder.find((file) => existsSync(file) && statSync(file).isFile());
  return found ?? missing(context, `VIRTLAB_JUPYTER is ${named}, which has no ${program}`);
}

export interface JupyterServer {
  /** The notebooks' folder. */
  readonly folder: string;
  /** The page of a notebook in that folder. */
  address(notebook: string): string;
  close(): Promise<void>;
}

/** Installs kernel and extension into a prefix of their own and starts the program there. */
export async function startJupyter(program: string): Promise<JupyterServer> {
  const home = mkdtempSync(path.join(tmpdir(), "virtlab-jupyter-"));
  const below = (name: string): string => {
    mkdirSync(path.join(home, name));
    return path.join(home, name);
  };
  const [folder, runtime, prefix] = [below("notebooks"), below("runtime"), below("prefix")];
  const command = path.join(packageRoot, "dist/cli/main.js");
  const install = ["kernelspec", "install", "--with-plotly", "--prefix", prefix];
  const installed = await runProcess(process.execPath, [command, ...install], {});
  if (installed.status !== 0) throw new Error(`${install.join(" ")}: ${installed.stderr}`);
  const server = spawn(
    program,
    ["--no-browser", "--allow-root", "--ServerApp.port=0", `--ServerApp.root_dir=${folder}`],
    {
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        ...process.env,
        JUPYTER_PATH: path.join(prefix, "share/jupyter"),
        JUPYTER_CONFIG_DIR: below("config"),
        JUPYTER_DATA_DIR: below("data"),
        JUPYTER_RUNTIME_DIR: runtime,
      },
    },
  );
  try {
    const { port, token } = await listening(server, runtime);
    const route = path.basename(program) === "jupyter-lab" ? "lab/tree" : "notebooks";
    return {
      folder,
      address: (notebook) => `http://127.0.0.1:${port}/${route}/${notebook}?token=${token}`,
      close: () => end(server, home),
    };
  } catch (error) {
    await end(server, home);
    throw error;
  }
}

/** Waits for the file in which a server tells others where it is. */
async function listening(server: ChildProcess, runtime: string): Promise<{ port: number; token: string }> {
  let log = "";
  server.stderr?.on("data", (text) => {
    log += String(text);
  });
  for (const start = Date.now(); Date.now() - start < PATIENCE_MILLISECONDS; await sleep(100)) {
    const file = readdirSync(runtime).find((name) => /^jpserver-\d+\.json$/.test(name));
    try {
      if (file !== undefined) return JSON.parse(readFileSync(path.join(runtime, file), "utf8"));
    } catch {
      // It is being written.
    }
    if (server.exitCode !== null) break;
  }
  throw new Error(`the Jupyter server did not start:\n${log}`);
}

async function end(server: ChildProcess, home: string): Promise<void> {
  if (server.exitCode === null) {
    const closed = new Promise((resolve) => server.once("close", resolve));
    // Kernels that the server has started end with it.
    server.kill("SIGTERM");
    const timer = setTimeout(() => server.kill("SIGKILL"), 10_000);
    await closed;
    clearTimeout(timer);
  }
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
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
