// What a library finds when it runs in a notebook: globalThis[Symbol.for("virtlab.notebook")]. Elsewhere it is undefined.
//
//   display(bundle, { id }?)   shows a mime bundle below the cell; with an id it can be changed later
//   update(bundle, { id })     puts another bundle in the place of what was shown with this id, in all cells
//   clear({ wait }?)           empties the cell's outputs; with wait: true not before the next output comes
//   show(value)                shows any value as the last expression of a cell would be shown; returns a promise
//   signal                     an AbortSignal for the running cell: aborted when the user interrupts it
//
// A bundle is mime type -> text, JSON, or bytes as Uint8Array. Nothing has to be awaited but `show`: a message leaves
// at once, also out of a loop that never gives the event loop a turn. Outputs belong to the cell that was started last.
// These five names stay as they are. Manual: Messaging in Jupyter, display_data, update_display_data, clear_output.

const { displayBundle, encodedBundle } = require("./display-bundle.js");

const NOTEBOOK = Symbol.for("virtlab.notebook");

/** Offers the functions above; `cells` has `publish(messageType, content)` and `signal` of the cell started last. */
function offerNotebook(cells) {
  const send = (type, data, { id } = {}) => {
    const transient = id === undefined ? {} : { display_id: String(id) };
    cells.publish(type, { data, metadata: {}, transient });
  };
  const notebook = {
    display: (bundle, options) => send("display_data", encodedBundle(bundle), options),
    update: (bundle, options) => {
      if (options?.id === undefined) throw new TypeError("update needs the id of what was displayed");
      send("update_display_data", encodedBundle(bundle), options);
    },
    clear: ({ wait = false } = {}) => cells.publish("clear_output", { wait: wait === true }),
    show: async (value) => {
      cells.publish("display_data", { data: await displayBundle(value), metadata: {}, transient: {} });
    },
    get signal() {
      return cells.signal;
    },
  };
  Object.defineProperty(globalThis, NOTEBOOK, { value: Object.freeze(notebook), configurable: true });
}

module.exports = { offerNotebook };
