/**
 * What /proc/PID/ns leads to: a file for each namespace, which keeps it while it is open or mounted somewhere.
 * Spec: namespaces(7), "The /proc/pid/ns/ directory"; ioctl_ns(2).
 */

import { E } from "../errno.js";
import { writeWord } from "../mm/user-memory.js";
import {
  dropNamespace,
  holdNamespace,
  homeOf,
  NAMESPACE_FLAGS,
  type Namespace,
  type NamespaceKind,
  namespaceAt,
  namespaceOfNumber,
} from "../namespaces/records.js";
import type { Location, OpenFile, Task } from "../state.js";
import { idInside, type UserNamespace } from "../tasks/capabilities.js";
import type { Work } from "../work.js";
import { freeDescriptor, newFile, setDescriptor } from "./descriptors.js";
import { defineFileSystem } from "./file-systems.js";
import { defineKind, O } from "./kinds.js";
import { S } from "./types.js";

const MAGIC = 0x6e73_6673;

/** Throws ESTALE. */
function numbered(k: Work, ino: number): number {
  const id = namespaceOfNumber(k, ino);
  if (id === undefined) throw E.ESTALE;
  return id;
}

defineFileSystem({
  name: "nsfs",
  withoutDevice: true,
  mount() {
    throw E.EINVAL;
  },
  attributes: (_k, _fs, _ino) => ({
    ...{ mode: S.IFREG | 0o444, uid: 0, gid: 0, links: 1, size: 0, accessed: 0, modified: 0, changed: 0, device: 0 },
  }),
  lookup: () => undefined,
  list: () => [],
  parent: (_k, _fs, directory) => directory,
  open: (k, _fs, ino, flags) => {
    if ((flags & O.ACCMODE) !== O.RDONLY) throw E.EPERM;
    return { kind: "namespace", object: numbered(k, ino), data: undefined };
  },
  hold(k, _fs, ino, by) {
    const id = namespaceOfNumber(k, ino);
    if (id !== undefined) (by === 1 ? holdNamespace : dropNamespace)(k, id);
  },
  figures: () => ({ magic: MAGIC, blockSize: 4096, blocks: 0, free: 0, files: 0, freeFiles: 0 }),
});

/** Where the file of a namespace is: for links of /proc/PID/ns. */
export const namespaceLocation = (k: Work, id: number): Location => {
  const { number } = namespaceAt(k, id);
  return { mount: k.state.initial.nsfsMount!, ino: number, parent: number, name: "" };
};

/** Names of /proc/PID/ns, and the field of a task's namespaces. */
const NAMES: readonly (readonly [name: string, field: keyof Task["namespaces"]])[] = [
  ...[["cgroup", "cgroup"] as const, ["ipc", "ipc"] as const, ["mnt", "mnt"] as const, ["net", "net"] as const],
  ...[["pid", "pid"] as const, ["pid_for_children", "pidForChildren"] as const, ["time", "time"] as const],
  ...[["time_for_children", "timeForChildren"] as const, ["user", "user"] as const, ["uts", "uts"] as const],
];

/** The links of /proc/PID/ns: names, and numbers of the namespaces they lead to. */
export const namespaceLinks = ({ namespaces }: Task): readonly { readonly name: string; readonly id: number }[] =>
  NAMES.map(([name, field]) => ({ name, id: namespaces[field] }));

/** The namespace an open file stands for. */
export const kindOfNamespaceFile = (k: Work, file: OpenFile): number | undefined =>
  file.kind === "namespace" && k.state.objects.get(file.object) !== undefined ? file.object : undefined;

const NS = { GET_USERNS: 0xb701, GET_PARENT: 0xb702, GET_NSTYPE: 0xb703, GET_OWNER_UID: 0xb704 } as const;

/** A descriptor for a namespace that another one leads to. Throws EPERM where the caller may not see it. */
function opened(k: Work, id: number): number {
  const fd = freeDescriptor(k);
  const location = namespaceLocation(k, id);
  const fileSystem = k.state.mounts.get(location.mount)!.fileSystem;
  const inode = { fileSystem, ino: location.ino };
  const file = newFile(k, { kind: "namespace", flags: O.RDONLY, object: id, location, inode });
  return setDescriptor(k, fd, file.id, true);
}

/** Whether a user namespace is that of the thread at work or lies in it. */
function isVisible(k: Work, user: number): boolean {
  for (let id = user; id !== 0; id = k.objectOf<UserNamespace>(id).parent)
    if (id === k.task.namespaces.user) return true;
  return false;
}

function parentOf(k: Work, id: number): number {
  const { kind } = namespaceAt(k, id);
  if (kind !== "user" && kind !== "pid") throw E.EINVAL;
  const { parent } = k.objectOf<Namespace & { readonly parent: number }>(id);
  if (parent === 0) throw E.EPERM;
  if (kind === "user" ? !isVisible(k, parent) : !seesPid(k, parent)) throw E.EPERM;
  return parent;
}

function seesPid(k: Work, namespace: number): boolean {
  for (let id = namespace; id !== 0; id = k.objectOf<{ readonly parent: number }>(id).parent)
    if (id === k.task.namespaces.pid) return true;
  return false;
}

defineKind({
  name: "namespace",
  label: (file) => `namespace:${file.object}`,
  control(k, { object }, request, argument) {
    const { kind } = namespaceAt(k, object);
    if (request === NS.GET_NSTYPE) return NAMESPACE_FLAGS[kind as NamespaceKind];
    if (request === NS.GET_PARENT) return opened(k, parentOf(k, object));
    if (request === NS.GET_USERNS) {
      const user = homeOf(k, object);
      if (user === 0 || !isVisible(k, user)) throw E.EPERM;
      return opened(k, user);
    }
    if (request !== NS.GET_OWNER_UID) throw E.ENOTTY;
    if (kind !== "user") throw E.EINVAL;
    writeWord(k, argument, idInside(k, k.task.namespaces.user, "uidMap", k.objectOf<UserNamespace>(object).owner));
    return 0;
  },
});
