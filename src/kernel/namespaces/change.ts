/**
 * Other namespaces for a process: for a child that begins in new ones (clone), for the caller itself (unshare), and by what stands for one
 * that is there (setns).
 * Spec: clone(2), unshare(2), setns(2).
 */
import { newCgroupNamespace } from "../cgroups/namespace.js";
import { E } from "../errno.js";
import { copyDescriptors, dropDescriptors } from "../fs/descriptors.js";
import { copyMountNamespace } from "../fs/mounts.js";
import { newIpcNamespace } from "../ipc/records.js";
import type { Credentials, Namespaces } from "../state.js";
import type { UtsNamespace } from "../syscalls/system.js";
import { requireCapability } from "../tasks/capabilities.js";
import { dropContext, newContext } from "../tasks/contexts.js";
import type { Work } from "../work.js";
import { newPidNamespace } from "./pid.js";
import {
  ALL_NAMESPACE_FLAGS,
  addNamespace,
  NAMESPACE_FLAGS,
  type Namespace,
  type NamespaceKind,
  setNamespaces,
} from "./records.js";
import { newTimeNamespace } from "./time.js";
import { credentialsInside, newUserNamespace } from "./user.js";

/** What a process gets with flags. */
export interface NewNamespaces {
  readonly namespaces: Namespaces;
  readonly credentials: Credentials;
  /** Its mounts are still those of the thread at work: there is no context for the copy yet. */
  readonly copiesMounts: boolean;
}

/** A namespace of a kind like that of the thread at work, belonging to a user namespace. */
const copies: {
  readonly [kind in Exclude<NamespaceKind, "user" | "mnt">]: (k: Work, home: number) => Partial<Namespaces>;
} = {
  uts: (k, home) => {
    const { nodename, domainname } = k.objectOf<UtsNamespace>(k.task.namespaces.uts);
    return { uts: addNamespace<UtsNamespace>(k, { kind: "uts", home, nodename, domainname }) };
  },
  ipc: (k, home) => ({ ipc: newIpcNamespace(k, home) }),
  pid: (k, home) => ({ pidForChildren: newPidNamespace(k, k.task.namespaces.pid, home) }),
  net: (k, home) => ({ net: addNamespace<Namespace>(k, { kind: "net", home }) }),
  cgroup: (k, home) => ({ cgroup: newCgroupNamespace(k, home) }),
  time: (k, home) => ({ timeForChildren: newTimeNamespace(k, k.task.namespaces.timeForChildren, home) }),
};

/** New namespaces as flags ask for; the rest is as the thread at work has it. Throws EPERM, ENOSPC, EINVAL. */
export function newNamespaces(k: Work, flags: number): NewNamespaces {
  const { task } = k;
  let { namespaces, credentials } = task;
  if ((flags & ALL_NAMESPACE_FLAGS) === 0) return { namespaces, credentials, copiesMounts: false };
  const others = flags & ALL_NAMESPACE_FLAGS & ~NAMESPACE_FLAGS.user;
  if ((flags & NAMESPACE_FLAGS.user) !== 0) {
    namespaces = { ...namespaces, user: newUserNamespace(k) };
    credentials = credentialsInside(credentials);
  } else if (others !== 0) requireCapability(k, "CAP_SYS_ADMIN");
  if ((flags & NAMESPACE_FLAGS.pid) !== 0 && namespaces.pidForChildren !== namespaces.pid) throw E.EINVAL;
  for (const [kind, copy] of Object.entries(copies))
    if ((flags & NAMESPACE_FLAGS[kind as NamespaceKind]) !== 0)
      namespaces = { ...namespaces, ...copy(k, namespaces.user) };
  return { namespaces, credentials, copiesMounts: (flags & NAMESPACE_FLAGS.mnt) !== 0 };
}

/** Flags that unshare(2) knows; a thread cannot leave its process, so some only say that it has to be alone. */
const SHARED = { VM: 0x100, FS: 0x200, FILES: 0x400, SIGHAND: 0x800, THREAD: 0x1_0000, SYSVSEM: 0x4_0000 } as const;
const KNOWN = Object.values(SHARED).reduce((all, flag) => all | flag, ALL_NAMESPACE_FLAGS);

/** unshare(2). Throws EINVAL, EPERM, ENOSPC. */
export function unshare(k: Work, asked: number): number {
  if ((asked & ~KNOWN) !== 0) throw E.EINVAL;
  const mountsOrUser = NAMESPACE_FLAGS.mnt | NAMESPACE_FLAGS.user;
  const flags = asked | ((asked & mountsOrUser) !== 0 ? SHARED.FS : 0);
  const alone = SHARED.THREAD | SHARED.SIGHAND | SHARED.VM | NAMESPACE_FLAGS.user;
  if ((flags & alone) !== 0 && k.process.threads.length > 1) throw E.EINVAL;
  const { namespaces, credentials, copiesMounts } = newNamespaces(k, flags);
  if ((flags & SHARED.FS) !== 0) ownContext(k);
  if ((flags & SHARED.FILES) !== 0) ownDescriptors(k);
  const mnt = copiesMounts ? copyMountNamespace(k, namespaces.mnt, k.task.context, namespaces.user) : namespaces.mnt;
  k.setTask(k.current, { credentials });
  setNamespaces(k, k.current, { ...namespaces, mnt });
  return 0;
}

function ownContext(k: Work): void {
  const { context } = k.task;
  const { users, root, directory, umask } = k.context;
  if (users === 1) return;
  k.setTask(k.current, { context: newContext(k, root, directory, umask) });
  dropContext(k, context);
}

function ownDescriptors(k: Work): void {
  const { descriptors } = k.task;
  if (k.state.descriptorTables.get(descriptors)!.users === 1) return;
  k.setTask(k.current, { descriptors: copyDescriptors(k, descriptors).id });
  dropDescriptors(k, descriptors);
}
