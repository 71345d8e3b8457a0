// Gives the code of each cell a name in stack traces and finds the line of the cell behind a line of the compiled code.
// tslab makes no source map: a line is found by its text, and left out when the text is not found exactly once.

const vm = require("node:vm");

const OWN_FRAME = /^\s+at .*(node:internal|node:vm|tslab[\\/]dist[\\/]|kernel-spec[\\/])/;
const CELL_PLACE = /\[cell (\d+)\]:(\d+):\d+/;
/** tslab makes a cell a function; this line calls it. */
const CALL_OF_CELL = "})(__tslab__";

class CellFrames {
  #cells = new Map();
  #current = 0;

  constructor() {
    const run = vm.runInThisContext;
    // tslab compiles cells without a file name, so that all of them are called evalmachine.<anonymous>.
    vm.runInThisContext = (code, options) => {
      if (options?.breakOnSigint !== true || options.filename !== undefined) return run(code, options);
      const cell = this.#cells.get(this.#current);
      if (cell) cell.compiled = code.split("\n");
      // Without displayErrors the stack is the error's own and not headed by a line of compiled code.
      return run(code, { ...options, filename: `[cell ${this.#current}]`, displayErrors: false });
    };
  }

  begin(executionCount, source) {
    this.#current = executionCount;
    this.#cells.set(executionCount, { source: source.split("\n"), compiled: [] });
  }

  /** The lines of a stack trace with the kernel's own frames left out and cells named by number and line. */
  clean(stack) {
    return stack.split("\n").flatMap((line) => (OWN_FRAME.test(line) ? [] : this.#named(line)));
  }

  #named(line) {
    const match = CELL_PLACE.exec(line);
    if (match === null) return [line];
    const [place, number, compiledLine] = match;
    const cell = this.#cells.get(Number(number));
    const text = cell?.compiled[Number(compiledLine) - 1] ?? "";
    if (text.startsWith(CALL_OF_CELL)) return [];
    const found = sourceLine(cell, text);
    // Names of earlier cells are properties of tslab's exports, which is a Proxy.
    const called = line.replace(/^(\s+at (?:async )?)Proxy\./, "$1");
    return [called.replace(place, found === undefined ? `[cell ${number}]` : `[cell ${number}]:${found}`)];
  }
}

/** The number of the one line of the cell that holds this compiled line. */
function sourceLine(cell, compiledText) {
  const text = normalized(compiledText);
  if (text === "") return undefined;
  const lines = cell.source.flatMap((line, index) => (normalized(line).includes(text) ? [index + 1] : []));
  return lines.length === 1 ? lines[0] : undefined;
}

/** A line without what the compiler adds, drops or lays out anew. */
function normalized(line) {
  return line
    .replace(/^\(async function\(exports, require\) \{ |^\(function\(exports, require\) \{ /, "")
    .replace(/^(exports\.)?(const )?tsLastExpr\d* = /, "")
    .replace(/\(0, (\w+\.\w+)\)/g, "$1")
    .replace(/\bexports\.|\b\w+_\d+\./g, "")
    .replace(/[\s;]/g, "");
}

module.exports = { CellFrames };
