/** What namespaces of other kinds need to know of mount namespaces. Spec: mount_namespaces(7). */
import type { MountNamespace } from "../fs/mounts.js";
import { rootOfMount, sameLocation, throughMounts } from "../fs/path.js";
import type { Location } from "../state.js";
import type { Work } from "../work.js";

/** The root of a mount namespace: the top of what is mounted there. */
function rootOfNamespace(k: Work, namespace: number): Location {
  const { root } = k.objectOf<MountNamespace>(namespace);
  return throughMounts(k, rootOfMount(k.state.mounts.get(root)!));
}

/** Whether the thread at work has another root than its mount namespace. */
export function isChrooted(k: Work): boolean {
  const root = rootOfNamespace(k, k.task.namespaces.mnt);
  return (
    root !== undefined && !sameLocation(k.context.root, root) && !sameLocation(throughMounts(k, k.context.root), root)
  );
}
