/** Completion and inspection: what the kernel knows about the code at the cursor. */
import { CompletionProviderManager, ContextCompleterProvider, KernelCompleterProvider } from "@jupyterlab/completer";
import { Text } from "@jupyterlab/coreutils";
import type { NotebookPanel } from "@jupyterlab/notebook";
import { Tooltip } from "@jupyterlab/tooltip";
import { Widget } from "@lumino/widgets";

const completions = new CompletionProviderManager();
completions.registerProvider(new KernelCompleterProvider());
completions.registerProvider(new ContextCompleterProvider());
completions.activateProvider(["CompletionProvider:kernel"]);
completions.setTimeout(4000);

/** From now on completions work in this notebook. */
export function assist(panel: NotebookPanel): void {
  const { content, context } = panel;
  const update = () => {
    const editor = content.activeCell?.editor ?? null;
    const { session } = context.sessionContext;
    const { sanitizer } = content.rendermime;
    void completions.updateCompleter({ widget: panel, editor, session, sanitizer });
  };
  content.activeCellChanged.connect((_, cell) => {
    // The editor of a cell out of sight is made when it comes into sight.
    void cell?.ready.then(update);
    update();
  });
  context.sessionContext.sessionChanged.connect(update);
  context.sessionContext.kernelChanged.connect(update);
  update();
}

export const complete = (panel: NotebookPanel): void => completions.invoke(panel.id);
export const selectCompletion = (panel: NotebookPanel): void => completions.select(panel.id);

let shown: Tooltip | undefined;

/** Shows what the kernel knows about the name at the cursor. */
export async function inspect({ content, context }: NotebookPanel): Promise<void> {
  shown?.dispose();
  const editor = content.activeCell?.editor;
  const kernel = context.sessionContext.session?.kernel;
  if (editor == null || kernel == null) return;
  const code = editor.model.sharedModel.getSource();
  const position = editor.getCursorPosition();
  const cursor_pos = Text.jsIndexToCharIndex(editor.getOffsetAt(position), code);
  const { content: reply } = await kernel.requestInspect({ code, cursor_pos, detail_level: 0 });
  if (reply.status !== "ok" || !reply.found) return;
  shown = new Tooltip({ anchor: content, bundle: reply.data, editor, rendermime: content.rendermime });
  Widget.attach(shown, document.body);
}
