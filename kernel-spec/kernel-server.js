// The kernel's sockets: takes requests, publishes busy and idle around each, sends replies.
// Left out: comms (refused), input requests, debugging, subshells. Manual: Messaging in Jupyter.

const { messageFrames, parseMessage } = require("./message.js");
const { requestHandlers } = require("./requests.js");

/** The first byte of what a socket says that wants messages of a topic. Manual: ZeroMQ RFC 29, XPUB. */
const SUBSCRIBE = 1;
/** The reply to a shutdown is on its way out for so long. */
const END_MILLISECONDS = 50;

class KernelServer {
  #connection;
  #control;
  #cells;
  #handlers;
  #iopub;
  #shell;
  #sending = Promise.resolve();
  /** The request whose cell runs. */
  #running;

  constructor(connection, { control, executor, cells }) {
    this.#connection = connection;
    this.#control = control;
    this.#cells = cells;
    this.#handlers = requestHandlers({ executor, cells, connection });
  }

  /** Listens on all ports of the connection; rejects when one is taken. */
  async listen() {
    const { Router, XPublisher } = require("zeromq");
    const { transport, ip, iopub_port, shell_port, stdin_port } = this.#connection;
    this.#iopub = new XPublisher();
    this.#iopub.verbosity = "allSubs";
    // ZeroMQ for Node queues only some hundred sends of one turn of the event loop: the rest of a burst of output would
    // be lost, with it the `idle` status, and clients would wait for ever. Without a high-water mark a publisher can
    // always take a message, and without a timeout it takes it at once.
    this.#iopub.sendHighWaterMark = 0;
    this.#iopub.sendTimeout = 0;
    this.#shell = new Router();
    this.#shell.sendHighWaterMark = 0;
    const stdin = new Router();
    const bind = (socket, port) => socket.bind(`${transport}://${ip}:${port}`);
    await Promise.all([
      bind(this.#iopub, iopub_port),
      bind(this.#shell, shell_port),
      bind(stdin, stdin_port),
      this.#control.bind(this.#connection, (frames, send) => this.#receive(frames, send)),
    ]);
    void this.#receiveShell();
    void this.#welcome();
  }

  /** Tells each subscriber that what is published from now on will reach it (Jupyter Enhancement Proposal 65). */
  async #welcome() {
    for await (const [frame] of this.#iopub) {
      if (frame[0] !== SUBSCRIBE) continue;
      const topic = frame.subarray(1);
      const content = { subscription: topic.toString() };
      this.#publish({ header: {} }, "iopub_welcome", content, topic);
    }
  }

  async #receiveShell() {
    const send = (frames) => {
      // ZeroMQ for Node allows one waiting send for a socket.
      this.#sending = this.#sending.then(() => this.#shell.send(frames)).catch(() => {});
    };
    for await (const frames of this.#shell) this.#receive(frames, send);
  }

  #receive(frames, send) {
    let request;
    try {
      request = parseMessage(frames, this.#connection.key);
    } catch {
      // Anyone on this machine can connect to a port; only signed messages count.
      return;
    }
    const type = request.header.msg_type;
    const reply = (content) => {
      const replyType = type.replace(/_request$/, "_reply");
      send(messageFrames(request.identities, request.header, replyType, content, this.#connection.key));
    };
    if (type === "execute_request") void this.#execute(request, reply);
    else this.#answer(request, type, reply);
  }

  #answer(request, type, reply) {
    const handler = this.#handlers[type];
    this.#status(request, "busy");
    if (handler !== undefined) reply(attempt(handler, request.content));
    // Nothing here takes part in comms, and who opens one is told so by closing it.
    else if (type === "comm_open") {
      this.#publish(request, "comm_close", { comm_id: request.content.comm_id, data: {} });
    }
    this.#status(request, "idle");
    // Completions are answered while a cell waits for a promise; what a client shows is the last status it heard of.
    if (this.#running !== undefined) this.#status(this.#running, "busy");
    if (type === "shutdown_request") end();
  }

  async #execute(request, reply) {
    const content = await this.#cells.execute(
      request.content,
      (type, output) => this.#publish(request, type, output),
      () => {
        this.#running = request;
        this.#status(request, "busy");
      },
    );
    this.#running = undefined;
    reply(content);
    this.#status(request, "idle");
  }

  #status(request, state) {
    this.#publish(request, "status", { execution_state: state });
  }

  #publish(request, type, content, topic = Buffer.from(type)) {
    void this.#iopub.send(messageFrames([topic], request.header, type, content, this.#connection.key)).catch(() => {});
  }
}

/** The reply of a handler; a failure is a reply too. */
function attempt(handler, content) {
  try {
    return handler(content);
  } catch (error) {
    return { status: "error", ename: String(error.name), evalue: String(error.message), traceback: [] };
  }
}

/** The process ends even when a cell left timers or sockets behind, as soon as the reply is out. */
function end() {
  setTimeout(() => process.exit(0), END_MILLISECONDS);
}

module.exports = { KernelServer };
