/** Debian's gdb, driven by a list of commands against a machine that is served to it. */
import { spawn } from "node:child_process";
import type { TestContext } from "vitest";
import { type GdbServer, type ServeOptions, serveGdb } from "../../src/gdb/server.js";
import type { Machine } from "../../src/hardware/machine.js";
import { peer } from "./peers.js";

export interface Debugged {
  /** What gdb printed, by command. */
  readonly answers: readonly string[];
  /** Where it left the machine, and how. */
  readonly left: Awaited<GdbServer["left"]>;
}

const MARK = "--command--";

/** Does the commands one after the other, and detaches. `symbols` is the file that gdb knows the names of, if any. */
export async function debug(
  context: TestContext,
  machine: Machine,
  symbols: string,
  commands: readonly string[],
  options: ServeOptions & { readonly onServer?: (server: GdbServer) => void; readonly milliseconds?: number } = {},
): Promise<Debugged> {
  const program = peer(context, "gdb");
  const server = await serveGdb(machine, options);
  options.onServer?.(server);
  try {
    const marked = commands.flatMap((command) => [`echo ${MARK}\\n`, command]);
    const output = await runGdb(program, server.port, symbols, marked, options.milliseconds);
    const [, ...answers] = output.split(`${MARK}\n`);
    return { answers: answers.map((answer) => answer.trim()), left: await server.left };
  } finally {
    server.close();
  }
}

/** What gdb prints while it does these commands with the machine at a port. */
export function runGdb(
  program: string,
  port: number,
  symbols: string,
  commands: readonly string[],
  milliseconds = 50_000,
): Promise<string> {
  const script = [
    ...["set pagination off", "set confirm off", "set width 0", "set tcp auto-retry off", "set remotetimeout 60"],
    `target remote 127.0.0.1:${port}`,
    ...commands,
  ];
  const args = ["-nx", "-batch", ...script.flatMap((line) => ["-ex", line]), ...(symbols === "" ? [] : [symbols])];
  return new Promise((resolve, reject) => {
    // One pipe for both, so that what the machine says stands where it was said.
    const child = spawn("/bin/sh", ["-c", 'exec "$0" "$@" 2>&1', program, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), milliseconds);
    let output = "";
    child.stdout.on("data", (bytes: Buffer) => (output += bytes.toString()));
    child.on("error", reject);
    child.on("close", () => {
      clearTimeout(timer);
      resolve(output);
    });
  });
}
