/** The summary of an open notebook, as it is edited and run. */
import { isCodeCellModel } from "@jupyterlab/cells";
import type { INotebookModel } from "@jupyterlab/notebook";
import { type Observable, Variable } from "./observable.js";
import { type CellFacts, type NotebookSummary, summarize } from "./sections.js";

const TELL_AFTER_MILLISECONDS = 100;

/** The summary now and as it changes, but not for each line of output. */
export function watchSummary(model: INotebookModel): Observable<NotebookSummary> {
  const summary = new Variable(summaryOf(model));
  let waiting = false;
  const look = () => {
    waiting = false;
    if (!model.isDisposed) summary.set(summaryOf(model));
  };
  const change = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(look, TELL_AFTER_MILLISECONDS);
  };
  model.contentChanged.connect(change);
  const watched = new WeakSet();
  const watchCells = () => {
    for (const cell of model.cells) {
      if (watched.has(cell)) continue;
      watched.add(cell);
      cell.stateChanged.connect(change);
    }
  };
  model.cells.changed.connect(watchCells);
  watchCells();
  return summary;
}

const summaryOf = (model: INotebookModel): NotebookSummary => summarize([...model.cells].map(factsOf));

function factsOf(cell: ReturnType<INotebookModel["cells"]["get"]>): CellFacts {
  const facts = { id: cell.id, type: cell.type, source: cell.sharedModel.getSource() };
  if (!isCodeCellModel(cell)) return { ...facts, ran: false, failed: false, running: false };
  let failed = false;
  for (let index = 0; index < cell.outputs.length; index++) failed ||= cell.outputs.get(index).type === "error";
  const running = cell.executionState === "running";
  return { ...facts, ran: cell.executionCount !== null && !running, failed, running };
}
