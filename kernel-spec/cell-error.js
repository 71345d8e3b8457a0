// The content of an `error` message: ename, evalue and traceback. Manual: Messaging in Jupyter, "Execution errors".

const { inspect } = require("node:util");
const { isNativeError } = require("node:util/types");

/** What a cell threw, which may be any value. */
function runtimeError(error, frames) {
  if (!(error instanceof Error) && !isNativeError(error)) {
    const text = inspected(error);
    return { ename: "Thrown value", evalue: text, traceback: [`Thrown value: ${text}`] };
  }
  // inspect also shows causes, errors inside an AggregateError and properties such as `code`.
  const trace = frames.clean(inspected(error));
  // What the error says, where it happened, how it came there.
  const traceback = trace.toSpliced(firstFrame(trace), 0, ...frames.excerpt(trace));
  return { ename: className(error), evalue: String(error.message), traceback };
}

function firstFrame(trace) {
  const index = trace.findIndex((line) => /^\s+at /.test(line));
  return index < 0 ? trace.length : index;
}

/** Few classes of errors set their name. */
function className(error) {
  return error.name === "Error" && error.constructor?.name ? error.constructor.name : String(error.name);
}

/** A value may refuse to be shown. */
function inspected(value) {
  try {
    return inspect(value);
  } catch (error) {
    return `a value that cannot be shown: ${error}`;
  }
}

/**
 * What the compiler said about a cell that therefore did not run: tslab's diagnostics, whose lines and columns count
 * from 0. Messages that explain another one follow it and have the same place.
 */
function compilerError(diagnostics, number, frames) {
  const traceback = [];
  let before;
  for (const { start, end, fileName, messageText, code } of diagnostics) {
    const [line, column] = [start.line + 1, start.character + 1];
    const place = `${fileName ?? `[cell ${number}]`}:${line}:${column}`;
    if (place === before) {
      traceback.push(`  ${messageText}`);
      continue;
    }
    before = place;
    traceback.push(`${traceback.length === 0 ? "TypeScriptError: " : ""}${place} - ${messageText} (TS${code})`);
    const length = end.line === start.line ? end.character - start.character : Number.POSITIVE_INFINITY;
    if (fileName === undefined) traceback.push(...frames.excerptAt(number, { line, column, length }));
  }
  return { ename: "TypeScriptError", evalue: diagnostics[0]?.messageText ?? "the cell was not compiled", traceback };
}

/** A cell that the user has interrupted; `goesOn` when some of its code cannot be stopped. */
function interruption(number, goesOn) {
  const evalue = goesOn
    ? `stopped waiting for [cell ${number}], whose asynchronous code goes on`
    : `[cell ${number}] was stopped`;
  const word = [
    "No kernel can stop a promise: this code runs on in the background until it ends by itself,",
    "and what it prints appears below later cells. Restarting the kernel ends it.",
  ];
  return { ename: "Interrupted", evalue, traceback: [`Interrupted: ${evalue}`, ...(goesOn ? word : [])] };
}

module.exports = { compilerError, interruption, runtimeError };
