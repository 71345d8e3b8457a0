// Kernels behind the server, as @jupyterlab/services and bare WebSockets use them: both protocols, the lives of kernels.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { type Kernel, KernelManager, SessionManager } from "@jupyterlab/services";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket as NodeWebSocket } from "ws";
import { createMessage, type JupyterMessage } from "../../src/notebook/hub/jupyter-message.js";
import { type HubServer, PlainWebSocket, startHubServer, TOKEN } from "../support/hub-server.js";

let lab: HubServer;
beforeAll(async () => {
  console.debug = () => {};
  console.error = () => {};
  lab = await startHubServer();
});
afterAll(() => lab.end());

/** What a cell prints, gives and fails with, as one text. */
async function textOf(kernel: Kernel.IKernelConnection, code: string): Promise<string> {
  let text = "";
  const future = kernel.requestExecute({ code });
  future.onIOPub = ({ content }) => {
    if ("evalue" in content) text += String(content.evalue);
    if ("text" in content) text += String(content.text);
    if ("data" in content) text += String((content.data as Record<string, unknown>)["text/plain"]);
  };
  await future.done;
  return text;
}

const modelOf = async (id: string) => (await lab.ask("GET", `/api/kernels/${id}`)).json();

describe.each([
  ["v1.kernel.websocket.jupyter.org", NodeWebSocket],
  ["the default protocol", PlainWebSocket],
])("a kernel over %s", (_, socket) => {
  it("runs cells, gives all of a burst of output, is interrupted, restarted and ended", async () => {
    const manager = new KernelManager({ serverSettings: lab.settings(socket) });
    const kernel = await manager.startNew({ name: "virtlab" });
    const { id } = kernel;
    expect(await textOf(kernel, "const x = 'ünï'; x")).toBe("ünï");
    const lines = Array.from({ length: 20_000 }, (_, index) => `${index}\n`).join("");
    expect(await textOf(kernel, "for (let i = 0; i < 20000; i++) console.log(i)")).toBe(lines);

    const busy = kernel.requestExecute({ code: "for (;;) {}" });
    // Before the loop is reached there is nothing to interrupt, and the loop itself cannot say that it is.
    const interrupting = setInterval(() => void kernel.interrupt(), 1000);
    expect((await busy.done).content.status).toBe("error");
    clearInterval(interrupting);

    await kernel.restart();
    expect(await textOf(kernel, "typeof x")).toContain("Cannot find name 'x'");
    expect(kernel.id).toBe(id);

    await kernel.shutdown();
    expect((await lab.ask("GET", `/api/kernels/${id}`)).status).toBe(404);
    manager.dispose();
  });
});

describe("a kernel that ends by itself", () => {
  it("tells its clients, is started again under its id, and runs what is sent meanwhile", async () => {
    const manager = new KernelManager({ serverSettings: lab.settings() });
    const kernel = await manager.startNew({ name: "virtlab" });
    const states: string[] = [];
    kernel.statusChanged.connect((_, state) => states.push(state));
    const last = kernel.requestExecute({ code: "console.log('last words'); process.exit(3)" });
    let said = "";
    last.onIOPub = ({ content }) => {
      if ("text" in content) said += String(content.text);
    };
    await expect(last.done).rejects.toThrow();
    expect(said).toBe("last words\n");
    expect(states).toContain("autorestarting");
    expect(await textOf(kernel, "1 + 1")).toBe("2");
    expect(await modelOf(kernel.id)).toMatchObject({ execution_state: expect.stringMatching(/idle|busy/) });
    await kernel.shutdown();
    manager.dispose();
  });

  it("time after time is said to be dead, with the reason, and can be restarted by hand", async () => {
    const { id } = (await (await lab.ask("POST", "/api/kernels", {})).json()) as { id: string };
    const socket = await Channels.open(id, "s");
    // Five ends in a row, each soon after the start, are forgiven; on a slow machine some may not count.
    while (!socket.states().includes("dead")) {
      expect(socket.states().length).toBeLessThan(50);
      await stateOf(id, "idle");
      socket.execute("process.exit(4)");
      await socket.until(({ content }) => ["restarting", "dead"].includes(String(content["execution_state"])));
    }
    expect(socket.states().slice(0, 5)).toEqual(Array.from({ length: 5 }, () => "restarting"));
    expect(await modelOf(id)).toMatchObject({ execution_state: "dead", reason: "the kernel ended with status 4" });
    expect((await lab.ask("POST", `/api/kernels/${id}/interrupt`)).status).toBe(204);
    const restarted = await lab.ask("POST", `/api/kernels/${id}/restart`);
    expect([restarted.status, await restarted.json()]).toMatchObject([200, { id, execution_state: "idle" }]);
    socket.execute("1 + 1");
    await socket.until(({ header }) => header.msg_type === "execute_result");
    expect((await lab.ask("DELETE", `/api/kernels/${id}`)).status).toBe(204);
    expect(await socket.closed).toBe(1000);
  });
});

describe("a client that loses its connection", () => {
  it("gets what its kernel said meanwhile when it is back, and another client does not", async () => {
    const { id } = (await (await lab.ask("POST", "/api/kernels", {})).json()) as { id: string };
    const first = await Channels.open(id, "mine");
    const wait = "await new Promise((done) => setTimeout(done, 1000));";
    const request = first.execute(`${wait} console.log("while away");`);
    await first.until(({ header }) => header.msg_type === "execute_input");
    first.drop();
    await stateOf(id, "idle");
    const back = await Channels.open(id, "mine");
    await back.until(({ content }) => content["text"] === "while away\n");
    await back.until(({ header, parent_header: parent }) => {
      return header.msg_type === "execute_reply" && parent.msg_id === request;
    });
    back.drop();
    const other = await Channels.open(id, "other");
    other.execute("2");
    await other.until(({ header }) => header.msg_type === "execute_result");
    expect(other.received.some(({ content }) => content["text"] === "while away\n")).toBe(false);
    await lab.ask("DELETE", `/api/kernels/${id}`);
  });
});

describe("a message that is none", () => {
  it("closes the connection that it came on, with a word, and harms nobody else", async () => {
    const { id } = (await (await lab.ask("POST", "/api/kernels", {})).json()) as { id: string };
    const other = await Channels.open(id, "other");
    for (const data of ["{", '{"channel":"shell"}', Buffer.from([0, 0, 0, 9])]) {
      const socket = await Channels.open(id, "bad");
      socket.send(data);
      expect(await socket.closed).toBe(1007);
    }
    other.execute("3");
    await other.until(({ header }) => header.msg_type === "execute_result");
    await lab.ask("DELETE", `/api/kernels/${id}`);
  });
});

describe("a session", () => {
  it("gives a notebook one kernel in its folder, however often it is asked for, and ends with it", async () => {
    await lab.ask("PUT", "/api/contents/sub", { type: "directory" });
    writeFileSync(path.join(lab.root, "sub/n.ipynb"), "{}");
    const options = { path: "sub/n.ipynb", name: "n.ipynb", type: "notebook", kernel: { name: "virtlab" } };
    const asked = await Promise.all([1, 2].map(async () => (await lab.ask("POST", "/api/sessions", options)).json()));
    const [one, two] = asked as { id: string; kernel: { id: string } }[];
    expect(one?.kernel.id).toBe(two?.kernel.id);
    const serverSettings = lab.settings();
    const kernelManager = new KernelManager({ serverSettings });
    const manager = new SessionManager({ serverSettings, kernelManager });
    await manager.ready;
    const model = (await manager.findByPath("sub/n.ipynb"))!;
    const session = manager.connectTo({ model });
    expect(await textOf(session.kernel!, "process.cwd()")).toBe(path.join(lab.root, "sub"));
    await session.setPath("sub/m.ipynb");
    const before = session.kernel!.id;
    await session.changeKernel({ name: "virtlab" });
    expect(session.kernel!.id).not.toBe(before);
    expect((await lab.ask("GET", `/api/kernels/${before}`)).status).toBe(404);
    await session.shutdown();
    expect(await (await lab.ask("GET", "/api/sessions")).json()).toEqual([]);
    manager.dispose();
    kernelManager.dispose();
  });

  it.each([
    [{ type: "notebook" }, 400, "Missing field in JSON data: path"],
    [{ path: "a" }, 400, "Missing field in JSON data: type"],
    [{ path: "a", type: "notebook", kernel: { name: "python3" } }, 501, "kernel python3: only virtlab is known"],
    [{ path: "a", type: "notebook", kernel: { id: "none" } }, 400, "No such kernel: none"],
  ])("cannot be had with %j", async (body, status, message) => {
    const response = await lab.ask("POST", "/api/sessions", body);
    expect([response.status, await response.json()]).toEqual([status, { message, reason: null }]);
  });
});

/** Waits until a kernel is in a state, and gives what the server tells of it. */
async function stateOf(id: string, state: string): Promise<unknown> {
  for (;;) {
    const model = (await modelOf(id)) as { execution_state: string };
    if (model.execution_state === state) return model;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A bare client on a kernel's channels. */
class Channels {
  readonly received: JupyterMessage[] = [];
  readonly closed: Promise<number>;
  readonly #socket: NodeWebSocket;
  readonly #session: string;
  #seen = 0;

  static async open(kernel: string, session: string): Promise<Channels> {
    const query = `session_id=${session}&token=${encodeURIComponent(TOKEN)}`;
    const address = `ws://127.0.0.1:${lab.server.port}/api/kernels/${kernel}/channels?${query}`;
    const socket = new NodeWebSocket(address);
    const channels = new Channels(socket, session);
    await new Promise((resolve) => socket.once("open", resolve));
    return channels;
  }

  private constructor(socket: NodeWebSocket, session: string) {
    this.#socket = socket;
    this.#session = session;
    this.closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("message", (data) => this.received.push(JSON.parse(String(data)) as JupyterMessage));
  }

  send(data: string | Buffer): void {
    this.#socket.send(data);
  }

  /** Asks for a cell to be run, and gives the id of the request. */
  execute(code: string): string {
    const message = createMessage("shell", "execute_request", { code }, this.#session);
    this.send(JSON.stringify(message));
    return message.header.msg_id;
  }

  /** Waits for the next message like this. */
  async until(isIt: (message: JupyterMessage) => boolean): Promise<void> {
    for (;;) {
      while (this.#seen < this.received.length) if (isIt(this.received[this.#seen++]!)) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** The states that the server told, without those of the kernel itself. */
  states(): unknown[] {
    return this.received
      .map(({ content }) => content["execution_state"])
      .filter((state) => state === "restarting" || state === "dead");
  }

  /** As a network does it. */
  drop(): void {
    this.#socket.terminate();
  }
}
