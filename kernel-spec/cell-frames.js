// Gives the code of each cell a name in stack traces, and turns the places of such traces back into lines of the cell.

const { excerpt } = require("./excerpt.js");

const OWN_FRAME = /^\s+at .*(node:internal|node:vm|tslab[\\/]dist[\\/]|kernel-spec[\\/])/;
const FRAME = /^\s+at /;
const CELL_PLACE = /\[cell (\d+)\]:(\d+):(\d+)/;
/** tslab makes a cell a function: what stands before its code, and the line that calls it. */
const BEFORE_CODE = /^\((?:async )?function\(exports, require\) \{ /;
const CALL_OF_CELL = "\n})(__tslab__.exports, __tslab__.require)";

/** What stands before the place of an error is shown with it. */
const LINES_BEFORE = 2;

class CellFrames {
  #cells = new Map();

  /** Remembers the source of a cell, before it is compiled. */
  begin(number, source) {
    this.#cells.set(number, { lines: source.split("\n"), columnsBefore: 0, lastLine: 0, map: undefined });
  }

  /** Remembers what became of the cell, and gives the name under which it is to be run. */
  compiled(number, code, takeLineMap) {
    const before = BEFORE_CODE.exec(code)?.[0] ?? "";
    const body = code.slice(before.length, code.lastIndexOf(CALL_OF_CELL));
    const cell = this.#cells.get(number);
    cell.columnsBefore = before.length;
    cell.lastLine = body.split("\n").length;
    cell.map = takeLineMap(body);
    return `[cell ${number}]`;
  }

  /** The lines of a stack trace with the kernel's own frames left out and places given in lines of the cells. */
  clean(stack) {
    return stack.split("\n").flatMap((line) => (OWN_FRAME.test(line) ? [] : this.#named(line)));
  }

  /** The innermost place of a cleaned trace that is in a cell, as lines to show; empty when there is none. */
  excerpt(trace) {
    const frame = trace.find((line) => FRAME.test(line) && CELL_PLACE.test(line));
    const match = CELL_PLACE.exec(frame ?? "");
    if (match === null) return [];
    const [number, line, column] = match.slice(1).map(Number);
    return this.excerptAt(number, { line, column, before: LINES_BEFORE });
  }

  /** A place of a cell (see excerpt.js) as lines to show. */
  excerptAt(number, place) {
    const cell = this.#cells.get(number);
    return cell === undefined ? [] : excerpt(cell.lines, place);
  }

  #named(line) {
    const match = CELL_PLACE.exec(line);
    if (match === null) return [line];
    const [place, number] = match;
    const cell = this.#cells.get(Number(number));
    const [compiledLine, compiledColumn] = [Number(match[2]), Number(match[3])];
    // The line that calls the cell.
    if (cell !== undefined && compiledLine > cell.lastLine) return [];
    const column = compiledLine === 1 ? compiledColumn - cell.columnsBefore : compiledColumn;
    const source = cell?.map?.source(compiledLine, column);
    // Names of earlier cells are properties of tslab's exports, which is a Proxy.
    const called = line.replace(/^(\s+at (?:async )?)Proxy\./, "$1");
    const found = source === undefined ? `[cell ${number}]` : `[cell ${number}]:${source.line}:${source.column}`;
    return [called.replace(place, found)];
  }
}

module.exports = { CellFrames };
