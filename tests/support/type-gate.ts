/**
 * Checks the types of an installed package with the compiler that the notebook kernel carries (TypeScript 5.0), in the
 * way a notebook uses them: every value a cell makes is declared, so every type must have a name that a user may write.
 */
import { join } from "node:path";
// The kernel's own compiler has the interface of TypeScript 5.0; what is used here has not changed since.
import type * as TypeScript from "typescript";

const ts = require("@tslab/typescript-for-tslab") as typeof TypeScript;

const options: TypeScript.CompilerOptions = {
  strict: true,
  skipLibCheck: false,
  noEmit: false,
  declaration: true,
  emitDeclarationOnly: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: 100 satisfies TypeScript.ModuleResolutionKind.Bundler,
  types: [],
};

/** As compilers look for packages that do not read `exports` in a package.json. */
const olderOptions: TypeScript.CompilerOptions = { ...options, moduleResolution: ts.ModuleResolutionKind.NodeJs };

function programOf(user: string, source: string, chosen = options): TypeScript.Program {
  const file = join(user, "consumer.ts");
  const host = ts.createCompilerHost(chosen);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists.call(host, name);
  host.getSourceFile = (name, ...rest) =>
    name === file
      ? ts.createSourceFile(name, source, ts.ScriptTarget.ES2022, true)
      : getSourceFile.call(host, name, ...rest);
  host.writeFile = () => undefined;
  return ts.createProgram([file], chosen, host);
}

/** Compiles a user's source; gives the errors in it and in the package's declarations, one line each. */
export function checkTypes(user: string, source: string, { older = false } = {}): string[] {
  const program = programOf(user, source, older ? olderOptions : options);
  const diagnostics = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  const lines = diagnostics.map(({ file, start, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, " ");
    if (file === undefined) return text;
    const { line } = file.getLineAndCharacterOfPosition(start ?? 0);
    return `${file.fileName}:${line + 1}: ${text} [${file.text.split("\n")[line]?.trim()}]`;
  });
  return [...new Set(lines)];
}

/** A source that declares a value for everything that can be got from the package, or a part of it: results, members, arguments. */
export function consumerOf(user: string, part = "virtlab"): string {
  const program = programOf(user, `import * as virtlab from "${part}";\nexport { virtlab };\n`);
  const checker = program.getTypeChecker();
  const imported = program.getSourceFile(join(user, "consumer.ts"))?.statements.find(ts.isImportDeclaration);
  const module = imported && checker.getSymbolAtLocation(imported.moduleSpecifier);
  if (module === undefined) throw new Error(`no ${part} with types can be found from ${user}`);
  const lines = [`import * as virtlab from "${part}";`, 'import type { Machine } from "virtlab";'];
  const exported = checker.getExportsOfModule(module);
  if (part === "virtlab" && !exported.some(({ name }) => name === "Machine")) lines.pop();
  for (const symbol of exported) lines.push(...usesOf(symbol, checker));
  return `${lines.join("\n")}\n`;
}

function usesOf(alias: TypeScript.Symbol, checker: TypeScript.TypeChecker): string[] {
  const symbol = alias.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(alias) : alias;
  const lines: string[] = [];
  if (symbol.flags & ts.SymbolFlags.Value && !alias.declarations?.some(ts.isTypeOnlyImportOrExportDeclaration)) {
    lines.push(...usesOfValue(`virtlab.${alias.name}`, `use_${alias.name}`, checker.getTypeOfSymbol(symbol), checker));
  }
  if (symbol.flags & ts.SymbolFlags.Type) {
    const type = checker.getDeclaredTypeOfSymbol(symbol);
    const expression = `(null! as virtlab.${alias.name}${typeArguments(symbol)})`;
    lines.push(`export const use_${alias.name}_itself = ${expression};`);
    // Members of primitives and lists are not the package's.
    const isOwn = (type.flags & ts.TypeFlags.Object) !== 0 && type.symbol?.declarations?.some(isOfPackage);
    for (const member of isOwn ? checker.getPropertiesOfType(type) : [])
      lines.push(...usesOfMember(expression, alias.name, member, checker));
  }
  return lines;
}

function usesOfValue(
  expression: string,
  name: string,
  type: TypeScript.Type,
  checker: TypeScript.TypeChecker,
): string[] {
  const lines = [`export const ${name} = ${expression};`];
  if (type.getCallSignatures().length > 0) {
    lines.push(`export const ${name}_arguments = null! as Parameters<typeof ${name}>;`);
    lines.push(`export const ${name}_result = ${expression}(...${name}_arguments);`);
  }
  for (const member of type.getConstructSignatures().length > 0 ? checker.getPropertiesOfType(type) : []) {
    if (member.name !== "prototype" && member.declarations?.some(isOfPackage)) {
      lines.push(...usesOfMember(expression, `${name.replace(/^use_/, "")}_static`, member, checker));
    }
  }
  return lines;
}

function usesOfMember(
  expression: string,
  owner: string,
  member: TypeScript.Symbol,
  checker: TypeScript.TypeChecker,
): string[] {
  // Members under a well-known symbol and private ones have no name that a user writes.
  if (!/^[A-Za-z]\w*$/.test(member.name)) return [];
  if (
    member.declarations?.every(
      (one) => ts.getCombinedModifierFlags(one) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected),
    )
  )
    return [];
  const type = checker.getTypeOfSymbol(member);
  const access = `${expression}.${member.name}`;
  const name = `use_${owner}_${member.name}`;
  const lines = [`export const ${name} = ${access};`];
  const isCallable = checker.getNonNullableType(type).getCallSignatures().length > 0;
  if (isCallable) {
    lines.push(`export const ${name}_arguments = null! as Parameters<NonNullable<typeof ${name}>>;`);
    lines.push(`export const ${name}_result = ${access}!(...${name}_arguments);`);
  }
  return lines;
}

/** Type parameters of this package stand for machines. */
function typeArguments({ declarations = [] }: TypeScript.Symbol): string {
  const generic = declarations.find(
    (one) => ts.isInterfaceDeclaration(one) || ts.isClassDeclaration(one) || ts.isTypeAliasDeclaration(one),
  );
  const { typeParameters = [] } = (generic ?? {}) as { readonly typeParameters?: readonly unknown[] };
  return typeParameters.length === 0 ? "" : `<${typeParameters.map(() => "Machine").join(", ")}>`;
}

function isOfPackage(declaration: TypeScript.Declaration): boolean {
  return declaration.getSourceFile().fileName.includes("/dist/");
}
