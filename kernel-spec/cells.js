// The order in which cells run, and what is published of each. Manual: Messaging in Jupyter, "Execute".
// Left out: user_expressions, input requests.

const { displayBundle } = require("./display-bundle.js");
const { History } = require("./history.js");
const { OutputStreams } = require("./output-streams.js");

/** So long a failed cell waits for what was sent before its failure was known: cells, which are aborted too, and interrupts. */
const SETTLE_MILLISECONDS = 20;

class Cells {
  history = new History();
  #executor;
  #streams = new OutputStreams((name, text) => this.#send("stream", { name, text }));
  #send = () => {};
  #executionCount = 0;
  #previous = Promise.resolve();
  #aborts = 0;
  #redirected = false;

  constructor(executor) {
    this.#executor = executor;
  }

  /** Publishes an output of the cell that was started last: `publish(messageType, content)`. */
  publish = (type, content) => {
    this.#streams.flush();
    this.#send(type, content);
  };

  get signal() {
    return this.#executor.signal;
  }

  /**
   * Runs a cell when its turn has come and gives the content of the execute_reply. `begin` is called at its turn.
   * Cells that wait behind one that fails are aborted, unless that one's request says stop_on_error: false.
   */
  async execute(request, send, begin) {
    const aborts = this.#aborts;
    const turn = this.#previous;
    let end;
    this.#previous = new Promise((resolve) => {
      end = resolve;
    });
    await turn;
    try {
      begin();
      if (aborts !== this.#aborts) return { status: "aborted", execution_count: this.#executionCount };
      const reply = await this.#run(request, send);
      this.#streams.flush();
      if (reply.status === "error") {
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MILLISECONDS));
        if (request.stop_on_error !== false) this.#aborts += 1;
      }
      return reply;
    } finally {
      // The next cell may keep the thread for itself: this one's reply goes out before.
      setImmediate(end);
    }
  }

  async #run({ code, silent = false, store_history = !silent }, send) {
    const number = this.#executionCount + 1;
    if (store_history && !silent) this.#executionCount = number;
    this.#streams.begin();
    this.#send = silent ? () => {} : send;
    // tslab's own display functions ask for this place.
    require("tslab/dist/jupyter.js").lastWriteDisplayData = (content, update) =>
      this.publish(update === true ? "update_display_data" : "display_data", content);
    // What the kernel itself writes before the first cell is nobody's output.
    if (!this.#redirected) this.#streams.redirect();
    this.#redirected = true;
    this.publish("execute_input", { code, execution_count: number });
    let { failure, value, warning } = await this.#executor.execute(number, code);
    if (warning !== undefined) this.publish("stream", { name: "stderr", text: `${warning.join("\n")}\n` });
    let shown;
    if (value !== undefined) {
      try {
        shown = await displayBundle(value.value);
        this.publish("execute_result", { execution_count: number, data: shown, metadata: {} });
      } catch (error) {
        failure = this.#executor.describe(error);
      }
    }
    if (store_history && !silent) this.history.add(number, code, shown?.["text/plain"]);
    if (failure !== undefined) {
      this.publish("error", failure);
      return { status: "error", execution_count: number, ...failure };
    }
    return { status: "ok", execution_count: number, payload: [], user_expressions: {} };
  }
}

module.exports = { Cells };
