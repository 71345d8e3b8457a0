/**
 * Shared mounts: what is mounted or unmounted on one of them happens on its peers and slaves, too.
 * Spec: mount_namespaces(7), "Shared subtrees"; Linux, Documentation/filesystems/sharedsubtree.rst.
 */
import type { Location, Mount } from "../state.js";
import type { Work } from "../work.js";
import {
  changeMount,
  copyTree,
  detach,
  isBelow,
  leaveGroup,
  mountById,
  place,
  propagationOf,
  treeOf,
  unplace,
} from "./mounts.js";
import { mountedOn, rootOfMount } from "./path.js";

/** Changes what a mount passes on. */
export function setPropagation(k: Work, id: number, wanted: Mount["propagation"]): void {
  const { group, master } = mountById(k, id);
  if (wanted === "shared") {
    changeMount(k, id, { group: group ?? k.newId(), propagation: "shared" });
    return;
  }
  const hasPeers = group !== undefined && members(k, (mount) => mount.group === group).length > 1;
  leaveGroup(k, id);
  const next = wanted === "slave" ? (hasPeers ? group : master) : undefined;
  const propagation = wanted === "unbindable" ? "unbindable" : propagationOf(undefined, next);
  changeMount(k, id, { master: next, propagation });
}

const members = (k: Work, isMember: (mount: Mount) => boolean): readonly Mount[] =>
  Array.from(k.state.mounts.entries(), ([, mount]) => mount).filter(isMember);

/** Whether a place of a file system can be seen in a mount. */
const shows = (k: Work, { fileSystem, root }: Mount, at: Location): boolean =>
  isBelow(k, k.fileSystemOf(fileSystem), at, root);

/** Puts a tree of mounts on a place; what stood there stands on it afterwards. */
function tuck(k: Work, id: number, at: Location): void {
  const before = mountedOn(k, at);
  if (before !== undefined) unplace(k, before.id);
  place(k, id, at);
  if (before !== undefined) place(k, before.id, rootOfMount(mountById(k, id)));
}

/** Puts a tree of mounts on a place, and copies of it where the mount around passes it on to. */
export function graft(k: Work, id: number, at: Location): void {
  const { group } = mountById(k, at.mount);
  if (group !== undefined)
    for (const mount of treeOf(k, id)) if (mount.group === undefined) setPropagation(k, mount.id, "shared");
  place(k, id, at);
  if (group !== undefined) spread(k, group, at.mount, id, at);
}

/** Copies a tree to the other members of a group and to its slaves. */
function spread(k: Work, group: number, from: number, tree: number, at: Location): void {
  const root = rootOfMount(mountById(k, tree));
  const put = (to: Mount, change?: (mount: Mount) => Partial<Mount>): number => {
    const copies = copyTree(k, tree, root, { namespace: to.namespace, ...(change === undefined ? {} : { change }) });
    tuck(k, copies.get(tree)!, { ...at, mount: to.id });
    return copies.get(tree)!;
  };
  const isMeant = (mount: Mount): boolean => mount.id !== from && mount.namespace !== 0 && shows(k, mount, at);
  for (const peer of members(k, (mount) => mount.group === group && isMeant(mount))) put(peer);
  const done = new Set<number>();
  for (const slave of members(k, (mount) => mount.master === group && isMeant(mount))) {
    if (slave.group !== undefined && done.has(slave.group)) continue;
    const copy = put(slave, (mount) => {
      const own = slave.group === undefined ? undefined : k.newId();
      return { group: own, master: mount.group, propagation: propagationOf(own, mount.group) };
    });
    if (slave.group === undefined) continue;
    done.add(slave.group);
    spread(k, slave.group, slave.id, copy, at);
  }
}

/** Mounts on the same place of the mounts that this one's surroundings pass things on to. */
export function counterparts(k: Work, id: number): readonly Mount[] {
  const { parent, at } = mountById(k, id);
  const found: Mount[] = [];
  const visited = new Set<number>();
  const visit = (group: number | undefined): void => {
    if (group === undefined || visited.has(group)) return;
    visited.add(group);
    for (const mount of members(k, (one) => one.group === group || one.master === group)) {
      const on = mount.id === parent ? undefined : mountedOn(k, { ...at!, mount: mount.id });
      if (on !== undefined) found.push(on);
      if (mount.master === group) visit(mount.group);
    }
  };
  if (at !== undefined) visit(mountById(k, parent).group);
  return found;
}

/** Takes a tree of mounts away, and its counterparts elsewhere that nothing else stands on. */
export function ungraft(k: Work, id: number): void {
  const tree = treeOf(k, id);
  const others = tree.toReversed().flatMap((mount) => counterparts(k, mount.id));
  for (const mount of tree.toReversed()) detach(k, mount.id);
  for (const { id: other } of others) {
    const mount = k.state.mounts.get(other);
    if (mount !== undefined && mount.namespace !== 0 && mount.children.length === 0) detach(k, other);
  }
}
