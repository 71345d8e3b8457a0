// The mime bundle of a cell's value. An object says itself how it is displayed through a method under
// Symbol.for("Jupyter.display"), which returns mime type to data (or a promise of that), as Deno's kernel does it.
// Manual: Messaging in Jupyter, display_data.

const { inspect } = require("node:util");

const DISPLAY = Symbol.for("Jupyter.display");

/** All forms of the value as one bundle, so that a front end shows one of them and not several below each other. */
async function displayBundle(value) {
  if (typeof value?.[DISPLAY] !== "function") return { "text/plain": plainText(value) };
  const bundle = encodedBundle(await value[DISPLAY]());
  // Every front end can show text; a bundle without it is empty where the other types are unknown.
  bundle["text/plain"] ??= plainText(value);
  return bundle;
}

/** A bundle as it can be sent: bytes become base64. */
function encodedBundle(given) {
  if (given === null || typeof given !== "object") {
    throw new TypeError(`not a mime bundle (mime type to data): ${inspect(given)}`);
  }
  const encoded = (data) => (data instanceof Uint8Array ? Buffer.from(data).toString("base64") : data);
  return Object.fromEntries(Object.entries(given).map(([type, data]) => [type, encoded(data)]));
}

/** Text as console.log would write it. */
function plainText(value) {
  return typeof value === "string" ? value : inspect(value);
}

module.exports = { displayBundle, encodedBundle };
