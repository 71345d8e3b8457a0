/**
 * Files below one root folder as Jupyter contents: notebooks, text and binary files, folders. Hidden files are neither
 * shown nor made, and folders are removed only when they are empty. Manual: Jupyter Server, "Contents API".
 */
import { createHash } from "node:crypto";
import { accessSync, constants, lstatSync, mkdirSync, renameSync, rmdirSync, type Stats, unlinkSync } from "node:fs";
import path from "node:path";
import { type CheckpointModel, Checkpoints } from "./checkpoints.js";
import { Jail } from "./jail.js";
import { mediaType } from "./media-types.js";
import { notebookText, readNotebook } from "./notebook-file.js";
import type { NotebookTrust } from "./notebook-trust.js";
import { HubError } from "./rest.js";

export interface ContentsModel {
  readonly name: string;
  readonly path: string;
  readonly type: "directory" | "file" | "notebook";
  readonly writable: boolean;
  readonly created: string;
  readonly last_modified: string;
  readonly size: number | null;
  readonly mimetype: string | null;
  readonly format: "json" | "text" | "base64" | null;
  readonly content: unknown;
  /** SHA-256 of the file's bytes, when it was asked for. */
  readonly hash: string | null;
  readonly hash_algorithm: "sha256" | null;
}

/** What of a file a client wants, in the words of the query. */
export interface Wanted {
  readonly content: boolean;
  readonly type?: string | undefined;
  readonly format?: string | undefined;
  readonly hash?: boolean | undefined;
}

/** What a client gives to save a file. */
export interface ContentsToSave {
  readonly type?: unknown;
  readonly format?: unknown;
  readonly content?: unknown;
}

/** The largest file that is read, in bytes. What a client saves is limited by the size of its request. */
export const FILE_LIMIT = 64 * 2 ** 20;

const EMPTY_NOTEBOOK = { cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 };

/** Names of new files, as Jupyter has them: without a number while they are free. */
const NEW_NAMES = {
  notebook: { name: "Untitled", end: ".ipynb", gap: "" },
  directory: { name: "Untitled Folder", end: "", gap: " " },
  file: { name: "untitled", end: "", gap: "" },
} as const;

export class Contents {
  readonly #jail: Jail;
  readonly #trust: NotebookTrust;
  readonly checkpoints: Checkpoints;

  /** @throws Error of the file system when there is no such folder. */
  constructor(root: string, trust: NotebookTrust) {
    this.#jail = new Jail(root);
    this.#trust = trust;
    this.checkpoints = new Checkpoints(this.#jail);
  }

  /** The real name of a path below the root. */
  locate(relative: string): string {
    return this.#jail.locate(relative);
  }

  /**
   * The file or folder at a path relative to the root.
   * @throws HubError when it lies outside the root, is missing, is not what is wanted or cannot be read.
   */
  get(relative: string, wanted: Wanted): ContentsModel {
    const stats = this.#status(relative);
    if (stats.isDirectory()) {
      if (wanted.type !== undefined && wanted.type !== "directory") {
        throw new HubError(400, `${relative} is a directory, not a ${wanted.type}`, "bad type");
      }
      return this.#folder(relative, stats, wanted.content);
    }
    if (wanted.type === "directory") throw new HubError(400, `${relative} is not a directory`, "bad type");
    const isNotebook = wanted.type === "notebook" || (relative.endsWith(".ipynb") && wanted.type !== "file");
    const type = isNotebook ? "notebook" : "file";
    const bytes = wanted.content || wanted.hash === true ? this.#jail.read(relative, FILE_LIMIT) : undefined;
    const hash = wanted.hash === true && bytes !== undefined ? { hash: sha256(bytes), hash_algorithm: "sha256" } : {};
    const content = wanted.content && bytes !== undefined ? this.#content(relative, type, wanted.format, bytes) : {};
    const mimetype = type === "notebook" ? null : (mediaType(relative) ?? null);
    return { ...this.#model(relative, stats), type, size: stats.size, mimetype, ...content, ...hash } as ContentsModel;
  }

  /** The bytes of a file. */
  read(relative: string): Buffer {
    this.#status(relative);
    return this.#jail.read(relative, FILE_LIMIT);
  }

  /**
   * Writes a file whole or not at all, or makes a folder.
   * @throws HubError when the path lies outside the root or the content does not fit its type and format.
   */
  save(relative: string, model: ContentsToSave): { readonly model: ContentsModel; readonly isNew: boolean } {
    refuseHidden(relative, "create");
    const old = this.#jail.status(relative);
    if (model.type === "directory") {
      if (old === undefined) this.#jail.change(relative, (entry) => mkdirSync(entry));
      else if (!old.isDirectory()) throw new HubError(400, `Not a directory: ${relative}`);
    } else {
      if (old?.isDirectory() === true) throw new HubError(400, `${relative}: it is a folder`);
      if (old !== undefined && !old.isFile()) throw new HubError(400, `${relative}: not a file`);
      this.#jail.write(relative, this.#bytesOf(relative, model));
    }
    return { model: this.get(relative, { content: false }), isNew: old === undefined };
  }

  /** A new file or folder under the next free name. */
  create(folder: string, type: unknown, end: unknown): ContentsModel {
    this.#requireFolder(folder);
    const kind = type === "notebook" || type === "directory" ? type : "file";
    const { name, gap, end: usual } = NEW_NAMES[kind];
    const ending = kind === "file" && typeof end === "string" ? end : usual;
    const file = this.#freeName(folder, (number) => `${name}${number === 0 ? "" : gap + number}${ending}`);
    const content = kind === "notebook" ? EMPTY_NOTEBOOK : "";
    return this.save(file, { type: kind, format: "text", content }).model;
  }

  /** A copy in a folder, under the next free name. */
  copy(source: string, folder: string): ContentsModel {
    this.#requireFolder(folder);
    const stats = this.#status(source);
    const { name, ext } = path.posix.parse(source);
    const end = stats.isDirectory() ? "" : ext;
    const stem = (stats.isDirectory() ? name + ext : name).replace(/-Copy\d+$/, "");
    const file = this.#freeName(folder, (number) => `${stem}${number === 0 ? "" : `-Copy${number}`}${end}`);
    if (`${folder}/`.startsWith(`${source}/`)) throw new HubError(400, `${source} cannot be copied into itself`);
    this.#copyTo(source, file);
    return this.get(file, { content: false });
  }

  /** Gives a file or folder another path. Nothing is overwritten. */
  rename(from: string, to: string): ContentsModel {
    if (from !== to) {
      refuseHidden(from, "rename");
      refuseHidden(to, "rename");
      const stats = this.#status(from);
      const there = this.#jail.status(to);
      // Where case does not matter, a file may get its own name in other letters.
      if (there !== undefined && there.ino !== stats.ino) throw new HubError(409, `File already exists: ${to}`);
      this.#requireFolder(folderOf(to));
      this.#jail.change(from, (old) => this.#jail.change(to, (entry) => renameSync(old, entry)));
      this.checkpoints.rename(from, to);
    }
    return this.get(to, { content: false });
  }

  /** Removes a file or an empty folder. */
  remove(relative: string): void {
    if (relative === "") throw new HubError(400, "Can't delete root");
    refuseHidden(relative, "delete");
    const stats = this.#status(relative);
    if (stats.isDirectory()) this.checkpoints.removeFolder(relative);
    else this.checkpoints.remove(relative);
    this.#jail.change(relative, (entry) => {
      try {
        unlinkSync(entry);
      } catch (error) {
        if (!stats.isDirectory()) throw error;
        rmdirSync(entry);
      }
    });
  }

  /** Takes the outputs of a notebook for the user's own from now on. */
  trust(relative: string): void {
    this.#trust.remember(readNotebook(String(this.read(relative)), relative));
  }

  checkpoint(relative: string): CheckpointModel {
    this.#status(relative);
    return this.checkpoints.create(relative);
  }

  #status(relative: string): Stats {
    const stats = isHidden(relative) ? undefined : this.#jail.status(relative);
    if (stats === undefined) throw new HubError(404, `file or directory '/${relative}' does not exist`);
    if (!stats.isFile() && !stats.isDirectory()) throw new HubError(400, `${relative}: not a file`);
    return stats;
  }

  #requireFolder(relative: string): void {
    const stats = isHidden(relative) ? undefined : this.#jail.status(relative);
    if (stats === undefined) throw new HubError(404, `No such directory: ${relative}`);
    if (!stats.isDirectory()) throw new HubError(400, `${relative} is a file, not a directory`);
  }

  #model(relative: string, stats: Stats): Omit<ContentsModel, "type"> {
    return {
      name: path.posix.basename(relative),
      path: relative,
      writable: isWritable(this.#jail.locate(relative)),
      created: stats.birthtime.toISOString(),
      last_modified: stats.mtime.toISOString(),
      size: null,
      mimetype: null,
      format: null,
      content: null,
      hash: null,
      hash_algorithm: null,
    };
  }

  #folder(relative: string, stats: Stats, withContent: boolean): ContentsModel {
    const model = { ...this.#model(relative, stats), type: "directory" as const };
    if (!withContent) return model;
    const names = this.#jail.list(relative).sort();
    return { ...model, format: "json", content: names.flatMap((name) => this.#child(relative, name)) };
  }

  /** What cannot be opened is not listed: links that lead outside or nowhere, hidden files, devices. */
  #child(folder: string, name: string): ContentsModel[] {
    try {
      return [this.get(join(folder, name), { content: false })];
    } catch (error) {
      if (error instanceof HubError) return [];
      throw error;
    }
  }

  #content(
    relative: string,
    type: "file" | "notebook",
    format: string | undefined,
    bytes: Buffer,
  ): Partial<ContentsModel> {
    if (type === "notebook") {
      const notebook = readNotebook(bytes.toString("utf8"), relative);
      return { format: "json", content: this.#trust.marked(notebook) };
    }
    const text = bytes.toString("utf8");
    const isText = format !== "base64" && Buffer.from(text).equals(bytes);
    if (!isText && format === "text") throw new HubError(400, `${relative} is not UTF-8 encoded`, "bad format");
    const mimetype = mediaType(relative) ?? (isText ? "text/plain" : "application/octet-stream");
    return isText
      ? { format: "text", mimetype, content: text }
      : { format: "base64", mimetype, content: bytes.toString("base64") };
  }

  #bytesOf(relative: string, { type, format, content }: ContentsToSave): string | Buffer {
    if (content === undefined || content === null) throw new HubError(400, "No file content provided");
    if (type === "notebook") {
      const text = notebookText(content, relative);
      this.#trust.rememberIfTrusted(content, readNotebook(text, relative));
      return text;
    }
    if (typeof content !== "string") throw new HubError(400, `${relative}: the content of a file must be a string`);
    if (format === "text") return content;
    if (format !== "base64") throw new HubError(400, "Must specify format of file contents as 'text' or 'base64'");
    const bytes = Buffer.from(content, "base64");
    const same = (text: string): string => text.replace(/[\s=]/g, "");
    if (same(bytes.toString("base64")) !== same(content))
      throw new HubError(400, `${relative}: the content is not base64`);
    return bytes;
  }

  #copyTo(source: string, target: string): void {
    if (!this.#status(source).isDirectory()) {
      this.#jail.write(target, this.#jail.read(source, FILE_LIMIT));
      return;
    }
    this.#jail.change(target, (entry) => mkdirSync(entry));
    const { content } = this.get(source, { content: true });
    for (const { name } of content as ContentsModel[]) this.#copyTo(join(source, name), join(target, name));
  }

  #freeName(folder: string, name: (number: number) => string): string {
    for (let number = 0; ; number += 1) {
      const file = join(folder, name(number));
      if (this.#jail.change(file, (entry) => lstatSync(entry, { throwIfNoEntry: false })) === undefined) return file;
    }
  }
}

/** Hidden is what has a dot in front, or is below of that. */
function isHidden(relative: string): boolean {
  return /(^|\/)\.[^/]/.test(relative) && !/(^|\/)\.\.?(\/|$)/.test(relative);
}

function refuseHidden(relative: string, verb: string): void {
  if (isHidden(relative)) throw new HubError(400, `Cannot ${verb} file or directory '/${relative}'`);
}

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export function folderOf(relative: string): string {
  const folder = path.posix.dirname(relative);
  return folder === "." ? "" : folder;
}

export function join(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}
