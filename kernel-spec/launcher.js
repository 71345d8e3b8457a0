// Starts a kernel in this process: `node launcher.js CONNECTION_FILE`. Cells are compiled and run by stock tslab, in
// which nothing is changed; the files beside this one are everything a Jupyter kernel needs besides.
// Manual: Jupyter, "Making kernels for Jupyter" and "Messaging in Jupyter".

const { readFileSync } = require("node:fs");
// The compiler is 10 MB of JavaScript; newer versions of Node keep what they have compiled.
require("node:module").enableCompileCache?.();
const { CellExecutor } = require("./cell-executor.js");
const { Cells } = require("./cells.js");
const { ControlChannel } = require("./control-channel.js");
const { KernelServer } = require("./kernel-server.js");
const { offerNotebook } = require("./notebook-hook.js");
const { resolveOwnPackage } = require("./own-package.js");

async function start(connectionFile) {
  const control = new ControlChannel();
  resolveOwnPackage();
  const executor = new CellExecutor(control);
  const cells = new Cells(executor);
  offerNotebook(cells);

  process.on("SIGINT", () => {
    // The control thread's own signal is followed by the request that it was sent for.
    if (!control.takeSignal()) executor.interrupt();
  });
  // A cell may leave promises and timers behind that fail later: that is told as text, and the kernel lives on.
  const tell = (what) => (error) => console.error(`${what}:\n${executor.describe(error).traceback.join("\n")}`);
  process.on("uncaughtException", tell("Uncaught exception"));
  process.on("unhandledRejection", tell("Unhandled promise rejection"));

  try {
    const connection = JSON.parse(readFileSync(connectionFile, "utf8"));
    await new KernelServer(connection, { control, executor, cells }).listen();
  } catch (error) {
    // A kernel without its sockets would be waited for.
    process.stderr.write(`The kernel cannot start with ${connectionFile}: ${error.message}\n`);
    process.exit(1);
  }
  // While clients connect, the compiler is loaded.
  executor.ask(() => {});
}

if (process.argv.length !== 3) {
  process.stderr.write("usage: node launcher.js CONNECTION_FILE\n");
  process.exit(2);
}
void start(process.argv[2]);
