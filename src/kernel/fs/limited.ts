/** How much a tmpfs may hold: pages and inodes, counted as they come and go. Spec: tmpfs(5), "Mount options". */
import { E } from "../errno.js";
import { PAGE } from "../mm/frames.js";
import type { Inode } from "../state.js";
import type { Work } from "../work.js";
import { countPages } from "./content.js";
import { find } from "./directory.js";
import type { FileSystemType } from "./types.js";

/** What a file system with limits remembers. A limit of 0 is none. */
interface Limits {
  readonly blocks: number;
  readonly inodes: number;
  readonly usedBlocks: number;
  readonly usedInodes: number;
}

const limitsOf = (k: Work, id: number): Limits | undefined => k.fileSystemOf(id).data as Limits | undefined;

function charge(k: Work, id: number, blocks: number, inodes: number): void {
  const limits = limitsOf(k, id);
  if (limits === undefined || (blocks === 0 && inodes === 0)) return;
  const { usedBlocks, usedInodes } = limits;
  k.setFileSystem(id, { data: { ...limits, usedBlocks: usedBlocks + blocks, usedInodes: usedInodes + inodes } });
}

const roomOf = (limit: number, used: number): number => (limit === 0 ? Number.POSITIVE_INFINITY : limit - used);
const blocksLeft = (k: Work, id: number): number => {
  const limits = limitsOf(k, id);
  return limits === undefined ? Number.POSITIVE_INFINITY : roomOf(limits.blocks, limits.usedBlocks);
};

function requireInode(k: Work, id: number): void {
  const limits = limitsOf(k, id);
  if (limits !== undefined && roomOf(limits.inodes, limits.usedInodes) < 1) throw E.ENOSPC;
}

const inodeOf = (k: Work, id: number, ino: number): Inode | undefined => k.fileSystemOf(id).inodes.get(ino);
const pagesIn = (k: Work, id: number, ino: number): number => {
  const pages = inodeOf(k, id, ino)?.pages;
  return pages === undefined ? 0 : countPages(pages);
};

/** Does something that may end an inode, or take pages from it. */
function counted(k: Work, id: number, ino: number | undefined, work: () => void): void {
  const before = ino === undefined || limitsOf(k, id) === undefined ? undefined : inodeOf(k, id, ino);
  const pages = before === undefined ? 0 : pagesIn(k, id, ino!);
  work();
  if (before === undefined) return;
  const after = inodeOf(k, id, ino!);
  // Each name of a file counts as an inode; the last one until nobody has the file open.
  const lost =
    after === undefined ? 1 : after.links > 0 && after.links < before.links && before.mode >>> 12 !== 4 ? 1 : 0;
  charge(k, id, pagesIn(k, id, ino!) - pages, -lost);
}

/** Pages that are missing in a part of a file, up to so many; and where the part ends in front of what is too much. */
function missing(
  inode: Inode | undefined,
  offset: number,
  end: number,
  most: number,
): readonly [count: number, end: number] {
  let count = 0;
  for (let index = Math.floor(offset / PAGE); index * PAGE < end; index++) {
    if (inode?.pages?.get(index) !== undefined) continue;
    if (count === most) return [count, Math.max(offset, index * PAGE)];
    count++;
  }
  return [count, end];
}

// ---- options ------------------------------------------------------------------------------------------------------

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** A size in bytes, of the machine's memory where it is a share. Throws EINVAL. */
function sizeFrom(k: Work, text: string): number {
  const [, digits, unit] = /^(\d+)([kmgt%]?)$/i.exec(text) ?? [];
  if (digits === undefined) throw E.EINVAL;
  if (unit === "%") return Math.floor((k.state.memorySize * Number(digits)) / 100);
  return Number(digits) * UNITS[unit!.toLowerCase()]!;
}

const halfOfMemory = (k: Work): number => Math.floor(k.state.memorySize / PAGE / 2);

type Most = Pick<Limits, "blocks" | "inodes">;

function mostFrom(k: Work, options: string, first: Most): Most {
  let { blocks, inodes } = first;
  for (const option of options.split(",")) {
    const [name, value = ""] = option.split("=");
    if (name === "size") blocks = Math.ceil(sizeFrom(k, value) / PAGE);
    else if (name === "nr_blocks") blocks = sizeFrom(k, value);
    else if (name === "nr_inodes") inodes = sizeFrom(k, value);
  }
  return { blocks, inodes };
}

/** The options as /proc/mounts shows them: those that differ from what they are without a word. Spec: Linux, shmem_show_options. */
function shown(k: Work, { blocks, inodes }: Most, { mode, uid, gid }: Inode): string {
  const usual = halfOfMemory(k);
  return [
    ...(blocks === usual ? [] : [`size=${blocks * 4}k`]),
    ...(inodes === usual ? [] : [`nr_inodes=${inodes}`]),
    ...((mode & 0o7777) === 0o1777 ? [] : [`mode=${(mode & 0o7777).toString(8).padStart(3, "0")}`]),
    ...(uid === 0 ? [] : [`uid=${uid}`]),
    ...(gid === 0 ? [] : [`gid=${gid}`]),
    "inode64",
  ].join(",");
}

/** A type with limits, from one without. */
export function limited(type: FileSystemType): FileSystemType {
  const lookup = (k: Work, id: number, directory: number, name: string): number | undefined =>
    find(inodeOf(k, id, directory)!.entries!, name)?.ino;
  return {
    ...type,

    mount(k, id, source, options) {
      const made = type.mount(k, id, source, options);
      const usual = halfOfMemory(k);
      const most = mostFrom(k, options, { blocks: usual, inodes: usual });
      const data: Limits = { ...most, usedBlocks: 0, usedInodes: 1 };
      return { ...made, options: shown(k, most, made.inodes.get(made.root)!), data };
    },

    reconfigure(k, fs, options) {
      const old = limitsOf(k, fs.id);
      if (old === undefined) return fs.options;
      const most = mostFrom(k, options, old);
      const tooSmall = (limit: number, used: number): boolean => limit !== 0 && used > limit;
      if (tooSmall(most.blocks, old.usedBlocks) || tooSmall(most.inodes, old.usedInodes)) throw E.EINVAL;
      k.setFileSystem(fs.id, { data: { ...old, ...most } });
      return shown(k, most, fs.inodes.get(fs.root)!);
    },

    create(k, fs, directory, name, what) {
      requireInode(k, fs.id);
      const ino = type.create!(k, fs, directory, name, what);
      charge(k, fs.id, 0, 1);
      return ino;
    },

    createNameless(k, fs, what) {
      requireInode(k, fs.id);
      const ino = type.createNameless!(k, fs, what);
      charge(k, fs.id, 0, 1);
      return ino;
    },

    link(k, fs, directory, name, ino) {
      requireInode(k, fs.id);
      type.link!(k, fs, directory, name, ino);
      charge(k, fs.id, 0, 1);
    },

    unlink: (k, fs, directory, name) =>
      counted(k, fs.id, lookup(k, fs.id, directory, name), () => type.unlink!(k, fs, directory, name)),

    removeDirectory: (k, fs, directory, name) =>
      counted(k, fs.id, lookup(k, fs.id, directory, name), () => type.removeDirectory!(k, fs, directory, name)),

    rename(k, fs, from, to, exchange) {
      const victim = exchange ? undefined : lookup(k, fs.id, to.directory, to.name);
      counted(k, fs.id, victim, () => type.rename!(k, fs, from, to, exchange));
    },

    hold: (k, fs, ino, by) =>
      by === 1 ? type.hold!(k, fs, ino, by) : counted(k, fs.id, ino, () => type.hold!(k, fs, ino, by)),

    write(k, fs, ino, offset, bytes) {
      const [count, end] = missing(inodeOf(k, fs.id, ino), offset, offset + bytes.length, blocksLeft(k, fs.id));
      if (end === offset && bytes.length > 0) throw E.ENOSPC;
      const written = type.write!(k, fs, ino, offset, bytes.subarray(0, end - offset));
      charge(k, fs.id, count, 0);
      return written;
    },

    page(k, fs, ino, index, forWrite) {
      const isMissing = inodeOf(k, fs.id, ino)?.pages?.get(index) === undefined;
      if (isMissing && blocksLeft(k, fs.id) < 1) throw E.EFAULT;
      const frame = type.page!(k, fs, ino, index, forWrite);
      if (isMissing) charge(k, fs.id, 1, 0);
      return frame;
    },

    resize: (k, fs, ino, size) => counted(k, fs.id, ino, () => type.resize!(k, fs, ino, size)),
    punch: (k, fs, ino, start, end) => counted(k, fs.id, ino, () => type.punch!(k, fs, ino, start, end)),

    figures(k, fs) {
      const figures = type.figures(k, fs);
      const limits = limitsOf(k, fs.id);
      if (limits === undefined) return figures;
      const { blocks, inodes, usedBlocks, usedInodes } = limits;
      return { ...figures, blocks, free: blocks - usedBlocks, files: inodes, freeFiles: inodes - usedInodes };
    },
  };
}
