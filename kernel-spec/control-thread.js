// The thread beside the kernel's own. A cell may keep the kernel busy for ever; here the parent is watched, heartbeats
// are answered, and interrupt and shutdown requests are seen all the same.
// Manual: Messaging in Jupyter, control channel and heartbeat; Jupyter client, kernel provisioning (JPY_PARENT_PID).

const { parentPort, workerData } = require("node:worker_threads");
const { BREAKABLE, FREE, SIGNALLED, STOPPED_BY_FORCE, THREAD } = require("./control-flags.js");
const { parseMessage } = require("./message.js");
const { listen } = require("./zmtp-server.js");

const { parent, watched, flags } = workerData;
const PARENT_PERIOD_MILLISECONDS = 500;
const LOOK_MILLISECONDS = 25;
/** Who computes for so long without taking a message is in a loop. On a loaded computer one that waits is slow, too. */
const BUSY_MICROSECONDS = 300_000;
const LAST_RESORT_MILLISECONDS = 1500;

let received = 0;
let acknowledged = 0;
/** Requests that are not answered yet: number -> function of the reply's frames. */
const unanswered = new Map();

const commands = {
  bind: ({ connection }) => {
    bind(connection).then(
      () => parentPort.postMessage({ bound: true }),
      ({ message }) => parentPort.postMessage({ bound: false, message }),
    );
  },
  reply: ({ number, frames }) => {
    unanswered.get(number)?.(frames);
    unanswered.delete(number);
  },
  acknowledge: ({ number }) => {
    acknowledged = number;
  },
};

parentPort.on("message", (message) => commands[message.command](message));

// Where a process keeps the id of a dead parent (Windows), only the signal 0 tells; elsewhere the id changes.
setInterval(() => {
  if (process.ppid !== parent || !watched.every(isAlive)) process.kill(process.pid, "SIGKILL");
}, PARENT_PERIOD_MILLISECONDS);

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

async function bind(connection) {
  await listen(connection, connection.control_port, "ROUTER", (frames, reply) =>
    receive(frames, reply, connection.key),
  );
  await listen(connection, connection.hb_port, "REP", (frames, reply) => reply(frames));
}

function receive(frames, reply, key) {
  let type;
  try {
    type = parseMessage(frames, key).header.msg_type;
  } catch {
    // Anyone on this machine can connect to a port; only signed messages count.
    return;
  }
  received += 1;
  unanswered.set(received, reply);
  parentPort.postMessage({ frames, number: received });
  if (type === "interrupt_request" || type === "shutdown_request") insist(received, type === "shutdown_request");
}

/** Stops the code of a cell that keeps the kernel from taking this message. Then the kernel answers it as usual. */
function insist(number, isLast) {
  const start = Date.now();
  let busySince = process.cpuUsage();
  let stops = 0;
  let isStopping = false;
  const timer = setInterval(() => {
    if (acknowledged >= number) {
      clearInterval(timer);
      return;
    }
    if (isLast && Date.now() > start + LAST_RESORT_MILLISECONDS) process.kill(process.pid, "SIGKILL");
    const stop = STOP[Atomics.load(flags, THREAD)];
    const isBusy = process.cpuUsage(busySince).user > BUSY_MICROSECONDS;
    // What is stopped twice takes the next with it that runs.
    if (stop === undefined || isStopping || !(isBusy || (stops === 0 && stop === signal))) return;
    stops += 1;
    isStopping = true;
    stop(() => {
      isStopping = false;
      busySince = process.cpuUsage();
    });
  }, LOOK_MILLISECONDS);
}

/** A signal breaks what runs without an await behind it, and leaves everything else as it was (vm, breakOnSigint). */
function signal(done) {
  Atomics.store(flags, SIGNALLED, 1);
  process.kill(process.pid, "SIGINT");
  done();
}

/** What a debugger's "terminate execution" does. It also stops what runs behind an await, and nothing can catch it. */
function terminate(done) {
  const { Session } = require("node:inspector");
  Atomics.store(flags, STOPPED_BY_FORCE, 1);
  const session = new Session();
  session.connectToMainThread();
  session.post("Runtime.terminateExecution", () => {
    session.disconnect();
    done();
  });
}

/** How to stop what the kernel's thread does; a compilation never is. */
const STOP = { [BREAKABLE]: signal, [FREE]: terminate };
