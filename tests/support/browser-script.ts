/** A module with all that it imports, as one script for a browser. */
import { writeFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { join } from "node:path";
import { packageRoot } from "./virtlab.js";

/** What is used of vite, which vitest brings. */
interface Vite {
  build(config: object): Promise<{ readonly output: readonly { readonly code?: string }[] }[]>;
}

/**
 * The script that `source` becomes, which is put into `folder`. Modules of Node.js that it asks for are added to
 * `nodeModules` and left out.
 */
export async function browserScript(folder: string, source: string, nodeModules: string[]): Promise<string> {
  const { build } = createRequire(require.resolve("vitest/package.json"))("vite") as Vite;
  const entry = join(folder, "entry.ts");
  writeFileSync(entry, source);
  const noteNodeModules = {
    name: "note-node-modules",
    enforce: "pre",
    resolveId(id: string, importer: string | undefined) {
      if (!isBuiltin(id)) return undefined;
      nodeModules.push(`${id} in ${importer}`);
      return { id, external: true };
    },
  };
  const results = await build({
    root: packageRoot,
    configFile: false,
    publicDir: false,
    logLevel: "error",
    // As bundlers of web pages do; immer asks for it.
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: [noteNodeModules],
    build: {
      write: false,
      minify: false,
      modulePreload: false,
      lib: { entry, formats: ["iife"], name: "page", fileName: "page" },
    },
  });
  return results.flatMap(({ output }) => output.map(({ code }) => code ?? "")).join("\n");
}
