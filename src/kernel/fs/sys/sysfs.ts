/** The type "sysfs", as far as programs look: the processors, the places where other file systems are mounted. Spec: sysfs(5). */
import { PersistentMap } from "../../../state/persistent-map.js";
import { E } from "../../errno.js";
import type { Work } from "../../work.js";
import { defineFileSystem } from "../file-systems.js";
import { type GeneratedFile, type GeneratedNode, nodeAttributes, slice, treeFrom, written } from "../generated.js";

const MAGIC = 0x6265_6572;
const ROOT = 1;

const rows: GeneratedFile[] = [];

/** Makes files of /sys known. */
export const defineSysFiles = (...files: readonly GeneratedFile[]): void => void rows.push(...files);

let nodes: ReadonlyMap<number, GeneratedNode> | undefined;
const tree = (): ReadonlyMap<number, GeneratedNode> => {
  nodes ??= treeFrom(rows);
  return nodes;
};

/** A node of the tree. Throws ENOENT. */
function nodeOf(ino: number): GeneratedNode {
  const node = tree().get(ino);
  if (node === undefined) throw E.ENOENT;
  return node;
}

defineFileSystem({
  name: "sysfs",
  withoutDevice: true,
  forNamespaces: true,
  mount: (_k, _id, _source, options) => {
    if (options !== "") throw E.EINVAL;
    return { root: ROOT, options, readOnly: false, inodes: PersistentMap.empty(), nextIno: 0 };
  },
  instance(k) {
    for (const [id, { type }] of k.state.fileSystems.entries()) if (type === "sysfs") return id;
    return undefined;
  },
  unmount() {
    // Nothing is remembered.
  },
  attributes: (_k, _fs, ino) => {
    const found = nodeAttributes(tree(), ino);
    // Files of sysfs have a page each.
    return found.mode >>> 12 === 8 ? { ...found, size: 4096 } : found;
  },
  lookup: (_k, _fs, directory, name) => nodeOf(directory).entries.find((entry) => entry.name === name)?.ino,
  list: (_k, _fs, directory) => nodeOf(directory).entries,
  parent: (_k, _fs, directory) => nodeOf(directory).parent,
  open: (_k, _fs, ino) =>
    nodeOf(ino).mode >>> 12 === 8 ? { kind: "generated", object: 0, data: undefined } : undefined,
  readLink: (k, fs, ino) => nodeOf(ino).file!.target!(k, fs),
  read(k, fs, ino, offset, length) {
    const { read } = nodeOf(ino).file ?? {};
    if (read === undefined) throw E.EIO;
    return slice(read(k, fs), offset, length);
  },
  write(k, _fs, ino, _offset, bytes) {
    const { write } = nodeOf(ino).file ?? {};
    if (write === undefined) throw E.EIO;
    write(k, written(bytes));
    return bytes.length;
  },
  figures: () => ({ magic: MAGIC, blockSize: 4096, blocks: 0, free: 0, files: 0, freeFiles: 0 }),
});

const cpuList = (k: Work): string => (k.state.cpus.length === 1 ? "0\n" : `0-${k.state.cpus.length - 1}\n`);
const directory = (path: string): GeneratedFile => ({ path, directory: true });

defineSysFiles(
  ...["block", "bus", "class", "dev/block", "dev/char"].map(directory),
  { path: "devices/system/cpu/online", read: cpuList },
  { path: "devices/system/cpu/possible", read: cpuList },
  { path: "devices/system/cpu/present", read: cpuList },
  { path: "devices/system/cpu/offline", read: () => "\n" },
  { path: "devices/system/cpu/kernel_max", read: () => "31\n" },
  { path: "devices/system/cpu/cpu0/topology/core_id", read: () => "0\n" },
  { path: "devices/system/cpu/cpu0/topology/physical_package_id", read: () => "0\n" },
  { path: "devices/system/node/online", read: () => "0\n" },
  ...["firmware", "fs/cgroup", "hypervisor", "kernel/mm", "module", "power"].map(directory),
  { path: "kernel/mm/transparent_hugepage/enabled", read: () => "always madvise [never]\n" },
);
