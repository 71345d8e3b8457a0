// Starts a stock tslab kernel in this process: `node launcher.js CONNECTION_FILE`.
// It composes tslab's own converter, executor and Jupyter server with the repairs of the files beside it, and
// changes nothing in the package itself. Installing the kernelspec is left to the command line.
// Manual: Jupyter, "Making kernels for Jupyter" and "Messaging in Jupyter".

const { adjustCompiler } = require("./compiler.js");
const { resolveOwnPackage } = require("./own-package.js");
const { endWithParent } = require("./parent-watch.js");

/** Loads and starts the kernel; the order matters, since tslab takes its compiler when it is first loaded. */
function start(connectionFile) {
  endWithParent();
  adjustCompiler();
  resolveOwnPackage();

  const { createConverter } = require("tslab/dist/converter.js");
  const { CellExecutor } = require("./cell-executor.js");
  const { KernelHandler, KernelServer } = require("./kernel-server.js");
  const { offerNotebook } = require("./notebook-hook.js");

  const converter = createConverter({ isJS: false, isBrowser: false });
  const converters = { node: converter, browser: converter, close: () => converter.close() };
  const executor = new CellExecutor(process.cwd(), converters);
  const server = new KernelServer(new KernelHandler(executor, false), connectionFile);

  offerNotebook(() => executor);
  process.on("SIGINT", () => executor.interrupt());
  // A cell may leave promises and timers behind that fail later: that is told as text, and the kernel lives on.
  process.on("uncaughtException", (error) => console.error("Uncaught exception:", error));
  process.on("unhandledRejection", (reason) => console.error("Unhandled promise rejection:", reason));

  server.init().catch((error) => {
    // Stock tslab stays alive without sockets when a port is taken; whoever started the kernel could wait for ever.
    process.stderr.write(`The kernel cannot start with ${connectionFile}: ${error.message}\n`);
    process.exit(1);
  });
}

if (process.argv.length !== 3) {
  process.stderr.write("usage: node launcher.js CONNECTION_FILE\n");
  process.exit(2);
}
start(process.argv[2]);
