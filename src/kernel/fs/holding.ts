/** What keeps an inode although it has no name: open files and mappings. */
import type { InodeName } from "../state.js";
import type { Work } from "../work.js";
import { typeOf } from "./file-systems.js";

function hold(k: Work, { fileSystem, ino }: InodeName, by: 1 | -1): void {
  const fs = k.state.fileSystems.get(fileSystem);
  if (fs !== undefined) typeOf(fs).hold?.(k, fs, ino, by);
}

export const holdInode = (k: Work, inode: InodeName): void => hold(k, inode, 1);
export const releaseInode = (k: Work, inode: InodeName): void => hold(k, inode, -1);
