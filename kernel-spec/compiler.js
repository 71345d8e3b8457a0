// The compiler that tslab carries, with options for cells that stock tslab does not let a user choose, and with source
// maps, which tslab does not make. Manual: TypeScript, "TSConfig Reference"; tslab's converter.ts for the two steps.

const path = require("node:path");
const { createRequire } = require("node:module");
const { withEarlierNames } = require("./earlier-names.js");
const { LineMap } = require("./line-map.js");

const fromTslab = createRequire(require.resolve("tslab"));
const COMPILER = "@tslab/typescript-for-tslab";
const packageRoot = path.dirname(__dirname);
const { name, exports: entries } = require("../package.json");

/** Where the types are of `virtlab` and of its parts, such as `virtlab/plot`. */
const ownPaths = Object.fromEntries(
  Object.entries(entries)
    .filter(([, { types }]) => types !== undefined)
    .map(([part, { types }]) => [name + part.slice(1), [path.join(packageRoot, types)]]),
);

/** Compiled text -> the way back to its source, until it is asked for. */
const lineMaps = new Map();

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
    // Else all of node_modules/@types is read at the start, for seconds. What a cell imports is found without this.
    types: ["node"],
    inlineSourceMap: true,
  };
}

/** tslab looks for @types/node beside the notebook and inside itself; a package manager may have put it elsewhere. */
function withNodeTypes(typeRoots = []) {
  const node = path.dirname(path.dirname(require.resolve("@types/node/package.json")));
  return typeRoots.includes(node) ? typeRoots : [...typeRoots, node];
}

/** tslab's second step, from ES modules to CommonJS. The first has left its source map at the end of the text. */
function transpileModule(ts, input, options) {
  const end = input.lastIndexOf("//# sourceMappingURL=");
  if (end < 0) return ts.transpileModule(input, options);
  const compilerOptions = { ...options.compilerOptions, sourceMap: true };
  const result = ts.transpileModule(input.slice(0, end), { ...options, compilerOptions });
  const outputText = result.outputText.slice(0, result.outputText.lastIndexOf("//# sourceMappingURL="));
  lineMaps.set(outputText.trimEnd(), new LineMap(result.sourceMapText, input.slice(end)));
  return { ...result, outputText };
}

/**
 * tslab lets the compiler have one timer, for the next compilation, and no cell can run any more when it wants another:
 * as soon as a package is installed into a folder where it has looked for one.
 */
function withRealTimers(host) {
  const { setTimeout: compileSoon, clearTimeout: compileLater } = host;
  return Object.assign(host, {
    setTimeout: (callback, milliseconds) =>
      callback.name === "updateProgramWithWatchStatus"
        ? compileSoon(callback, milliseconds)
        : setTimeout(callback, milliseconds),
    clearTimeout: (timer) => (typeof timer.refresh === "function" ? clearTimeout(timer) : compileLater(timer)),
  });
}

/** The programs that a watching compiler makes unless told otherwise, which is what tslab uses, with one repair. */
const createProgram =
  (ts) =>
  (...args) =>
    withEarlierNames(ts, ts.createEmitAndSemanticDiagnosticsBuilderProgram(...args));

/**
 * Makes tslab compile cells with `cellOptions` and source maps.
 * The compiler's exports are read-only getters, so what `require` answers is replaced by a copy with two functions wrapped.
 */
function adjustCompiler() {
  const file = fromTslab.resolve(COMPILER);
  const ts = fromTslab(file);
  require.cache[file].exports = {
    ...ts,
    createWatchCompilerHost: (rootFiles, options, system, _createProgram, ...rest) =>
      withRealTimers(
        ts.createWatchCompilerHost(rootFiles, cellOptions(ts, options), system, createProgram(ts), ...rest),
      ),
    transpileModule: (input, options) => transpileModule(ts, input, options),
  };
}

/** The way from a compiled text back to its source; undefined when tslab did not compile it. */
function takeLineMap(compiled) {
  const text = compiled.trimEnd();
  const map = lineMaps.get(text);
  lineMaps.delete(text);
  return map;
}

module.exports = {
  adjustCompiler,
  compiler: () => fromTslab(COMPILER),
  compilerVersion: () => fromTslab(`${COMPILER}/package.json`).version,
  takeLineMap,
};
