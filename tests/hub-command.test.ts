// The command `virtlab lab`: what it prints, how it ends, and what it says of bad input.
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { findBrowser } from "../src/cli/browser.js";
import { type Ended, runProcess } from "./support/processes.js";
import { packageRoot, virtlab } from "./support/virtlab.js";

const folder = mkdtempSync(path.join(tmpdir(), "virtlab-lab-"));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(path.join(folder, "file.txt"), "");

const COMMAND = path.join(packageRoot, "dist/cli/main.js");
/** No browser of this machine is to open in a test. */
const QUIET = { ...process.env, BROWSER: "", DISPLAY: "", WAYLAND_DISPLAY: "", PATH: "/nowhere", JUPYTER_TOKEN: "" };

function expectRefused({ status, stdout, stderr }: Ended, why: string | RegExp): void {
  expect(stderr).toMatch(/^virtlab: [^\n]+\n$/);
  expect(stderr).toMatch(why);
  expect([status, stdout]).toEqual([2, ""]);
}

interface Running {
  readonly child: ChildProcess;
  /** What it has printed. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<number | string | null>;
}

/** Starts the command and waits for its first line. */
async function start(args: readonly string[], variables: NodeJS.ProcessEnv = {}): Promise<Running> {
  const child = spawn(process.execPath, [COMMAND, "lab", ...args], {
    cwd: folder,
    env: { ...QUIET, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { stdout: "", stderr: "" };
  const ended = new Promise<number | string | null>((resolve) =>
    child.once("close", (status, signal) => resolve(signal ?? status)),
  );
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    text.stderr += chunk;
  });
  await Promise.race([
    ended,
    new Promise<void>((resolve) => {
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        text.stdout += chunk;
        if (text.stdout.includes("\n")) resolve();
      });
    }),
  ]);
  return { child, stdout: () => text.stdout, stderr: () => text.stderr, ended };
}

describe("virtlab lab", () => {
  it("prints the page's address first, serves the present folder, and ends cleanly at Ctrl-C", async () => {
    const { child, stdout, stderr, ended } = await start(["--port", "0", "--no-browser"]);
    expect(stdout()).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/lab\?token=[0-9a-f]{48}\n$/);
    const { origin, searchParams } = new URL(stdout().trim());
    const headers = { Authorization: `token ${searchParams.get("token")}` };
    const listed = await (await fetch(`${origin}/api/contents`, { headers })).json();
    expect((listed as { content: { name: string }[] }).content.map(({ name }) => name)).toContain("file.txt");
    child.kill("SIGINT");
    expect(await ended).toBe(0);
    expect(stderr()).toMatch(/^virtlab: serving the notebooks in [^\n]+; Ctrl-C ends it\n$/);
  });

  it("ends its kernels with itself at SIGTERM", async () => {
    const { child, stdout, ended } = await start(["--port", "0", "--no-browser"]);
    const { origin, searchParams } = new URL(stdout().trim());
    const headers = { Authorization: `token ${searchParams.get("token")}` };
    const kernel = await fetch(`${origin}/api/kernels`, { method: "POST", headers });
    expect(kernel.status).toBe(201);
    const kernels = childrenOf(child.pid!);
    expect(kernels).toHaveLength(1);
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(kernels.filter((id) => existsSync(`/proc/${id}`))).toEqual([]);
  });

  it("prints one line of JSON with --json, and takes its token from JUPYTER_TOKEN", async () => {
    const { child, stdout, stderr, ended } = await start(["--json", "--no-browser"], { JUPYTER_TOKEN: "a b" });
    const said = JSON.parse(stdout()) as { port: number };
    expect(said).toEqual({
      url: `http://127.0.0.1:${said.port}/lab?token=a%20b`,
      port: said.port,
      token: "a b",
      notebookDir: folder,
      pid: child.pid,
    });
    // The usual port, or, where it is taken, one of those after it.
    expect(said.port).toBeGreaterThanOrEqual(8888);
    child.kill("SIGINT");
    expect([await ended, stderr()]).toEqual([0, ""]);
  });

  it("opens the browser at an address that does not tell the token", async () => {
    const browser = path.join(folder, "browser");
    const opened = path.join(folder, "opened");
    writeFileSync(browser, `#!/bin/sh\nprintf '%s' "$1" > '${opened}'\n`);
    chmodSync(browser, 0o755);
    const { child, stdout, ended } = await start(["--port", "0"], { BROWSER: browser, PATH: process.env["PATH"] });
    while (!existsSync(opened) || readFileSync(opened, "utf8") === "") await new Promise((r) => setTimeout(r, 20));
    const address = new URL(readFileSync(opened, "utf8"));
    expect(address.pathname).toBe("/lab");
    expect(address.href).not.toContain(new URL(stdout().trim()).searchParams.get("token"));
    expect((await fetch(address)).status).not.toBe(403);
    expect((await fetch(address)).status).toBe(403);
    child.kill("SIGINT");
    expect(await ended).toBe(0);
  });

  it("ends with one sentence where no browser can be opened", async () => {
    const none = await start(["--port", "0"]);
    expect([await none.ended, none.stdout()]).toEqual([2, ""]);
    const sentence =
      "virtlab: no browser was found to open the page in; with --no-browser its address is only printed\n";
    expect(none.stderr()).toBe(sentence);
    const failing = await start(["--port", "0"], { BROWSER: "false", PATH: process.env["PATH"] });
    expect(await failing.ended).toBe(2);
    expect(failing.stderr()).toContain(sentence);
  });
});

describe("virtlab lab refuses", () => {
  it.each(["x", "-1", "65536", "1.5", "8888 ", "0x10", ""])("%j as a port", async (port) => {
    expectRefused(await virtlab(["lab", "--no-browser", `--port=${port}`]), /not a port/);
  });

  it("a port that another program uses", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    const ended = await virtlab(["lab", "--no-browser", "--port", String(port)]);
    other.close();
    expectRefused(ended, `port ${port} is in use by another program; --port 0 takes a free one`);
  });

  it("a folder that is none", async () => {
    for (const [name, why] of [
      ["none", "no such folder"],
      ["file.txt", "not a folder"],
      ["file.txt/x", "no such folder"],
    ] as const) {
      const dir = path.join(folder, name);
      expectRefused(await virtlab(["lab", "--no-browser", "--notebook-dir", dir]), `--notebook-dir ${dir}: ${why}`);
    }
  });

  it("a folder that may not be read", async () => {
    const dir = path.join(folder, "closed");
    mkdirSync(dir);
    chmodSync(dir, 0o000);
    chmodSync(folder, 0o755);
    // The superuser may read everything, and so becomes somebody else first.
    const asNobody = path.join(folder, "as-nobody.cjs");
    const step = "if (process.getuid?.() === 0) process.setuid(65534);";
    writeFileSync(asNobody, `${step} require(${JSON.stringify(COMMAND)});`);
    const ended = await runProcess(process.execPath, [asNobody, "lab", "--no-browser", "--notebook-dir", dir]);
    chmodSync(dir, 0o755);
    expectRefused(ended, `--notebook-dir ${dir}: permission denied`);
  });
});

describe("the browser", () => {
  const bin = path.join(folder, "bin");
  mkdirSync(bin);
  for (const name of ["xdg-open", "wslview", "open", "mine"]) writeFileSync(path.join(bin, name), "", { mode: 0o755 });
  const find = (platform: string, variables: Record<string, string>) => {
    const browser = findBrowser({ platform, variables: { PATH: `/nowhere:${bin}`, ...variables } });
    return browser && [path.basename(browser.command), ...browser.args];
  };

  it("is what BROWSER says first, with its arguments, as far as it is there", () => {
    expect(find("linux", { BROWSER: "none:mine --new %s", DISPLAY: ":0" })).toEqual(["mine", "--new", "%s"]);
    expect(find("linux", { BROWSER: path.join(bin, "mine") })).toEqual(["mine"]);
  });

  it("is what the desktop opens addresses with, and none without a desktop", () => {
    expect(find("linux", { DISPLAY: ":0" })).toEqual(["xdg-open"]);
    expect(find("linux", { WAYLAND_DISPLAY: "wayland-0" })).toEqual(["xdg-open"]);
    expect(find("linux", {})).toEqual(["wslview"]);
    expect(find("linux", { PATH: "/nowhere" })).toBeUndefined();
    expect(find("darwin", {})).toEqual(["open"]);
  });
});

function childrenOf(id: number): string[] {
  return readFileSync(`/proc/${id}/task/${id}/children`, "utf8").trim().split(" ").filter(Boolean);
}
