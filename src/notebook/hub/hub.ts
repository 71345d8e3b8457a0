/**
 * The hub: kernels, sessions and files for Jupyter clients, as a table of REST routes that no transport is part of.
 * Left out: users and passwords, terminals, settings, checkpoints. Manual: Jupyter Server, "REST API".
 */
import { randomUUID } from "node:crypto";
import path from "node:path";
import { VirtlabError } from "../../state/error.js";
import { Contents, type ContentsToSave } from "./contents.js";
import { HubKernel } from "./hub-kernel.js";
import { KERNEL_NAME, type KernelSpec, kernelSpec } from "./kernel-spec.js";

export interface HubResponse {
  readonly status: number;
  /** Sent as JSON; undefined is an empty body. */
  readonly body?: unknown;
  /** Sent as it is, in the place of JSON. */
  readonly file?: { readonly bytes: Uint8Array; readonly type: string };
  readonly headers?: Readonly<Record<string, string>>;
}

interface HubSession {
  readonly id: string;
  readonly path: string;
  readonly name: string;
  readonly type: string;
  readonly kernel: HubKernel;
}

interface Request {
  /** The decoded parts of the path that the pattern's groups match. */
  readonly parameters: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
}

type Handler = (request: Request) => HubResponse | Promise<HubResponse>;

const IDENTITY = {
  username: "virtlab",
  name: "virtlab",
  display_name: "virtlab",
  initials: "v",
  avatar_url: null,
  color: null,
};

export class Hub {
  readonly #contents: Contents;
  readonly #root: string;
  readonly #spec: KernelSpec;
  readonly #kernels = new Map<string, HubKernel>();
  readonly #sessions = new Map<string, HubSession>();
  readonly #started = new Date().toISOString();

  /** Serves files below the root; kernels run in the folder of their notebook. */
  constructor(root: string, spec: KernelSpec = kernelSpec()) {
    this.#root = path.resolve(root);
    this.#spec = spec;
    this.#contents = new Contents(this.#root);
  }

  /** Routes are tried in order; `*` stands for one part of a path and `**` for the rest. */
  readonly #routes: readonly (readonly [method: string, pattern: string, handler: Handler])[] = [
    ["GET", "/api", () => ok({ version: "virtlab" })],
    ["GET", "/api/me", () => ok({ identity: IDENTITY, permissions: {} })],
    ["GET", "/api/status", () => ok(this.#status())],
    ["GET", "/api/kernelspecs", () => ok(kernelSpecs(this.#spec))],
    ["GET", "/api/kernels", () => ok([...this.#kernels.values()].map((kernel) => kernel.model))],
    ["POST", "/api/kernels", async ({ body }) => created((await this.#startKernel(body["name"], body["path"])).model)],
    ["GET", "/api/kernels/*", ({ parameters: [id] }) => ok(this.#kernel(id!).model)],
    ["DELETE", "/api/kernels/*", async ({ parameters: [id] }) => this.#shutdownKernel(id!)],
    ["POST", "/api/kernels/*/interrupt", ({ parameters: [id] }) => this.#interrupt(id!)],
    ["POST", "/api/kernels/*/restart", async ({ parameters: [id] }) => this.#restart(id!)],
    ["GET", "/api/sessions", () => ok([...this.#sessions.values()].map(sessionModel))],
    ["POST", "/api/sessions", async ({ body }) => this.#startSession(body)],
    ["GET", "/api/sessions/*", ({ parameters: [id] }) => ok(sessionModel(this.#session(id!)))],
    ["PATCH", "/api/sessions/*", async ({ parameters: [id], body }) => this.#changeSession(id!, body)],
    ["DELETE", "/api/sessions/*", async ({ parameters: [id] }) => this.#endSession(id!)],
    ["GET", "/api/contents", ({ query }) => this.#readContents("", query)],
    ["GET", "/api/contents/**", ({ parameters: [file], query }) => this.#readContents(file!, query)],
    [
      "PUT",
      "/api/contents/**",
      ({ parameters: [file], body }) => ok(this.#contents.save(file!, body as ContentsToSave)),
    ],
  ];

  /** Answers a request. `target` is path and query; errors are answers too: 404, 400 with a message, 500. */
  async handle(method: string, target: string, body: string): Promise<HubResponse> {
    const { pathname, query } = splitTarget(target);
    let known = false;
    for (const [routeMethod, pattern, handler] of this.#routes) {
      const parts = matchPath(pattern, pathname);
      if (parts === undefined) continue;
      known = true;
      if (routeMethod !== method) continue;
      try {
        return await handler({ parameters: parts.map(decodePart), query, body: parseBody(body) });
      } catch (error) {
        const status = error instanceof NotFound ? 404 : error instanceof VirtlabError ? 400 : 500;
        return { status, body: { message: error instanceof Error ? error.message : String(error) } };
      }
    }
    return { status: known ? 405 : 404, body: { message: `${method} ${pathname} is not served` } };
  }

  /** The kernel with this id, for its channels; undefined when there is none. */
  kernel(id: string): HubKernel | undefined {
    return this.#kernels.get(id);
  }

  /** Ends all kernels. */
  async dispose(): Promise<void> {
    const kernels = [...this.#kernels.values()];
    this.#kernels.clear();
    this.#sessions.clear();
    await Promise.all(kernels.map((kernel) => kernel.shutdown()));
  }

  async #startKernel(name: unknown, notebook: unknown): Promise<HubKernel> {
    if (name !== undefined && name !== null && name !== KERNEL_NAME) {
      throw new VirtlabError(`kernel ${String(name)}: only ${KERNEL_NAME} is known`);
    }
    const file = this.#contents.locate(typeof notebook === "string" ? notebook : "");
    const folder = typeof notebook === "string" && notebook !== "" ? path.dirname(file) : this.#root;
    const kernel = await HubKernel.start(this.#spec, KERNEL_NAME, folder);
    this.#kernels.set(kernel.id, kernel);
    return kernel;
  }

  #kernel(id: string): HubKernel {
    const kernel = this.#kernels.get(id);
    if (kernel === undefined) throw new NotFound(`no kernel ${id}`);
    return kernel;
  }

  async #shutdownKernel(id: string): Promise<HubResponse> {
    const kernel = this.#kernel(id);
    this.#kernels.delete(id);
    for (const [key, session] of this.#sessions) if (session.kernel === kernel) this.#sessions.delete(key);
    await kernel.shutdown();
    return { status: 204 };
  }

  #interrupt(id: string): HubResponse {
    this.#kernel(id).interrupt();
    return { status: 204 };
  }

  async #restart(id: string): Promise<HubResponse> {
    const kernel = this.#kernel(id);
    await kernel.restart();
    return ok(kernel.model);
  }

  #session(id: string): HubSession {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new NotFound(`no session ${id}`);
    return session;
  }

  async #startSession(body: Readonly<Record<string, unknown>>): Promise<HubResponse> {
    const file = String(body["path"] ?? "");
    const existing = [...this.#sessions.values()].find((session) => session.path === file);
    if (existing !== undefined) return created(sessionModel(existing));
    const asked = (body["kernel"] ?? {}) as { id?: unknown; name?: unknown };
    const kernel =
      typeof asked.id === "string" ? this.#kernel(asked.id) : await this.#startKernel(asked.name, body["path"]);
    const session = {
      id: randomUUID(),
      path: file,
      name: String(body["name"] ?? ""),
      type: String(body["type"] ?? "notebook"),
      kernel,
    };
    this.#sessions.set(session.id, session);
    return created(sessionModel(session));
  }

  async #changeSession(id: string, body: Readonly<Record<string, unknown>>): Promise<HubResponse> {
    const old = this.#session(id);
    const asked = (body["kernel"] ?? {}) as { id?: unknown; name?: unknown };
    let kernel = old.kernel;
    if (typeof asked.id === "string") kernel = this.#kernel(asked.id);
    else if (typeof asked.name === "string") kernel = await this.#startKernel(asked.name, old.path);
    const text = (key: "path" | "name" | "type") => (typeof body[key] === "string" ? body[key] : old[key]);
    const session = { id, path: text("path"), name: text("name"), type: text("type"), kernel };
    this.#sessions.set(id, session);
    return ok(sessionModel(session));
  }

  async #endSession(id: string): Promise<HubResponse> {
    return this.#shutdownKernel(this.#session(id).kernel.id);
  }

  #readContents(file: string, query: URLSearchParams): HubResponse {
    return ok(this.#contents.get(file, query.get("content") !== "0"));
  }

  #status(): unknown {
    const kernels = [...this.#kernels.values()].map((kernel) => kernel.model);
    return {
      started: this.#started,
      last_activity: [this.#started, ...kernels.map((kernel) => kernel.last_activity)].sort().at(-1),
      kernels: kernels.length,
      connections: kernels.reduce((sum, { connections }) => sum + connections, 0),
    };
  }
}

/** Path and query as they came: a URL would take `..` away before anybody sees it. */
export function splitTarget(target: string): { pathname: string; query: URLSearchParams } {
  const end = target.indexOf("?");
  const pathname = end < 0 ? target : target.slice(0, end);
  return { pathname, query: new URLSearchParams(end < 0 ? "" : target.slice(end + 1)) };
}

class NotFound extends VirtlabError {}

function ok(body: unknown): HubResponse {
  return { status: 200, body };
}

function created(body: unknown): HubResponse {
  return { status: 201, body };
}

function kernelSpecs(spec: KernelSpec): unknown {
  return {
    default: KERNEL_NAME,
    kernelspecs: { [KERNEL_NAME]: { name: KERNEL_NAME, spec, resources: {} } },
  };
}

function sessionModel({ id, path: file, name, type, kernel }: HubSession): unknown {
  return { id, path: file, name, type, kernel: kernel.model };
}

/** The parts that the pattern leaves open, still encoded; undefined when the path does not match. */
function matchPath(pattern: string, pathname: string): string[] | undefined {
  const source = pattern.replaceAll("**", "(.+)").replaceAll("*", "([^/]+)");
  return new RegExp(`^${source}/?$`).exec(pathname)?.slice(1);
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new VirtlabError(`${part}: not a valid part of an address`);
  }
}

function parseBody(body: string): Readonly<Record<string, unknown>> {
  if (body === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new VirtlabError("request body: not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new VirtlabError("request body: not a JSON object");
  }
  return value as Record<string, unknown>;
}
