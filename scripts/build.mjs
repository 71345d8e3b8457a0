// Builds the package into dist/: compiles the sources, generates the interpreter's WebAssembly bytes and bundles the page.
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { buildJupyterExtension } from "./build-jupyter-extension.mjs";
import { buildLab } from "./build-lab.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);

rmSync(`${root}dist`, { recursive: true, force: true });
execFileSync(process.execPath, [require.resolve("typescript/bin/tsc"), "-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
chmodSync(`${root}dist/cli/main.js`, 0o755);

// The interpreter of x86, generated once here instead of at every start.
const { generateInterpreter } = require(`${root}dist/hardware/engine/interpreter.js`);
const { x86 } = require(`${root}dist/hardware/isa/x86.js`);
const bytes = Buffer.from(generateInterpreter(x86)).toString("base64");
writeFileSync(`${root}dist/hardware/engine/prebuilt.js`, `"use strict";\nexports.prebuiltInterpreter = "${bytes}";\n`);

await buildLab(root);
await buildJupyterExtension(root);
