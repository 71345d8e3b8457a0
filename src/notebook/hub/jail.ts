/**
 * Files below one root folder, named by relative paths with slashes. Nothing outside can be read or written, through
 * `..`, encoded or absolute paths, links, or links that are made while we look. Where the system tells what an open file
 * or folder really is (/proc/self/fd), that decides, and names are used inside of the open folder only; elsewhere the
 * real path is looked up again. Manual: proc(5), openat(2).
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import path from "node:path";
import { replaceFile } from "../atomic-file.js";
import { withFileErrors } from "./file-errors.js";
import { HubError } from "./rest.js";

/** No waiting for the writer of a pipe. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
const READ_FOLDER = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0);

export class Jail {
  readonly #root: string;

  /** @throws Error of the file system when there is no such folder. */
  constructor(root: string) {
    this.#root = realpathSync(root);
  }

  /**
   * The real name of what is at a path, or will be when it is made.
   * @throws HubError when it is outside of the root.
   */
  locate(relative: string): string {
    const parts = relative === "" ? [] : relative.replace(/\/$/, "").split("/");
    if (parts.some(leadsAway)) throw outside(relative);
    return withFileErrors(relative, () => this.#real(path.join(this.#root, ...parts), relative));
  }

  /** What is at a path; undefined when there is nothing. */
  status(relative: string): Stats | undefined {
    const file = this.locate(relative);
    return withFileErrors(relative, () => statSync(file, { throwIfNoEntry: false }));
  }

  /** The content of a file of at most so many bytes. */
  read(relative: string, limit: number): Buffer {
    return this.#open(this.locate(relative), relative, READ, (descriptor) => {
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) throw new HubError(400, `${relative}: not a file`);
      if (stats.size > limit) throw new HubError(400, `${relative}: ${size(stats.size)}, more than ${size(limit)}`);
      return readFileSync(descriptor);
    });
  }

  /** The names in a folder. */
  list(relative: string): string[] {
    return this.#open(this.locate(relative), relative, READ_FOLDER, (_, folder) => readdirSync(folder));
  }

  /** Writes a file whole or not at all. */
  write(relative: string, content: string | Uint8Array): void {
    this.#inFolder(this.locate(relative), relative, (file) => replaceFile(file, content));
  }

  /** Changes an entry of a folder, a link itself if it is one. The action gets a name that leads there and nowhere else. */
  change<T>(relative: string, action: (entry: string) => T): T {
    const end = relative.replace(/\/$/, "").lastIndexOf("/");
    this.locate(relative);
    const folder = this.locate(relative.slice(0, Math.max(end, 0)));
    return this.#inFolder(path.join(folder, path.posix.basename(relative)), relative, action);
  }

  #inFolder<T>(file: string, relative: string, action: (entry: string) => T): T {
    if (file === this.#root) throw new HubError(400, "the root folder cannot be changed");
    const inside = (_: number, folder: string): T => action(path.join(folder, path.basename(file)));
    return this.#open(path.dirname(file), relative, READ_FOLDER, inside);
  }

  /** Does something with an open file or folder that was seen to be inside, and a name of it that will not change. */
  #open<T>(file: string, relative: string, flags: number, action: (descriptor: number, name: string) => T): T {
    return withFileErrors(relative, () => {
      const descriptor = openSync(file, flags);
      try {
        const link = `/proc/self/fd/${descriptor}`;
        const real = linkTarget(link);
        if (real !== undefined) {
          if (!this.#contains(real)) throw outside(relative);
          return action(descriptor, link);
        }
        const [opened, named] = [fstatSync(descriptor), lstatSync(this.#real(file, relative))];
        if (opened.ino !== named.ino || opened.dev !== named.dev) throw outside(relative);
        return action(descriptor, file);
      } finally {
        closeSync(descriptor);
      }
    });
  }

  /** Follows all links. What does not exist yet is where its folder is; a link that leads nowhere is not followed. */
  #real(file: string, relative: string): string {
    let real: string;
    try {
      real = realpathSync(file);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" || lstatSync(file, { throwIfNoEntry: false }) !== undefined) throw error;
      return path.join(this.#real(path.dirname(file), relative), path.basename(file));
    }
    if (!this.#contains(real)) throw outside(relative);
    return real;
  }

  #contains(real: string): boolean {
    const prefix = this.#root.endsWith(path.sep) ? this.#root : this.#root + path.sep;
    return real === this.#root || real.startsWith(prefix);
  }
}

/**
 * Whether a part of a path is more than a name: here, on another system (`\`, `C:`), or after one more decoding, which
 * whoever gets the name next may do. What no address or line of text can hold is no name either.
 */
function leadsAway(part: string): boolean {
  return (
    part === "" ||
    part === "." ||
    part === ".." ||
    /[\p{Cc}\p{Surrogate}\\]|%(00|2f|5c)|^(\.|%2e)+$/iu.test(part) ||
    (path.sep === "\\" && part.includes(":"))
  );
}

function linkTarget(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

function outside(relative: string): HubError {
  return new HubError(404, `${relative.replace(/[\p{Cc}\p{Surrogate}]/gu, "?")} is outside root contents directory`);
}

function size(bytes: number): string {
  return bytes < 2 ** 20 ? `${bytes} bytes` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
