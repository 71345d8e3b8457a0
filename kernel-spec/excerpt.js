// A place in a source as people like to see it: the line, some before it, and a mark below.

/** Of a very long line only what is around the place can be shown. */
const WIDTH = 100;

/** Lines to print; `line` and `column` count from 1. Empty when the source has no such line. */
function excerpt(lines, { line, column, length = 1, before = 0 }) {
  if (lines[line - 1] === undefined) return [];
  const first = Math.max(1, line - before);
  const width = String(line).length;
  const cut = Math.max(0, column - 1 - WIDTH / 2);
  // A tab would move the mark away from its place.
  const shown = (number) => lines[number - 1].replaceAll("\t", " ").slice(cut, cut + WIDTH);
  const marks = Math.max(1, Math.min(length, shown(line).length - (column - 1 - cut)));
  const result = [];
  for (let number = first; number <= line; number += 1) {
    const sign = number === line ? ">" : " ";
    result.push(`${sign} ${String(number).padStart(width)} | ${shown(number)}`.trimEnd());
  }
  return [...result, `  ${" ".repeat(width)} | ${" ".repeat(column - 1 - cut)}${"^".repeat(marks)}`];
}

module.exports = { excerpt };
