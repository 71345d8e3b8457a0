// What the kernel answers to each request, apart from running cells: content in, content of the reply out.
// Manual: Messaging in Jupyter, "Messages on the shell (ROUTER/DEALER) channel" and "Messages on the Control channel".

const { codePointsOf, unitsOf } = require("./code-points.js");
const { completeness } = require("./completeness.js");
const { compilerVersion } = require("./compiler.js");
const { documentation } = require("./documentation.js");
const { PROTOCOL_VERSION } = require("./message.js");
const { version } = require("../package.json");

/** Request type -> function of the request's content. `kernel` has `executor`, `cells` and `connection`. */
function requestHandlers({ executor, cells, connection }) {
  return {
    kernel_info_request: kernelInfo,
    is_complete_request: ({ code }) => completeness(code),
    complete_request: ({ code, cursor_pos }) => completions(executor, code, unitsOf(code, cursor_pos)),
    inspect_request: ({ code, cursor_pos }) => inspection(executor, code, unitsOf(code, cursor_pos)),
    history_request: (query) => cells.history.find(query),
    comm_info_request: () => ({ status: "ok", comms: {} }),
    connect_request: () => ({
      status: "ok",
      ...Object.fromEntries(Object.entries(connection).filter(([name]) => name.endsWith("_port"))),
    }),
    interrupt_request: () => {
      executor.interrupt();
      return { status: "ok" };
    },
    shutdown_request: ({ restart }) => ({ status: "ok", restart: restart === true }),
  };
}

function kernelInfo() {
  const typescript = compilerVersion();
  return {
    status: "ok",
    protocol_version: PROTOCOL_VERSION,
    implementation: "virtlab",
    implementation_version: version,
    banner: `virtlab ${version}: TypeScript ${typescript} on tslab, Node.js ${process.version}`,
    language_info: {
      name: "typescript",
      version: typescript,
      mimetype: "text/typescript",
      file_extension: ".ts",
      // Each front end knows TypeScript by another of these names.
      pygments_lexer: "typescript",
      codemirror_mode: { mode: "typescript", name: "javascript", typescript: true },
      nbconvert_exporter: "script",
    },
    debugger: false,
    help_links: [
      { text: "TypeScript", url: "https://www.typescriptlang.org/docs/" },
      { text: "Node.js", url: "https://nodejs.org/api/" },
    ],
  };
}

function completions(executor, code, position) {
  const { start, end, candidates, original } = executor.ask((tslab) => tslab.complete(code, position));
  const [from, to] = [codePointsOf(code, start), codePointsOf(code, end)];
  const kinds = new Map((original?.entries ?? []).map(({ name, kind }) => [name, kind]));
  // JupyterLab shows the kinds as signs beside the names.
  const types = candidates.map((text) => ({ start: from, end: to, text, type: kinds.get(text) ?? "" }));
  const metadata = { _jupyter_types_experimental: types };
  return { status: "ok", matches: candidates, cursor_start: from, cursor_end: to, metadata };
}

function inspection(executor, code, position) {
  const info = executor.ask((tslab) => tslab.inspect(code, position));
  if (!info) return { status: "ok", found: false, data: {}, metadata: {} };
  return { status: "ok", found: true, data: documentation(info), metadata: {} };
}

module.exports = { requestHandlers };
