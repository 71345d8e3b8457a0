/** A notebook that is open: its file, its view, its kernel, and what one can do with them. */

import type { ISessionContext } from "@jupyterlab/apputils";
import { type Notebook, NotebookActions, type NotebookPanel } from "@jupyterlab/notebook";
import { KernelAPI, ServerConnection } from "@jupyterlab/services";
import { GO_TO_LINE_EVENT, type LineOfCell } from "./error-output.js";
import { type KernelState, watchKernel } from "./kernel-state.js";
import { watchSummary } from "./live-summary.js";
import { NotebookFile, readNotebook } from "./notebook-file.js";
import type { NotebookViews } from "./notebook-view.js";
import { type Observable, Variable } from "./observable.js";
import { RUN_CELL_EVENT } from "./run-prompt.js";
import type { NotebookSummary } from "./sections.js";
import type { Services } from "./services.js";
import { KERNEL_NAME } from "./sessions.js";

const ASK_AGAIN_MILLISECONDS = 2000;

export class OpenNotebook {
  readonly summary: Observable<NotebookSummary>;
  readonly kernel: Variable<KernelState>;
  /** How often the server has started the kernel anew because it had ended. */
  readonly deaths = new Variable(0);

  private constructor(
    readonly path: string,
    readonly file: NotebookFile,
    readonly panel: NotebookPanel,
    readonly session: ISessionContext,
  ) {
    this.summary = watchSummary(panel.context.model);
    this.kernel = watchKernel(session, this.summary);
    session.statusChanged.connect((_, status) => {
      if (status === "autorestarting") this.deaths.set(this.deaths.value + 1);
    });
    // JupyterLab would stop everything with a dialog; the page says it in a notice.
    session.statusChanged.disconnect(panel["_onSessionStatusChanged"], panel);
    this.kernel.observe(({ status, reason }) => {
      if (status === "dead" && reason === undefined) void this.#learnReason();
      if (status === "disconnected") void this.#awaitServer();
    });
    panel.node.addEventListener(RUN_CELL_EVENT, (event) => this.#runCellAround(event.target as Node));
    panel.node.addEventListener(GO_TO_LINE_EVENT, (event) => this.#goToLine((event as CustomEvent<LineOfCell>).detail));
  }

  /**
   * Opens the notebook at a path; its kernel is still starting when it is shown.
   * @throws NotANotebook, or what the server says when it cannot be read.
   */
  static async open(path: string, services: Services, views: NotebookViews): Promise<OpenNotebook> {
    const loaded = await readNotebook(services.contents, path);
    services.sessions.begin(path);
    const { context, panel } = views.open(path);
    await context.initialize(false);
    const file = new NotebookFile(path, loaded, services.contents, context.model);
    return new OpenNotebook(path, file, panel, context.sessionContext);
  }

  get notebook(): Notebook {
    return this.panel.content;
  }

  async runAll(): Promise<void> {
    await NotebookActions.runAll(this.notebook, this.session);
  }

  async runAbove(): Promise<void> {
    await NotebookActions.runAllAbove(this.notebook, this.session);
  }

  async interrupt(): Promise<void> {
    await this.session.session?.kernel?.interrupt();
  }

  /** A dead kernel is replaced by a new one. */
  async restart(): Promise<void> {
    const dead = this.kernel.value.status === "dead";
    if (!dead) await this.session.restartKernel();
    else await this.#replaceKernel();
  }

  async reconnect(): Promise<void> {
    await this.session.session?.kernel?.reconnect();
  }

  dispose(): void {
    this.file.dispose();
    this.panel.dispose();
  }

  async #replaceKernel(): Promise<void> {
    try {
      await this.session.changeKernel({ name: KERNEL_NAME });
    } catch {
      // A server that has been started anew does not know the session either.
      await this.session.shutdown().catch(() => {});
      await this.session.changeKernel({ name: KERNEL_NAME });
    }
  }

  /** JupyterLab asks ever more seldom, and gives up after some minutes; a server on this machine can be asked often. */
  async #awaitServer(): Promise<void> {
    const kernel = this.session.session?.kernel;
    while (kernel != null && this.kernel.value.status === "disconnected" && !this.panel.isDisposed) {
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MILLISECONDS));
      const answer = await KernelAPI.getKernelModel(kernel.id, kernel.serverSettings).catch((error) => error);
      // Any answer will do: a kernel that is gone is found out by connecting to it.
      if (!(answer instanceof ServerConnection.NetworkError)) await kernel.reconnect().catch(() => {});
    }
  }

  /** The connection has forgotten its kernel by now; the server knows how it ended. */
  async #learnReason(): Promise<void> {
    const id = this.session.session?.kernel?.id;
    if (id === undefined) return;
    const model = await KernelAPI.getKernelModel(id, this.session.sessionManager.serverSettings).catch(() => undefined);
    if (model?.reason !== undefined && this.kernel.value.status === "dead") {
      this.kernel.set({ status: "dead", reason: model.reason });
    }
  }

  #goToLine({ count, line }: LineOfCell): void {
    const index = this.notebook.widgets.findIndex(({ promptNode }) => promptNode?.textContent === count);
    if (index < 0) return;
    this.notebook.activeCellIndex = index;
    this.notebook.mode = "edit";
    this.notebook.activeCell?.editor?.setCursorPosition({ line: line - 1, column: 0 });
  }

  #runCellAround(target: Node): void {
    const index = this.notebook.widgets.findIndex(({ node }) => node.contains(target));
    if (index < 0) return;
    this.notebook.activeCellIndex = index;
    this.notebook.deselectAll();
    void NotebookActions.run(this.notebook, this.session);
  }
}
