// Compiler options for cells: what stock tslab does not let a user choose.
// The compiler itself stays the one that tslab carries. Manual: TypeScript, "TSConfig Reference".

const path = require("node:path");
const { createRequire } = require("node:module");

const fromTslab = createRequire(require.resolve("tslab"));
const packageRoot = path.dirname(__dirname);
const { name, exports: entries } = require("../package.json");

/** Where the types are of `virtlab` and of its parts, such as `virtlab/plot`. */
const ownPaths = Object.fromEntries(
  Object.entries(entries)
    .filter(([, { types }]) => types !== undefined)
    .map(([part, { types }]) => [name + part.slice(1), [path.join(packageRoot, types)]]),
);

/** The options of a cell, made from those that tslab sets. */
function cellOptions(ts, options) {
  return {
    ...options,
    // A cell is checked like a file of a new project.
    strict: true,
    // Node10 resolution does not read the "exports" of a package.json, so most ESM packages would have no types.
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    // `import … from "virtlab"` means the package this launcher belongs to, in whatever folder the notebook lies.
    paths: { ...options.paths, ...ownPaths },
    typeRoots: withNodeTypes(options.typeRoots),
  };
}

/** tslab looks for @types/node beside the notebook and inside itself; a package manager may have put it elsewhere. */
function withNodeTypes(typeRoots = []) {
  const node = path.dirname(path.dirname(require.resolve("@types/node/package.json")));
  return typeRoots.includes(node) ? typeRoots : [...typeRoots, node];
}

/**
 * Makes tslab compile cells with `cellOptions`.
 * The compiler's exports are read-only getters, so what `require` answers is replaced by a copy with one function wrapped.
 */
function adjustCompiler() {
  const file = fromTslab.resolve("@tslab/typescript-for-tslab");
  const ts = fromTslab(file);
  const createWatchCompilerHost = (rootFiles, options, ...rest) =>
    ts.createWatchCompilerHost(rootFiles, cellOptions(ts, options), ...rest);
  require.cache[file].exports = { ...ts, createWatchCompilerHost };
}

module.exports = { adjustCompiler, compilerVersion: () => fromTslab("@tslab/typescript-for-tslab").version };
