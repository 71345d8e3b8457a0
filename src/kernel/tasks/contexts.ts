/** Root, working directory and umask, which threads may share. Spec: clone(2), CLONE_FS. */
import type { Location } from "../state.js";
import type { Work } from "../work.js";

export function newContext(k: Work, root: Location, directory: Location, umask = 0o022): number {
  const id = k.newId();
  k.set({ contexts: k.state.contexts.set(id, { id, users: 1, root, directory, umask }) });
  return id;
}

export function dropContext(k: Work, id: number): void {
  const context = k.state.contexts.get(id)!;
  const left = context.users > 1 ? { ...context, users: context.users - 1 } : undefined;
  k.set({ contexts: k.state.contexts.set(id, left) });
}
