// Whether a console should run what was typed or wait for more lines. Manual: Messaging in Jupyter, "Code completeness".

const { compiler } = require("./compiler.js");

/** Messages of the compiler about comments and templates, which may go on over lines. */
const UNTERMINATED = new Set([1010, 1160]);

/** The content of an is_complete_reply. */
function completeness(code) {
  const ts = compiler();
  const file = ts.createSourceFile("cell.ts", code, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const problems = file.parseDiagnostics ?? [];
  // Two empty lines at the end mean that no more will come.
  if (problems.length === 0 || /\n\s*\n\s*$/.test(code)) {
    return { status: problems.length === 0 ? "complete" : "invalid", indent: "" };
  }
  const [{ start, code: message }] = problems;
  const goesOn = start >= code.trimEnd().length || UNTERMINATED.has(message);
  return goesOn ? { status: "incomplete", indent: indentAfter(code) } : { status: "invalid", indent: "" };
}

/** The indent of the last line, one step deeper behind an opening bracket. */
function indentAfter(code) {
  const line = code.split("\n").at(-1);
  const indent = /^\s*/.exec(line)[0];
  return /[{([]\s*$/.test(line) ? `${indent}  ` : indent;
}

module.exports = { completeness };
