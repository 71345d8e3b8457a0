/** One earlier version of each file, in a hidden folder beside it, where Jupyter keeps it, too. Manual: Jupyter Server, "Checkpoints". */
import { mkdirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import path from "node:path";
import type { Jail } from "./jail.js";
import { HubError } from "./rest.js";

export interface CheckpointModel {
  readonly id: string;
  readonly last_modified: string;
}

const FOLDER = ".ipynb_checkpoints";
/** A file has one checkpoint, which is always called so. */
const ID = "checkpoint";

export class Checkpoints {
  readonly #jail: Jail;

  constructor(jail: Jail) {
    this.#jail = jail;
  }

  list(relative: string): CheckpointModel[] {
    const stats = this.#jail.status(checkpointOf(relative));
    return stats === undefined ? [] : [{ id: ID, last_modified: stats.mtime.toISOString() }];
  }

  /** Keeps a file as it is now. */
  create(relative: string): CheckpointModel {
    const content = this.#jail.read(relative, Number.MAX_SAFE_INTEGER);
    const file = checkpointOf(relative);
    this.#makeFolder(path.posix.dirname(file));
    this.#jail.write(file, content);
    return this.list(relative)[0]!;
  }

  /** Makes a file what it was. */
  restore(relative: string, id: string): void {
    this.#jail.write(relative, this.#jail.read(this.#existing(relative, id), Number.MAX_SAFE_INTEGER));
  }

  remove(relative: string, id?: string): void {
    if (id === undefined && this.list(relative).length === 0) return;
    this.#jail.change(this.#existing(relative, id ?? ID), (entry) => unlinkSync(entry));
  }

  /** A checkpoint goes where its file goes. */
  rename(from: string, to: string): void {
    if (this.list(from).length === 0) return;
    const target = checkpointOf(to);
    this.#makeFolder(path.posix.dirname(target));
    this.#jail.change(checkpointOf(from), (old) => this.#jail.change(target, (entry) => renameSync(old, entry)));
  }

  /** Takes away the empty folder of checkpoints, so that the folder around it counts as empty. */
  removeFolder(folder: string): void {
    const checkpoints = `${folder}/${FOLDER}`;
    if (this.#jail.status(checkpoints)?.isDirectory() !== true || this.#jail.list(checkpoints).length > 0) return;
    this.#jail.change(checkpoints, (entry) => rmdirSync(entry));
  }

  #existing(relative: string, id: string): string {
    const file = checkpointOf(relative);
    if (id === ID && this.#jail.status(file) !== undefined) return file;
    throw new HubError(404, `Checkpoint does not exist: ${relative}@${id}`);
  }

  #makeFolder(folder: string): void {
    if (this.#jail.status(folder) === undefined) this.#jail.change(folder, (entry) => mkdirSync(entry));
  }
}

/** `a/b.ipynb` has `a/.ipynb_checkpoints/b-checkpoint.ipynb`. */
function checkpointOf(relative: string): string {
  const { dir, name, ext } = path.posix.parse(relative);
  return path.posix.join(dir, FOLDER, `${name}-${ID}${ext}`);
}
