/**
 * One run of a kernel: its process and the sockets to it. A restart is a new run. Heartbeats are left out, because the
 * end of a child process is seen directly. Manual: Messaging in Jupyter, "Introduction".
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Dealer, Subscriber } from "zeromq";
import { VirtlabError } from "../../state/error.js";
import { type Connection, newConnection, writeConnectionFile } from "./connection-file.js";
import { type Channel, createMessage, decodeFrames, encodeFrames, type JupyterMessage } from "./jupyter-message.js";
import { type KernelSpec, kernelCommand } from "./kernel-spec.js";

const READY_MILLISECONDS = 60_000;
const ASK_AGAIN_MILLISECONDS = 200;
const SHUTDOWN_MILLISECONDS = 2_000;
const STARTS = 3;
/** What a kernel said last is still on its way when its end is seen. */
const LAST_WORDS_MILLISECONDS = 100;
const KEPT_STDERR_CHARACTERS = 2_000;

/** Loading its native part takes a while, and what only serves files has no use for it. */
type ZeroMq = typeof import("zeromq");

export class KernelProcess {
  readonly #child: ChildProcess;
  readonly #key: string;
  readonly #interruptMode: string;
  readonly #removeConnectionFile: () => void;
  readonly #shell: Dealer;
  readonly #control: Dealer;
  readonly #stdin: Dealer;
  readonly #iopub: Subscriber;
  readonly #listeners = new Set<(message: JupyterMessage) => void>();
  #sending: Promise<unknown> = Promise.resolve();
  /** Of the questions that find out when the kernel is ready; the answers still to come are nobody's. */
  readonly #session = randomUUID();
  #isReady = false;
  #stderr = "";
  #ended: string | undefined;

  /** Resolves with a line that says how the process ended. */
  readonly ended: Promise<string>;

  /**
   * Starts a kernel in a folder and waits until it answers on all channels.
   * @throws VirtlabError when it ends or stays silent instead.
   */
  static async start(spec: KernelSpec, name: string, folder: string): Promise<KernelProcess> {
    const zeroMq = await import("zeromq");
    for (let attempt = 1; ; attempt += 1) {
      const kernel = new KernelProcess(zeroMq, spec, await newConnection(name), folder);
      try {
        await kernel.#ready();
        // The kernel has read it, and the key should not lie about longer than needed.
        kernel.#removeConnectionFile();
        return kernel;
      } catch (error) {
        await kernel.shutdown();
        // Another program can take a port between our choice and the kernel's bind.
        if (attempt === STARTS || !kernel.#stderr.includes("Address already in use")) throw error;
      }
    }
  }

  private constructor(zeroMq: ZeroMq, spec: KernelSpec, connection: Connection, folder: string) {
    this.#shell = new zeroMq.Dealer();
    this.#control = new zeroMq.Dealer();
    this.#stdin = new zeroMq.Dealer();
    this.#iopub = new zeroMq.Subscriber();
    this.#key = connection.key;
    this.#interruptMode = spec.interrupt_mode;
    const { file, remove } = writeConnectionFile(connection);
    this.#removeConnectionFile = remove;
    const { command, args } = kernelCommand(spec, file);
    this.#child = spawn(command, args, {
      cwd: folder,
      // Ctrl-C in a terminal is for the program that started the kernel, not for the cell that runs.
      detached: process.platform !== "win32",
      windowsHide: true,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, JPY_PARENT_PID: String(process.pid) },
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-KEPT_STDERR_CHARACTERS);
    });
    this.ended = new Promise((resolve) => {
      const end = (reason: string) => {
        this.#ended ??= reason;
        remove();
        setTimeout(() => {
          this.#close();
          resolve(reason);
        }, LAST_WORDS_MILLISECONDS);
      };
      this.#child.once("error", (error) => end(`the kernel could not be started: ${error.message}`));
      this.#child.once("close", (status, signal) =>
        end(`the kernel ended ${signal === null ? `with status ${status}` : `by ${signal}`}${lastLine(this.#stderr)}`),
      );
    });

    this.#iopub.receiveHighWaterMark = 0;
    this.#iopub.subscribe();
    const sockets = { shell: this.#shell, control: this.#control, stdin: this.#stdin, iopub: this.#iopub };
    for (const [channel, socket] of Object.entries(sockets) as [Channel, Dealer | Subscriber][]) {
      // What has not been sent when the kernel is gone never will be.
      if (socket instanceof zeroMq.Dealer) socket.linger = 0;
      socket.connect(`tcp://${connection.ip}:${connection[`${channel}_port`]}`);
      void this.#receive(channel, socket);
    }
  }

  get processId(): number | undefined {
    return this.#child.pid;
  }

  /** Calls the listener with every message of the kernel; the result ends that. */
  onMessage(listener: (message: JupyterMessage) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sends a message on its channel. After the end of the kernel nothing is sent. */
  send(message: JupyterMessage): void {
    const socket = { shell: this.#shell, control: this.#control, stdin: this.#stdin, iopub: undefined }[
      message.channel
    ];
    if (socket === undefined) return;
    const frames = encodeFrames(message, this.#key);
    // ZeroMQ for Node allows one waiting send for a socket.
    this.#sending = this.#sending
      .then(() => (this.#ended === undefined ? socket.send(frames) : undefined))
      .catch(() => {});
  }

  /** Interrupts the cell that runs, as the kernelspec says. */
  interrupt(): void {
    if (this.#interruptMode === "message") this.send(createMessage("control", "interrupt_request", {}, randomUUID()));
    else this.#child.kill("SIGINT");
  }

  /** Ends the kernel: it is asked first, and killed when it does not listen. */
  async shutdown(): Promise<void> {
    if (this.#ended !== undefined) return;
    this.send(createMessage("control", "shutdown_request", { restart: false }, randomUUID()));
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), SHUTDOWN_MILLISECONDS);
    await this.ended;
    clearTimeout(timer);
  }

  /** Ends the kernel at once. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  /**
   * Asks for kernel_info until both a reply on shell and a message on iopub have come. A subscription takes effect some
   * time after connecting, and what a kernel publishes before is lost: one question is not enough.
   */
  async #ready(): Promise<void> {
    const seen = new Set<Channel>();
    await new Promise<void>((resolve, reject) => {
      const ask = () => this.send(createMessage("shell", "kernel_info_request", {}, this.#session));
      const asking = setInterval(ask, ASK_AGAIN_MILLISECONDS);
      const finish = (settle: () => void) => {
        clearInterval(asking);
        clearTimeout(limit);
        stop();
        settle();
      };
      const limit = setTimeout(
        () => finish(() => reject(new VirtlabError(`the kernel did not answer within ${READY_MILLISECONDS / 1000} s`))),
        READY_MILLISECONDS,
      );
      const stop = this.onMessage((message) => {
        seen.add(message.channel);
        if (!seen.has("shell") || !seen.has("iopub")) return;
        this.#isReady = true;
        finish(resolve);
      });
      void this.ended.then((reason) => finish(() => reject(new VirtlabError(reason))));
      ask();
    });
  }

  async #receive(channel: Channel, socket: Dealer | Subscriber): Promise<void> {
    try {
      for await (const frames of socket) {
        let message: JupyterMessage;
        try {
          message = decodeFrames(channel, frames, this.#key);
        } catch (error) {
          // Anyone on this machine can connect to a port; only signed messages count.
          if (error instanceof VirtlabError) continue;
          throw error;
        }
        if (this.#isReady && message.parent_header.session === this.#session) continue;
        for (const listener of this.#listeners) listener(message);
      }
    } catch {
      // The socket was closed while it waited.
    }
  }

  #close(): void {
    for (const socket of [this.#shell, this.#control, this.#stdin, this.#iopub]) socket.close();
  }
}

function lastLine(text: string): string {
  const line = text.trim().split("\n").at(-1);
  return line === undefined || line === "" ? "" : `: ${line}`;
}
