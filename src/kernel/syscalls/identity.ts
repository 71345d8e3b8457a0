/** System calls that ask who a process is. Spec: credentials(7), getpid(2), getuid(2). */
import { E } from "../errno.js";
import { pidInside, pidOutside } from "../namespaces/pid.js";
import { idInside } from "../tasks/capabilities.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

const user = (k: Work, id: number): number => idInside(k, k.task.namespaces.user, "uidMap", id);
const group = (k: Work, id: number): number => idInside(k, k.task.namespaces.user, "gidMap", id);

/** The process a number stands for; 0 is the caller. Throws ESRCH. */
function processAt(k: Work, pid: number) {
  const found = pid === 0 ? k.process : k.state.processes.get(pidOutside(k, pid));
  if (found === undefined) throw E.ESRCH;
  return found;
}

function setGroup(k: Work, pid: number, to: number): number {
  if (to < 0) throw E.EINVAL;
  const target = processAt(k, pid);
  const own = k.process;
  if (target.pid !== own.pid && target.parent !== own.pid) throw E.ESRCH;
  if (target.session !== own.session || target.session === target.pid) throw E.EPERM;
  if (target.pid !== own.pid && target.hasExecuted) throw E.EACCES;
  const wanted = to === 0 ? target.pid : pidOutside(k, to);
  if (wanted !== target.pid) {
    const members = [...k.state.processes.entries()].map(([, one]) => one);
    if (!members.some((one) => one.group === wanted && one.session === own.session)) throw E.EPERM;
  }
  k.setProcess(target.pid, { group: wanted });
  return 0;
}

function setSession(k: Work): number {
  const { pid } = k.process;
  for (const [, { group: other }] of k.state.processes.entries()) if (other === pid) throw E.EPERM;
  k.setProcess(pid, { session: pid, group: pid, terminal: undefined });
  return pidInside(k, pid);
}

export const identityCalls: readonly SystemCall[] = [
  call("getpid", "", (k) => pidInside(k, k.task.process)),
  call("gettid", "", (k) => pidInside(k, k.current)),
  call("getppid", "", (k) => pidInside(k, k.process.parent)),
  call("getpgrp", "", (k) => pidInside(k, k.process.group)),
  call("getpgid", "pid:int", (k, pid) => pidInside(k, processAt(k, pid).group)),
  call("setpgid", "pid:int pgid:int", setGroup),
  call("getsid", "pid:int", (k, pid) => pidInside(k, processAt(k, pid).session)),
  call("setsid", "", setSession),
  call("getuid", "", (k) => user(k, k.task.credentials.uid)),
  call("geteuid", "", (k) => user(k, k.task.credentials.euid)),
  call("getgid", "", (k) => group(k, k.task.credentials.gid)),
  call("getegid", "", (k) => group(k, k.task.credentials.egid)),
  call("getuid32", "", (k) => user(k, k.task.credentials.uid)),
  call("geteuid32", "", (k) => user(k, k.task.credentials.euid)),
  call("getgid32", "", (k) => group(k, k.task.credentials.gid)),
  call("getegid32", "", (k) => group(k, k.task.credentials.egid)),
];
