/**
 * A kernel as clients see it: one id over restarts, its state, and the clients on its channels. What it says while a
 * client has lost its connection is kept until that client is back. Manual: Jupyter Server, "Kernels API".
 */
import { randomUUID } from "node:crypto";
import { createMessage, type JupyterMessage } from "./jupyter-message.js";
import { KernelProcess } from "./kernel-process.js";
import type { KernelSpec } from "./kernel-spec.js";

/** A client on a kernel's channels. */
export interface ChannelClient {
  /** The session its requests carry: replies go to it alone. */
  readonly session: string;
  receive(message: JupyterMessage): void;
  /** The kernel is no more. */
  end?(): void;
}

export interface KernelModel {
  readonly id: string;
  readonly name: string;
  readonly last_activity: string;
  readonly execution_state: string;
  readonly connections: number;
  readonly reason?: string;
}

export interface HubKernelOptions {
  /** Starts the kernel anew when it ended by itself. */
  readonly autorestart?: boolean;
}

/** A kernel that ends this often, each time soon after its start, will not live. */
const AUTORESTARTS = 5;
const SOON_MILLISECONDS = 10_000;
/** Of a cell that prints without end to nobody, the beginning is kept, and that it ended. */
const KEPT_MESSAGES = 50_000;
const OUTPUT_TYPES = ["stream", "display_data", "update_display_data"];

export class HubKernel {
  readonly id = randomUUID();
  readonly name: string;
  readonly #spec: KernelSpec;
  readonly #folder: string;
  readonly #options: HubKernelOptions;
  readonly #clients = new Set<ChannelClient>();
  /** What came for a session since its last client went away. */
  #kept: { readonly session: string; readonly messages: JupyterMessage[] } | undefined;
  #process: KernelProcess;
  #processStarted = Date.now();
  #state = "idle";
  #lastActivity = new Date().toISOString();
  #deathReason: string | undefined;
  #restarting: Promise<void> | undefined;
  /** What clients send during a restart is for the new process. */
  #waiting: JupyterMessage[] = [];
  /** Clients take a message of another session for one of a new kernel, and then drop what is left of the old one. */
  #session: string = this.id;
  /** Processes whose end is wanted. */
  readonly #ending = new WeakSet<KernelProcess>();
  #autorestarts = 0;

  static async start(
    spec: KernelSpec,
    name: string,
    folder: string,
    options: HubKernelOptions = {},
  ): Promise<HubKernel> {
    return new HubKernel(spec, name, folder, options, await KernelProcess.start(spec, name, folder));
  }

  private constructor(
    spec: KernelSpec,
    name: string,
    folder: string,
    options: HubKernelOptions,
    process: KernelProcess,
  ) {
    this.#spec = spec;
    this.name = name;
    this.#folder = folder;
    this.#options = options;
    this.#process = process;
    this.#attach(process);
  }

  get model(): KernelModel {
    return {
      id: this.id,
      name: this.name,
      last_activity: this.#lastActivity,
      execution_state: this.#state,
      connections: this.#clients.size,
      ...(this.#deathReason === undefined ? {} : { reason: this.#deathReason }),
    };
  }

  /** How the kernel ended when nobody asked it to; undefined while it lives. */
  get deathReason(): string | undefined {
    return this.#deathReason;
  }

  get processId(): number | undefined {
    return this.#process.processId;
  }

  /** Adds a client and gives it what its session missed; the result takes it off again. */
  connect(client: ChannelClient): () => void {
    const kept = this.#kept;
    this.#kept = undefined;
    this.#clients.add(client);
    if (kept?.session === client.session) for (const message of kept.messages) client.receive(message);
    return () => this.#disconnect(client);
  }

  send(message: JupyterMessage): void {
    this.#lastActivity = new Date().toISOString();
    if (this.#restarting === undefined) this.#process.send(message);
    else this.#waiting.push(message);
  }

  interrupt(): void {
    this.#process.interrupt();
  }

  /**
   * Ends the process and starts another; clients stay connected. Who asks meanwhile gets the same restart. Clients are
   * not told: they take the status "restarting" for a kernel that died.
   */
  restart(): Promise<void> {
    this.#autorestarts = 0;
    this.#state = "restarting";
    return this.#restart();
  }

  async shutdown(): Promise<void> {
    this.#ending.add(this.#process);
    await this.#restarting?.catch(() => {});
    this.#ending.add(this.#process);
    await this.#process.shutdown();
    for (const client of this.#clients) client.end?.();
  }

  async kill(): Promise<void> {
    await this.#process.kill();
  }

  #restart(): Promise<void> {
    this.#restarting ??= this.#replaceProcess().finally(() => {
      this.#restarting = undefined;
      for (const message of this.#waiting.splice(0)) this.#process.send(message);
    });
    return this.#restarting;
  }

  async #replaceProcess(): Promise<void> {
    this.#ending.add(this.#process);
    await this.#process.shutdown();
    try {
      this.#process = await KernelProcess.start(this.#spec, this.name, this.#folder);
    } catch (error) {
      this.#deathReason = (error as Error).message;
      this.#tell("dead");
      throw error;
    }
    this.#deathReason = undefined;
    this.#processStarted = Date.now();
    this.#attach(this.#process);
    this.#tell("idle");
  }

  #attach(process: KernelProcess): void {
    process.onMessage((message) => {
      if (process !== this.#process) return;
      this.#session = message.header.session;
      this.#pass(message);
    });
    void process.ended.then((reason) => {
      if (!this.#ending.has(process)) this.#died(reason);
    });
  }

  /** A kernel that ended by itself is started anew, or said to be dead. */
  #died(reason: string): void {
    this.#deathReason = reason;
    if (Date.now() - this.#processStarted > SOON_MILLISECONDS) this.#autorestarts = 0;
    if (this.#options.autorestart !== true || this.#autorestarts >= AUTORESTARTS) {
      this.#tell("dead");
      return;
    }
    this.#autorestarts += 1;
    this.#tell("restarting");
    // A failed start has told its clients already.
    this.#restart().catch(() => {});
  }

  #disconnect(client: ChannelClient): void {
    if (!this.#clients.delete(client)) return;
    const { session } = client;
    const hasAnother = [...this.#clients].some((other) => other.session === session);
    if (session !== "" && !hasAnother) this.#kept = { session, messages: [] };
  }

  #pass(message: JupyterMessage): void {
    this.#lastActivity = new Date().toISOString();
    if (message.header.msg_type === "status") this.#state = String(message.content["execution_state"]);
    const isFor = (session: string): boolean =>
      message.channel === "iopub" || message.parent_header.session === session;
    for (const client of this.#clients) if (isFor(client.session)) client.receive(message);
    const { messages, session } = this.#kept ?? { messages: [], session: undefined };
    const isTooMuch = messages.length >= KEPT_MESSAGES && OUTPUT_TYPES.includes(message.header.msg_type);
    if (session !== undefined && isFor(session) && !isTooMuch) messages.push(message);
  }

  /** Tells clients of a state that the kernel itself cannot tell, as Jupyter Server does. */
  #tell(state: string): void {
    this.#pass(createMessage("iopub", "status", { execution_state: state }, this.#session));
  }
}
