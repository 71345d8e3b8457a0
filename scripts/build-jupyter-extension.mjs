// Bundles the extension for JupyterLab 4 and Notebook 7 (src/lab/jupyter) into dist/jupyter-extension, in the layout of
// share/jupyter/labextensions. Plotly itself is not in it: `virtlab kernelspec install --with-plotly` puts it there.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";

const NAME = "virtlab-plotly";

/** JupyterLab's own copy of a package, which the container has taken from it. */
const jupyterLabs = (names) => ({
  name: "jupyterlabs-own",
  setup(bundle) {
    const filter = new RegExp(`^(${Object.keys(names).join("|")})$`);
    bundle.onResolve({ filter }, ({ path: name }) => ({ path: name, namespace: "jupyterlab" }));
    bundle.onLoad({ filter: /.*/, namespace: "jupyterlab" }, ({ path: name }) => ({
      contents: `export const { ${names[name].join(", ")} } = window._JUPYTERLAB["${NAME}"].modules["${name}"];`,
    }));
  },
});

/** Builds dist/jupyter-extension below the root of the package. */
export async function buildJupyterExtension(root) {
  const source = path.join(root, "src/lab/jupyter");
  const target = path.join(root, "dist/jupyter-extension");
  const bundle = async (entry, options) => {
    const { outputFiles } = await build({
      absWorkingDir: root,
      entryPoints: [path.join(source, entry)],
      outdir: path.join(target, "static"),
      // A new build has new names: Jupyter lets browsers keep files for a year without asking.
      entryNames: "[name]-[hash]",
      tsconfig: path.join(root, "src/lab/tsconfig.json"),
      bundle: true,
      target: "es2022",
      minify: true,
      write: false,
      logLevel: "warning",
      ...options,
    });
    const [{ path: file, contents }] = outputFiles;
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, contents);
    return path.basename(file);
  };
  const plotly = JSON.parse(readFileSync(path.join(root, "node_modules/plotly.js-dist-min/package.json"), "utf8"));
  const plotlyFile = `plotly-${plotly.version}.min.js`;
  const names = { EXTENSION_NAME: JSON.stringify(NAME), PLOTLY_FILE: JSON.stringify(plotlyFile) };
  const renderer = await bundle("renderer.ts", {
    format: "esm",
    define: names,
    plugins: [jupyterLabs({ "@lumino/widgets": ["Widget"] })],
  });
  const container = await bundle("container.ts", {
    format: "iife",
    define: { ...names, RENDERER_FILE: JSON.stringify(renderer) },
  });
  const { version, license } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const description = "Plotly figures in JupyterLab 4 and Notebook 7, with virtlab.";
  const load = `static/${container}`;
  writeJson(path.join(target, "package.json"), {
    ...{ name: NAME, version, description, license },
    // Where the installation puts Plotly.
    virtlab: { plotly: `static/${plotlyFile}` },
    jupyterlab: { mimeExtension: true, _build: { load, mimeExtension: "./mimeExtension" } },
  });
  writeJson(path.join(target, "install.json"), {
    ...{ packageManager: "npm", packageName: "virtlab" },
    uninstallInstructions: "virtlab kernelspec remove, with the place that was given to install",
  });
}

const writeJson = (file, value) => writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
