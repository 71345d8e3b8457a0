// tslab's Jupyter server with the messages that it does not send or sends wrongly. Sockets, signing, queueing and
// completion are tslab's. Left out: comms, input requests, debugging. Manual: Messaging in Jupyter.

const { randomUUID } = require("node:crypto");
const { JupyterHandlerImpl, ZmqServer } = require("tslab/dist/jupyter.js");
const { compilerVersion } = require("./compiler.js");

class KernelHandler extends JupyterHandlerImpl {
  /** What belongs to a waiting or running request: publish(messageType, content) and, in the end, its failure. */
  #cells = new WeakMap();

  /** Clients ask `status` and show the language's version; tslab leaves out the one and has a fixed text for the other. */
  handleKernel() {
    const info = super.handleKernel();
    const version = compilerVersion();
    return {
      ...info,
      status: "ok",
      banner: `virtlab: TypeScript ${version} on tslab`,
      language_info: { ...info.language_info, version },
    };
  }

  /** Runs a cell. The reply tells the error too, and says "aborted" for cells behind a failed one, as the protocol does. */
  async handleExecute(request, writeStream, writeDisplayData, publish) {
    const cell = { publish, failure: undefined };
    this.#cells.set(request, cell);
    const reply = await super.handleExecute(request, writeStream, writeDisplayData);
    if (cell.failure) return { ...reply, ...cell.failure, status: "error" };
    if (reply.status === "abort") return { ...reply, status: "aborted" };
    if (reply.status === "ok") return { ...reply, user_expressions: {} };
    return { ...reply, ename: "Error", evalue: "the kernel failed", traceback: [] };
  }

  /** tslab's queue comes here when it is the request's turn. */
  async handleExecuteImpl(request, writeStream, writeDisplayData) {
    const cell = this.#cells.get(request);
    const executionCount = this.execCount + 1;
    cell.publish("execute_input", { code: request.code, execution_count: executionCount });
    this.executor.begin(executionCount, request.code, cell.publish);
    try {
      return await super.handleExecuteImpl(request, writeStream, writeDisplayData);
    } catch (thrown) {
      cell.failure = this.executor.failure;
      // tslab prints errors to stderr, where no client can tell them from output, so runs of a notebook never fail.
      if (cell.failure) cell.publish("error", cell.failure);
      // Throwing makes tslab cancel the cells that wait; a client that says stop_on_error: false wants them run.
      // tslab throws the execution count, which is also what it expects to be returned.
      if (cell.failure && request.stop_on_error === false) return thrown;
      throw thrown;
    }
  }

  handleShutdown(request) {
    return { status: "ok", restart: request.restart === true };
  }
}

class KernelServer extends ZmqServer {
  #session = randomUUID();

  async bindSocket(socket, port) {
    if (socket === this.iopub) {
      // tslab sends without waiting, and ZeroMQ for Node queues only some hundred sends of one turn of the event loop:
      // the rest of a burst of output is lost, with it the `idle` status, and clients wait for ever. Without a
      // high-water mark a publisher can always take a message, and without a timeout it takes it at once.
      socket.sendHighWaterMark = 0;
      socket.sendTimeout = 0;
    }
    await super.bindSocket(socket, port);
  }

  async handleShellMessage(socket, ...frames) {
    try {
      await super.handleShellMessage(socket, ...frames);
    } catch (error) {
      // A message that is not signed with our key, or not a message at all, is nobody's business here.
      process.stderr.write(`Message ignored: ${error.message}\n`);
    }
  }

  /**
   * tslab gives its messages the session of the client that asked; the header's session is the sender's own, and clients
   * take a change of it for a restarted kernel. The status "busy" is the first thing sent for any request.
   */
  publishStatus(status, parent) {
    if (status === "busy") {
      const createReply = parent.createReply;
      parent.createReply = () => {
        const reply = createReply.call(parent);
        reply.header.session = this.#session;
        return reply;
      };
    }
    super.publishStatus(status, parent);
  }

  async handleExecute(socket, message) {
    const send = (type, content) => this.#reply(this.iopub, message, type, content);
    const publish = message.content.silent === true ? () => {} : send;
    const reply = await this.handler.handleExecute(
      message.content,
      (name, text) => publish("stream", { name, text }),
      (content, update) => publish(update ? "update_display_data" : "display_data", content),
      publish,
    );
    this.#reply(socket, message, "execute_reply", reply);
  }

  /** tslab answers with the type of another message. */
  handleCommInfoRequest(socket, message) {
    this.#reply(socket, message, "comm_info_reply", { status: "ok", comms: {} });
  }

  /** The process ends even when a cell left timers or sockets behind. */
  close() {
    super.close();
    // The reply is still on its way out.
    setTimeout(() => process.exit(0), 100);
  }

  #reply(socket, message, type, content) {
    const reply = message.createReply();
    reply.header.msg_type = type;
    reply.content = content;
    reply.signAndSend(this.connInfo.key, socket);
  }
}

module.exports = { KernelHandler, KernelServer };
