// `npm run lockstep -- IMAGE …`: runs tests/support/lockstep-command.ts, which has the options, from source, so that a
// change to the machine is compared without a build. The loader is the one vitest brings.
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const { runnerImport } = createRequire(require.resolve("vitest/package.json"))("vite");

const command = fileURLToPath(new URL("../tests/support/lockstep-command.ts", import.meta.url));
const { module } = await runnerImport(command, { configFile: false, logLevel: "error" });
process.exitCode = await module.main(process.argv.slice(2));
