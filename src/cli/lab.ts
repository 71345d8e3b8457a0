/**
 * `virtlab lab`: serves the notebook page and its kernels on the loopback address until it is interrupted.
 * Exit status: 0 ended by Ctrl-C or SIGTERM, 1 no browser, 2 bad input.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { Command } from "commander";

interface LabFlags {
  readonly port?: string;
  readonly browser: boolean;
  readonly notebookDir: string;
}

/** The `lab` command for the command line's table. */
export function labCommand(): Command {
  return new Command("lab")
    .description("open the notebook page in the browser")
    .option("--port <n>", "serve on this port (default: 8888 or the next free one)")
    .option("--no-browser", "only print the address")
    .option("--notebook-dir <dir>", "the folder of the notebooks", ".")
    .action(async ({ port, notebookDir }: LabFlags) => {
      const { Hub } = await import("../notebook/hub/hub.js");
      const { startHttpServer } = await import("../notebook/hub/http-server.js");
      const hub = new Hub(notebookDir);
      const token = process.env["JUPYTER_TOKEN"] ?? randomBytes(24).toString("hex");
      const pageConfig = { appVersion: packageVersion() };
      const server = await startHttpServer({ hub, token, port: Number(port ?? 8888), pageConfig });
      process.stdout.write(`${server.address}\n`);
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        process.once(signal, async () => {
          await server.close();
          await hub.dispose();
          process.exit(0);
        });
      }
    });
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(path.join(__dirname, "../../package.json"), "utf8")) as { version: string }).version;
}
