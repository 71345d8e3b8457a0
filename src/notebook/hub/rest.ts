/**
 * REST without a transport: a table of routes, requests and responses as values, and errors in the form that Jupyter
 * Server gives them. Manual: Jupyter Server, "REST API".
 */
import { VirtlabError } from "../../state/error.js";

export interface HubResponse {
  readonly status: number;
  /** Sent as JSON; undefined is an empty body. */
  readonly body?: unknown;
  /** Sent as it is, in the place of JSON. */
  readonly file?: { readonly bytes: Uint8Array; readonly type: string };
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HubRequest {
  /** The decoded parts of the path that the pattern leaves open. */
  readonly parameters: readonly string[];
  readonly query: URLSearchParams;
  /** The JSON object sent along; undefined when there is no body. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
}

/** `*` in the pattern stands for one part of a path and `**` for the rest. */
export type Route = readonly [
  method: string,
  pattern: string,
  handler: (request: HubRequest) => HubResponse | Promise<HubResponse>,
];

/** Bad input with the HTTP status that tells what kind of. */
export class HubError extends VirtlabError {
  constructor(
    readonly status: number,
    message: string,
    /** A word for programs, where Jupyter Server has one. */
    readonly reason: string | null = null,
  ) {
    super(message);
  }
}

/** Answers a request by the first route that fits. `target` is path and query; errors are answers too. */
export async function answer(
  routes: readonly Route[],
  method: string,
  target: string,
  body: string,
): Promise<HubResponse> {
  const { pathname, query } = splitTarget(target);
  const fitting = routes.flatMap((route) => {
    const open = matchPath(route[1], pathname);
    return open === undefined ? [] : [{ route, open }];
  });
  const found = fitting.find(({ route }) => route[0] === method);
  if (found === undefined) {
    if (fitting.length === 0) return errorResponse(404, `${pathname} is not served`);
    const headers = { Allow: [...new Set(fitting.map(({ route }) => route[0]))].join(", ") };
    return { ...errorResponse(405, `${method} ${pathname} is not served`), headers };
  }
  try {
    return await found.route[2]({ parameters: found.open.map(decodePart), query, body: parseBody(body) });
  } catch (error) {
    if (error instanceof HubError) return errorResponse(error.status, error.message, error.reason);
    return errorResponse(error instanceof VirtlabError ? 400 : 500, (error as Error).message);
  }
}

export function ok(body: unknown, headers: Readonly<Record<string, string>> = {}): HubResponse {
  return { status: 200, body, headers };
}

/** Something new, and where it is. */
export function created(body: unknown, location: string): HubResponse {
  return { status: 201, body, headers: { Location: location } };
}

export const noContent: HubResponse = { status: 204 };

export function errorResponse(status: number, message: string, reason: string | null = null): HubResponse {
  return { status, body: { message, reason } };
}

/** Path and query as they came: a URL would take `..` away before anybody sees it. */
export function splitTarget(target: string): { pathname: string; query: URLSearchParams } {
  const end = target.indexOf("?");
  const pathname = end < 0 ? target : target.slice(0, end);
  return { pathname, query: new URLSearchParams(end < 0 ? "" : target.slice(end + 1)) };
}

/** A path for an address, its slashes kept. */
export function encodePath(file: string): string {
  return file.split("/").map(encodeURIComponent).join("/");
}

/** @throws HubError when the percent signs are not followed by UTF-8. */
export function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new HubError(400, `${part}: not a valid part of an address`);
  }
}

/** The parts that the pattern leaves open, still encoded; undefined when the path does not match. */
function matchPath(pattern: string, pathname: string): string[] | undefined {
  const source = pattern.replaceAll("**", "(.+?)").replaceAll("*", "([^/]+)");
  return new RegExp(`^${source}/?$`).exec(pathname)?.slice(1);
}

function parseBody(body: string): Readonly<Record<string, unknown>> | undefined {
  if (body.trim() === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new HubError(400, "Invalid JSON in body of request");
  }
  if (!isRecord(value)) throw new HubError(400, "The body of the request is not a JSON object");
  return value;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
