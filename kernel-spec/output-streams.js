// What cells write to standard output and error, as `stream` messages. The first writes go out at once, so that a word
// before a long computation is seen; the rest of a burst is gathered, because Jupyter Server drops the output of kernels
// that send more than 1000 messages a second. Manual: Messaging in Jupyter, "Streams".

const { StringDecoder } = require("node:string_decoder");

const WINDOW_MILLISECONDS = 100;
const WRITES_AT_ONCE = 40;
const GATHERED_CHARACTERS = 1 << 18;

class OutputStreams {
  #send;
  #name = "stdout";
  #gathered = "";
  #flushing = false;
  #windowStart = 0;
  #writes = 0;

  /** `send(name, text)` publishes a stream message; until `redirect`, writes go where they always went. */
  constructor(send) {
    this.#send = send;
  }

  redirect() {
    for (const name of ["stdout", "stderr"]) {
      const decoder = new StringDecoder("utf8");
      process[name].write = (chunk, encoding, done) => {
        const callback = typeof encoding === "function" ? encoding : done;
        this.#write(name, typeof chunk === "string" ? chunk : decoder.write(Buffer.from(chunk)));
        // Programs may wait until what they wrote is out.
        if (typeof callback === "function") process.nextTick(callback, null);
        return true;
      };
    }
  }

  /** A cell begins: what it says first is seen at once, however much the one before has said. */
  begin() {
    this.flush();
    this.#writes = 0;
    this.#windowStart = performance.now();
  }

  /** Sends what was gathered: before any other message, so that outputs stay in order. */
  flush() {
    if (this.#gathered === "") return;
    const text = this.#gathered;
    this.#gathered = "";
    this.#send(this.#name, text);
  }

  #write(name, text) {
    if (name !== this.#name) this.flush();
    this.#name = name;
    this.#gathered += text;
    const now = performance.now();
    if (now - this.#windowStart > WINDOW_MILLISECONDS) {
      this.#windowStart = now;
      this.#writes = 0;
    }
    this.#writes += 1;
    if (this.#writes <= WRITES_AT_ONCE || this.#gathered.length > GATHERED_CHARACTERS) this.flush();
    else if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => {
        this.#flushing = false;
        this.flush();
      });
    }
  }
}

module.exports = { OutputStreams };
