/** JupyterLab's notebook as the page uses it: editors, renderers, prompts and what the notebook is told about itself. */

import type { ISessionContext } from "@jupyterlab/apputils";
import { isCodeCellModel } from "@jupyterlab/cells";
import { Context } from "@jupyterlab/docregistry";
import {
  type INotebookCellExecutor,
  type INotebookModel,
  NotebookModelFactory,
  NotebookPanel,
  NotebookWidgetFactory,
  runCell,
  StaticNotebook,
  setCellExecutor,
} from "@jupyterlab/notebook";
import { createEditors } from "./editors.js";
import { createRendering } from "./rendering.js";
import { RunPrompt } from "./run-prompt.js";
import type { Services } from "./services.js";
import { KERNEL_NAME } from "./sessions.js";

export interface NotebookView {
  readonly context: Context<INotebookModel>;
  readonly panel: NotebookPanel;
}

export interface NotebookViews {
  /** The notebook at a path; it is empty until its context is initialized. */
  open(path: string): NotebookView;
}

/** Kernels are not a choice here: a notebook for another one is run with ours. */
const dialogs: ISessionContext.IDialogs = {
  selectKernel: async (session) => {
    await session.changeKernel({ name: KERNEL_NAME });
  },
  restart: async (session) => {
    await session.restartKernel();
    return true;
  },
};

/** JupyterLab drops a cell that is run before the kernel is there; here it waits, and shows that it does. */
async function runWhenReady(options: INotebookCellExecutor.IRunCellOptions): Promise<boolean> {
  const { cell, sessionContext } = options;
  if (isCodeCellModel(cell.model) && sessionContext !== undefined && !sessionContext.isReady) {
    cell.model.executionState = "running";
    await sessionContext.ready;
  }
  return cell.isDisposed ? false : runCell(options);
}

export function createNotebookViews(services: Services): NotebookViews {
  setCellExecutor({ runCell: runWhenReady });
  const editors = createEditors();
  const factoryService = editors.services.factoryService;
  const editorFactory = factoryService.newInlineEditor;
  const contentFactory = new (class extends NotebookPanel.ContentFactory {
    override createInputPrompt() {
      return new RunPrompt();
    }
  })({ editorFactory });
  const { code, markdown, raw } = StaticNotebook.defaultEditorConfig;
  const editing = { autoClosingBrackets: true, indentUnit: "2", cursorBlinkRate: 1200, lineWrap: true };
  const widgets = new NotebookWidgetFactory({
    name: "Notebook",
    modelName: "notebook",
    fileTypes: ["notebook"],
    rendermime: createRendering(editors),
    contentFactory,
    mimeTypeService: editors.services.mimeTypeService,
    editorConfig: { code: { ...code, ...editing }, markdown: { ...markdown, ...editing }, raw },
    notebookConfig: {
      ...StaticNotebook.defaultNotebookConfig,
      scrollPastEnd: true,
      windowingMode: "none",
      autoRenderMarkdownCells: true,
    },
  });
  const models = new NotebookModelFactory({});
  return {
    open(path) {
      const context = new Context({
        manager: services.manager,
        factory: models,
        path,
        sessionDialogs: dialogs,
        kernelPreference: { name: KERNEL_NAME, language: "typescript", shouldStart: true, autoStartDefault: true },
      });
      return { context, panel: widgets.createNew(context) as NotebookPanel };
    },
  };
}
