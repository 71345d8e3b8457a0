/**
 * A machine under a debugger, over a socket of this computer: a thin shell around `receive` and `proceed`. It listens on
 * 127.0.0.1 only and serves one debugger at a time: whoever connects may do everything with the machine, and nothing beside.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { Machine } from "../hardware/machine.js";
import { VirtlabError } from "../state/error.js";
import { type Exchange, proceed, receive } from "./exchange.js";
import { beginSession, edited, isLive, nextSession, type Session, type Typed } from "./session.js";

export interface ServeOptions {
  /** 0, which is the default: one that is free. */
  readonly port?: number;
  /** What is typed at the serial port when the machine comes by a step: a recording. */
  readonly script?: readonly Typed[];
  /** Called with every machine the debugger comes to, on its way too: to show what it puts out. */
  readonly onMachine?: (machine: Machine) => void;
}

export interface GdbServer {
  readonly port: number;
  /** Where the debugger has left the machine, and how: "exited" if the machine's own end was taken. */
  readonly left: Promise<{ readonly machine: Machine; readonly how: "detached" | "killed" | "exited" | "closed" }>;
  /** Text typed at the machine's serial port, now or as soon as nothing that has been is being looked at. */
  type(input: Uint8Array): void;
  /** Ends it, with whoever is connected. */
  close(): void;
}

const HOST = "127.0.0.1";
/** Source: errno(3). */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use",
  EACCES: "permission denied",
};

class Connection {
  #working = false;

  constructor(
    private readonly socket: Socket,
    private readonly owner: { session: Session; readonly changed: () => void },
  ) {
    socket.setNoDelay(true);
    socket.on("data", (bytes) => this.#apply(receive(this.owner.session, bytes)));
    socket.on("error", () => socket.destroy());
  }

  #apply({ session, output }: Exchange): void {
    this.owner.session = session;
    if (output.length > 0 && this.socket.writable) this.socket.write(output);
    if (session.left !== undefined) this.socket.end();
    this.owner.changed();
    this.goOn();
  }

  /** Goes the machine's way in pieces, between which the line is listened to. */
  goOn(): void {
    const { motion, waits, left } = this.owner.session;
    if (this.#working || motion === undefined || waits || left !== undefined || this.socket.destroyed) return;
    this.#working = true;
    setImmediate(() => {
      this.#working = false;
      if (this.owner.session.motion !== undefined && !this.socket.destroyed) this.#apply(proceed(this.owner.session));
    });
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(new VirtlabError(`gdb: cannot listen on ${HOST}:${port}: ${REASONS[error.code ?? ""] ?? error.message}`)),
    );
    server.listen(port, HOST, () => resolve((server.address() as { port: number }).port));
  });
}

/**
 * Serves a machine to gdb: `target remote 127.0.0.1:PORT`. When the line breaks, the machine stands still until another gdb
 * comes; when gdb detaches or kills, the server ends.
 *
 * @throws VirtlabError if the port cannot be had.
 */
export async function serveGdb(
  machine: Machine,
  { port = 0, script = [], onMachine }: ServeOptions = {},
): Promise<GdbServer> {
  let connection: Connection | undefined;
  let typed: Uint8Array[] = [];
  let finish: (how: "detached" | "killed" | "exited" | "closed") => void = () => undefined;
  const owner = {
    session: beginSession(machine, script),
    changed: (): void => {
      onMachine?.(owner.session.machine);
      flush();
      if (owner.session.left !== undefined) finish(owner.session.left);
    },
  };
  /** What was typed goes in while the machine runs where it has not been. */
  const flush = (): void => {
    const { session } = owner;
    if (typed.length === 0 || session.motion?.kind !== "forward" || !isLive(session)) return;
    owner.session = edited(
      session,
      typed.reduce((at, bytes) => at.type(bytes), session.machine),
    );
    typed = [];
  };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    if (sockets.size > 0) {
      socket.destroy(); // one at a time
      return;
    }
    sockets.add(socket);
    owner.session = nextSession(owner.session);
    connection = new Connection(socket, owner);
    socket.on("close", () => {
      sockets.delete(socket);
      connection = undefined;
      if (owner.session.left === undefined) owner.session = nextSession(owner.session);
    });
  });
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  const left = new Promise<Awaited<GdbServer["left"]>>((resolve) => {
    finish = (how) => {
      server.close();
      resolve({ machine: owner.session.machine, how });
    };
  });
  return {
    port: await listen(server, port),
    left,
    type: (input) => {
      typed.push(input);
      flush();
      connection?.goOn();
    },
    close: () => {
      close();
      finish("closed");
    },
  };
}
