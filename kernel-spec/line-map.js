// The way from a place in compiled code back to the place in its source, over tslab's two compilations.
// Lines and columns count from 1. Manual: Node.js, node:module, class SourceMap.

const { SourceMap } = require("node:module");

/** tslab puts one line before every source, which makes it a module. */
const LINES_BEFORE = 1;

class LineMap {
  #maps;

  /** `last` is the map of the last compilation, `inline` the comment in which the first has left its own. */
  constructor(last, inline) {
    // Only errors ask, so nothing is decoded before.
    this.#maps = () => {
      const first = JSON.parse(Buffer.from(inline.slice(inline.indexOf(",") + 1), "base64").toString());
      const maps = [new SourceMap(JSON.parse(last)), new SourceMap(first)];
      this.#maps = () => maps;
      return maps;
    };
  }

  /** The place in the source; undefined for code that the compiler has added. */
  source(line, column) {
    let place = { originalLine: line - 1, originalColumn: column - 1 };
    for (const map of this.#maps()) {
      place = map.findEntry(place.originalLine, place.originalColumn);
      if (place.originalLine === undefined) return undefined;
    }
    const found = { line: place.originalLine + 1 - LINES_BEFORE, column: place.originalColumn + 1 };
    return found.line < 1 ? undefined : found;
  }
}

module.exports = { LineMap };
