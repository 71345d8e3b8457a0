// The kernel in a real Jupyter: JupyterLab's server, nbconvert and jupyter_kernel_test, all from PyPI, with the
// kernelspec that `virtlab kernelspec install` has written. VS Code is no peer here: it cannot be run without a screen.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { KernelAPI, ServerConnection } from "@jupyterlab/services";
import { afterAll, describe, expect, it, type TestContext } from "vitest";
import { type Jupyter, jupyterWithKernel, startJupyterServer } from "../support/jupyter.js";
import { kernelPromises } from "../support/kernel-promises.js";
import { formatNotebook, newNotebook } from "../support/notebooks.js";
import { runProcess } from "../support/processes.js";

let shared: Promise<Jupyter> | undefined;
const jupyterFor = (context: TestContext): Promise<Jupyter> => {
  shared ??= jupyterWithKernel(context);
  return shared;
};
afterAll(async () => (await shared?.catch(() => undefined))?.remove());

kernelPromises("a real Jupyter server", async (context) => {
  const jupyter = await jupyterFor(context);
  const { url, token, close } = await startJupyterServer(jupyter);
  const settings = ServerConnection.makeSettings({ baseUrl: url, wsUrl: url.replace("http", "ws"), token });
  const model = await KernelAPI.startNew({ name: "virtlab" }, settings);
  return { model, settings, folder: jupyter.folder, close };
});

describe("Jupyter's own programs", () => {
  const run = (jupyter: Jupyter, program: string, args: readonly string[]) =>
    runProcess(jupyter.program(program), args, {
      cwd: jupyter.folder,
      environment: jupyter.environment,
      milliseconds: 300_000,
    });

  it("list the kernel with its name", async (context) => {
    const { stdout } = await run(await jupyterFor(context), "jupyter", ["kernelspec", "list", "--json"]);
    const { kernelspecs } = JSON.parse(stdout);
    expect(kernelspecs.virtlab.spec).toMatchObject({ display_name: "virtlab (TypeScript)", language: "typescript" });
  });

  it("find in jupyter_kernel_test nothing that the kernel does otherwise than they expect", async (context) => {
    const judge = path.join(__dirname, "../support/jupyter_kernel_conformance.py");
    const { status, stderr } = await run(await jupyterFor(context), "python", [judge]);
    expect(stderr).toMatch(/^Ran 1\d tests/m);
    // What the file names as left out.
    expect(stderr).toMatch(/^OK \(skipped=1\)$/m);
    expect(status).toBe(0);
  });

  it("execute a notebook with nbconvert, and keep its results", async (context) => {
    const jupyter = await jupyterFor(context);
    const file = path.join(jupyter.folder, "works.ipynb");
    writeFileSync(file, formatNotebook(newNotebook("const n: number = 6;", "console.log(n); n * 7")));
    const { status, stderr } = await run(jupyter, "jupyter-nbconvert", [
      "--execute",
      "--inplace",
      "--to=notebook",
      file,
    ]);
    expect(status, stderr).toBe(0);
    const { cells } = JSON.parse(readFileSync(file, "utf8"));
    expect(cells[1].outputs).toMatchObject([
      { output_type: "stream", name: "stdout", text: ["6\n"] },
      { output_type: "execute_result", data: { "text/plain": ["42"] } },
    ]);
  });

  it("fail with nbconvert where a cell fails, and say which error it was", async (context) => {
    const jupyter = await jupyterFor(context);
    const file = path.join(jupyter.folder, "fails.ipynb");
    writeFileSync(file, formatNotebook(newNotebook("1", "throw new RangeError('too big')")));
    const { status, stderr } = await run(jupyter, "jupyter-nbconvert", [
      "--execute",
      "--inplace",
      "--to=notebook",
      file,
    ]);
    expect(status).not.toBe(0);
    expect(stderr).toContain("RangeError: too big");
  });
});
