/**
 * Where progress is shown: below the cell of a notebook, or on a line of a terminal. The kernel offers the former as
 * globalThis[Symbol.for("virtlab.notebook")] (kernel-spec/notebook-hook.js); its messages leave at once, also out of a
 * loop that never gives the event loop a turn.
 */
import { type ProgressState, progressHtml, progressLine, progressText } from "../../view/progress-display.js";

export interface Place {
  /** Whether what is shown last is saved and compared. */
  readonly saved: boolean;
  /** Shows the first state, and later ones in its place; the last one is not "running". */
  show(state: ProgressState): void;
}

/** What is used of the kernel's functions for libraries. */
export interface NotebookFunctions {
  display(bundle: Readonly<Record<string, string>>, options: { readonly id: string }): void;
  update(bundle: Readonly<Record<string, string>>, options: { readonly id: string }): void;
  /** Of the running cell; aborted when it is interrupted. */
  readonly signal?: AbortSignal;
}

/** What is used of a stream such as standard error. */
export interface TerminalStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const NOTEBOOK = Symbol.for("virtlab.notebook");
const DEFAULT_COLUMNS = 80;
/** Seconds between two lines of a log. */
const LOG_PERIOD = 10;
const CLEAR_TO_END = "\x1b[K";

/** Where this process shows progress now; undefined if nowhere. */
export function presentPlace(): Place | undefined {
  const notebook = (globalThis as { [NOTEBOOK]?: NotebookFunctions })[NOTEBOOK];
  if (notebook !== undefined) return cellPlace(notebook);
  const stream = typeof process === "undefined" ? undefined : process.stderr;
  return stream?.isTTY === true ? terminalPlace(stream) : undefined;
}

/** Below the present cell of a notebook. */
function cellPlace(notebook: NotebookFunctions): Place {
  const id = globalThis.crypto.randomUUID();
  const { signal } = notebook;
  let last: ProgressState | undefined;
  const show = (state: ProgressState): void => {
    const bundle = { "text/html": progressHtml(state), "text/plain": progressText(state) };
    if (last === undefined) notebook.display(bundle, { id });
    else notebook.update(bundle, { id });
    last = state;
  };
  // An interrupt ends the cell wherever it is, so nobody else says that the work will not go on.
  const stopped = (): void => {
    if (last?.phase === "running") show({ ...last, phase: "stopped" });
  };
  signal?.addEventListener("abort", stopped, { once: true });
  return {
    saved: true,
    show: (state) => {
      show(state);
      if (state.phase !== "running") signal?.removeEventListener("abort", stopped);
    },
  };
}

/** On a line of a terminal, which stays at the end unless it is to be cleared. */
export function terminalPlace(stream: TerminalStream, { clear = false } = {}): Place {
  return {
    saved: false,
    show: (state) => {
      const last = state.phase !== "running";
      const line = last && clear ? "" : progressLine(state, stream.columns ?? DEFAULT_COLUMNS);
      stream.write(`\r${line}${CLEAR_TO_END}${last && !clear ? "\n" : ""}`);
    },
  };
}

/** For a command that has its result to print: a line that is gone at the end; in a log, now and then a line. */
export function commandPlace(stream: TerminalStream): Place {
  return stream.isTTY === true ? terminalPlace(stream, { clear: true }) : logPlace(stream);
}

function logPlace(stream: TerminalStream): Place {
  let next = LOG_PERIOD;
  return {
    saved: false,
    show: (state) => {
      if (state.phase !== "running" || state.seconds < next) return;
      next = state.seconds + LOG_PERIOD;
      stream.write(`${progressText(state)}\n`);
    },
  };
}
