/** setns(2): the thread at work goes on in namespaces that are there. Spec: setns(2), "Details for specific namespace types". */
import { E } from "../errno.js";
import { kindOfNamespaceFile } from "../fs/nsfs.js";
import type { Namespaces, OpenFile } from "../state.js";
import { requireCapability } from "../tasks/capabilities.js";
import type { Work } from "../work.js";
import { enterMounts } from "./mount.js";
import { isWithin } from "./pid.js";
import {
  ALL_NAMESPACE_FLAGS,
  homeOf,
  NAMESPACE_FLAGS,
  type NamespaceKind,
  namespaceAt,
  setNamespaces,
} from "./records.js";
import { enterTime } from "./time.js";
import { credentialsInside } from "./user.js";

/** The order in which several are entered: the user namespace first, for its capabilities. */
const ORDER: readonly NamespaceKind[] = ["user", "mnt", "uts", "ipc", "pid", "cgroup", "net", "time"];

interface Entry {
  readonly kind: NamespaceKind;
  readonly id: number;
}

/** Throws where the thread at work may not enter; `user` is the user namespace it will be in. */
function check(k: Work, { kind, id }: Entry, user: number): void {
  const { namespaces } = k.task;
  const alone = k.process.threads.length === 1;
  if (kind === "user") {
    if (id === namespaces.user || !alone || k.context.users > 1) throw E.EINVAL;
    requireCapability(k, "CAP_SYS_ADMIN", id);
    return;
  }
  if (kind === "time" && !alone) throw E.EUSERS;
  // Whoever enters a user namespace by the same call has all capabilities in it, and in those below.
  const entering = user !== namespaces.user && isUserWithin(k, homeOf(k, id), user);
  if (!entering) {
    requireCapability(k, "CAP_SYS_ADMIN", homeOf(k, id));
    requireCapability(k, "CAP_SYS_ADMIN");
    if (kind === "mnt") requireCapability(k, "CAP_SYS_CHROOT");
  }
  if (kind === "mnt" && k.context.users > 1) throw E.EINVAL;
  if (kind === "pid" && !isWithin(k, id, namespaces.pid)) throw E.EINVAL;
}

function isUserWithin(k: Work, namespace: number, around: number): boolean {
  for (let id = namespace; id !== 0; id = k.objectOf<{ readonly parent: number }>(id).parent)
    if (id === around) return true;
  return false;
}

const FIELDS: { readonly [kind in NamespaceKind]: readonly (keyof Namespaces)[] } = {
  ...{ mnt: ["mnt"], uts: ["uts"], ipc: ["ipc"], pid: ["pidForChildren"], net: ["net"], user: ["user"] },
  ...{ cgroup: ["cgroup"], time: ["time", "timeForChildren"] },
};

function enter(k: Work, { kind, id }: Entry): void {
  if (kind === "mnt") enterMounts(k, id);
  if (kind === "time") enterTime(k, id);
  if (kind === "user") k.setTask(k.current, { credentials: credentialsInside(k.task.credentials) });
  setNamespaces(k, k.current, Object.fromEntries(FIELDS[kind].map((field) => [field, id])));
}

/** Namespaces that a file stands for: its own, or those of a process by its pidfd. Throws EINVAL, ESRCH. */
function entriesOf(k: Work, file: OpenFile, wanted: number): readonly Entry[] {
  const own = kindOfNamespaceFile(k, file);
  if (own !== undefined) {
    const { kind } = namespaceAt(k, own);
    if (wanted !== 0 && wanted !== NAMESPACE_FLAGS[kind]) throw E.EINVAL;
    return [{ kind, id: own }];
  }
  if (file.kind !== "pidfd" || wanted === 0 || (wanted & ~ALL_NAMESPACE_FLAGS) !== 0) throw E.EINVAL;
  const target = k.state.processes.get(file.object);
  const task = target?.threads[0] === undefined ? undefined : k.state.tasks.get(target.threads[0]);
  if (task === undefined) throw E.ESRCH;
  return ORDER.filter((kind) => (wanted & NAMESPACE_FLAGS[kind]) !== 0).map((kind) => ({
    kind,
    id: task.namespaces[FIELDS[kind][0]!],
  }));
}

export function setns(k: Work, file: OpenFile, wanted: number): number {
  const entries = entriesOf(k, file, wanted);
  const user = entries.find(({ kind }) => kind === "user")?.id ?? k.task.namespaces.user;
  for (const entry of entries) check(k, entry, user);
  for (const entry of entries) enter(k, entry);
  return 0;
}
