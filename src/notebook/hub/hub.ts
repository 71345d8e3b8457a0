/**
 * The hub: kernels, sessions and files for Jupyter clients, as one table of REST routes that no transport is part of.
 * Left out: users and passwords, terminals, settings. Manual: Jupyter Server, "REST API".
 */
import { Contents } from "./contents.js";
import { contentsRoutes } from "./contents-routes.js";
import { HubEvents } from "./events.js";
import type { HubKernel } from "./hub-kernel.js";
import { kernelRoutes } from "./kernel-routes.js";
import { type KernelSpec, kernelSpec } from "./kernel-spec.js";
import { Kernels } from "./kernels.js";
import { NotebookTrust } from "./notebook-trust.js";
import { packageVersion } from "./package-version.js";
import { answer, HubError, type HubResponse, noContent, ok, type Route } from "./rest.js";
import { Sessions } from "./sessions.js";

export interface HubOptions {
  /** Starts a kernel that ended by itself anew, as Jupyter Server does. */
  readonly autorestart?: boolean;
  /** Where it is remembered which notebooks' outputs are the user's own; without it, for this hub's life. */
  readonly trustFile?: string;
}

const IDENTITY = {
  username: "virtlab",
  name: "virtlab",
  display_name: "virtlab",
  initials: "v",
  avatar_url: null,
  color: null,
};

export class Hub {
  readonly events = new HubEvents();
  readonly #kernels: Kernels;
  readonly #routes: readonly Route[];
  readonly #started = new Date().toISOString();

  /**
   * Serves files below the root; kernels run in the folder of their notebook.
   * @throws Error of the file system when the root is no folder.
   */
  constructor(root: string, spec: KernelSpec = kernelSpec(), options: HubOptions = {}) {
    const contents = new Contents(root, new NotebookTrust(options.trustFile));
    this.#kernels = new Kernels(contents, spec, { autorestart: options.autorestart === true });
    this.#routes = [
      ["GET", "/api", () => ok({ version: packageVersion() })],
      ["GET", "/api/me", () => ok({ identity: IDENTITY, permissions: {} })],
      ["GET", "/api/status", () => ok(this.#status())],
      ["POST", "/api/events", ({ body }) => this.#emit(body)],
      ...kernelRoutes(this.#kernels, new Sessions(this.#kernels)),
      ...contentsRoutes(contents, this.events),
    ];
  }

  /** Answers a request. `target` is path and query; errors are answers too. */
  handle(method: string, target: string, body: string): Promise<HubResponse> {
    return answer(this.#routes, method, target, body);
  }

  /** The kernel with this id, for its channels; undefined when there is none. */
  kernel(id: string): HubKernel | undefined {
    return this.#kernels.find(id);
  }

  /** How many kernels there are. */
  get kernelCount(): number {
    return this.#kernels.all.length;
  }

  /** Ends all kernels. */
  dispose(): Promise<void> {
    return this.#kernels.endAll();
  }

  /** A client's own event, passed on to all who listen. */
  #emit(body: Readonly<Record<string, unknown>> | undefined): HubResponse {
    const { schema_id: schema, data, version } = body ?? {};
    for (const [name, value] of Object.entries({ schema_id: schema, version, data })) {
      if (value === undefined) throw new HubError(400, `Missing \`${name}\` in the JSON request body.`);
    }
    if (typeof data !== "object" || data === null) throw new HubError(400, "`data` is not a JSON object.");
    this.events.emit(String(schema), { ...data, schema_version: String(version) });
    return noContent;
  }

  #status(): unknown {
    const kernels = this.#kernels.all.map(({ model }) => model);
    return {
      started: this.#started,
      last_activity: [this.#started, ...kernels.map((kernel) => kernel.last_activity)].sort().at(-1),
      kernels: kernels.length,
      connections: kernels.reduce((sum, { connections }) => sum + connections, 0),
    };
  }
}
