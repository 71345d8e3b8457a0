// Names of earlier cells. tslab makes `exports.name` of them in compiled code, going by what a name in the syntax tree is
// declared as. Where one word is two names at once it goes by the wrong one, and this is set right before its turn comes:
// `{ name }` is a property and a value, `{ name: other } = …` names a property that an earlier cell may have declared too,
// and `export { name }` declares anew what all cells see anyway. Manual: TypeScript, "Using the Compiler API".

/** Where tslab lets the compiler find what earlier cells have declared. */
const EARLIER_CELLS = "__prev__.d.ts";

const isEarlier = (symbol) =>
  symbol?.declarations?.some((node) => node.getSourceFile().fileName.endsWith(`/${EARLIER_CELLS}`)) ?? false;

/** The rules by kinds of nodes: what becomes of one; undefined where nothing does. */
function rules(ts, checker) {
  const { factory, SyntaxKind } = ts;
  // A name without a place in the source is nothing that tslab looks up.
  const bare = (name) => factory.createIdentifier(name.text);
  const earlier = (name) =>
    ts.setTextRange(factory.createPropertyAccessExpression(factory.createIdentifier("exports"), bare(name)), name);
  return {
    [SyntaxKind.ShorthandPropertyAssignment](node) {
      const { name, objectAssignmentInitializer: otherwise } = node;
      if (!isEarlier(checker.getShorthandAssignmentValueSymbol(ts.getOriginalNode(node)))) return undefined;
      const value = otherwise === undefined ? earlier(name) : factory.createAssignment(earlier(name), otherwise);
      return ts.setTextRange(factory.createPropertyAssignment(bare(name), value), node);
    },
    [SyntaxKind.BindingElement](node) {
      const { dotDotDotToken, propertyName, name, initializer } = node;
      if (propertyName === undefined || !ts.isIdentifier(propertyName)) return undefined;
      return factory.updateBindingElement(node, dotDotDotToken, bare(propertyName), name, initializer);
    },
    [SyntaxKind.ExportSpecifier](node) {
      const isOther = node.parent?.parent?.moduleSpecifier !== undefined;
      return !isOther && isEarlier(checker.getExportSpecifierLocalTargetSymbol(ts.getOriginalNode(node)))
        ? []
        : undefined;
    },
  };
}

/** The compiler's program, made to emit cells in which the names of earlier cells are right. */
function withEarlierNames(ts, program) {
  const emit = program.emit.bind(program);
  const repair = (context) => {
    const byKind = rules(ts, program.getProgram().getTypeChecker());
    const visit = (node) => {
      const changed = byKind[node.kind]?.(node) ?? node;
      return Array.isArray(changed) ? changed : ts.visitEachChild(changed, visit, context);
    };
    return (file) => ts.visitEachChild(file, visit, context);
  };
  return Object.assign(program, {
    emit: (file, write, token, only, { after = [], ...others } = {}) =>
      emit(file, write, token, only, { ...others, after: [repair, ...after] }),
  });
}

module.exports = { withEarlierNames };
