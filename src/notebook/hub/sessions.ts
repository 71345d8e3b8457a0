/** Sessions: which document has which kernel. Manual: Jupyter Server, "Sessions API". */
import { randomUUID } from "node:crypto";
import type { HubKernel } from "./hub-kernel.js";
import type { Kernels } from "./kernels.js";
import { HubError, isRecord } from "./rest.js";

type Fields = Readonly<Record<string, unknown>>;

interface Session {
  readonly id: string;
  readonly path: string;
  readonly name: string;
  readonly type: string;
  readonly kernel: HubKernel;
}

/** The status of Jupyter Server for a kernelspec that it does not have. */
const NOT_IMPLEMENTED = 501;

export class Sessions {
  readonly #kernels: Kernels;
  readonly #sessions = new Map<string, Session>();
  /** Starts on their way, by path: a page that asks twice gets one kernel. */
  readonly #starting = new Map<string, Promise<Session>>();

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /** Sessions whose kernel was ended by itself are gone. */
  models(): unknown[] {
    return this.#living().map(modelOf);
  }

  model(id: string): unknown {
    return modelOf(this.#get(id));
  }

  /** The session of a document, with a new kernel if it has none yet. */
  async start(body: Fields | undefined): Promise<{ readonly id: string; readonly model: unknown }> {
    if (body === undefined) throw new HubError(400, "No JSON data provided");
    const { path: file, type, name } = body;
    if (typeof file !== "string") throw new HubError(400, "Missing field in JSON data: path");
    if (typeof type !== "string") throw new HubError(400, "Missing field in JSON data: type");
    let session = this.#living().find((other) => other.path === file);
    if (session === undefined) {
      const start = this.#starting.get(file) ?? this.#make(file, type, typeof name === "string" ? name : "", body);
      this.#starting.set(file, start);
      try {
        session = await start;
      } finally {
        this.#starting.delete(file);
      }
    }
    return { id: session.id, model: modelOf(session) };
  }

  /** Gives a session another document, name or kernel. */
  async change(id: string, body: Fields | undefined): Promise<unknown> {
    const old = this.#get(id);
    if (body === undefined) throw new HubError(400, "No JSON data provided");
    const text = (key: "path" | "name" | "type"): string => (typeof body[key] === "string" ? body[key] : old[key]);
    const kernel = await this.#kernel(body["kernel"], old.path, old.kernel);
    const session = { id, path: text("path"), name: text("name"), type: text("type"), kernel };
    this.#sessions.set(id, session);
    // A kernel that was exchanged for another is nobody's, unless another document has it, too.
    if (kernel !== old.kernel && !this.#living().some((other) => other.kernel === old.kernel)) {
      await this.#kernels.end(old.kernel.id);
    }
    return modelOf(session);
  }

  async end(id: string): Promise<void> {
    const { kernel } = this.#get(id);
    this.#sessions.delete(id);
    if (this.#kernels.find(kernel.id) !== undefined) await this.#kernels.end(kernel.id);
  }

  async #make(file: string, type: string, name: string, body: Fields): Promise<Session> {
    const kernel = await this.#kernel(body["kernel"], file);
    const session = { id: randomUUID(), path: file, name, type, kernel };
    this.#sessions.set(session.id, session);
    return session;
  }

  async #kernel(asked: unknown, file: string, present?: HubKernel): Promise<HubKernel> {
    const { id, name } = isRecord(asked) ? asked : { id: undefined, name: undefined };
    if (typeof id === "string") {
      const kernel = this.#kernels.find(id);
      if (kernel === undefined) throw new HubError(400, `No such kernel: ${id}`);
      return kernel;
    }
    if (present !== undefined && typeof name !== "string") return present;
    return this.#kernels.start(name, file, NOT_IMPLEMENTED);
  }

  #get(id: string): Session {
    const session = this.#living().find((other) => other.id === id);
    if (session === undefined) throw new HubError(404, `Session not found: session_id='${id}'`);
    return session;
  }

  #living(): Session[] {
    for (const [id, { kernel }] of this.#sessions) {
      if (this.#kernels.find(kernel.id) === undefined) this.#sessions.delete(id);
    }
    return [...this.#sessions.values()];
  }
}

function modelOf({ id, path: file, name, type, kernel }: Session): unknown {
  const legacy = type === "notebook" ? { notebook: { path: file, name } } : {};
  return { id, path: file, name, type, kernel: kernel.model, ...legacy };
}
