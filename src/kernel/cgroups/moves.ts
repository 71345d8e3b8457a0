/** Writes to cgroup.procs and cgroup.threads. Spec: Linux, Documentation/admin-guide/cgroup-v2.rst "Delegation Containment". */
import { E } from "../errno.js";
import { MAY, requireAccess } from "../fs/permissions.js";
import { S } from "../fs/types.js";
import { pidOutside } from "../namespaces/pid.js";
import type { Work } from "../work.js";
import { type Cgroup, type CgroupNamespace, cgroupOf, upwards } from "./records.js";
import { commonAncestor, moveTasks, requireMayHost } from "./tree.js";

/** Owner and permissions of a file of a group; "" is its directory. */
export function fileOwner(group: Cgroup, name: string, isWritable: boolean): Cgroup["files"][string] {
  const known = group.files[name];
  if (known !== undefined) return known;
  return { mode: name === "" ? S.IFDIR | 0o755 : S.IFREG | (isWritable ? 0o644 : 0o444), uid: 0, gid: 0 };
}

/** Whoever moves a thread may write to what both groups have in common. Throws EACCES; ENOENT where that lies outside of their namespace. */
function requireDelegated(k: Work, from: number, to: number, name: string): void {
  const common = commonAncestor(k, from, to);
  requireAccess(
    k,
    {
      ...fileOwner(cgroupOf(k, common), name, true),
      links: 1,
      size: 0,
      accessed: 0,
      modified: 0,
      changed: 0,
      device: 0,
    },
    MAY.WRITE,
  );
  const { root } = k.objectOf<CgroupNamespace>(k.task.namespaces.cgroup);
  if (root === k.state.initial.cgroupRoot) return;
  for (const group of [from, to]) if (![...upwards(k, group)].includes(root)) throw E.ENOENT;
}

export function joinGroup(k: Work, to: number, text: string, whole: boolean): void {
  if (!/^\d+$/.test(text)) throw E.EINVAL;
  const number = Number(text);
  const tid = number === 0 ? k.current : pidOutside(k, number);
  const task = k.state.tasks.get(tid);
  if (cgroupOf(k, to).removed) throw E.ENODEV;
  if (task === undefined) throw E.ESRCH;
  if (whole && cgroupOf(k, to).threaded) throw E.EOPNOTSUPP;
  requireDelegated(k, task.cgroup, to, whole ? "cgroup.procs" : "cgroup.threads");
  requireMayHost(k, to);
  if (!whole && domainOf(k, task.cgroup) !== domainOf(k, to)) throw E.EOPNOTSUPP;
  moveTasks(k, whole ? k.processOf(task.process).threads : [tid], to);
}

/** The group whose threads a threaded one's are. */
function domainOf(k: Work, id: number): number {
  let at = id;
  while (cgroupOf(k, at).threaded) at = cgroupOf(k, at).parent;
  return at;
}
