/**
 * `virtlab lab`: serves the notebook page and its kernels on the loopback address until it is interrupted.
 * Exit status: 0 ended by Ctrl-C or a signal to end, 2 bad input, a port that cannot be had, or no browser.
 */
import { randomBytes } from "node:crypto";
import { accessSync, constants, statSync } from "node:fs";
import path from "node:path";
import { Command } from "commander";
import type { HttpServer } from "../notebook/hub/http-server.js";
import type { Hub } from "../notebook/hub/hub.js";
import { VirtlabError } from "../state/error.js";
import { type Browser, findBrowser, openBrowser } from "./browser.js";
import { EXIT_STATUS } from "./status.js";

export interface LabFlags {
  readonly port?: string;
  readonly browser: boolean;
  readonly notebookDir: string;
  readonly json?: boolean;
}

/** What Jupyter uses, and how many after it are tried. */
const USUAL_PORT = 8888;
const TRIED_PORTS = 50;
const LARGEST_PORT = 65_535;

const NO_BROWSER = "no browser was found to open the page in; with --no-browser its address is only printed";

/** The `lab` command for the command line's table. */
export function labCommand(): Command {
  return new Command("lab")
    .description("open notebooks in the browser, with a kernel, until Ctrl-C")
    .option("--port <n>", `the port to serve on; 0 takes a free one (default: ${USUAL_PORT} or the next free one)`)
    .option("--no-browser", "print the address and open no browser")
    .option("--notebook-dir <dir>", "the folder whose notebooks are served", ".")
    .option("--json", "print address, port, token and folder as one line of JSON")
    .addHelpText("after", "\nThe token is a new one at every start, or what JUPYTER_TOKEN says.")
    .action(runLab);
}

async function runLab(flags: LabFlags): Promise<void> {
  const port = flags.port === undefined ? undefined : parsePort(flags.port);
  const folder = checkFolder(flags.notebookDir);
  const browser = flags.browser ? requireBrowser() : undefined;
  // Loaded here, because the other commands have no use for them.
  const [{ Hub }, { startHttpServer }, { trustFile }] = await Promise.all([
    import("../notebook/hub/hub.js"),
    import("../notebook/hub/http-server.js"),
    import("../notebook/hub/notebook-trust.js"),
  ]);
  const hub = new Hub(folder, undefined, { autorestart: true, trustFile: trustFile() });
  const given = process.env["JUPYTER_TOKEN"];
  const token = given === undefined || given === "" ? randomBytes(24).toString("hex") : given;
  const start = (number: number): Promise<HttpServer> => startHttpServer({ hub, token, port: number });
  const server = await (port === undefined ? startOnUsualPort(start) : startOnPort(start, port));
  endOnSignals(hub, server);
  tell(server, token, folder, flags.json === true);
  if (browser !== undefined && !(await openBrowser(browser, server.ticketAddress()))) {
    process.stderr.write(`virtlab: ${NO_BROWSER}\n`);
    await end(hub, server, EXIT_STATUS.badInput);
  }
}

/** The address comes first on standard output, for programs; what is for people goes to standard error. */
function tell(server: HttpServer, token: string, folder: string, asJson: boolean): void {
  const { address: url, port } = server;
  // Who read the first line may close the pipe.
  process.stdout.on("error", () => {});
  process.stdout.write(
    asJson ? `${JSON.stringify({ url, port, token, notebookDir: folder, pid: process.pid })}\n` : `${url}\n`,
  );
  if (!asJson) process.stderr.write(`virtlab: serving the notebooks in ${folder}; Ctrl-C ends it\n`);
}

/** @throws VirtlabError when the text is no number of a port. */
function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= LARGEST_PORT) return port;
  throw new VirtlabError(`--port ${text}: not a port, which is a number from 0 to ${LARGEST_PORT}`);
}

/** @throws VirtlabError when it is no folder whose files can be read. */
function checkFolder(folder: string): string {
  const refuse = (why: string): never => {
    throw new VirtlabError(`--notebook-dir ${folder}: ${why}`);
  };
  try {
    if (!statSync(folder).isDirectory()) refuse("not a folder");
    accessSync(folder, constants.R_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof VirtlabError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    refuse(code === "EACCES" || code === "EPERM" ? "permission denied" : "no such folder");
  }
  return path.resolve(folder);
}

/** @throws VirtlabError when there is none. */
function requireBrowser(): Browser {
  const browser = findBrowser({ platform: process.platform, variables: process.env });
  if (browser === undefined) throw new VirtlabError(NO_BROWSER);
  return browser;
}

/** @throws VirtlabError when the port cannot be had. */
async function startOnPort(start: (port: number) => Promise<HttpServer>, port: number): Promise<HttpServer> {
  try {
    return await start(port);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") {
      throw new VirtlabError(`port ${port} is in use by another program; --port 0 takes a free one`);
    }
    if (code === "EACCES") throw new VirtlabError(`port ${port}: permission denied; --port 0 takes a free one`);
    throw new VirtlabError(`port ${port}: ${message}`);
  }
}

/** The usual port or the first free one after it; any, where all of them are taken. */
async function startOnUsualPort(start: (port: number) => Promise<HttpServer>): Promise<HttpServer> {
  for (let port = USUAL_PORT; port < USUAL_PORT + TRIED_PORTS; port += 1) {
    try {
      return await start(port);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EADDRINUSE" && code !== "EACCES") throw error;
    }
  }
  return startOnPort(start, 0);
}

/** The first signal ends kernels and server, the second one the process at once. */
function endOnSignals(hub: Hub, server: HttpServer): void {
  let isEnding = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (isEnding) process.exit(EXIT_STATUS.failed);
      isEnding = true;
      const count = hub.kernelCount;
      if (count > 0) process.stderr.write(`virtlab: ending ${count} ${count === 1 ? "kernel" : "kernels"}\n`);
      void end(hub, server, EXIT_STATUS.ok);
    });
  }
}

async function end(hub: Hub, server: HttpServer, status: number): Promise<void> {
  await Promise.all([hub.dispose(), server.close()]);
  process.exit(status);
}
