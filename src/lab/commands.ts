/** Everything one can do, as a table: what it is called, its keys (JupyterLab's), and what it does. */
import { type Notebook, NotebookActions } from "@jupyterlab/notebook";
import type { OpenNotebook } from "./open-notebook.js";

/** Where keys hold: between cells, inside one, in either, on the whole page, or where something is open or possible. */
export type Scope = "command" | "edit" | "notebook" | "page" | "completable" | "completing" | "inspectable" | "finding";

export interface Command {
  readonly id: string;
  readonly label: string;
  readonly group: string;
  readonly keys?: readonly (readonly [key: string, scope: Scope])[];
  run(page: PageActions): unknown;
}

/** What commands work on. */
export interface PageActions {
  readonly open: OpenNotebook | undefined;
  complete(): void;
  selectCompletion(): void;
  inspect(): void;
  find(): void;
  findNext(): void;
  endFind(): void;
  showCommands(): void;
  toggleOutline(): void;
  cycleTheme(): void;
  newNotebook(): void;
  restart(): Promise<boolean>;
  save(): Promise<void>;
}

type InNotebook = (notebook: Notebook, open: OpenNotebook) => unknown;

const within =
  (work: InNotebook): Command["run"] =>
  ({ open }) =>
    open === undefined ? undefined : work(open.notebook, open);

const SELECTORS: Readonly<Record<Scope, string>> = {
  command: ".jp-Notebook.jp-mod-commandMode:not(.jp-mod-readWrite) :focus:not(:read-write)",
  edit: ".jp-Notebook.jp-mod-editMode",
  notebook: ".jp-Notebook",
  page: "body",
  completable: ".jp-Notebook.jp-mod-editMode .jp-mod-completer-enabled",
  completing: ".jp-Notebook .jp-mod-completer-active",
  finding: ".jp-DocumentSearch-overlay",
  inspectable:
    ".jp-Notebook.jp-mod-editMode .jp-InputArea-editor:not(.jp-mod-has-primary-selection):not(.jp-mod-in-leading-whitespace):not(.jp-mod-completer-active)",
};

export const selectorOf = (scope: Scope): string => SELECTORS[scope];

const both = (key: string): readonly (readonly [string, Scope])[] => [
  [key, "command"],
  [key, "edit"],
];

export const commands: readonly Command[] = [
  {
    id: "run-advance",
    label: "Run cell and go to the next",
    group: "Run",
    keys: both("Shift Enter"),
    run: within((notebook, { session }) => NotebookActions.runAndAdvance(notebook, session)),
  },
  {
    id: "run",
    label: "Run cell",
    group: "Run",
    keys: both("Ctrl Enter"),
    run: within((notebook, { session }) => NotebookActions.run(notebook, session)),
  },
  {
    id: "run-insert",
    label: "Run cell and insert one below",
    group: "Run",
    keys: both("Alt Enter"),
    run: within((notebook, { session }) => NotebookActions.runAndInsert(notebook, session)),
  },
  { id: "run-all", label: "Run all cells", group: "Run", run: within((_, open) => open.runAll()) },
  {
    id: "run-above",
    label: "Run all cells above",
    group: "Run",
    run: within((notebook, { session }) => NotebookActions.runAllAbove(notebook, session)),
  },
  {
    id: "run-below",
    label: "Run this cell and all below",
    group: "Run",
    run: within((notebook, { session }) => NotebookActions.runAllBelow(notebook, session)),
  },
  {
    id: "interrupt",
    label: "Interrupt the kernel",
    group: "Kernel",
    keys: [["I I", "command"]],
    run: within((_, open) => open.interrupt()),
  },
  {
    id: "restart",
    label: "Restart the kernel…",
    group: "Kernel",
    keys: [["0 0", "command"]],
    run: (page) => page.restart(),
  },
  {
    id: "restart-run-all",
    label: "Restart the kernel and run all cells…",
    group: "Kernel",
    run: async (page) => {
      if (await page.restart()) await page.open?.runAll();
    },
  },
  {
    id: "edit-mode",
    label: "Edit the cell",
    group: "Modes",
    keys: [["Enter", "command"]],
    run: within((notebook) => {
      notebook.mode = "edit";
    }),
  },
  {
    id: "command-mode",
    label: "Leave the cell",
    group: "Modes",
    keys: [
      ["Escape", "edit"],
      ["Ctrl M", "edit"],
    ],
    run: within((notebook) => {
      notebook.mode = "command";
    }),
  },
  {
    id: "insert-above",
    label: "Insert cell above",
    group: "Cells",
    keys: [["A", "command"]],
    run: within((notebook) => NotebookActions.insertAbove(notebook)),
  },
  {
    id: "insert-below",
    label: "Insert cell below",
    group: "Cells",
    keys: [["B", "command"]],
    run: within((notebook) => NotebookActions.insertBelow(notebook)),
  },
  {
    id: "delete",
    label: "Delete cell",
    group: "Cells",
    keys: [["D D", "command"]],
    run: within((notebook) => NotebookActions.deleteCells(notebook)),
  },
  {
    id: "undo-cells",
    label: "Undo the last change of cells",
    group: "Cells",
    keys: [["Z", "command"]],
    run: within((notebook) => NotebookActions.undo(notebook)),
  },
  {
    id: "redo-cells",
    label: "Redo the last change of cells",
    group: "Cells",
    keys: [["Shift Z", "command"]],
    run: within((notebook) => NotebookActions.redo(notebook)),
  },
  {
    id: "cut",
    label: "Cut cell",
    group: "Cells",
    keys: [["X", "command"]],
    run: within((notebook) => NotebookActions.cut(notebook)),
  },
  {
    id: "copy",
    label: "Copy cell",
    group: "Cells",
    keys: [["C", "command"]],
    run: within((notebook) => NotebookActions.copy(notebook)),
  },
  {
    id: "paste",
    label: "Paste cell below",
    group: "Cells",
    keys: [["V", "command"]],
    run: within((notebook) => NotebookActions.paste(notebook, "below")),
  },
  {
    id: "duplicate",
    label: "Duplicate cell",
    group: "Cells",
    run: within((notebook) => NotebookActions.duplicate(notebook, "belowSelected")),
  },
  {
    id: "move-up",
    label: "Move cell up",
    group: "Cells",
    keys: [["Ctrl Shift ArrowUp", "notebook"]],
    run: within((notebook) => NotebookActions.moveUp(notebook)),
  },
  {
    id: "move-down",
    label: "Move cell down",
    group: "Cells",
    keys: [["Ctrl Shift ArrowDown", "notebook"]],
    run: within((notebook) => NotebookActions.moveDown(notebook)),
  },
  {
    id: "to-text",
    label: "Make it a text cell",
    group: "Cells",
    keys: [["M", "command"]],
    run: within((notebook) => NotebookActions.changeCellType(notebook, "markdown")),
  },
  {
    id: "to-code",
    label: "Make it a code cell",
    group: "Cells",
    keys: [["Y", "command"]],
    run: within((notebook) => NotebookActions.changeCellType(notebook, "code")),
  },
  {
    id: "split",
    label: "Split cell at the cursor",
    group: "Cells",
    keys: [["Ctrl Shift -", "edit"]],
    run: within((notebook) => NotebookActions.splitCell(notebook)),
  },
  {
    id: "merge",
    label: "Merge with the cell below",
    group: "Cells",
    keys: [["Shift M", "command"]],
    run: within((notebook) => NotebookActions.mergeCells(notebook)),
  },
  {
    id: "select-above",
    label: "Go to the cell above",
    group: "Modes",
    keys: [
      ["ArrowUp", "command"],
      ["K", "command"],
    ],
    run: within((notebook) => {
      NotebookActions.selectAbove(notebook);
      return NotebookActions.focusActiveCell(notebook);
    }),
  },
  {
    id: "select-below",
    label: "Go to the cell below",
    group: "Modes",
    keys: [
      ["ArrowDown", "command"],
      ["J", "command"],
    ],
    run: within((notebook) => {
      NotebookActions.selectBelow(notebook);
      return NotebookActions.focusActiveCell(notebook);
    }),
  },
  {
    id: "extend-above",
    label: "Select the cell above, too",
    group: "Modes",
    keys: [["Shift ArrowUp", "command"]],
    run: within((notebook) => NotebookActions.extendSelectionAbove(notebook)),
  },
  {
    id: "extend-below",
    label: "Select the cell below, too",
    group: "Modes",
    keys: [["Shift ArrowDown", "command"]],
    run: within((notebook) => NotebookActions.extendSelectionBelow(notebook)),
  },
  {
    id: "clear-outputs",
    label: "Clear all outputs",
    group: "Outputs",
    run: within((notebook) => NotebookActions.clearAllOutputs(notebook)),
  },
  {
    id: "toggle-output",
    label: "Hide or show the output of a cell",
    group: "Outputs",
    keys: [["O", "command"]],
    run: within((notebook) => NotebookActions.toggleOutput(notebook)),
  },
  {
    id: "line-numbers",
    label: "Line numbers",
    group: "View",
    keys: [["Shift L", "command"]],
    run: within((notebook) => NotebookActions.toggleAllLineNumbers(notebook)),
  },
  {
    id: "complete",
    label: "Complete",
    group: "Writing code",
    keys: [["Tab", "completable"]],
    run: (page) => page.complete(),
  },
  {
    id: "take-completion",
    label: "Take the completion",
    group: "Writing code",
    keys: [["Enter", "completing"]],
    run: (page) => page.selectCompletion(),
  },
  {
    id: "inspect",
    label: "Tell me about this name",
    group: "Writing code",
    keys: [["Shift Tab", "inspectable"]],
    run: (page) => page.inspect(),
  },
  {
    id: "find",
    label: "Find and replace",
    group: "Writing code",
    keys: [["Accel F", "page"]],
    run: (page) => page.find(),
  },
  {
    id: "find-next",
    label: "Find the next",
    group: "Writing code",
    keys: [["Accel G", "page"]],
    run: (page) => page.findNext(),
  },
  {
    id: "end-find",
    label: "Close the search",
    group: "Writing code",
    keys: [["Escape", "finding"]],
    run: (page) => page.endFind(),
  },
  { id: "save", label: "Save", group: "Notebook", keys: [["Accel S", "page"]], run: (page) => page.save() },
  { id: "new", label: "New notebook…", group: "Notebook", run: (page) => page.newNotebook() },
  {
    id: "outline",
    label: "Show or hide the course",
    group: "View",
    keys: [["Accel B", "page"]],
    run: (page) => page.toggleOutline(),
  },
  { id: "theme", label: "Light, dark, or as the system has it", group: "View", run: (page) => page.cycleTheme() },
  {
    id: "commands",
    label: "All commands and their keys",
    group: "View",
    keys: [
      ["H", "command"],
      ["Accel Shift C", "page"],
    ],
    run: (page) => page.showCommands(),
  },
];
