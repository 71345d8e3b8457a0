// Runs cells with tslab's executor and keeps apart what stock tslab prints as text: the value of a cell's last
// expression, an exception, and compiler messages. What is then published, kernel-server.js decides.

const { createExecutor } = require("tslab/dist/executor.js");
const { CellFrames } = require("./cell-frames.js");
const { compilerError, runtimeError } = require("./cell-error.js");
const { displayBundle } = require("./display-bundle.js");

class CellExecutor {
  #frames = new CellFrames();
  #inner;
  #value;
  #thrown;
  #diagnostics = [];
  #abort = new AbortController();
  /** Where the outputs of the cell go that was started last: `publish(messageType, content)`. */
  publish = () => {};

  constructor(rootFolder, converters) {
    // tslab writes to this console only the value of a cell (log, one argument), what a cell threw (error, one
    // argument) and compiler messages (error: format, file, line, column, message). Here they stay values.
    this.#inner = createExecutor(rootFolder, converters, {
      log: (value) => {
        this.#value = { value };
      },
      error: (...args) => {
        if (args.length === 1) this.#thrown = { error: args[0] };
        else this.#diagnostics.push({ file: args[1], line: args[2], column: args[3], message: args[4] });
      },
    });
  }

  /** Names the cell that runs next and says where its messages go: `publish(messageType, content)`. */
  begin(executionCount, source, publish) {
    this.#frames.begin(executionCount, source);
    this.executionCount = executionCount;
    this.publish = publish;
    this.failure = undefined;
    this.#abort = new AbortController();
  }

  /** Runs one cell; false when it failed, and `failure` then holds ename, evalue and traceback. */
  async execute(code) {
    this.#value = undefined;
    this.#thrown = undefined;
    this.#diagnostics = [];
    const succeeded = await this.#inner.execute(code);
    if (!succeeded) {
      this.failure = this.#thrown
        ? runtimeError(this.#thrown.error, this.#frames)
        : compilerError(this.#diagnostics, this.executionCount);
      return false;
    }
    // A cell that defines a module reports its messages, yet counts as run.
    if (this.#diagnostics.length > 0) {
      process.stderr.write(`${compilerError(this.#diagnostics, this.executionCount).traceback.join("\n")}\n`);
    }
    return this.#value === undefined || this.#display(this.#value.value);
  }

  async #display(value) {
    try {
      const data = await displayBundle(value);
      this.publish("execute_result", { execution_count: this.executionCount, data, metadata: {} });
      return true;
    } catch (error) {
      this.failure = runtimeError(error, this.#frames);
      return false;
    }
  }

  inspect(code, position) {
    return this.#inner.inspect(code, position);
  }
  complete(code, position) {
    return this.#inner.complete(code, position);
  }
  /** Aborted when the cell that runs is interrupted. */
  get signal() {
    return this.#abort.signal;
  }
  interrupt() {
    this.#abort.abort();
    this.#inner.interrupt();
  }
  close() {
    this.#inner.close();
  }
}

module.exports = { CellExecutor };
