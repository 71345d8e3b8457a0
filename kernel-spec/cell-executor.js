// Runs cells with tslab's converter and executor and keeps apart what stock tslab prints as text: the value of a cell's
// last expression, what it threw, and what the compiler said. What is then published, cells.js decides.

const vm = require("node:vm");
const { adjustCompiler, takeLineMap } = require("./compiler.js");
const { CellFrames } = require("./cell-frames.js");
const { awaitsAtTopLevel, withoutExports } = require("./cell-source.js");
const { BREAKABLE, COMPILES, FREE } = require("./control-flags.js");
const { compilerError, interruption, runtimeError } = require("./cell-error.js");

/** Code that hears of the interrupt (through the hook's `signal`) has so long to end before it counts as going on. */
const END_MILLISECONDS = 100;

class CellExecutor {
  #control;
  #frames = new CellFrames();
  #tslab;
  #outcome = {};
  /** What earlier cells have declared. tslab forgets it of a cell that fails, whose variables are there all the same. */
  #declarations = "";
  #running;
  #stop;
  #abort = new AbortController();

  constructor(control) {
    this.#control = control;
    const run = vm.runInThisContext;
    // This is how tslab runs a cell, and how it runs nothing else.
    vm.runInThisContext = (code, options) =>
      options?.breakOnSigint === true && options.filename === undefined
        ? this.#runCode(run, code, options)
        : run(code, options);
  }

  /** Loads the compiler, which takes most of a second; done by the first request that needs it if not before. */
  load() {
    if (this.#tslab !== undefined) return this.#tslab;
    adjustCompiler();
    const { createConverter } = require("tslab/dist/converter.js");
    const { createExecutor } = require("tslab/dist/executor.js");
    const converter = createConverter({ isJS: false, isBrowser: false });
    const noted = (diagnostics) => {
      this.#outcome.diagnostics = diagnostics;
      return diagnostics;
    };
    const node = {
      ...converter,
      convert: (_, source) => {
        const converted = converter.convert(this.#declarations, withoutExports(source));
        this.#outcome.declarations = converted.declOutput;
        noted(converted.diagnostics);
        return { ...converted, hasToplevelAwait: converted.hasToplevelAwait || awaitsAtTopLevel(source) };
      },
      inspect: (_, ...args) => converter.inspect(this.#declarations, ...args),
      complete: (_, ...args) => converter.complete(this.#declarations, ...args),
      addModule: (...args) => noted(converter.addModule(...args)),
    };
    // tslab writes to this console the value of a cell, what it threw, and, in a form of its own, what was noted above.
    const outcome = {
      log: (value) => {
        this.#outcome.value = { value };
      },
      error: (...args) => {
        if (args.length === 1) this.#outcome.thrown = { error: args[0] };
      },
    };
    const converters = { node, browser: node, close: () => converter.close() };
    this.#tslab = createExecutor(process.cwd(), converters, outcome);
    return this.#tslab;
  }

  /**
   * Runs one cell. The result has `failure` (ename, evalue, traceback) when it failed, else `value` (in an object) when
   * it has one, and `warning` with what the compiler said of a cell that runs all the same.
   */
  async execute(number, source) {
    this.#outcome = {};
    this.#running = undefined;
    this.#abort = new AbortController();
    this.#control.takeStoppedByForce();
    this.number = number;
    this.#frames.begin(number, source);
    const outcome = this.#outcome;
    this.#control.setThread(COMPILES);
    try {
      const succeeded = await this.#untilStopped(() => this.load().execute(source));
      if (!succeeded) return { failure: await this.#failure(outcome) };
    } catch (error) {
      return { failure: error === STOPPED ? await this.#interruption() : runtimeError(error, this.#frames) };
    } finally {
      this.#stop = undefined;
      this.#control.setThread(FREE);
      this.#declarations = outcome.declarations ?? this.#declarations;
    }
    const { diagnostics = [], value } = outcome;
    // A cell that defines a module counts as run, whatever the compiler says of it.
    const warning = diagnostics.length > 0 ? compilerError(diagnostics, number, this.#frames).traceback : undefined;
    return { value, warning };
  }

  /** An error as the content of an `error` message. */
  describe(error) {
    return runtimeError(error, this.#frames);
  }

  /** Ends the wait for the cell that runs. Code that keeps the thread busy is stopped by the control thread. */
  interrupt() {
    if (this.#stop === undefined) return;
    this.#abort.abort();
    this.#tslab.interrupt();
    this.#stop();
  }

  /** Aborted when the cell that runs is interrupted. */
  get signal() {
    return this.#abort.signal;
  }

  /** Asks the compiler, amid which nothing may be stopped by force. */
  ask(question) {
    const before = this.#control.setThread(COMPILES);
    try {
      return question(this.load());
    } finally {
      this.#control.setThread(before);
    }
  }

  #runCode(run, code, options) {
    const filename = this.#frames.compiled(this.number, code, takeLineMap);
    // A signal can break this code from when `run` has begun until it returns. On Windows there are none.
    this.#control.setThread(process.platform === "win32" ? FREE : BREAKABLE);
    try {
      // Without displayErrors the stack is the error's own and not headed by a line of compiled code.
      this.#running = run(code, { ...options, filename, displayErrors: false });
      return this.#running;
    } catch (error) {
      // The control thread's request for the same is still to come, and is then nobody's.
      if (error?.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED") this.#control.takeSignal();
      throw error;
    } finally {
      this.#control.setThread(FREE);
    }
  }

  /** What is stopped by force leaves promises behind that never settle, so it runs as a microtask of its own. */
  #untilStopped(action) {
    return new Promise((resolve, reject) => {
      // tslab's executor, if it still can, ends first and keeps its records right.
      this.#stop = () => setImmediate(() => reject(STOPPED));
      queueMicrotask(() => action().then(resolve, reject));
    });
  }

  async #failure({ thrown, diagnostics }) {
    if (thrown === undefined) return compilerError(diagnostics ?? [], this.number, this.#frames);
    const { error } = thrown;
    const interrupted = this.signal.aborted || error?.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED";
    return interrupted ? this.#interruption() : runtimeError(error, this.#frames);
  }

  async #interruption() {
    this.#abort.abort();
    const forced = this.#control.takeStoppedByForce();
    const promise = this.#running;
    if (forced || typeof promise?.then !== "function") return interruption(this.number, false);
    const ended = promise.then(
      () => true,
      () => true,
    );
    const limit = new Promise((resolve) => setTimeout(resolve, END_MILLISECONDS, false));
    return interruption(this.number, !(await Promise.race([ended, limit])));
  }
}

const STOPPED = new Error("stopped");

module.exports = { CellExecutor };
