// Lets cells load the package this launcher belongs to by its name, from any folder: the run-time half of `paths`
// in compiler.js. Other packages are found from the notebook's folder, as Node does.
// Manual: Node.js, "Modules: Packages", self-referencing a package using its name.

const Module = require("node:module");
const { name } = require("../package.json");

/** Resolves `virtlab` and `virtlab/…` as if this file asked, where Node's self reference answers. */
function resolveOwnPackage() {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, parent, ...rest) {
    const own = request === name || request.startsWith(`${name}/`);
    return resolve.call(this, request, own ? module : parent, ...rest);
  };
}

module.exports = { resolveOwnPackage };
