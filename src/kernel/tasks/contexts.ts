/** Root, working directory and umask, which threads may share. Spec: clone(2), CLONE_FS. */
import { holdInode, releaseInode } from "../fs/holding.js";
import type { FileContext, Location } from "../state.js";
import type { Work } from "../work.js";

/** Directories that somebody is in stay when they have no name any more. */
function hold(k: Work, { mount, ino }: Location, change: typeof holdInode): void {
  const fileSystem = k.state.mounts.get(mount)?.fileSystem;
  if (fileSystem !== undefined) change(k, { fileSystem, ino });
}

export function newContext(k: Work, root: Location, directory: Location, umask = 0o022): number {
  const id = k.newId();
  k.set({ contexts: k.state.contexts.set(id, { id, users: 1, root, directory, umask }) });
  hold(k, root, holdInode);
  hold(k, directory, holdInode);
  return id;
}

/** Other places for those who share a context. */
export function movePlaces(k: Work, id: number, places: Partial<Pick<FileContext, "root" | "directory">>): void {
  const old = k.state.contexts.get(id)!;
  for (const which of ["root", "directory"] as const) {
    const to = places[which];
    if (to === undefined) continue;
    hold(k, to, holdInode);
    hold(k, old[which], releaseInode);
  }
  k.setContext(id, places);
}

export function dropContext(k: Work, id: number): void {
  const context = k.state.contexts.get(id)!;
  const left = context.users > 1 ? { ...context, users: context.users - 1 } : undefined;
  k.set({ contexts: k.state.contexts.set(id, left) });
  if (left !== undefined) return;
  hold(k, context.root, releaseInode);
  hold(k, context.directory, releaseInode);
}
