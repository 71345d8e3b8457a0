/**
 * Runs all cells of a notebook on a fresh kernel, through @jupyterlab/services as any Jupyter client would.
 * Input requests and widgets are left out. Manual: Messaging in Jupyter, "Execute".
 */
import { KernelAPI, KernelConnection, type ServerConnection } from "@jupyterlab/services";
import { VirtlabError } from "../../state/error.js";
import { Hub } from "../hub/hub.js";
import type { HubKernel } from "../hub/hub-kernel.js";
import { inProcessSettings } from "../hub/in-process-transport.js";
import { KERNEL_NAME, type KernelSpec, kernelSpec } from "../hub/kernel-spec.js";
import { CellOutputs } from "./cell-outputs.js";
import { type NotebookCell, type NotebookDocument, withoutOutputs } from "./notebook-document.js";
import { stampedMetadata } from "./versions.js";

export interface RunOptions {
  /** The folder in which the kernel runs. */
  readonly folder: string;
  /** The kernel to run on; this package's when it is not given. */
  readonly spec?: KernelSpec;
  /** Called before each code cell and at the end. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Ends the kernel when one cell takes longer, in milliseconds; without it a cell may run for ever. */
  readonly cellTimeout?: number;
}

export interface CellFailure {
  /** The cell's place in the notebook, from 1. */
  readonly cell: number;
  /** The number of the execution; undefined when the kernel ended before it answered. */
  readonly executionCount: number | undefined;
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

export interface NotebookRun {
  /** The notebook with the outputs of all cells up to the failing one; later cells have none. */
  readonly notebook: NotebookDocument;
  readonly failure?: CellFailure;
}

/**
 * Runs the cells in order and stops at the first that fails, unless it is tagged `raises-exception`.
 * @throws VirtlabError when the kernel cannot be started.
 */
export async function runNotebook(notebook: NotebookDocument, options: RunOptions): Promise<NotebookRun> {
  const hub = new Hub(options.folder, options.spec);
  // @jupyterlab/services tells about its connections on console.debug, which in Node is standard output.
  const { debug } = console;
  console.debug = () => {};
  try {
    const settings = inProcessSettings(hub);
    const model = await startKernel(settings);
    const connection = new KernelConnection({ model, serverSettings: settings });
    try {
      return await new Runner(notebook, connection, hub.kernel(model.id)!, options).run();
    } finally {
      connection.dispose();
    }
  } finally {
    await hub.dispose();
    console.debug = debug;
  }
}

async function startKernel(settings: ServerConnection.ISettings) {
  try {
    return await KernelAPI.startNew({ name: KERNEL_NAME }, settings);
  } catch (error) {
    throw new VirtlabError(`the kernel cannot be started: ${(error as Error).message}`);
  }
}

class Runner {
  readonly #notebook: NotebookDocument;
  readonly #connection: KernelConnection;
  readonly #kernel: HubKernel;
  readonly #options: RunOptions;
  readonly #outputs = new CellOutputs();

  constructor(notebook: NotebookDocument, connection: KernelConnection, kernel: HubKernel, options: RunOptions) {
    this.#notebook = notebook;
    this.#connection = connection;
    this.#kernel = kernel;
    this.#options = options;
  }

  async run(): Promise<NotebookRun> {
    const { onProgress } = this.#options;
    const cells = [...withoutOutputs(this.#notebook).cells];
    const total = cells.filter(isRunnable).length;
    let done = 0;
    let failure: CellFailure | undefined;
    for (const [index, cell] of cells.entries()) {
      if (!isRunnable(cell)) continue;
      onProgress?.(done, total);
      const outputs = this.#outputs.beginCell();
      const result = await this.#runCell(cell);
      cells[index] = { ...cell, execution_count: result.executionCount ?? null, outputs };
      if (result.failure !== undefined && !mayFail(cell)) {
        failure = { cell: index + 1, executionCount: result.executionCount, ...result.failure };
        break;
      }
      done += 1;
    }
    onProgress?.(done, total);
    const notebook = { cells, metadata: await this.#metadata(failure === undefined) };
    return failure === undefined ? { notebook } : { notebook, failure };
  }

  async #runCell(cell: NotebookCell): Promise<CellResult> {
    const { cellTimeout } = this.#options;
    const future = this.#connection.requestExecute({ code: cell.source, allow_stdin: false, stop_on_error: true });
    future.onIOPub = ({ header, content }) => {
      this.#outputs.add({ type: header.msg_type, content: content as unknown as Record<string, unknown> });
    };
    let timedOut = false;
    const timer =
      cellTimeout === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            void this.#kernel.kill();
          }, cellTimeout);
    try {
      const { content } = await future.done;
      const executionCount = content.execution_count ?? undefined;
      if (content.status === "ok") return { executionCount };
      if (content.status === "error") {
        const { ename, evalue, traceback } = content;
        return { executionCount, failure: { ename, evalue, traceback } };
      }
      return { executionCount, failure: this.#fail("Aborted", "the kernel did not run the cell") };
    } catch (error) {
      // A kernel that ends leaves its requests without an answer.
      if (timedOut) return { failure: this.#fail("Timeout", `the cell ran longer than ${cellTimeout! / 1000} s`) };
      const reason = this.#kernel.deathReason ?? (error as Error).message;
      return { failure: this.#fail("DeadKernelError", reason) };
    } finally {
      clearTimeout(timer);
    }
  }

  /** A failure that the kernel did not report is shown below the cell like one that it did. */
  #fail(ename: string, evalue: string): Failure {
    const failure = { ename, evalue, traceback: [`${ename}: ${evalue}`] };
    this.#outputs.add({ type: "error", content: failure });
    return failure;
  }

  /** Front ends choose the kernel and the colours of the code by these entries. */
  async #metadata(kernelLives: boolean): Promise<Readonly<Record<string, unknown>>> {
    const { display_name, language } = this.#options.spec ?? kernelSpec();
    const metadata = {
      ...stampedMetadata(this.#notebook),
      kernelspec: { display_name, language, name: KERNEL_NAME },
    };
    return kernelLives ? { ...metadata, language_info: (await this.#connection.info).language_info } : metadata;
  }
}

type Failure = Pick<CellFailure, "ename" | "evalue" | "traceback">;

interface CellResult {
  readonly executionCount?: number | undefined;
  readonly failure?: Failure;
}

function isRunnable(cell: NotebookCell): boolean {
  return cell.cell_type === "code" && cell.source.trim() !== "";
}

/** The tag by which notebooks say that an error is wanted. */
function mayFail(cell: NotebookCell): boolean {
  const tags = cell.metadata["tags"];
  return Array.isArray(tags) && tags.includes("raises-exception");
}
