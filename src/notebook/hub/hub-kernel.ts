/**
 * A kernel as clients see it: one id over restarts, its state, and the clients on its channels.
 * Manual: Jupyter Server, "Kernels API".
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
}

export interface KernelModel {
  readonly id: string;
  readonly name: string;
  readonly last_activity: string;
  readonly execution_state: string;
  readonly connections: number;
  readonly reason?: string;
}

export class HubKernel {
  readonly id = randomUUID();
  readonly name: string;
  readonly #spec: KernelSpec;
  readonly #folder: string;
  readonly #clients = new Set<ChannelClient>();
  #process: KernelProcess;
  #state = "idle";
  #lastActivity = new Date().toISOString();
  #deathReason: string | undefined;
  #endIsWanted = false;

  static async start(spec: KernelSpec, name: string, folder: string): Promise<HubKernel> {
    return new HubKernel(spec, name, folder, await KernelProcess.start(spec, name, folder));
  }

  private constructor(spec: KernelSpec, name: string, folder: string, process: KernelProcess) {
    this.#spec = spec;
    this.name = name;
    this.#folder = folder;
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

  /** Adds a client; the result takes it off again. */
  connect(client: ChannelClient): () => void {
    this.#clients.add(client);
    return () => this.#clients.delete(client);
  }

  send(message: JupyterMessage): void {
    this.#lastActivity = new Date().toISOString();
    this.#process.send(message);
  }

  interrupt(): void {
    this.#process.interrupt();
  }

  /** Ends the process and starts another; clients stay connected. */
  async restart(): Promise<void> {
    const old = this.#process;
    this.#endIsWanted = true;
    this.#setState("restarting");
    await old.shutdown();
    try {
      this.#process = await KernelProcess.start(this.#spec, this.name, this.#folder);
    } catch (error) {
      this.#deathReason = (error as Error).message;
      this.#setState("dead");
      throw error;
    }
    this.#deathReason = undefined;
    this.#endIsWanted = false;
    this.#attach(this.#process);
    this.#setState("idle");
  }

  async shutdown(): Promise<void> {
    this.#endIsWanted = true;
    await this.#process.shutdown();
  }

  async kill(): Promise<void> {
    await this.#process.kill();
  }

  #attach(process: KernelProcess): void {
    process.onMessage((message) => {
      if (process === this.#process) this.#pass(message);
    });
    void process.ended.then((reason) => {
      if (process !== this.#process || this.#endIsWanted) return;
      this.#deathReason = reason;
      this.#setState("dead");
    });
  }

  #pass(message: JupyterMessage): void {
    this.#lastActivity = new Date().toISOString();
    if (message.header.msg_type === "status") this.#state = String(message.content["execution_state"]);
    for (const client of this.#clients) {
      if (message.channel === "iopub" || message.parent_header.session === client.session) client.receive(message);
    }
  }

  /** Tells clients of a state that the kernel itself cannot tell, as Jupyter Server does. */
  #setState(state: string): void {
    this.#pass(createMessage("iopub", "status", { execution_state: state }, this.id));
  }
}
