/**
 * Files below one root folder as Jupyter contents: notebooks, text and binary files, folders. Nothing outside the root
 * can be named, also not through links. Checkpoints, copying and renaming are left out.
 * Manual: Jupyter Server, "Contents API".
 */
import { readdirSync, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import path from "node:path";
import { VirtlabError } from "../../state/error.js";
import { writeAtomically } from "../atomic-file.js";

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
}

/** What a client gives to save a file. */
export interface ContentsToSave {
  readonly type?: unknown;
  readonly format?: unknown;
  readonly content?: unknown;
}

export class Contents {
  readonly #root: string;

  constructor(root: string) {
    this.#root = realpathSync(root);
  }

  /**
   * The file or folder at a path relative to the root.
   * @throws VirtlabError when it lies outside the root, is missing or cannot be read.
   */
  get(relative: string, withContent: boolean): ContentsModel {
    const file = this.locate(relative);
    let stats: Stats;
    try {
      stats = statSync(file);
    } catch {
      throw new VirtlabError(`${relative}: no such file or folder`);
    }
    const base = {
      name: path.basename(relative),
      path: relative,
      writable: true,
      created: stats.birthtime.toISOString(),
      last_modified: stats.mtime.toISOString(),
    };
    if (stats.isDirectory()) {
      const entries = () => readdirSync(file).filter((name) => !name.startsWith("."));
      const children = () => entries().flatMap((name) => this.#child(relative, name));
      const content = withContent ? children() : null;
      return { ...base, type: "directory", size: null, mimetype: null, format: withContent ? "json" : null, content };
    }
    const notebook = relative.endsWith(".ipynb");
    const type = notebook ? "notebook" : "file";
    if (!withContent) return { ...base, type, size: stats.size, mimetype: null, format: null, content: null };
    const bytes = readFileSync(file);
    const text = bytes.toString("utf8");
    if (notebook) {
      try {
        return { ...base, type, size: stats.size, mimetype: null, format: "json", content: JSON.parse(text) };
      } catch {
        throw new VirtlabError(`${relative}: not JSON`);
      }
    }
    const isText = Buffer.from(text, "utf8").equals(bytes);
    return {
      ...base,
      type,
      size: stats.size,
      mimetype: isText ? "text/plain" : "application/octet-stream",
      format: isText ? "text" : "base64",
      content: isText ? text : bytes.toString("base64"),
    };
  }

  /**
   * Writes a file whole or not at all.
   * @throws VirtlabError when the path lies outside the root or the content does not fit its type and format.
   */
  save(relative: string, model: ContentsToSave): ContentsModel {
    const file = this.locate(relative);
    const { type, format, content } = model;
    if (type === "notebook" && typeof content === "object" && content !== null) {
      writeAtomically(file, `${JSON.stringify(content, null, 1)}\n`);
    } else if (type === "file" && typeof content === "string") {
      writeAtomically(file, format === "base64" ? Buffer.from(content, "base64") : content);
    } else {
      throw new VirtlabError(`${relative}: content of type ${String(type)} cannot be saved`);
    }
    return this.get(relative, false);
  }

  /**
   * The absolute name of a path below the root.
   * @throws VirtlabError when it leads outside.
   */
  locate(relative: string): string {
    const file = path.resolve(this.#root, relative.replace(/^\/+/, ""));
    const inside = (name: string) => name === this.#root || name.startsWith(this.#root + path.sep);
    if (relative.includes("\0") || !inside(file) || !inside(realPathOfExisting(file))) {
      throw new VirtlabError(`${relative}: outside of the root folder`);
    }
    return file;
  }

  /** A link that leads outside or nowhere is not listed. */
  #child(folder: string, name: string): ContentsModel[] {
    try {
      return [this.get(folder === "" ? name : `${folder}/${name}`, false)];
    } catch (error) {
      if (error instanceof VirtlabError) return [];
      throw error;
    }
  }
}

/** The real path of a file, or of the nearest folder above it that exists. */
function realPathOfExisting(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return realPathOfExisting(path.dirname(file));
  }
}
