/**
 * The guests that come with the package, as bytes to boot. Reads files, so it works in Node alone; it asks Node for its
 * modules when it is called, so that the package can still be loaded in a browser.
 */
import { VirtlabError } from "../state/error.js";

/**
 * The image of a guest of the package by name: `Machine.boot({ image: guest("rings") })`.
 *
 * @throws VirtlabError for a name that is no guest, with the names there are, and outside of Node.
 */
export function guest(name: string): Uint8Array {
  const node = typeof process === "undefined" ? undefined : process;
  const fs = node?.getBuiltinModule?.("node:fs");
  const path = node?.getBuiltinModule?.("node:path");
  if (!fs || !path)
    throw new VirtlabError(`guest "${name}": the package's guests are files, which can be read in Node only`);
  const folder = path.resolve(__dirname, "../../guests/images");
  const files = fs.readdirSync(folder);
  const file = files.find((one) => path.parse(one).name === name);
  if (file === undefined)
    throw new VirtlabError(
      `guest "${name}": there is none of that name (there are: ${files
        .map((one) => path.parse(one).name)
        .sort()
        .join(", ")})`,
    );
  // A copy of its own memory: a small Buffer is a view of memory that it shares with others.
  return new Uint8Array(fs.readFileSync(path.join(folder, file)));
}
