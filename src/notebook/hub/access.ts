/**
 * Who may use a server on the loopback address: those who have its token, and pages that come from the server itself.
 * The name in Host is checked because a foreign name can be made to lead here (DNS rebinding); the page of another
 * server on this machine is foreign, too. Manual: Jupyter Server, "Security in the Jupyter Server".
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { splitTarget } from "./rest.js";

/** undefined when a request is welcome, else why not; `cookie` is to be set on the answer. */
export interface Admission {
  readonly refusal?: string;
  readonly cookie?: string;
}

export interface Access {
  admit(request: IncomingMessage): Admission;
  /** A token that opens the page once: a browser's command line can be read by all users of the machine. */
  ticket(): string;
}

const LOOPBACK_NAMES = ["127.0.0.1", "localhost", "[::1]"];
const SAFE_METHODS = ["GET", "HEAD", "OPTIONS"];

/** The check for a server with this token on this port. */
export function accessWith(token: string, port: number): Access {
  // Browsers keep one jar for all ports of a host, so the port is part of the name.
  const cookieName = `virtlab-${port}`;
  const cookieValue = digest(`cookie ${token}`).toString("hex");
  const cookie = `${cookieName}=${cookieValue}; HttpOnly; SameSite=Strict; Path=/`;
  const tickets = new Set<string>();

  const asked = (request: IncomingMessage): Admission | undefined => {
    const { query } = splitTarget(request.url ?? "");
    const ticket = query.get("ticket");
    if (ticket !== null && tickets.delete(ticket)) return { cookie };
    const given = query.get("token");
    if (given === null) return undefined;
    return equal(given, token) ? { cookie } : { refusal: "the token is wrong" };
  };

  const kept = ({ headers, method = "" }: IncomingMessage): Admission => {
    const entry = (headers.cookie ?? "").split(/;\s*/).find((text) => text.startsWith(`${cookieName}=`));
    if (entry === undefined) return { refusal: "the token is missing" };
    if (!equal(entry.slice(cookieName.length + 1), cookieValue)) return { refusal: "the token is wrong" };
    // A browser sends the cookie along with what other pages ask for; a change must say where it is asked from.
    const saysWhence = headers.origin !== undefined || headers["sec-fetch-site"] === "same-origin";
    return SAFE_METHODS.includes(method) || saysWhence ? {} : { refusal: "the Origin is missing" };
  };

  return {
    admit(request) {
      const refusal = foreign(request);
      if (refusal !== undefined) return { refusal };
      const given = /^(?:token|bearer)\s+(.+?)\s*$/i.exec(request.headers.authorization ?? "")?.[1];
      if (given !== undefined) return equal(given, token) ? {} : { refusal: "the token is wrong" };
      return asked(request) ?? kept(request);
    },
    ticket() {
      const ticket = randomBytes(24).toString("hex");
      tickets.add(ticket);
      return ticket;
    },
  };
}

/** What shows that a request comes from a page of another server. */
function foreign({ headers, method }: IncomingMessage): string | undefined {
  const { host = "", origin } = headers;
  const name = host.replace(/:\d*$/, "").toLowerCase();
  if (!LOOPBACK_NAMES.includes(name)) return "the Host is not this server";
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
    return "the Origin is not this server";
  }
  const site = headers["sec-fetch-site"] ?? "none";
  // Following a link to the page from elsewhere is no harm: the other page does not see the answer.
  const followsLink =
    method === "GET" && headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";
  if (site !== "none" && site !== "same-origin" && !followsLink) return "the request comes from another site";
  return undefined;
}

/** Compares in a time that does not depend on where the texts differ. */
function equal(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
