/**
 * From a path name to an inode: step by step, over links and mounts, never above the thread's root.
 * Spec: path_resolution(7), symlink(7), openat2(2).
 */
import { E } from "../errno.js";
import type { FileSystem, InodeName, Location, Mount } from "../state.js";
import type { Work } from "../work.js";
import { typeOf } from "./file-systems.js";
import { MAY, MS, requireAccess } from "./permissions.js";
import { type Attributes, isDirectory, isLink } from "./types.js";

const NAME_MAX = 255;
const MOST_LINKS = 40;

export const mountOf = (k: Work, { mount }: { readonly mount: number }): Mount => {
  const found = k.state.mounts.get(mount);
  if (found === undefined) throw E.ENOENT;
  return found;
};
export const fileSystemOf = (k: Work, location: Location): FileSystem =>
  k.fileSystemOf(mountOf(k, location).fileSystem);
export const inodeAt = (k: Work, location: Location): InodeName => ({
  fileSystem: mountOf(k, location).fileSystem,
  ino: location.ino,
});

export function attributesAt(k: Work, location: Location): Attributes {
  const fs = fileSystemOf(k, location);
  return typeOf(fs).attributes(k, fs, location.ino);
}

export const sameLocation = (a: Location, b: Location): boolean => a.mount === b.mount && a.ino === b.ino;

/** The root of a mount. */
export const rootOfMount = ({ id, root }: Mount): Location => ({ mount: id, ino: root, parent: root, name: "" });

/** What stands on the places of a mount, by inode: asked for at each step of each path. */
const standing = new WeakMap<readonly number[], ReadonlyMap<number, number>>();

/** What is mounted on a place. */
export function mountedOn(k: Work, location: Location): Mount | undefined {
  const { children } = mountOf(k, location);
  if (children.length === 0) return undefined;
  const { mounts } = k.state;
  let places = standing.get(children);
  if (places === undefined) {
    places = new Map(children.map((id) => [mounts.get(id)!.at!.ino, id]));
    standing.set(children, places);
  }
  const id = places.get(location.ino);
  return id === undefined ? undefined : mounts.get(id);
}

/** The top of what is mounted on a place, or the place itself. */
export function throughMounts(k: Work, location: Location): Location {
  let at = location;
  for (let on = mountedOn(k, at); on !== undefined; on = mountedOn(k, at)) at = rootOfMount(on);
  return at;
}

/** The directory around a directory; the root has itself. */
export function parentOf(k: Work, location: Location, root: Location): Location {
  let at = location;
  for (;;) {
    if (sameLocation(at, root)) return at;
    const mount = mountOf(k, at);
    if (at.ino !== mount.root) break;
    if (mount.at === undefined) return at;
    at = mount.at;
  }
  const fs = fileSystemOf(k, at);
  const ino = typeOf(fs).parent(k, fs, at.ino);
  return throughMounts(k, { mount: at.mount, ino, parent: ino, name: "" });
}

export interface Resolution {
  /** Where the name leads; undefined where the last part of it has no inode. */
  readonly location: Location | undefined;
  /** The directory the last part is in, and the part. */
  readonly directory: Location;
  readonly name: string;
  /** The name ended with a slash: only a directory will do. */
  readonly trailing: boolean;
}

export interface ResolveOptions {
  /** Where a relative name begins; the thread's directory unless given. */
  readonly from?: Location;
  /** Whether a link at the end is followed. Default: yes. */
  readonly follow?: boolean;
  /** The last part is a name to be made, moved or removed: no link there is followed, and a slash behind it is the caller's affair. */
  readonly last?: boolean;
  /** The name may be empty: `from` itself is meant. */
  readonly empty?: boolean;
  /** RESOLVE_ flags of openat2(2). */
  readonly limits?: number;
}

/** Spec: openat2(2), "The resolve field". */
export const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 16, CACHED: 32 } as const;

class Walk {
  readonly #k: Work;
  readonly #root: Location;
  readonly #limits: number;
  at: Location;
  #links = 0;

  constructor(k: Work, from: Location, limits: number) {
    this.#k = k;
    this.#limits = limits;
    this.#root = (limits & (RESOLVE.IN_ROOT | RESOLVE.BENEATH)) !== 0 ? from : k.context.root;
    this.at = from;
  }

  #limited(which: number): boolean {
    return (this.#limits & which) !== 0;
  }

  /** Goes to a place. Throws EXDEV where another mount is out of bounds. */
  #within(to: Location): Location {
    if (this.#limited(RESOLVE.NO_XDEV) && to.mount !== this.at.mount) throw E.EXDEV;
    return to;
  }

  /** The directory around the present one. */
  #up(): Location {
    if (this.#limited(RESOLVE.BENEATH) && sameLocation(this.at, this.#root)) throw E.EXDEV;
    return this.#within(parentOf(this.#k, this.at, this.#root));
  }

  /** Walks a name. */
  resolve(path: string, follow: boolean, leaves = false, outermost = true): Resolution {
    if (path.startsWith("/")) {
      if (this.#limited(RESOLVE.BENEATH)) throw E.EXDEV;
      this.at = this.#within(throughMounts(this.#k, this.#root));
    }
    const parts = path.split("/").filter((part) => part !== "");
    const trailing = path.endsWith("/");
    const last = parts.pop();
    if (last === undefined) return { location: this.at, directory: this.at, name: "", trailing };
    for (const part of parts) this.#enter(part);
    this.#requireSearch();
    const directory = this.at;
    if (last === "." || last === "..") {
      const location = last === "." ? directory : this.#up();
      return { location, directory, name: last, trailing };
    }
    const location = this.#child(last);
    if (location === undefined || leaves || !(follow || trailing)) return { location, directory, name: last, trailing };
    if (outermost) this.#requireTrust(location, directory);
    const followed = this.#followed(location);
    if (followed === undefined) return { location, directory, name: last, trailing };
    return trailing ? { ...followed, trailing } : followed;
  }

  /**
   * A link at a name's end is followed in a directory like /tmp only if it is the thread's own or the directory's owner's.
   * Spec: proc(5), "/proc/sys/fs/protected_symlinks".
   */
  #requireTrust(location: Location, directory: Location): void {
    const link = attributesAt(this.#k, location);
    if (!isLink(link) || link.uid === this.#k.task.credentials.fsuid) return;
    const { mode, uid } = attributesAt(this.#k, directory);
    const STICKY_AND_OPEN = 0o1002;
    if ((mode & STICKY_AND_OPEN) === STICKY_AND_OPEN && link.uid !== uid) throw E.EACCES;
  }

  #requireSearch(): void {
    const attributes = attributesAt(this.#k, this.at);
    if (!isDirectory(attributes)) throw E.ENOTDIR;
    requireAccess(this.#k, attributes, MAY.EXEC);
  }

  /** What a name in the present directory stands for, mounts on it included. */
  #child(name: string): Location | undefined {
    if (name.length > NAME_MAX) throw E.ENAMETOOLONG;
    const k = this.#k;
    const fs = fileSystemOf(k, this.at);
    const ino = typeOf(fs).lookup(k, fs, this.at.ino, name);
    if (ino === undefined) return undefined;
    return this.#within(throughMounts(k, { mount: this.at.mount, ino, parent: this.at.ino, name }));
  }

  /** A part that is not the last one. */
  #enter(part: string): void {
    this.#requireSearch();
    if (part === ".") return;
    if (part === "..") {
      this.at = this.#up();
      return;
    }
    const child = this.#child(part);
    if (child === undefined) throw E.ENOENT;
    const target = this.#followed(child)?.location;
    if (target === undefined && isLink(attributesAt(this.#k, child))) throw E.ENOENT;
    this.at = target ?? child;
    if (!isDirectory(attributesAt(this.#k, this.at))) throw E.ENOTDIR;
  }

  /** Where a link leads; undefined for what is none. */
  #followed(location: Location): Resolution | undefined {
    const k = this.#k;
    if (!isLink(attributesAt(k, location))) return undefined;
    if (++this.#links > MOST_LINKS || (mountOf(k, location).flags & MS.NOSYMFOLLOW) !== 0) throw E.ELOOP;
    if (this.#limited(RESOLVE.NO_SYMLINKS)) throw E.ELOOP;
    const fs = fileSystemOf(k, location);
    const type = typeOf(fs);
    const magic = type.follow?.(k, fs, location.ino, location.mount);
    if (magic !== undefined) {
      if (this.#limited(RESOLVE.NO_MAGICLINKS)) throw E.ELOOP;
      if (this.#limited(RESOLVE.BENEATH | RESOLVE.IN_ROOT)) throw E.EXDEV;
      this.at = this.#within(magic);
      return { location: magic, directory: magic, name: "", trailing: false };
    }
    const target = type.readLink!(k, fs, location.ino);
    if (target === "") throw E.ENOENT;
    return this.resolve(target, true, false, false);
  }
}

/** Where a path name leads. Throws ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG. */
export function resolve(
  k: Work,
  path: string,
  { from, follow = true, last = false, empty = false, limits = 0 }: ResolveOptions = {},
): Resolution {
  const start = from ?? k.context.directory;
  if (path === "") {
    if (!empty) throw E.ENOENT;
    return { location: start, directory: start, name: "", trailing: false };
  }
  const found = new Walk(k, start, limits).resolve(path, follow, last);
  if (last) return found;
  if (found.trailing && found.location !== undefined && !isDirectory(attributesAt(k, found.location))) throw E.ENOTDIR;
  return found;
}

/** The same of a name that has to exist. */
export function locate(k: Work, path: string, options?: ResolveOptions): Location {
  const { location } = resolve(k, path, options);
  if (location === undefined) throw E.ENOENT;
  return location;
}

/**
 * The name of a place as seen from a root: for getcwd(2) and /proc. A place that cannot be reached from there has none, and one whose
 * name is gone is told so.
 */
export function nameOf(k: Work, location: Location, root: Location = k.context.root): string | undefined {
  const parts: string[] = [];
  let at = location;
  if (!isDirectory(attributesAt(k, at)) && at.ino !== mountOf(k, at).root) {
    parts.unshift(at.name);
    at = { mount: at.mount, ino: at.parent, parent: at.parent, name: "" };
  }
  while (!sameLocation(at, root)) {
    const mount = mountOf(k, at);
    if (at.ino === mount.root) {
      if (mount.at === undefined) return undefined;
      at = mount.at;
      if (isDirectory(attributesAt(k, at))) continue;
      parts.unshift(at.name);
      at = { mount: at.mount, ino: at.parent, parent: at.parent, name: "" };
      continue;
    }
    const fs = fileSystemOf(k, at);
    const parent = typeOf(fs).parent(k, fs, at.ino);
    const entry = typeOf(fs)
      .list(k, fs, parent)
      .find(({ ino }) => ino === at.ino);
    if (entry === undefined) return undefined;
    parts.unshift(entry.name);
    at = { mount: at.mount, ino: parent, parent, name: "" };
  }
  return `/${parts.join("/")}`;
}
