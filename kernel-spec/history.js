// The cells of this kernel for history_request. They end with the kernel: sessions of the past are not kept.
// Manual: Messaging in Jupyter, "History".

/** Jupyter numbers sessions; there is one. */
const SESSION = 1;

class History {
  #entries = [];

  add(line, source, output) {
    this.#entries.push({ line, source, output });
  }

  /** The content of a history_reply. */
  find({ hist_access_type: access, output, n, start = 0, stop, session = 0, pattern = "*", unique }) {
    const last = (entries) => (typeof n === "number" && n > 0 ? entries.slice(-n) : entries);
    const found = {
      tail: () => last(this.#entries),
      range: () => (session > SESSION || session < 0 ? [] : this.#range(start, stop)),
      search: () => {
        const matching = this.#entries.filter(({ source }) => globPattern(pattern).test(source));
        return last(unique === true ? lastOfEach(matching) : matching);
      },
    }[access]?.();
    const history = (found ?? []).map(({ line, source, output: shown }) => [
      SESSION,
      line,
      output === true ? [source, shown ?? null] : source,
    ]);
    return { status: "ok", history };
  }

  /** Cells from `start` up to and without `stop`; negative numbers count from the end. */
  #range(start, stop) {
    const next = (this.#entries.at(-1)?.line ?? 0) + 1;
    const place = (number) => (number < 0 ? next + number : number);
    return this.#entries.filter(({ line }) => line >= place(start) && (stop == null || line < place(stop)));
  }
}

function lastOfEach(entries) {
  return [...new Map(entries.map((entry) => [entry.source, entry])).values()];
}

/** `*` and `?` as in a shell. */
function globPattern(pattern) {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", "[^]*").replaceAll("?", "[^]")}$`);
}

module.exports = { History };
