/** Names of places as /proc tells them: with what a line cannot hold escaped, and whether they are still there. */
import { Errno } from "../../errno.js";
import type { Location, OpenFile } from "../../state.js";
import type { Work } from "../../work.js";
import { typeOf } from "../file-systems.js";
import { kindOf } from "../kinds.js";
import { attributesAt, fileSystemOf, nameOf } from "../path.js";
import { isDirectory } from "../types.js";

/** The characters of a text, those given as \ooo. */
export const escaped = (text: string, characters: RegExp): string =>
  text.replace(characters, (one) => `\\${one.charCodeAt(0).toString(8).padStart(3, "0")}`);

/** The name of a place seen from a root; what has lost its name says so. Undefined for what cannot be reached. */
export function pathOf(k: Work, location: Location, root: Location): string | undefined {
  try {
    const attributes = attributesAt(k, location);
    const name = nameOf(k, location, root);
    if (name === undefined) return attributes.links === 0 ? `/${location.name} (deleted)` : undefined;
    if (isDirectory(attributes)) return name;
    const fs = fileSystemOf(k, location);
    const isThere =
      location.ino === fs.root ||
      location.name === "" ||
      typeOf(fs).lookup(k, fs, location.parent, location.name) === location.ino;
    return isThere ? name : `${name} (deleted)`;
  } catch (thrown) {
    if (thrown instanceof Errno) return undefined;
    throw thrown;
  }
}

/** What a link of /proc/PID/fd says of an open file. */
export function nameOfFile(k: Work, file: OpenFile, root: Location): string {
  if (file.location !== undefined) return pathOf(k, file.location, root) ?? "/";
  const label = kindOf(file).label?.(file);
  return label ?? `anon_inode:[${file.kind}]`;
}
