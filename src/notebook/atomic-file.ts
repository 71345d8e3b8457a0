/**
 * Writing a file so that readers see the old content or the new, never a part, whenever the writer or the machine ends.
 * Manual: rename(2), fsync(2).
 */
import { randomBytes } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";

/** The process that writes is part of the name: when it has ended, nobody needs the file any more. */
const TEMPORARY = /^\.virtlab-(\d+)-[0-9a-f]{12}\.tmp$/;
/** On a disk shared with another machine the process may be there; but no write takes that long. */
const LEFT_OVER_MILLISECONDS = 60_000;

/** Replaces the content of a file through a temporary file beside it. Links are followed; permissions and owner stay. */
export function writeAtomically(file: string, content: string | Uint8Array): void {
  replaceFile(statSync(file, { throwIfNoEntry: false }) === undefined ? file : realpathSync(file), content);
}

/** The same for a name that is no link; a link in its place is replaced, not followed. */
export function replaceFile(file: string, content: string | Uint8Array): void {
  const folder = path.dirname(file);
  const found = lstatSync(file, { throwIfNoEntry: false });
  const old = found?.isFile() === true ? found : undefined;
  // A rename needs no permission on what it replaces, but who takes away that permission means it.
  if (old !== undefined) accessSync(file, constants.W_OK);
  removeLeftOvers(folder);
  const temporary = path.join(folder, `.virtlab-${process.pid}-${randomBytes(6).toString("hex")}.tmp`);
  try {
    writeDurably(temporary, content, old);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(folder);
}

function writeDurably(file: string, content: string | Uint8Array, old: Stats | undefined): void {
  const descriptor = openSync(file, "wx");
  try {
    if (old !== undefined) keepOwner(descriptor, old);
    writeFileSync(descriptor, content);
    // Else the rename could reach the disk before the content does.
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Only the superuser can give a file away; for all others the owner is the one who writes. */
function keepOwner(descriptor: number, old: Stats): void {
  try {
    fchownSync(descriptor, old.uid, old.gid);
  } catch {
    // The file then belongs to the one who wrote it, as a new one does.
  }
  fchmodSync(descriptor, old.mode & 0o7777);
}

/** Makes the rename last. Where folders cannot be opened (Windows) that is left to the file system. */
function syncFolder(folder: string): void {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(folder, "r");
    fsyncSync(descriptor);
  } catch {
    // The new content is in place all the same, short of a loss of power in this second.
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Takes away what writers left that were killed. */
function removeLeftOvers(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) {
    const writer = TEMPORARY.exec(name)?.[1];
    if (writer === undefined || isAlive(Number(writer))) continue;
    const file = path.join(folder, name);
    const modified = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
    if (Date.now() - modified > LEFT_OVER_MILLISECONDS) rmSync(file, { force: true });
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
