/** Addresses of kernels, kernelspecs and sessions. Manual: Jupyter Server, "REST API". */
import type { Kernels } from "./kernels.js";
import { created, HubError, type HubResponse, noContent, ok, type Route } from "./rest.js";
import type { Sessions } from "./sessions.js";

const NO_UPGRADE: HubResponse = { status: 400, body: { message: 'Can "Upgrade" only to "WebSocket".', reason: null } };

export function kernelRoutes(kernels: Kernels, sessions: Sessions): readonly Route[] {
  return [
    ["GET", "/api/kernelspecs", () => ok(kernels.specModels())],
    ["GET", "/api/kernelspecs/*", ({ parameters: [name] }) => ok(specModel(kernels, name!))],
    ["GET", "/kernelspecs/*/*", ({ parameters: [name, file] }) => kernels.resource(name!, file!)],

    ["GET", "/api/kernels", () => ok(kernels.all.map(({ model }) => model))],
    [
      "POST",
      "/api/kernels",
      async ({ body }) => {
        const { model } = await kernels.start(body?.["name"], body?.["path"]);
        return created(model, `/api/kernels/${model.id}`);
      },
    ],
    ["GET", "/api/kernels/*", ({ parameters: [id] }) => ok(kernels.get(id!).model)],
    [
      "DELETE",
      "/api/kernels/*",
      async ({ parameters: [id] }) => {
        await kernels.end(id!);
        return noContent;
      },
    ],
    [
      "POST",
      "/api/kernels/*/interrupt",
      ({ parameters: [id] }) => {
        kernels.get(id!).interrupt();
        return noContent;
      },
    ],
    [
      "POST",
      "/api/kernels/*/restart",
      async ({ parameters: [id] }) => {
        const kernel = kernels.get(id!);
        await kernel.restart();
        return ok(kernel.model);
      },
    ],
    ["GET", "/api/kernels/*/channels", () => NO_UPGRADE],
    ["GET", "/api/events/subscribe", () => NO_UPGRADE],

    ["GET", "/api/sessions", () => ok(sessions.models())],
    [
      "POST",
      "/api/sessions",
      async ({ body }) => {
        const { id, model } = await sessions.start(body);
        return created(model, `/api/sessions/${id}`);
      },
    ],
    ["GET", "/api/sessions/*", ({ parameters: [id] }) => ok(sessions.model(id!))],
    ["PATCH", "/api/sessions/*", async ({ parameters: [id], body }) => ok(await sessions.change(id!, body))],
    [
      "DELETE",
      "/api/sessions/*",
      async ({ parameters: [id] }) => {
        await sessions.end(id!);
        return noContent;
      },
    ],
  ];
}

function specModel(kernels: Kernels, name: string): unknown {
  const model = Object.entries(kernels.specModels().kernelspecs).find(([other]) => other === name)?.[1];
  if (model === undefined) throw new HubError(404, `Kernel spec ${name} not found`);
  return model;
}
