/**
 * The guests that come with the package, as bytes to boot. Reads files, so it works in Node alone; it asks Node for its
 * modules when it is called, so that the package can still be loaded in a browser.
 */
import { VirtlabError } from "../state/error.js";

/** Node's modules, and the folder of the images. */
function imageFolder(what: string) {
  const node = typeof process === "undefined" ? undefined : process;
  const fs = node?.getBuiltinModule?.("node:fs");
  const path = node?.getBuiltinModule?.("node:path");
  if (!fs || !path) throw new VirtlabError(`${what}: the package's guests are files, which can be read in Node only`);
  return { fs, path, folder: path.resolve(__dirname, "../../guests/images") };
}

/** A file beside the images, as a copy of its own memory: a small Buffer is a view of memory that it shares with others. */
export function readImage(file: string): Uint8Array {
  const { fs, path, folder } = imageFolder(file);
  return new Uint8Array(fs.readFileSync(path.join(folder, file)));
}

/**
 * The image of a guest of the package by name: `Machine.boot({ image: guest("rings") })`.
 *
 * @throws VirtlabError for a name that is no guest, with the names there are, and outside of Node.
 */
export function guest(name: string): Uint8Array {
  const { fs, path, folder } = imageFolder(`guest "${name}"`);
  const files = fs.readdirSync(folder).filter((one) => path.extname(one) !== ".json");
  const file = files.find((one) => path.parse(one).name === name);
  if (file === undefined)
    throw new VirtlabError(
      `guest "${name}": there is none of that name (there are: ${files
        .map((one) => path.parse(one).name)
        .sort()
        .join(", ")})`,
    );
  return readImage(file);
}
