/** System calls on the system as a whole, and limits. Spec: uname(2), sysinfo(2), getrlimit(2), getrandom(2). */
import { E } from "../errno.js";
import { bytesOf, readLong, readWord, writeLong, writeUser } from "../mm/user-memory.js";
import { pidOutside } from "../namespaces/pid.js";
import type { Namespace } from "../namespaces/records.js";
import { nextRandom } from "../random.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

/** The names of a UTS namespace. Spec: uts_namespaces(7). */
export interface UtsNamespace extends Namespace {
  readonly kind: "uts";
  readonly nodename: string;
  readonly domainname: string;
}

export const RELEASE = "6.1.0-virtlab";
export const VERSION_TEXT = "#1 SMP virtlab 0.1";
const FIELD = 65;

function uname(k: Work, at: number): number {
  const { nodename, domainname } = k.objectOf<UtsNamespace>(k.task.namespaces.uts);
  const machine = k.call.abi === "x86_64" ? "x86_64" : "i686";
  const bytes = new Uint8Array(6 * FIELD);
  ["Linux", nodename, RELEASE, VERSION_TEXT, machine, domainname].forEach((text, index) => {
    bytes.set(bytesOf(text), index * FIELD);
  });
  writeUser(k, at, bytes);
  return 0;
}

const LIMITS = 16;
const INFINITY = Number.POSITIVE_INFINITY;

function writeLimit(k: Work, at: number, [soft, hard]: readonly [number, number]): void {
  for (const [index, value] of [soft, hard].entries()) {
    if (value === INFINITY) writeUser(k, at + index * 8, new Uint8Array(8).fill(0xff));
    else writeLong(k, at + index * 8, value);
  }
}

function readLimit(k: Work, at: number): number {
  if (readWord(k, at) === 0xffff_ffff && readWord(k, at + 4) === 0xffff_ffff) return INFINITY;
  const value = readLong(k, at);
  return value < 0 ? INFINITY : value;
}

function limits(k: Work, pid: number, resource: number, newAt: number, oldAt: number): number {
  if (resource >= LIMITS) throw E.EINVAL;
  const target = pid === 0 ? k.process : k.state.processes.get(pidOutside(k, pid));
  if (target === undefined) throw E.ESRCH;
  const old = target.limits[resource]!;
  if (newAt !== 0) {
    const wanted = [readLimit(k, newAt), readLimit(k, newAt + 8)] as const;
    if (wanted[0] > wanted[1]) throw E.EINVAL;
    if (wanted[1] > old[1] && (k.task.credentials.capabilities.effective & (1n << 24n)) === 0n) throw E.EPERM;
    k.setProcess(target.pid, { limits: target.limits.with(resource, wanted) });
  }
  if (oldAt !== 0) writeLimit(k, oldAt, old);
  return 0;
}

export const systemCalls: readonly SystemCall[] = [
  call("uname", "buf:pointer", uname),
  call("prlimit64", "pid:int resource:uint new_limit:pointer old_limit:pointer", limits),
  call("getrlimit", "resource:uint rlim:pointer", (k, resource, at) => limits(k, 0, resource, 0, at)),
  call("setrlimit", "resource:uint rlim:pointer", (k, resource, at) => limits(k, 0, resource, at, 0)),
  call("getrandom", "buf:buffer buflen:size flags:flags", (k, at, length, flags) => {
    if ((flags & ~7) !== 0) throw E.EINVAL;
    const bytes = nextRandom(k, Math.min(length, 1 << 20));
    writeUser(k, at, bytes);
    return bytes.length;
  }),
];
