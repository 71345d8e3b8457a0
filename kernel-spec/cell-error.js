// The content of an `error` message: ename, evalue and traceback. Manual: Messaging in Jupyter, "Execution errors".

const { inspect } = require("node:util");

/** What a cell threw, which may be any value. */
function runtimeError(error, frames) {
  if (!(error instanceof Error)) {
    const text = inspect(error);
    return { ename: "Thrown value", evalue: text, traceback: [`Thrown value: ${text}`] };
  }
  const interrupted = error.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED";
  return {
    ename: interrupted ? "Interrupted" : String(error.name),
    evalue: String(error.message),
    // inspect also shows causes, errors inside an AggregateError and properties such as `code`.
    traceback: frames.clean(inspect(error)),
  };
}

/** What the compiler said about a cell that therefore did not run. Lines and columns count from 1. */
function compilerError(diagnostics, executionCount) {
  const lines = diagnostics.map(
    ({ file, line, column, message }) => `${file.trim() || `[cell ${executionCount}]`}:${line}:${column} - ${message}`,
  );
  return {
    ename: "TypeScriptError",
    evalue: diagnostics[0]?.message ?? "the cell could not be compiled",
    traceback: lines.map((line, index) => (index === 0 ? `TypeScriptError: ${line}` : line)),
  };
}

module.exports = { compilerError, runtimeError };
