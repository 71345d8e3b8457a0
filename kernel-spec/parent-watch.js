// Ends the kernel when the process that started it is gone; a crashed client would otherwise leave it behind.
// Manual: Jupyter client, kernel provisioning (JPY_PARENT_PID).

const { Worker } = require("node:worker_threads");

const PERIOD_MILLISECONDS = 500;

// The watch runs on a thread of its own because a cell may keep the main thread busy for ever.
// Where a process keeps the id of a dead parent (Windows), only the signal 0 tells; elsewhere the id changes.
const WATCH = `
const { workerData } = require("node:worker_threads");
const alive = (pid) => { try { process.kill(pid, 0); return true; } catch (error) { return error.code === "EPERM"; } };
setInterval(() => {
  if (process.ppid !== workerData.parent || !workerData.watched.every(alive)) process.kill(process.pid, "SIGKILL");
}, ${PERIOD_MILLISECONDS});
`;

/** Starts the watch. It does not keep the process alive. */
function endWithParent() {
  const named = Number(process.env.JPY_PARENT_PID);
  const watched = named > 1 ? [process.ppid, named] : [process.ppid];
  // Without execArgv: a script that the caller preloads is meant for the kernel and not for this thread.
  new Worker(WATCH, { eval: true, execArgv: [], workerData: { parent: process.ppid, watched } }).unref();
}

module.exports = { endWithParent };
