// What has to be known and changed of a cell's source before tslab compiles it. All lengths stay as they are, so that
// places in the source do too.

const { compiler } = require("./compiler.js");

/** The source without `export` in front of declarations, which in a notebook all other cells see anyway. */
function withoutExports(source) {
  if (!/\bexport\b/.test(source)) return source;
  const ts = compiler();
  const characters = source.split("");
  for (const statement of parse(ts, source).statements) {
    const exported = statement.modifiers?.find(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    const isDefault = statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword);
    if (exported !== undefined && !isDefault) characters.fill(" ", exported.end - "export".length, exported.end);
  }
  return characters.join("");
}

/** Whether a cell awaits. tslab goes by a complaint of the compiler that does not come for `await (…)` and `for await`. */
function awaitsAtTopLevel(source) {
  if (!/\bawait\b/.test(source)) return false;
  const ts = compiler();
  const awaits = (node) => {
    if (ts.isFunctionLike(node)) return false;
    return ts.isAwaitExpression(node) || node.awaitModifier !== undefined || ts.forEachChild(node, awaits) === true;
  };
  // The compiler reads `await` as a name in what is not a module; at the end, a line more changes no place.
  return awaits(parse(ts, `${source}\nexport {};`));
}

function parse(ts, source) {
  return ts.createSourceFile("cell.ts", source, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
}

module.exports = { awaitsAtTopLevel, withoutExports };
