/** Marks under what the compiler has refused, or under the line that threw, in the cell itself. */
import { type Diagnostic, forEachDiagnostic, setDiagnostics, setDiagnosticsEffect } from "@codemirror/lint";
import { EditorState, type Extension, type Text } from "@codemirror/state";
import { type EditorView, ViewPlugin } from "@codemirror/view";
import { type ICodeCellModel, isCodeCellModel } from "@jupyterlab/cells";
import type { CodeEditor } from "@jupyterlab/codeeditor";
import { type ErrorOutput, type ErrorPlace, errorPlaces } from "./error-places.js";

/** The extension for the editor of one cell; its marks follow the cell's outputs. */
export function typeErrorMarks(model: CodeEditor.IModel): Extension {
  const cell = model as unknown as ICodeCellModel;
  if (!isCodeCellModel(cell)) return [];
  return [followOutputs(cell), dropEdited];
}

const followOutputs = (cell: ICodeCellModel): Extension =>
  ViewPlugin.define((view) => {
    let alive = true;
    // The cell forgets its outputs before its editor ends.
    const { outputs } = cell;
    // An editor cannot be changed while it is being made or updated.
    const mark = () => queueMicrotask(() => alive && show(view, cell));
    outputs.changed.connect(mark);
    // The count, by which a trace names its cell, comes after the error.
    cell.stateChanged.connect(mark);
    mark();
    return {
      destroy() {
        alive = false;
        outputs.changed.disconnect(mark);
        cell.stateChanged.disconnect(mark);
      },
    };
  });

function show(view: EditorView, cell: ICodeCellModel): void {
  const diagnostics = diagnosticsOf(cell, view.state.doc);
  let shown = 0;
  forEachDiagnostic(view.state, () => {
    shown += 1;
  });
  if (shown > 0 || diagnostics.length > 0) view.dispatch(setDiagnostics(view.state, diagnostics));
}

function diagnosticsOf(cell: ICodeCellModel, doc: Text): Diagnostic[] {
  for (let index = 0; index < cell.outputs.length; index++) {
    const output = cell.outputs.get(index);
    if (output.type !== "error") continue;
    const places = errorPlaces(output.toJSON() as unknown as ErrorOutput, cell.executionCount);
    return places.flatMap((place) => diagnosticAt(place, doc));
  }
  return [];
}

/** From the column to the end of the word there, or the whole line. */
function diagnosticAt({ line: number, column, message }: ErrorPlace, doc: Text): Diagnostic[] {
  if (number < 1 || number > doc.lines) return [];
  const line = doc.line(number);
  const indent = /^\s*/.exec(line.text)![0].length;
  const start = Math.min(column === undefined ? indent : column - 1, line.length);
  const length = column === undefined ? line.length - indent : /^[\w$]+|^.?/.exec(line.text.slice(start))![0].length;
  return [{ from: line.from + start, to: line.from + start + length, severity: "error", message }];
}

/** What one has typed over is no longer what the compiler complained about. */
const dropEdited = EditorState.transactionExtender.of(({ startState, changes, docChanged }) => {
  if (!docChanged) return null;
  const kept: Diagnostic[] = [];
  let dropped = false;
  forEachDiagnostic(startState, (diagnostic, from, to) => {
    if (changes.touchesRange(from, to)) dropped = true;
    else kept.push({ ...diagnostic, from: changes.mapPos(from), to: changes.mapPos(to) });
  });
  return dropped ? { effects: setDiagnosticsEffect.of(kept) } : null;
});
