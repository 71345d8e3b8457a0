/** System calls on limits. Spec: getrlimit(2), prlimit(2). */
import { E } from "../errno.js";
import { readUser, readWord, writeUser, writeWord } from "../mm/user-memory.js";
import { pidOutside } from "../namespaces/pid.js";
import type { Process } from "../state.js";
import { may } from "../tasks/capabilities.js";
import { startCpuTimers } from "../tasks/timers.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import { isWide } from "./times.js";

const LIMITS = 16;
const RLIMIT = { CPU: 0, NOFILE: 7 } as const;
const INFINITY = Number.POSITIVE_INFINITY;
/** What no process may have more of: fs.nr_open. */
const MOST_FILES = 1_048_576;
type Limit = readonly [soft: number, hard: number];

/** Infinity is all ones; what is beyond 2^53 counts as that. */
function readLong(k: Work, at: number): Limit {
  const view = new DataView(readUser(k, at, 16).buffer);
  const value = (offset: number): number => {
    const high = view.getUint32(offset + 4, true);
    return high >= 2 ** 21 ? INFINITY : high * 2 ** 32 + view.getUint32(offset, true);
  };
  return [value(0), value(8)];
}

function writeLong(k: Work, at: number, limit: Limit): void {
  const view = new DataView(new ArrayBuffer(16));
  limit.forEach((value, index) => {
    const finite = Number.isFinite(value);
    view.setUint32(index * 8, finite ? value >>> 0 : 0xffff_ffff, true);
    view.setUint32(index * 8 + 4, finite ? Math.floor(value / 2 ** 32) : 0xffff_ffff, true);
  });
  writeUser(k, at, new Uint8Array(view.buffer));
}

const ALL_ONES = 0xffff_ffff;
const fromWord = (word: number): number => (word === ALL_ONES ? INFINITY : word);
const readShort = (k: Work, at: number): Limit => [fromWord(readWord(k, at)), fromWord(readWord(k, at + 4))];

/** `most` is what infinity is shown as: old programs know a smaller one. */
function writeShort(k: Work, at: number, limit: Limit, most = ALL_ONES): void {
  limit.forEach((value, index) => {
    writeWord(k, at + index * 4, Math.min(value, most));
  });
}

const read = (k: Work, at: number): Limit => (isWide(k) ? readLong(k, at) : readShort(k, at));
const write = (k: Work, at: number, limit: Limit): void => (isWide(k) ? writeLong : writeShort)(k, at, limit);

/** Throws EINVAL. */
function limitOf({ limits }: Process, resource: number): Limit {
  if (resource >= LIMITS) throw E.EINVAL;
  return limits[resource]!;
}

/** Throws EINVAL, EPERM. */
function setLimit(k: Work, target: Process, resource: number, wanted: Limit): void {
  const old = limitOf(target, resource);
  const [soft, hard] = wanted;
  if (soft > hard) throw E.EINVAL;
  if (resource === RLIMIT.NOFILE && hard > MOST_FILES) throw E.EPERM;
  if (hard > old[1] && !may(k, "CAP_SYS_RESOURCE", k.state.initial.user!)) throw E.EPERM;
  // No time at all would be no limit: the process has a second of it.
  const limit: Limit = resource === RLIMIT.CPU && soft === 0 ? [1, hard] : wanted;
  k.setProcess(target.pid, { limits: target.limits.with(resource, limit) });
  if (target.pid === k.task.process) startCpuTimers(k);
}

/** The process that is meant. Throws ESRCH, EPERM. */
function processAt(k: Work, pid: number): Process {
  if (pid === 0) return k.process;
  const target = k.state.processes.get(pidOutside(k, pid));
  const [tid] = target?.threads ?? [];
  if (target === undefined || tid === undefined) throw E.ESRCH;
  const own = k.task.credentials;
  const { uid, euid, suid, gid, egid, sgid } = k.taskOf(tid).credentials;
  const same = [uid, euid, suid].every((id) => id === own.uid) && [gid, egid, sgid].every((id) => id === own.gid);
  if (target.pid !== k.task.process && !same && !may(k, "CAP_SYS_RESOURCE", k.taskOf(tid).namespaces.user))
    throw E.EPERM;
  return target;
}

function prlimit(k: Work, pid: number, resource: number, newAt: number, oldAt: number): number {
  const wanted = newAt === 0 ? undefined : readLong(k, newAt);
  const target = processAt(k, pid);
  const old = limitOf(target, resource);
  if (wanted !== undefined) setLimit(k, target, resource, wanted);
  if (oldAt !== 0) writeLong(k, oldAt, old);
  return 0;
}

export const limitCalls: readonly SystemCall[] = [
  call("prlimit64", "pid:int resource:uint new_limit:pointer old_limit:pointer", prlimit),
  call("getrlimit", "resource:uint rlim:pointer", (k, resource, at) => {
    const limit = limitOf(k.process, resource);
    if (isWide(k)) writeLong(k, at, limit);
    else writeShort(k, at, limit, 0x7fff_ffff);
    return 0;
  }),
  call("ugetrlimit", "resource:uint rlim:pointer", (k, resource, at) => {
    write(k, at, limitOf(k.process, resource));
    return 0;
  }),
  call("setrlimit", "resource:uint rlim:pointer", (k, resource, at) => {
    setLimit(k, k.process, resource, read(k, at));
    return 0;
  }),
];
