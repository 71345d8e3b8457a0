/** The hub's kernels: all of one kernelspec, each in a folder. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import type { Contents } from "./contents.js";
import { folderOf } from "./contents.js";
import { HubKernel, type HubKernelOptions } from "./hub-kernel.js";
import { KERNEL_FOLDER, KERNEL_NAME, type KernelSpec } from "./kernel-spec.js";
import { contentType } from "./media-types.js";
import { HubError, type HubResponse } from "./rest.js";

/** Files beside a kernel.json that front ends show: a logo's name without its ending is its key. */
const RESOURCE = /^(logo-.+)\.(?:png|svg)$/;

export class Kernels {
  readonly #contents: Contents;
  readonly #spec: KernelSpec;
  readonly #options: HubKernelOptions;
  readonly #kernels = new Map<string, HubKernel>();
  readonly #starting = new Set<Promise<unknown>>();
  #isEnding = false;

  constructor(contents: Contents, spec: KernelSpec, options: HubKernelOptions) {
    this.#contents = contents;
    this.#spec = spec;
    this.#options = options;
  }

  get all(): readonly HubKernel[] {
    return [...this.#kernels.values()];
  }

  find(id: string): HubKernel | undefined {
    return this.#kernels.get(id);
  }

  /** @throws HubError */
  get(id: string): HubKernel {
    const kernel = this.#kernels.get(id);
    if (kernel === undefined) throw new HubError(404, `Kernel does not exist: ${id}`);
    return kernel;
  }

  /**
   * Starts a kernel in the folder of a notebook.
   * @throws HubError with `unknownStatus` when there is no kernel of that name.
   */
  async start(name: unknown, notebook: unknown, unknownStatus = 400): Promise<HubKernel> {
    if (name !== undefined && name !== null && name !== KERNEL_NAME) {
      throw new HubError(unknownStatus, `kernel ${String(name)}: only ${KERNEL_NAME} is known`);
    }
    const folder = this.#folderFor(typeof notebook === "string" ? notebook : "");
    const start = HubKernel.start(this.#spec, KERNEL_NAME, folder, this.#options);
    this.#starting.add(start);
    try {
      const kernel = await start;
      if (this.#isEnding) {
        await kernel.shutdown();
        throw new HubError(503, "the server ends");
      }
      this.#kernels.set(kernel.id, kernel);
      return kernel;
    } finally {
      this.#starting.delete(start);
    }
  }

  async end(id: string): Promise<void> {
    const kernel = this.get(id);
    this.#kernels.delete(id);
    await kernel.shutdown();
  }

  /** Ends all kernels, those that are just starting too. */
  async endAll(): Promise<void> {
    this.#isEnding = true;
    await Promise.allSettled(this.#starting);
    const kernels = this.all;
    this.#kernels.clear();
    await Promise.all(kernels.map((kernel) => kernel.shutdown()));
  }

  /** What `GET /api/kernelspecs` tells. */
  specModels(): { readonly default: string; readonly kernelspecs: Readonly<Record<string, unknown>> } {
    const resources = readdirSync(KERNEL_FOLDER).flatMap((file) => {
      const key = RESOURCE.exec(file)?.[1];
      return key === undefined ? [] : [[key, `/kernelspecs/${KERNEL_NAME}/${file}`]];
    });
    const model = { name: KERNEL_NAME, spec: this.#spec, resources: Object.fromEntries(resources) };
    return { default: KERNEL_NAME, kernelspecs: { [KERNEL_NAME]: model } };
  }

  /** A file of the kernelspec that front ends show. */
  resource(name: string, file: string): HubResponse {
    if (name !== KERNEL_NAME || !RESOURCE.test(file) || path.basename(file) !== file || file.includes("\0")) {
      throw new HubError(404, `${name}/${file}: no such resource of a kernelspec`);
    }
    const full = path.join(KERNEL_FOLDER, file);
    if (statSync(full, { throwIfNoEntry: false }) === undefined) {
      throw new HubError(404, `${name}/${file}: no such resource of a kernelspec`);
    }
    return { status: 200, file: { bytes: readFileSync(full), type: contentType(file) } };
  }

  /** The nearest folder that exists: a session's path may be that of a notebook still to be saved. */
  #folderFor(notebook: string): string {
    for (let folder = folderOf(notebook); ; folder = folderOf(folder)) {
      const full = this.#contents.locate(folder);
      if (folder === "" || statSync(full, { throwIfNoEntry: false })?.isDirectory() === true) return full;
    }
  }
}
