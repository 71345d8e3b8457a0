// The kernel's side of the control thread: messages of the control channel, and what the thread has to know of cells.

const path = require("node:path");
const { Worker } = require("node:worker_threads");
const { COUNT, SIGNALLED, STOPPED_BY_FORCE, THREAD } = require("./control-flags.js");

class ControlChannel {
  #flags = new Int32Array(new SharedArrayBuffer(COUNT * Int32Array.BYTES_PER_ELEMENT));
  #worker;

  /** Starts the thread, which ends the kernel when the process that started it is gone. */
  constructor() {
    const named = Number(process.env.JPY_PARENT_PID);
    const watched = named > 1 ? [process.ppid, named] : [process.ppid];
    const workerData = { parent: process.ppid, watched, flags: this.#flags };
    // Without execArgv: a script that the caller preloads is meant for the kernel and not for this thread.
    this.#worker = new Worker(path.join(__dirname, "control-thread.js"), { execArgv: [], workerData });
    this.#worker.unref();
  }

  /** Listens for control messages and heartbeats; `receive(frames, reply)` gets the frames of each message. */
  bind(connection, receive) {
    return new Promise((resolve, reject) => {
      this.#worker.on("message", ({ bound, message, frames, number }) => {
        if (bound === true) {
          // From here on the sockets of the kernel's own thread keep the process alive.
          this.#worker.unref();
          resolve();
        } else if (bound === false) reject(new Error(message));
        else {
          this.#worker.postMessage({ command: "acknowledge", number });
          const bytes = frames.map((frame) => Buffer.from(frame));
          receive(bytes, (reply) => this.#worker.postMessage({ command: "reply", number, frames: reply }));
        }
      });
      this.#worker.once("error", reject);
      this.#worker.ref();
      this.#worker.postMessage({ command: "bind", connection });
    });
  }

  /** Says what the kernel's thread may be stopped in (see control-flags.js), and gives what was said before. */
  setThread(state) {
    return Atomics.exchange(this.#flags, THREAD, state);
  }

  /** Whether the thread has sent a signal that was not met yet. */
  takeSignal() {
    return Atomics.exchange(this.#flags, SIGNALLED, 0) === 1;
  }

  /** Whether the thread has stopped code by force since this was asked last. */
  takeStoppedByForce() {
    return Atomics.exchange(this.#flags, STOPPED_BY_FORCE, 0) === 1;
  }
}

module.exports = { ControlChannel };
