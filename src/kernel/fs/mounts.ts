/**
 * What is mounted where: a tree of mounts for each mount namespace. A mount knows those that stand on it, so that a step of a path costs the
 * same however many there are. Spec: mount_namespaces(7); Linux, Documentation/filesystems/sharedsubtree.rst.
 */
import { E } from "../errno.js";
import { addNamespace, atNamespaceEnd, type Namespace } from "../namespaces/records.js";
import type { FileSystem, Location, Mount, OpenFile } from "../state.js";
import { requireCapability, type UserNamespace } from "../tasks/capabilities.js";
import type { Work } from "../work.js";
import { typeOf } from "./file-systems.js";
import { mayWrite } from "./kinds.js";
import { rootOfMount, throughMounts } from "./path.js";
import { MS } from "./permissions.js";

/** A mount namespace. Spec: mount_namespaces(7). */
export interface MountNamespace extends Namespace {
  readonly kind: "mnt";
  /** The mount that has no other around it. */
  readonly root: number;
}

export const mountById = (k: Work, id: number): Mount => k.state.mounts.get(id)!;

export function changeMount(k: Work, id: number, change: Partial<Mount>): void {
  const { mounts } = k.state;
  k.set({ mounts: mounts.set(id, { ...mounts.get(id)!, ...change }) });
}

/** How a mount passes on what is mounted on it, as its groups say. */
export const propagationOf = (group: number | undefined, master: number | undefined): Mount["propagation"] =>
  group !== undefined ? "shared" : master !== undefined ? "slave" : "private";

export type NewMount = Pick<Mount, "namespace" | "fileSystem" | "root" | "flags"> & Partial<Mount>;

/** A mount that stands nowhere yet. */
export function newMount(k: Work, what: NewMount): number {
  const id = k.newId();
  const mount: Mount = {
    propagation: "private",
    ...{ group: undefined, master: undefined },
    ...what,
    ...{ id, parent: id, at: undefined, children: [] },
  };
  k.set({ mounts: k.state.mounts.set(id, mount) });
  return id;
}

/** Puts a mount, with all that stands on it, on a place. What stood there stands on the new one from now on, if that is asked for. */
export function place(k: Work, id: number, at: Location): void {
  changeMount(k, id, { parent: at.mount, at });
  changeMount(k, at.mount, { children: [...mountById(k, at.mount).children, id] });
}

/** Takes a mount from its place. */
export function unplace(k: Work, id: number): void {
  const { parent, at } = mountById(k, id);
  if (at === undefined) return;
  changeMount(k, parent, { children: mountById(k, parent).children.filter((other) => other !== id) });
  changeMount(k, id, { parent: id, at: undefined });
}

/** A mount and all that stand on it, those below first. */
export function treeOf(k: Work, id: number): readonly Mount[] {
  const mount = mountById(k, id);
  return [mount, ...mount.children.flatMap((child) => treeOf(k, child))];
}

export const namespaceOf = (k: Work, id: number): MountNamespace => k.objectOf<MountNamespace>(id);

/** All mounts of a namespace in the order in which they were made. */
export const mountsOf = (k: Work, namespace: number): readonly Mount[] =>
  [...treeOf(k, namespaceOf(k, namespace).root)].sort((a, b) => a.id - b.id);

/** Whether a place is a directory of a file system, or lies below it. */
export function isBelow(k: Work, fs: FileSystem, { ino, parent }: Location, ancestor: number): boolean {
  if (ancestor === fs.root || ino === ancestor) return true;
  const type = typeOf(fs);
  for (let at = parent; ; ) {
    if (at === ancestor) return true;
    if (at === fs.root) return false;
    const above = type.parent(k, fs, at);
    if (above === at) return false;
    at = above;
  }
}

export interface CopyOptions {
  readonly namespace: number;
  /** What differs in each copy. */
  readonly change?: (mount: Mount) => Partial<Mount>;
  /** Unbindable mounts are left out, with what stands on them. */
  readonly prunes?: boolean;
}

/** Copies a mount from a place of it on, with what stands there. Gives the new numbers by the old ones; the first is the copy of `id`. */
export function copyTree(
  k: Work,
  id: number,
  from: Location,
  { namespace, change = () => ({}), prunes = false }: CopyOptions,
): ReadonlyMap<number, number> {
  const copies = new Map<number, number>();
  const copy = (mount: Mount, root: number, rootName: Mount["rootName"]): number => {
    const made = newMount(k, { ...mount, root, rootName, namespace, ...change(mount) });
    copies.set(mount.id, made);
    return made;
  };
  const first = mountById(k, id);
  const whole = from.ino === first.root;
  copy(first, from.ino, whole ? first.rootName : [from.parent, from.name]);
  const fs = k.fileSystemOf(first.fileSystem);
  const children = (around: Mount): void => {
    for (const child of around.children) {
      const mount = mountById(k, child);
      if (prunes && mount.propagation === "unbindable") continue;
      if (around.id === id && !whole && !isBelow(k, fs, mount.at!, from.ino)) continue;
      copy(mount, mount.root, mount.rootName);
      place(k, copies.get(child)!, { ...mount.at!, mount: copies.get(around.id)! });
      children(mount);
    }
  };
  children(first);
  return copies;
}

// ---- namespaces ---------------------------------------------------------------------------------------------------

/** Flags that a namespace of less privilege may not take off. */
const LOCKABLE = MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC;
export const ATIME_FLAGS = MS.NOATIME | MS.NODIRATIME | MS.RELATIME;

/** What differs in the copy of a mount for a namespace of less privilege. Spec: mount_namespaces(7), "Restrictions on mount namespaces". */
function lockedDown(root: number): (mount: Mount) => Partial<Mount> {
  return ({ id, group, master, flags, lockedFlags = 0 }) => ({
    group: undefined,
    master: group ?? master,
    propagation: propagationOf(undefined, group ?? master),
    locked: id !== root,
    lockedFlags: lockedFlags | (flags & LOCKABLE) | ATIME_FLAGS,
  });
}

/**
 * A mount namespace with a copy of all mounts of another; gives its number. Root and directory of a context move to the copies.
 * Spec: clone(2), CLONE_NEWNS.
 */
export function copyMountNamespace(
  k: Work,
  from: number,
  context: number = k.task.context,
  home: number = k.task.namespaces.user,
): number {
  const { root, home: oldHome } = namespaceOf(k, from);
  const id = addNamespace<MountNamespace>(k, { kind: "mnt", home, root: 0 });
  const first = mountById(k, root);
  const copies = copyTree(k, root, rootOfMount(first), {
    namespace: id,
    ...(home === oldHome ? {} : { change: lockedDown(root) }),
  });
  k.changeObject<MountNamespace>(id, { root: copies.get(root)! });
  const moved = (location: Location): Location => ({
    ...location,
    mount: copies.get(location.mount) ?? location.mount,
  });
  const old = k.state.contexts.get(context)!;
  k.setContext(context, { root: moved(old.root), directory: moved(old.directory) });
  return id;
}

/** The thread with a context is in another mount namespace: it stands at its root. Spec: setns(2), CLONE_NEWNS. */
export function enterMountNamespace(k: Work, namespace: number, context: number = k.task.context): void {
  const root = throughMounts(k, rootOfMount(mountById(k, namespaceOf(k, namespace).root)));
  k.setContext(context, { root, directory: root });
}

/** Nobody is in a mount namespace any more, and its record goes. */
function dropMountNamespace(k: Work, namespace: number): void {
  for (const { id } of treeOf(k, namespaceOf(k, namespace).root)) detach(k, id);
  sweep(k);
}

atNamespaceEnd("mnt", dropMountNamespace);

/** Throws EPERM where the thread at work may not change its mount namespace. */
export function requireMountRights(k: Work): void {
  const { home } = namespaceOf(k, k.task.namespaces.mnt);
  requireCapability(k, "CAP_SYS_ADMIN", home);
}

/** Whether mounts are made with less than the machine's own rights. */
export const isUnprivileged = (k: Work): boolean =>
  k.objectOf<UserNamespace>(namespaceOf(k, k.task.namespaces.mnt).home).level > 0;

// ---- the end of mounts --------------------------------------------------------------------------------------------

/** A group without members has no slaves: they belong to what it was a slave of. */
export function leaveGroup(k: Work, id: number): void {
  const { group, master } = mountById(k, id);
  changeMount(k, id, { group: undefined, propagation: propagationOf(undefined, master) });
  if (group === undefined) return;
  const slaves: Mount[] = [];
  for (const [, mount] of k.state.mounts.entries()) {
    if (mount.group === group) return;
    if (mount.master === group) slaves.push(mount);
  }
  for (const slave of slaves) changeMount(k, slave.id, { master, propagation: propagationOf(slave.group, master) });
}

/** A mount stands nowhere any more, and nothing on it. It stays as long as somebody is in it. */
export function detach(k: Work, id: number): void {
  for (const child of mountById(k, id).children) unplace(k, child);
  unplace(k, id);
  leaveGroup(k, id);
  changeMount(k, id, { namespace: 0, master: undefined, propagation: "private", locked: false });
}

const filesIn = (k: Work): readonly OpenFile[] => Array.from(k.state.files.entries(), ([, file]) => file);

/** Mounts that threads, open files and mappings are in. */
export function mountsInUse(k: Work): ReadonlySet<number> {
  const used = new Set<number>();
  for (const [, { root, directory }] of k.state.contexts.entries()) used.add(root.mount).add(directory.mount);
  for (const { location } of filesIn(k)) if (location !== undefined) used.add(location.mount);
  for (const [, { areas, executable }] of k.state.spaces.entries()) {
    if (executable !== undefined) used.add(executable.mount);
    for (const { file } of areas) if (file?.path !== undefined) used.add(file.path.mount);
  }
  return used;
}

/** Throws EBUSY where a file that is open for writing would lie on something read-only. */
export function requireNoWriters(k: Work, isMeant: (mount: Mount) => boolean): void {
  for (const file of filesIn(k)) {
    const mount = file.location === undefined ? undefined : k.state.mounts.get(file.location.mount);
    if (mount !== undefined && file.kind === "regular" && mayWrite(file) && isMeant(mount)) throw E.EBUSY;
  }
}

/** Mounts that stand nowhere and that nobody is in go, and file systems that were on none but them. */
export function sweep(k: Work): void {
  const detached = Array.from(k.state.mounts.entries(), ([, mount]) => mount).filter(
    ({ namespace }) => namespace === 0,
  );
  if (detached.length === 0) return;
  const used = mountsInUse(k);
  const gone = detached.filter(({ id }) => !used.has(id));
  for (const { id } of gone) k.set({ mounts: k.state.mounts.set(id, undefined) });
  for (const fileSystem of new Set(gone.map((mount) => mount.fileSystem))) dropUnmounted(k, fileSystem);
}

function dropUnmounted(k: Work, id: number): void {
  const fs = k.state.fileSystems.get(id);
  if (fs === undefined) return;
  const { unmount } = typeOf(fs);
  if (unmount === undefined) return;
  for (const [, mount] of k.state.mounts.entries()) if (mount.fileSystem === id) return;
  for (const [, other] of k.state.fileSystems.entries()) if (typeOf(other).layers?.(other).includes(id)) return;
  const below = typeOf(fs).layers?.(fs) ?? [];
  unmount(k, fs);
  k.set({ fileSystems: k.state.fileSystems.set(id, undefined) });
  for (const layer of below) dropUnmounted(k, layer);
}
