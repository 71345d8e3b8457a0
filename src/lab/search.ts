/** Find and replace in a notebook, with JupyterLab's own view of it. */
import { SearchDocumentModel, SearchDocumentView } from "@jupyterlab/documentsearch";
import { type NotebookPanel, NotebookSearchProvider } from "@jupyterlab/notebook";
import { Widget } from "@lumino/widgets";

const views = new WeakMap<NotebookPanel, SearchDocumentView>();
const SEARCH_AFTER_MILLISECONDS = 250;

/** Opens the search of this notebook, with what is selected as what is looked for. */
export function find(panel: NotebookPanel): void {
  const view = views.get(panel) ?? createView(panel);
  if (!view.isAttached) {
    Widget.attach(view, panel.node.parentElement!);
    void view.model.refresh();
  }
  const selected = view.model.suggestedInitialQuery;
  if (selected !== "") view.setSearchText(selected);
  view.focusSearchInput();
}

export function findNext(panel: NotebookPanel): void {
  const view = views.get(panel);
  if (view?.isAttached) void view.model.highlightNext();
  else find(panel);
}

export function endFind(panel: NotebookPanel): void {
  views.get(panel)?.close();
}

function createView(panel: NotebookPanel): SearchDocumentView {
  const model = new SearchDocumentModel(new NotebookSearchProvider(panel), SEARCH_AFTER_MILLISECONDS);
  const view = new SearchDocumentView(model);
  view.closed.connect(() => panel.content.activate());
  panel.disposed.connect(() => {
    view.dispose();
    model.dispose();
  });
  views.set(panel, view);
  return view;
}
