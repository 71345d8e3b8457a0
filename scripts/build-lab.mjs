// Bundles the lab page (src/lab) from JupyterLab's packages into dist/lab: index.html beside files with hashed names, each
// also compressed, so that nothing has to be compressed while a page is served.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Where the hub serves dist/lab. */
const PUBLIC_PATH = "/static/lab/";

/** Packages that hold state or classes compared by identity: a CommonJS copy beside the ES module would be a second world. */
const SINGLE = /^(@lumino\/|@codemirror\/|@lezer\/|@jupyter\/ydoc|yjs$|lib0|react$|react-dom$)/;

/** Languages nobody writes in these notebooks, and diagrams: 10 MB that would never be asked for. */
const LEFT_OUT =
  /^(@codemirror\/legacy-modes\/mode\/|@codemirror\/lang-(java|php|rust|sql|wast|python|xml)$|mermaid$|@mermaid-js\/)/;

/** What is asked for by `require` becomes the same ES module that `import` gives. */
const oneCopy = {
  name: "one-copy",
  setup(bundle) {
    bundle.onResolve({ filter: SINGLE }, ({ path: name, kind, resolveDir }) =>
      kind === "require-call" ? bundle.resolve(name, { kind: "import-statement", resolveDir }) : undefined,
    );
  },
};

const leaveOut = {
  name: "leave-out",
  setup(bundle) {
    bundle.onResolve({ filter: LEFT_OUT }, ({ path: name }) =>
      name === "@codemirror/legacy-modes/mode/gas" ? undefined : { path: "left-out", namespace: "left-out" },
    );
    bundle.onLoad({ filter: /.*/, namespace: "left-out" }, () => ({ contents: "module.exports = {};" }));
  },
};

/**
 * JupyterLab's styles become a layer below the page's own, whatever their selectors weigh; each of its two themes defines
 * its colours on :root, and here they hold where that theme is chosen.
 */
const layeredStyles = {
  name: "layered-styles",
  setup(bundle) {
    bundle.onLoad({ filter: /node_modules[\\/].*\.css$/ }, ({ path: file }) => {
      const theme = /theme-(light|dark)-extension/.exec(file)?.[1];
      const text = readFileSync(file, "utf8");
      const imports = text.match(/^@import .*$/gm) ?? [];
      const rules = text
        .replace(/^@import .*$/gm, "")
        .replace(/:root\b/g, theme ? `:root[data-theme="${theme}"]` : "$&");
      const contents = `${imports.join("\n")}\n@layer jupyterlab {\n${rules}\n}`;
      return { contents, loader: "css", resolveDir: path.dirname(file) };
    });
  },
};

/** Builds dist/lab below the root of the package and gives esbuild's account of it. */
export async function buildLab(root) {
  const source = path.join(root, "src/lab");
  const target = path.join(root, "dist/lab");
  const standIn = (name) => path.join(source, "stand-ins", name);
  const { metafile, outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { main: path.join(source, "main.ts") },
    outdir: target,
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    publicPath: PUBLIC_PATH,
    tsconfig: path.join(source, "tsconfig.json"),
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    minify: true,
    legalComments: "none",
    metafile: true,
    write: false,
    logLevel: "warning",
    mainFields: ["module", "main"],
    loader: { ".svg": "text", ".png": "dataurl", ".gif": "dataurl" },
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
    alias: {
      path: "path-browserify",
      "lib0/logging": standIn("quiet-log.ts"),
      "@jupyter/react-components": standIn("jupyter-elements.ts"),
      "@jupyter/web-components": standIn("jupyter-elements.ts"),
    },
    plugins: [oneCopy, leaveOut, layeredStyles, svgInStyles],
  });
  mkdirSync(target, { recursive: true });
  const files = outputFiles.map(({ path: file, contents }) => [path.basename(file), Buffer.from(contents)]);
  files.push(["index.html", Buffer.from(shell(source, metafile))]);
  for (const [name, bytes] of files) {
    writeFileSync(path.join(target, name), bytes);
    writeFileSync(path.join(target, `${name}.gz`), gzipSync(bytes));
  }
  return metafile;
}

/** Drawings are text for scripts, which put them into the page, and addresses for styles. */
const svgInStyles = {
  name: "svg-in-styles",
  setup(bundle) {
    bundle.onResolve({ filter: /\.svg$/ }, async ({ path: name, kind, resolveDir }) => {
      if (kind !== "url-token") return undefined;
      return { path: path.resolve(resolveDir, name), namespace: "svg-address" };
    });
    bundle.onLoad({ filter: /.*/, namespace: "svg-address" }, ({ path: file }) => ({
      contents: readFileSync(file),
      loader: "dataurl",
    }));
  },
};

/** index.html with the names of this build's files in place of `{{main.js}}` and `{{main.css}}`. */
function shell(source, metafile) {
  const [script, { cssBundle }] = Object.entries(metafile.outputs).find(([, { entryPoint }]) =>
    entryPoint?.endsWith("lab/main.ts"),
  );
  const names = { "main.js": path.basename(script), "main.css": path.basename(cssBundle) };
  const text = readFileSync(path.join(source, "index.html"), "utf8");
  return text.replace(/\{\{([\w.]+)\}\}/g, (_, name) => PUBLIC_PATH + names[name]);
}
