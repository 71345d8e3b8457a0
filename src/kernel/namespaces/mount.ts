/** What namespaces of other kinds need to know of mount namespaces. Spec: mount_namespaces(7). */
import { rootOfMount, sameLocation, throughMounts } from "../fs/path.js";
import type { Location, Mount } from "../state.js";
import type { Work } from "../work.js";

/** The mount that a mount namespace begins with. */
function firstMount(k: Work, namespace: number): Mount | undefined {
  for (const [, mount] of k.state.mounts.entries())
    if (mount.namespace === namespace && mount.parent === mount.id) return mount;
  return undefined;
}

/** The root of a mount namespace: the top of what is mounted there. */
export function rootOfNamespace(k: Work, namespace: number): Location | undefined {
  const mount = firstMount(k, namespace);
  return mount && throughMounts(k, rootOfMount(mount));
}

/** Whether the thread at work has another root than its mount namespace. */
export function isChrooted(k: Work): boolean {
  const root = rootOfNamespace(k, k.task.namespaces.mnt);
  return (
    root !== undefined && !sameLocation(k.context.root, root) && !sameLocation(throughMounts(k, k.context.root), root)
  );
}

/** The thread at work stands at the root of a mount namespace. */
export function enterMounts(k: Work, namespace: number): void {
  const root = rootOfNamespace(k, namespace)!;
  k.setContext(k.task.context, { root, directory: root });
}
