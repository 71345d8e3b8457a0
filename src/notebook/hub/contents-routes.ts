/** Addresses of files, their checkpoints, and their bare bytes. Manual: Jupyter Server, "Contents API". */
import path from "node:path";
import type { Contents, ContentsModel, Wanted } from "./contents.js";
import type { HubEvents } from "./events.js";
import { contentType } from "./media-types.js";
import { created, encodePath, HubError, type HubResponse, noContent, ok, type Route } from "./rest.js";

const ROOT = "/api/contents";
const EVENTS = "https://events.jupyter.org/jupyter_server/contents_service/v1";

/** Pages among a user's files may run scripts, but not as this server's own. */
const SANDBOX = "frame-ancestors 'self'; sandbox allow-scripts";

export function contentsRoutes(contents: Contents, events: HubEvents): readonly Route[] {
  const tell = (action: string, file: string, source?: string): void =>
    events.emit(EVENTS, { action, path: file, ...(source === undefined ? {} : { source_path: source }) });

  const read = (file: string, query: URLSearchParams): HubResponse => {
    const model = contents.get(file, wanted(query));
    tell("get", file);
    return ok(model, modified(model));
  };
  const make = (folder: string, body: Readonly<Record<string, unknown>>): HubResponse => {
    const source = body["copy_from"];
    const copied = typeof source === "string";
    const model = copied ? contents.copy(source, folder) : contents.create(folder, body["type"], body["ext"]);
    tell(copied ? "copy" : "save", model.path, copied ? source : undefined);
    return created(model, address(model.path));
  };
  const checkpoint = (file: string): HubResponse => {
    const model = contents.checkpoint(file);
    return created(model, `${address(file)}/checkpoints/${model.id}`);
  };

  return [
    ["GET", `${ROOT}/**/checkpoints`, ({ parameters: [file] }) => ok(contents.checkpoints.list(file!))],
    ["POST", `${ROOT}/**/checkpoints`, ({ parameters: [file] }) => checkpoint(file!)],
    [
      "POST",
      `${ROOT}/**/checkpoints/*`,
      ({ parameters: [file, id] }) => {
        contents.checkpoints.restore(file!, id!);
        return noContent;
      },
    ],
    [
      "DELETE",
      `${ROOT}/**/checkpoints/*`,
      ({ parameters: [file, id] }) => {
        contents.checkpoints.remove(file!, id!);
        return noContent;
      },
    ],
    [
      "POST",
      `${ROOT}/**/trust`,
      ({ parameters: [file] }) => {
        contents.trust(file!);
        return { status: 201 };
      },
    ],
    ["GET", ROOT, ({ query }) => read("", query)],
    ["GET", `${ROOT}/**`, ({ parameters: [file], query }) => read(file!, query)],
    [
      "PUT",
      `${ROOT}/**`,
      ({ parameters: [file], body }) => {
        if (body === undefined) throw new HubError(400, "No file content provided");
        const { model, isNew } = contents.save(file!, body);
        tell("save", model.path);
        const headers = { Location: address(model.path), ...modified(model) };
        return { status: isNew ? 201 : 200, body: model, headers };
      },
    ],
    ["POST", ROOT, ({ body }) => make("", body ?? {})],
    ["POST", `${ROOT}/**`, ({ parameters: [folder], body }) => make(folder!, body ?? {})],
    [
      "PATCH",
      `${ROOT}/**`,
      ({ parameters: [file], body }) => {
        const to = body?.["path"] ?? file!;
        if (typeof to !== "string") throw new HubError(400, "the new path is not a string");
        const model = contents.rename(file!, to);
        tell("rename", model.path, file!);
        return ok(model, { Location: address(model.path), ...modified(model) });
      },
    ],
    ["DELETE", ROOT, () => remove(contents, "")],
    [
      "DELETE",
      `${ROOT}/**`,
      ({ parameters: [file] }) => {
        const response = remove(contents, file!);
        tell("delete", file!);
        return response;
      },
    ],
    ["GET", "/files/**", ({ parameters: [file], query }) => bare(contents, file!, query.has("download"))],
  ];
}

function remove(contents: Contents, file: string): HubResponse {
  contents.remove(file);
  return noContent;
}

/** A file as it is: images of notebooks, downloads. */
function bare(contents: Contents, file: string, download: boolean): HubResponse {
  const name = encodeURIComponent(path.posix.basename(file));
  const attachment = download || file.endsWith(".ipynb");
  return {
    status: 200,
    file: { bytes: contents.read(file), type: contentType(file) },
    headers: {
      "Content-Security-Policy": SANDBOX,
      ...(attachment ? { "Content-Disposition": `attachment; filename*=utf-8''${name}` } : {}),
    },
  };
}

function wanted(query: URLSearchParams): Wanted {
  const flag = (name: string, usual: string): boolean => {
    const value = query.get(name) ?? usual;
    if (value === "0" || value === "1") return value === "1";
    throw new HubError(400, `${name[0]!.toUpperCase()}${name.slice(1)} '${value}' is invalid`);
  };
  const format = query.get("format") ?? undefined;
  if (format !== undefined && format !== "text" && format !== "base64") {
    throw new HubError(400, `Format '${format}' is invalid`);
  }
  return { content: flag("content", "1"), hash: flag("hash", "0"), type: query.get("type") ?? undefined, format };
}

function address(file: string): string {
  return `${ROOT}/${encodePath(file)}`;
}

function modified(model: ContentsModel): { "Last-Modified": string } {
  return { "Last-Modified": new Date(model.last_modified).toUTCString() };
}
