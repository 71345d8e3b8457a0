/** System calls on what is mounted where. Spec: mount(2), umount(2), pivot_root(2), chroot(2). */
import { E } from "../errno.js";
import { fileSystemTypes, newFileSystem, typeOf } from "../fs/file-systems.js";
import {
  ATIME_FLAGS,
  changeMount,
  copyTree,
  isUnprivileged,
  mountById,
  mountsInUse,
  mountsOf,
  newMount,
  place,
  requireMountRights,
  requireNoWriters,
  sweep,
  treeOf,
  unplace,
} from "../fs/mounts.js";
import { attributesAt, locate, mountOf, parentOf, rootOfMount, sameLocation } from "../fs/path.js";
import { MAY, MS, requireAccess } from "../fs/permissions.js";
import { counterparts, graft, setPropagation, ungraft } from "../fs/propagation.js";
import { isDirectory } from "../fs/types.js";
import { readBytesToZero, readPath, readUser, textOf } from "../mm/user-memory.js";
import type { FileSystem, Location, Mount } from "../state.js";
import { requireCapability } from "../tasks/capabilities.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

const MAGIC = { MASK: 0xffff_0000, VALUE: 0xc0ed_0000 } as const;
const NOUSER = 2 ** 31;
/** Flags that a mount has of its own. */
const OWN = MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC | MS.NOSYMFOLLOW | ATIME_FLAGS;
const PROPAGATION = MS.SHARED | MS.PRIVATE | MS.SLAVE | MS.UNBINDABLE;
const has = (flags: number, flag: number): boolean => (flags & flag) !== 0;

/** What the flags of the call make of a mount's own ones. */
function ownFlags(flags: number, old = 0): number {
  const asked = has(flags, MS.NOATIME | MS.NODIRATIME | MS.RELATIME | MS.STRICTATIME);
  const atime = !asked && has(flags, MS.REMOUNT) ? old & ATIME_FLAGS : atimeOf(flags);
  return (flags & OWN & ~ATIME_FLAGS) | atime;
}

function atimeOf(flags: number): number {
  const relative = has(flags, MS.NOATIME | MS.STRICTATIME) ? 0 : MS.RELATIME;
  return relative | (flags & (MS.NODIRATIME | (has(flags, MS.STRICTATIME) ? 0 : MS.NOATIME)));
}

const isRootOfMount = (k: Work, { mount, ino }: Location): boolean => mountById(k, mount).root === ino;
const isOurs = (k: Work, { namespace }: Mount): boolean => namespace === k.task.namespaces.mnt;

function mount(k: Work, sourceAt: number, targetAt: number, typeAt: number, flags: number, dataAt: number): number {
  const type = typeAt === 0 ? undefined : readPath(k, typeAt);
  const source = sourceAt === 0 ? undefined : readPath(k, sourceAt);
  const options = dataAt === 0 ? "" : readOptions(k, dataAt);
  const target = locate(k, readPath(k, targetAt));
  requireMountRights(k);
  const asked = (flags & MAGIC.MASK) >>> 0 === MAGIC.VALUE ? flags & ~MAGIC.MASK : flags;
  if (asked >= NOUSER) throw E.EINVAL;
  if (has(asked, MS.REMOUNT)) return remount(k, target, asked, options);
  if (has(asked, MS.BIND)) return bind(k, source, target, has(asked, MS.REC));
  if (has(asked, PROPAGATION)) return changePropagation(k, target, asked);
  if (has(asked, MS.MOVE)) return move(k, source, target);
  return mountNew(k, { type, source: source ?? "none", target, flags: asked, options });
}

function readOptions(k: Work, at: number): string {
  const bytes = readBytesToZero(k, at, 4096) ?? readUser(k, at, 4095);
  return textOf(bytes);
}

/** Throws where a tree cannot stand on a place. */
function requirePlace(k: Work, target: Location, id: number): void {
  const mount = mountById(k, id);
  const attributes = attributesAt(k, target);
  if (!isOurs(k, mountOf(k, target))) throw E.EINVAL;
  const isDir = isDirectory(
    typeOf(k.fileSystemOf(mount.fileSystem)).attributes(k, k.fileSystemOf(mount.fileSystem), mount.root),
  );
  if (isDirectory(attributes) !== isDir) throw E.ENOTDIR;
  if (attributes.links === 0) throw E.ENOENT;
}

interface New {
  readonly type: string | undefined;
  readonly source: string;
  readonly target: Location;
  readonly flags: number;
  readonly options: string;
}

function mountNew(k: Work, { type: name, source, target, flags, options }: New): number {
  if (name === undefined) throw E.EINVAL;
  const type = fileSystemTypes().find((one) => one.name === name);
  if (type === undefined || type.name === "rootfs") throw E.ENODEV;
  if (isUnprivileged(k) && type.forNamespaces !== true) throw E.EPERM;
  if (!isOurs(k, mountOf(k, target))) throw E.EINVAL;
  const known = type.instance?.(k);
  if (known !== undefined) {
    const there = mountOf(k, target);
    if (there.fileSystem === known && there.root === target.ino) throw E.EBUSY;
  }
  if (!isDirectory(attributesAt(k, target))) throw E.ENOTDIR;
  if (attributesAt(k, target).links === 0) throw E.ENOENT;
  const lockedFlags = isUnprivileged(k) && known !== undefined ? requireVisible(k, name, ownFlags(flags)) : 0;
  const fs: FileSystem = known === undefined ? newFileSystem(k, name, source, options) : k.fileSystemOf(known);
  if (known === undefined && has(flags, MS.RDONLY)) k.setFileSystem(fs.id, { readOnly: true });
  const id = newMount(k, {
    namespace: k.task.namespaces.mnt,
    fileSystem: fs.id,
    root: fs.root,
    flags: ownFlags(flags),
    ...(lockedFlags === 0 ? {} : { lockedFlags }),
  });
  graft(k, id, target);
  return 0;
}

/**
 * A file system that tells of the whole machine is mounted anew only where all of it can be seen already.
 * Throws EPERM. Spec: user_namespaces(7), "Interaction of user namespaces and other types of namespaces".
 */
function requireVisible(k: Work, type: string, flags: number): number {
  for (const mount of mountsOf(k, k.task.namespaces.mnt)) {
    const fs = k.fileSystemOf(mount.fileSystem);
    const { lockedFlags = 0 } = mount;
    if (fs.type !== type || mount.root !== fs.root) continue;
    if ((mount.flags & lockedFlags & MS.RDONLY & ~flags) !== 0) continue;
    const hides = mount.children.some((child) => {
      const { at, locked } = mountById(k, child);
      return locked === true && typeOf(fs).list(k, fs, at!.ino).length > 0;
    });
    if (!hides) return lockedFlags;
  }
  throw E.EPERM;
}

function remount(k: Work, target: Location, flags: number, options: string): number {
  const mount = mountOf(k, target);
  if (!isRootOfMount(k, target) || !isOurs(k, mount)) throw E.EINVAL;
  const own = ownFlags(flags, mount.flags);
  const { lockedFlags = 0 } = mount;
  if ((mount.flags & lockedFlags & ~ATIME_FLAGS & ~own) !== 0) throw E.EPERM;
  if (has(lockedFlags, ATIME_FLAGS) && (mount.flags & ATIME_FLAGS) !== (own & ATIME_FLAGS)) throw E.EPERM;
  const readOnly = has(flags, MS.RDONLY);
  if (has(flags, MS.BIND)) {
    if (readOnly && !has(mount.flags, MS.RDONLY)) requireNoWriters(k, ({ id }) => id === mount.id);
    changeMount(k, mount.id, { flags: own });
    return 0;
  }
  requireCapability(k, "CAP_SYS_ADMIN", isUnprivileged(k) ? undefined : k.state.initial.user!);
  const fs = k.fileSystemOf(mount.fileSystem);
  if (readOnly && !fs.readOnly) requireNoWriters(k, ({ fileSystem }) => fileSystem === fs.id);
  const shown = typeOf(fs).reconfigure?.(k, fs, options);
  k.setFileSystem(fs.id, { readOnly, ...(shown === undefined ? {} : { options: shown }) });
  changeMount(k, mount.id, { flags: own });
  return 0;
}

function bind(k: Work, source: string | undefined, target: Location, recursive: boolean): number {
  if (source === undefined || source === "") throw E.EINVAL;
  const from = locate(k, source);
  const old = mountOf(k, from);
  // What shows a namespace may be bound although it is mounted nowhere.
  const isNamespace = k.fileSystemOf(old.fileSystem).type === "nsfs";
  if (old.propagation === "unbindable" || !isOurs(k, mountOf(k, target))) throw E.EINVAL;
  if (!isOurs(k, old) && !isNamespace) throw E.EINVAL;
  if (!recursive && old.children.some((child) => mountById(k, child).locked === true)) throw E.EINVAL;
  if (isDirectory(attributesAt(k, from)) !== isDirectory(attributesAt(k, target))) throw E.ENOTDIR;
  if (attributesAt(k, target).links === 0) throw E.ENOENT;
  const namespace = k.task.namespaces.mnt;
  const id = recursive
    ? copyTree(k, old.id, from, { namespace, prunes: true, change: unlocked }).get(old.id)!
    : newMount(k, {
        ...old,
        ...unlocked(),
        namespace,
        root: from.ino,
        rootName: from.ino === old.root ? old.rootName : [from.parent, from.name],
      });
  graft(k, id, target);
  return 0;
}

const unlocked = (): Partial<Mount> => ({ locked: false });

const KINDS = [
  [MS.SHARED, "shared"],
  [MS.PRIVATE, "private"],
  [MS.SLAVE, "slave"],
  [MS.UNBINDABLE, "unbindable"],
] as const;

function changePropagation(k: Work, target: Location, flags: number): number {
  const kind = flags & ~(MS.REC | MS.SILENT);
  const [, wanted] = KINDS.find(([flag]) => flag === kind) ?? [];
  if (wanted === undefined || !isRootOfMount(k, target)) throw E.EINVAL;
  const mount = mountOf(k, target);
  if (!isOurs(k, mount)) throw E.EINVAL;
  for (const { id } of has(flags, MS.REC) ? treeOf(k, mount.id) : [mount]) setPropagation(k, id, wanted);
  return 0;
}

const isShared = (k: Work, id: number): boolean => mountById(k, id).group !== undefined;

/** Whether a mount is another one, or stands on it. */
function standsOn(k: Work, id: number, other: number): boolean {
  for (let at = id; ; ) {
    if (at === other) return true;
    const { parent } = mountById(k, at);
    if (parent === at) return false;
    at = parent;
  }
}

function move(k: Work, source: string | undefined, target: Location): number {
  if (source === undefined || source === "") throw E.EINVAL;
  const from = locate(k, source);
  const mount = mountOf(k, from);
  if (!isOurs(k, mount) || !isRootOfMount(k, from) || mount.at === undefined || mount.locked === true) throw E.EINVAL;
  if (isShared(k, mount.parent)) throw E.EINVAL;
  requirePlace(k, target, mount.id);
  const unbindable = treeOf(k, mount.id).some(({ propagation }) => propagation === "unbindable");
  if (isShared(k, target.mount) && unbindable) throw E.EINVAL;
  if (standsOn(k, target.mount, mount.id)) throw E.ELOOP;
  unplace(k, mount.id);
  graft(k, mount.id, target);
  return 0;
}

// ---- umount -------------------------------------------------------------------------------------------------------

const MNT = { FORCE: 1, DETACH: 2, EXPIRE: 4, NOFOLLOW: 8 } as const;

function unmount(k: Work, at: number, flags: number): number {
  if ((flags & ~15) !== 0) throw E.EINVAL;
  const target = locate(k, readPath(k, at), { follow: !has(flags, MNT.NOFOLLOW) });
  requireMountRights(k);
  const mount = mountOf(k, target);
  if (!isRootOfMount(k, target) || !isOurs(k, mount) || mount.locked === true) throw E.EINVAL;
  if (has(flags, MNT.FORCE)) requireCapability(k, "CAP_SYS_ADMIN", k.state.initial.user!);
  if (has(flags, MNT.EXPIRE) && has(flags, MNT.FORCE | MNT.DETACH)) throw E.EINVAL;
  if (mount.at === undefined) throw has(flags, MNT.DETACH) ? E.EINVAL : E.EBUSY;
  if (!has(flags, MNT.DETACH)) {
    const used = mountsInUse(k);
    const busy = [mount, ...counterparts(k, mount.id)].some(({ id, children }) =>
      id === mount.id ? children.length > 0 || used.has(id) : children.length === 0 && used.has(id),
    );
    if (busy) throw E.EBUSY;
    if (has(flags, MNT.EXPIRE)) throw E.EAGAIN;
  }
  ungraft(k, mount.id);
  sweep(k);
  return 0;
}

// ---- roots --------------------------------------------------------------------------------------------------------

function changeRoot(k: Work, at: number): number {
  const location = locate(k, readPath(k, at));
  const attributes = attributesAt(k, location);
  if (!isDirectory(attributes)) throw E.ENOTDIR;
  requireAccess(k, attributes, MAY.EXEC);
  requireCapability(k, "CAP_SYS_CHROOT");
  k.setContext(k.task.context, { root: location });
  return 0;
}

/** Whether a place can be reached from another by going down. */
function isReachable(k: Work, location: Location, from: Location): boolean {
  for (let at = location; ; ) {
    if (sameLocation(at, from)) return true;
    const above = parentOf(k, at, k.context.root);
    if (sameLocation(above, at)) return false;
    at = above;
  }
}

/** Spec: pivot_root(2). */
function pivotRoot(k: Work, newAt: number, oldAt: number): number {
  requireMountRights(k);
  const next = locate(k, readPath(k, newAt));
  if (!isDirectory(attributesAt(k, next))) throw E.ENOTDIR;
  const putOld = locate(k, readPath(k, oldAt));
  if (!isDirectory(attributesAt(k, putOld))) throw E.ENOTDIR;
  const { root } = k.context;
  const [newMountOf, rootMount, oldMount] = [mountOf(k, next), mountOf(k, root), mountOf(k, putOld)];
  if (isShared(k, oldMount.id) || isShared(k, newMountOf.parent) || isShared(k, rootMount.parent)) throw E.EINVAL;
  if (!isOurs(k, rootMount) || !isOurs(k, newMountOf) || newMountOf.locked === true) throw E.EINVAL;
  if (attributesAt(k, next).links === 0) throw E.ENOENT;
  if (newMountOf.id === rootMount.id || oldMount.id === rootMount.id) throw E.EBUSY;
  if (root.ino !== rootMount.root || rootMount.at === undefined) throw E.EINVAL;
  if (next.ino !== newMountOf.root || newMountOf.at === undefined) throw E.EINVAL;
  if (!isReachable(k, putOld, next) || !isReachable(k, next, root)) throw E.EINVAL;
  const { at } = rootMount;
  const locked = rootMount.locked === true;
  unplace(k, newMountOf.id);
  unplace(k, rootMount.id);
  if (locked) {
    changeMount(k, newMountOf.id, { locked: true });
    changeMount(k, rootMount.id, { locked: false });
  }
  place(k, rootMount.id, putOld);
  place(k, newMountOf.id, at!);
  const to = rootOfMount(newMountOf);
  for (const [id, context] of k.state.contexts.entries()) {
    const moved = (location: Location): Location => (sameLocation(location, root) ? to : location);
    k.setContext(id, { root: moved(context.root), directory: moved(context.directory) });
  }
  return 0;
}

export const mountCalls: readonly SystemCall[] = [
  call("mount", "source:path target:path filesystemtype:text mountflags:flags data:text", mount),
  call("umount2", "target:path flags:flags", unmount),
  call("umount", "target:path", (k, at) => unmount(k, at, 0)),
  call("pivot_root", "new_root:path put_old:path", pivotRoot),
  call("chroot", "path:path", changeRoot),
];
